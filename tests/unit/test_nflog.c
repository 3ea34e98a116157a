/* SPDX-License-Identifier: GPL-2.0-or-later */
/* edge/nflog against the real kernel, in a namespace of its own: groups are had, shared with nobody
 * and let go of; packets are read; what comes too fast is counted. */
#include "edge/nflog.h"

#include "edge/loop.h"

/* Before the kernel's headers of the same. */
#include <netinet/in.h>

#include "nft_lab.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { GROUP = 4747, OTHER = 9, PACKETS_MAX = 64 };

static struct loop *loop;
static struct loop_timer *timer;
static struct nflog *nflog;
static struct {
	uint16_t group;
	struct refused_packet packet;
} got[PACKETS_MAX];
static size_t got_count, wanted;

static void on_packet(void *userdata, uint16_t group, const struct refused_packet *p)
{
	if (got_count < PACKETS_MAX) {
		got[got_count].group = group;
		got[got_count].packet = *p;
	}
	got_count++;
}

static void on_turn(void *userdata)
{
	if (got_count >= wanted)
		loop_stop(loop);
}

static void on_time(void *userdata)
{
	loop_stop(loop);
}

/* Until so many packets have come, at most for a while. */
static size_t await(size_t count)
{
	wanted = count;
	loop_timer_arm(timer, 10000);
	loop_run(loop, on_turn, NULL);
	loop_timer_disarm(timer);
	return got_count;
}

static void send_to(uint16_t port, unsigned count)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, "127.0.0.9", &to.sin_addr);
	for (unsigned i = 0; i < count; i++)
		(void)sendto(fd, "x", 1, 0, (const struct sockaddr *)&to, sizeof(to));
	close(fd);
}

static void begin(void)
{
	nflog_free(nflog);
	nflog = NULL;
	got_count = 0;
	CHECK_INT(nflog_new(loop, on_packet, NULL, &nflog), 0);
}

static void test_packets_of_each_bound_group_are_read(void)
{
	begin();
	CHECK_INT(nflog_bind(nflog, GROUP), 0);
	CHECK_INT(nflog_bind(nflog, OTHER), 0);
	send_to(443, 1);
	CHECK_INT(await(1), 1);
	send_to(80, 1);
	CHECK_INT(await(2), 2);
	CHECK_INT(got[0].group, GROUP);
	CHECK_STR(got[0].packet.group, "machines");
	CHECK_INT(got[0].packet.service.port_first, 443);
	CHECK_INT(got[1].group, OTHER);
	CHECK_STR(got[1].packet.group, "phones");
	CHECK_INT(got[1].packet.service.port_first, 80);
	char name[IF_NAMESIZE];
	CHECK_STR(nflog_interface(got[0].packet.out_index, name), "lo");
	CHECK_STR(nflog_interface(0, name), "");
	CHECK_INT(nflog_strange_count(nflog), 0);
}

static void test_several_packets_come_together(void)
{
	begin();
	CHECK_INT(nflog_bind(nflog, GROUP), 0);
	send_to(443, 40);
	CHECK_INT(await(40), 40);
	CHECK_INT(nflog_lost_count(nflog), 0);
}

static void test_a_group_is_had_by_one_only(void)
{
	struct nflog *second;

	begin();
	CHECK_INT(nflog_bind(nflog, GROUP), 0);
	CHECK_INT(nflog_new(loop, on_packet, NULL, &second), 0);
	int taken = nflog_bind(second, GROUP), free_one = nflog_bind(second, OTHER);
	nflog_unbind(nflog, GROUP);
	int let_go = nflog_bind(second, GROUP);
	nflog_free(second);
	int closed = nflog_bind(nflog, GROUP);
	CHECK_INT(taken, -EBUSY);
	CHECK_INT(free_one, 0);
	CHECK_INT(let_go, 0);
	CHECK_INT(closed, 0);
	send_to(443, 1);
	CHECK_INT(await(1), 1);
}

static void test_one_that_is_bound_may_be_bound_again(void)
{
	begin();
	CHECK_INT(nflog_bind(nflog, GROUP), 0);
	CHECK_INT(nflog_bind(nflog, GROUP), 0);
	send_to(443, 1);
	CHECK_INT(await(1), 1);
	nflog_unbind(nflog, OTHER);
	nflog_unbind(nflog, GROUP);
	nflog_unbind(nflog, GROUP);
}

static void test_packets_of_other_rules_are_counted_only(void)
{
	begin();
	CHECK_INT(nflog_bind(nflog, GROUP), 0);
	send_to(22, 1);
	send_to(443, 1);
	CHECK_INT(await(1), 1);
	CHECK_INT(got[0].packet.service.port_first, 443);
	CHECK_INT(nflog_strange_count(nflog), 1);
}

static void test_what_comes_too_fast_is_lost_and_counted(void)
{
	int bytes = 4096;

	begin();
	CHECK_INT(nflog_bind(nflog, GROUP), 0);
	CHECK_INT(
		setsockopt(nflog_fd(nflog), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)), 0);
	send_to(443, 2000);
	await(1);
	CHECK(nflog_lost_count(nflog) > 0);
	CHECK(got_count > 0 && got_count < 2000);
	/* And then it goes on; also to be bound. */
	CHECK_INT(nflog_bind(nflog, OTHER), 0);
	size_t before = got_count;
	send_to(80, 1);
	CHECK_INT(await(before + 1), before + 1);
}

/* The answer is found behind what had come before. */
static void test_packets_that_come_before_the_answer_are_not_lost(void)
{
	begin();
	CHECK_INT(nflog_bind(nflog, GROUP), 0);
	send_to(443, 48);
	CHECK_INT(nflog_bind(nflog, OTHER), 0);
	CHECK_INT(await(48), 48);
}

static void test_a_group_is_had_in_spite_of_a_full_buffer(void)
{
	int bytes = 4096;

	begin();
	CHECK_INT(nflog_bind(nflog, GROUP), 0);
	CHECK_INT(
		setsockopt(nflog_fd(nflog), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)), 0);
	send_to(443, 2000);
	CHECK_INT(nflog_bind(nflog, OTHER), 0);
	CHECK(nflog_lost_count(nflog) > 0);
	size_t before = got_count;
	send_to(80, 1);
	CHECK_INT(await(before + 1), before + 1);
}

static void test_without_the_capability_no_group_is_had(void)
{
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
		struct __user_cap_data_struct none[2] = {{0}};
		struct nflog *n;
		int r = syscall(SYS_capset, &head, none) == 0 &&
					nflog_new(loop, on_packet, NULL, &n) == 0
				? nflog_bind(n, GROUP)
				: 0;
		_exit(r == -EBUSY ? 0 : 1);
	}
	int status = 1;
	waitpid(child, &status, 0);
	CHECK_INT(status, 0);
}

int main(void)
{
	if (!lab_enter())
		return 0;
	if (!lab_ip("link set lo up\n") ||
		!lab_nft(
			"table inet t {\n"
			"chain c {\n"
			"type filter hook output priority 0;\n"
			"udp dport 443 log prefix \"allowsync machines report: \" group %d snaplen "
			"128\n"
			"udp dport 80 log prefix \"allowsync phones enforce: \" group %d snaplen "
			"128\n"
			"udp dport 22 log prefix \"others\" group %d snaplen 128\n"
			"}\n}\n",
			GROUP, OTHER, GROUP) ||
		loop_new(&loop) < 0)
		return 1;
	timer = loop_timer_new(loop, on_time, NULL);
	TAP_RUN(test_packets_of_each_bound_group_are_read);
	TAP_RUN(test_several_packets_come_together);
	TAP_RUN(test_a_group_is_had_by_one_only);
	TAP_RUN(test_one_that_is_bound_may_be_bound_again);
	TAP_RUN(test_packets_of_other_rules_are_counted_only);
	TAP_RUN(test_what_comes_too_fast_is_lost_and_counted);
	TAP_RUN(test_packets_that_come_before_the_answer_are_not_lost);
	TAP_RUN(test_a_group_is_had_in_spite_of_a_full_buffer);
	TAP_RUN(test_without_the_capability_no_group_is_had);
	nflog_free(nflog);
	loop_timer_free(timer);
	loop_free(loop);
	return tap_done();
}
