/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the monitor tells while others change the real nf_tables, in a private network namespace. */
#include "edge/nft_msg.h"
#include "nft_ears.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static const char with_element[] =
	"table inet t { set s { type ipv4_addr; elements = { 10.0.0.1 }; }\n}";

static void test_elements_that_nft_adds_and_deletes_are_told(void)
{
	fresh(plain);
	CHECK(lab_nft("add element inet t s { 10.0.0.1, 10.0.0.2 }"));
	CHECK_STR(heard(), "+ inet t s 0a000001\n+ inet t s 0a000002\nend\n");
	CHECK(lab_nft("delete element inet t s { 10.0.0.1 }"));
	CHECK_STR(heard(), "- inet t s 0a000001\nend\n");
	CHECK(lab_nft("add element inet t s { 10.0.0.3 }\n"
		      "delete element inet t s { 10.0.0.2, 10.0.0.3 }"));
	CHECK_STR(heard(), "+ inet t s 0a000003\n- inet t s 0a000002\n- inet t s 0a000003\nend\n");
}

static void test_only_the_tag_makes_an_element_ours(void)
{
	fresh(plain);
	CHECK(lab_nft("add element inet t s { 10.0.0.1 comment \"allowsyncd\" }"));
	CHECK_STR(heard(), "+ inet t s 0a000001 ours\nend\n");
	CHECK(lab_nft("add element inet t s { 10.0.0.2 comment \"allowsyncd2\" }"));
	CHECK_STR(heard(), "+ inet t s 0a000002\nend\n");
}

static void test_a_timeout_is_told_however_it_came(void)
{
	fresh("table inet t {\n"
	      "set s { type ipv4_addr; flags timeout; }\n"
	      "set d { type ipv6_addr; timeout 1h; counter; }\n}");
	CHECK(lab_nft("add element inet t s { 10.0.0.1 timeout 1h, 10.0.0.2 }"));
	CHECK_STR(heard(), "+ inet t s 0a000001 expires\n+ inet t s 0a000002\nend\n");
	CHECK(lab_nft("add element inet t d { fd00::1 comment \"allowsyncd\" }"));
	CHECK_STR(heard(), "+ inet t d fd000000000000000000000000000001 ours expires\nend\n");
}

static void test_concatenated_keys_come_as_the_kernel_holds_them(void)
{
	fresh("table ip t { set s { type ipv4_addr . inet_proto . inet_service; }\n}\n"
	      "table ip6 t { set s { type ipv6_addr . inet_proto . inet_service; }\n}");
	CHECK(lab_nft("add element ip t s { 10.0.0.1 . tcp . 443 }"));
	CHECK_STR(heard(), "+ ip t s 0a0000010600000001bb0000\nend\n");
	CHECK(lab_nft("add element ip6 t s { fd00::1 . udp . 53 }"));
	CHECK_STR(heard(), "+ ip6 t s fd000000000000000000000000000001"
			   "1100000000350000\nend\n");
	CHECK(lab_nft("delete element ip t s { 10.0.0.1 . tcp . 443 }"));
	CHECK_STR(heard(), "- ip t s 0a0000010600000001bb0000\nend\n");
}

static void test_maps_and_long_keys_are_strange(void)
{
	fresh("table inet t {\n"
	      "set l { type ipv6_addr . ipv6_addr; }\n"
	      "map m { type ipv4_addr : mark; }\n}");
	CHECK(lab_nft("add element inet t l { fd00::1 . fd00::2 }"));
	CHECK_STR(heard(), "+ inet t l strange\nend\n");
	CHECK(lab_nft("add element inet t m { 10.0.0.1 : 7 }"));
	CHECK_STR(heard(), "+ inet t m strange\nend\n");
}

/* nft puts an end at 0 into a set where nothing begins there. */
static void test_ranges_come_as_two_entries_and_boxes_with_their_last_key(void)
{
	fresh("table inet t {\n"
	      "set i { type ipv4_addr; flags interval; }\n"
	      "set p { type ipv4_addr . inet_service; flags interval; }\n}");
	CHECK(lab_nft("add element inet t p { 10.0.0.0/24 . 443 }"));
	CHECK_STR(heard(), "+ inet t p 0a00000001bb0000-0a0000ff01bb0000\nend\n");
	CHECK(lab_nft("delete element inet t p { 10.0.0.0/24 . 443 }"));
	CHECK_STR(heard(), "- inet t p 0a00000001bb0000-0a0000ff01bb0000\nend\n");
	CHECK(lab_nft("add element inet t i { 10.0.0.0/24 comment \"allowsyncd\" }"));
	CHECK_STR(heard(), "+ inet t i 00000000 end\n+ inet t i 0a000000 ours\n"
			   "+ inet t i 0a000100 end\nend\n");
	CHECK(lab_nft("add element inet t i { 255.0.0.0/8 }"));
	CHECK_STR(heard(), "+ inet t i ff000000 open\nend\n");
	CHECK(lab_nft("delete element inet t i { 10.0.0.0/24 }"));
	CHECK_STR(heard(), "- inet t i 0a000000 ours\n- inet t i 0a000100 end\nend\n");
}

static void test_a_flushed_set_tells_of_each_element(void)
{
	fresh(with_element);
	CHECK(lab_nft("flush set inet t s"));
	CHECK_STR(heard(), "- inet t s 0a000001\nend\n");
}

static const char with_rule[] = "table inet t {\n"
				"set s { type ipv4_addr; elements = { 10.0.0.1, 10.0.0.2 }; }\n"
				"chain c { ip daddr @s accept; }\n}";

static void test_what_goes_with_its_table_is_told_but_no_element(void)
{
	fresh(with_rule);
	CHECK(lab_nft("delete table inet t"));
	const char *text = heard();
	CHECK(strstr(text, "set inet t s\n"));
	CHECK(strstr(text, "rule inet t\n"));
	CHECK(strstr(text, "table inet t\n"));
	CHECK_INT(told.deleted, 0);
	CHECK_INT(told.generations, 1);

	CHECK(lab_nft("%s", with_rule));
	heard();
	CHECK(lab_nft("flush ruleset"));
	text = heard();
	CHECK(strstr(text, "set inet t s\n"));
	CHECK(strstr(text, "table inet t\n"));
	CHECK_INT(told.deleted, 0);
	CHECK_INT(told.generations, 1);
}

static void test_a_deleted_set_and_a_deleted_rule_are_told(void)
{
	fresh(with_rule);
	CHECK(lab_nft("flush chain inet t c"));
	CHECK_STR(heard(), "rule inet t\nend\n");
	CHECK(lab_nft("delete set inet t s"));
	CHECK_STR(heard(), "set inet t s\nend\n");
	CHECK(lab_nft("add set inet t s { type ipv6_addr; }"));
	CHECK_STR(heard(), "set inet t s\nend\n");
}

static void test_a_reload_is_one_transaction_with_the_elements_of_the_file(void)
{
	fresh(with_rule);
	CHECK(lab_nft("flush ruleset\n%s", with_rule));
	const char *text = heard();
	CHECK_INT(told.generations, 1);
	CHECK_INT(told.deleted, 0);
	CHECK_INT(told.added, 2);
	/* The old set goes before the new one comes, and its elements after it. */
	const char *gone = strstr(text, "set inet t s\n");
	CHECK(gone);
	const char *made = strstr(gone + 1, "\nset inet t s\n");
	CHECK(made);
	CHECK(strstr(text, "+ inet t s ") > made);
	CHECK_STR(text + strlen(text) - 4, "end\n");
}

static void test_what_changes_nothing_is_not_told(void)
{
	fresh(with_element);
	CHECK(lab_nft("add element inet t s { 10.0.0.1 }"));
	CHECK_STR(heard(), "");
	/* The last of them fails, and all are undone. */
	CHECK(commit_own(5, 1, false) == NFT_COMMIT_REFUSED);
	CHECK_STR(heard(), "");
}

static void test_the_generation_is_that_of_the_kernel(void)
{
	fresh(plain);
	CHECK_INT(nft_monitor_generation(monitor), 0);
	for (int i = 0; i < 3; i++) {
		uint32_t now;
		CHECK(lab_nft("add element inet t s { 10.0.0.%d }", i));
		heard();
		CHECK_INT(nft_conn_generation(conn, &now), 0);
		CHECK_INT(told.generation, now);
		CHECK_INT(nft_monitor_generation(monitor), now);
	}
}

/* In another pid namespace than the first the kernel's numbers are not ours. */
static bool in_first_pid_namespace(void)
{
	char text[64];
	ssize_t n = readlink("/proc/self/ns/pid", text, sizeof(text) - 1);
	text[n < 0 ? 0 : n] = '\0';
	return str_eq(text, "pid:[4026531836]");
}

static void test_who_made_a_change_is_named(void)
{
	fresh(plain);
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		execlp("nft", "nft", "add element inet t s { 10.0.0.1 }", (char *)NULL);
		_exit(127);
	}
	int status;
	CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
	heard();
	CHECK_STR(told.process, "nft");
	if (in_first_pid_namespace())
		CHECK_INT(told.pid, child);
	else
		CHECK(told.pid != 0);
}

static void test_a_process_cannot_write_control_characters_into_a_log(void)
{
	char before[16];
	fresh(plain);
	CHECK_INT(prctl(PR_GET_NAME, before), 0);
	CHECK_INT(prctl(PR_SET_NAME, "a\nb\033[1m\377"), 0);
	enum nft_commit outcome = commit_own(1, 1, true);
	prctl(PR_SET_NAME, before);
	CHECK_INT(outcome, NFT_COMMIT_DONE);
	heard();
	CHECK_STR(told.process, "a?b?[1m?");
}

static void test_changes_of_ones_own_are_known_by_their_port(void)
{
	fresh(plain);
	CHECK_INT(commit_own(1, 1, true), NFT_COMMIT_DONE);
	CHECK(lab_nft("add element inet t s { 10.1.0.1 }"));
	CHECK_INT(commit_own(1, 1, false), NFT_COMMIT_DONE);
	CHECK_STR(heard(), "+ inet t s 0a000001 ours (own)\nend (own)\n"
			   "+ inet t s 0a010001\nend\n"
			   "- inet t s 0a000001 ours (own)\nend (own)\n");
}

/* A set that changes while it is dumped, and is so big that what is left of the dump is not worth
 * reading: that makes the connection open its socket anew. */
static void test_the_port_is_the_new_one_after_the_socket_was_opened_anew(void)
{
	fresh(plain);
	CHECK_INT(commit_own(0, 150000, true), NFT_COMMIT_DONE);
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		struct nft_conn *busy;
		if (nft_conn_new(&busy) != 0)
			_exit(1);
		conn = busy;
		for (;;) {
			commit_own(200000, 1, true);
			commit_own(200000, 1, false);
		}
	}
	struct set_id id = id_of("inet", "s");
	struct live l = LIVE_NULL;
	uint32_t before = nft_conn_portid(conn), generation;
	size_t strange;
	for (int i = 0; i < 20 && nft_conn_portid(conn) == before; i++)
		nft_conn_dump(conn, &id, &kind_v4, &l, &generation, &strange);
	live_done(&l);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	CHECK(nft_conn_portid(conn) != before);

	heard(); /* too much */
	CHECK_INT(commit_own(300000, 1, true), NFT_COMMIT_DONE);
	CHECK_STR(heard(), "+ inet t s 0a0493e0 ours (own)\nend (own)\n");
}

static void test_nobody_but_the_kernel_is_heard(void)
{
	fresh(plain);
	struct sockaddr_nl to;
	socklen_t len = sizeof(to);
	CHECK_INT(getsockname(nft_monitor_fd(monitor), (struct sockaddr *)&to, &len), 0);
	struct {
		struct nlmsghdr h;
		struct nfgenmsg g;
		struct nlattr a;
		uint32_t generation;
	} forged = {
		.h = {.nlmsg_len = sizeof(forged),
			.nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN},
		.a = {.nla_len = 8, .nla_type = NFTA_GEN_ID},
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	CHECK(fd >= 0);
	ssize_t n = sendto(fd, &forged, sizeof(forged), 0, (const struct sockaddr *)&to, len);
	close(fd);
	CHECK(n < 0);
	CHECK_STR(heard(), "");
}

static void test_without_the_capability_there_is_no_monitor(void)
{
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		struct nft_monitor *m;
		if (setresuid(65534, 65534, 65534) != 0)
			_exit(1);
		_exit(nft_monitor_new(loop, on_notice, NULL, &m) == -EPERM ? 0 : 2);
	}
	int status;
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_INT(status, 0);
}

/* Sends one message between the fences of a batch. False: this kernel does not know it. */
static bool send_alone(const struct nft_msg_batch *fences, const void *message, size_t len)
{
	uint8_t batch[1024];
	const struct nlmsghdr *begin = (const void *)fences->data;
	size_t end_len = begin->nlmsg_len; /* as long as the other, and the last */
	size_t at = 0;
	memcpy(batch, begin, begin->nlmsg_len);
	at += begin->nlmsg_len;
	memcpy(batch + at, message, len);
	at += NLMSG_ALIGN(len);
	memcpy(batch + at, fences->data + fences->len - end_len, end_len);
	at += end_len;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
	uint32_t answer[256];
	bool taken = fd >= 0 && send(fd, batch, at, 0) == (ssize_t)at &&
		     recv(fd, answer, sizeof(answer), 0) < 0 && errno == EAGAIN;
	if (fd >= 0)
		close(fd);
	return taken;
}

/* The kernel tells of a "destroy" in other words than of a "delete", and nft 1.0.6 has none. */
static void test_what_is_destroyed_is_told_as_deleted(void)
{
	enum { DESTROYSET = 29, DESTROYSETELEM = 30 };
	fresh(with_element);
	struct set_id id = id_of("inet", "s");
	struct element_key key = lab_key("10.0.0.1");
	struct plan p = PLAN_NULL;
	plan_delete(plan_for_set(&p, 0, &id, &kind_v4), &key);
	struct nft_msg_batch b = NFT_MSG_BATCH_NULL;
	int r = nft_msg_batch_encode(&b, &p, 1);
	plan_done(&p);

	/* Fence, a question, the deletion, fence. */
	struct nlmsghdr *h = (void *)b.data;
	for (int i = 0; r == 0 && i < 2; i++)
		h = (void *)((uint8_t *)h + NLMSG_ALIGN(h->nlmsg_len));
	h->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | DESTROYSETELEM;
	bool known = send_alone(&b, h, h->nlmsg_len);
	_cleanup_free_ char *elements = xstrdup(heard());
	uint32_t request[NFT_MSG_REQUEST_MAX / sizeof(uint32_t)];
	size_t len = nft_msg_encode_get_set(request, 2, &id);
	((struct nlmsghdr *)(void *)request)->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | DESTROYSET;
	bool gone = send_alone(&b, request, len);
	nft_msg_batch_done(&b);
	if (!known)
		TAP_SKIP("this kernel destroys nothing");
	CHECK_STR(elements, "- inet t s 0a000001\nend\n");
	CHECK(gone);
	CHECK_STR(heard(), "set inet t s\nend\n");
}

int main(void)
{
	if (!lab_enter())
		return 0;
	if (!ears_open())
		return 1;
	TAP_RUN(test_elements_that_nft_adds_and_deletes_are_told);
	TAP_RUN(test_only_the_tag_makes_an_element_ours);
	TAP_RUN(test_a_timeout_is_told_however_it_came);
	TAP_RUN(test_concatenated_keys_come_as_the_kernel_holds_them);
	TAP_RUN(test_maps_and_long_keys_are_strange);
	TAP_RUN(test_ranges_come_as_two_entries_and_boxes_with_their_last_key);
	TAP_RUN(test_a_flushed_set_tells_of_each_element);
	TAP_RUN(test_what_goes_with_its_table_is_told_but_no_element);
	TAP_RUN(test_a_deleted_set_and_a_deleted_rule_are_told);
	TAP_RUN(test_a_reload_is_one_transaction_with_the_elements_of_the_file);
	TAP_RUN(test_what_changes_nothing_is_not_told);
	TAP_RUN(test_the_generation_is_that_of_the_kernel);
	TAP_RUN(test_who_made_a_change_is_named);
	TAP_RUN(test_a_process_cannot_write_control_characters_into_a_log);
	TAP_RUN(test_changes_of_ones_own_are_known_by_their_port);
	TAP_RUN(test_the_port_is_the_new_one_after_the_socket_was_opened_anew);
	TAP_RUN(test_nobody_but_the_kernel_is_heard);
	TAP_RUN(test_without_the_capability_there_is_no_monitor);
	TAP_RUN(test_what_is_destroyed_is_told_as_deleted);
	ears_close();
	return tap_done();
}
