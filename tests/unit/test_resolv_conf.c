/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which servers a resolv.conf names. */
#include "edge/resolv_conf.h"

#include "allowsync/config.h"
#include "tap.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[] = "/tmp/resolv.confXXXXXX";
static struct config_server *servers;
static size_t count, skipped;

static int read_bytes(const char *bytes, size_t len)
{
	FILE *file = fopen(path, "w");

	CHECK(file != NULL);
	CHECK_INT(fwrite(bytes, 1, len, file), len);
	CHECK_INT(fclose(file), 0);
	free(servers);
	servers = NULL;
	count = skipped = 99;
	return resolv_conf_read(path, &servers, &count, &skipped);
}

static void read_text(const char *text)
{
	CHECK_INT(read_bytes(text, strlen(text)), 0);
}

static void check_server(size_t i, const char *addr, const char *scope)
{
	char text[ADDR_TEXT_SIZE];

	CHECK(i < count);
	CHECK_STR(addr_format(&servers[i].addr, text), addr);
	CHECK_STR(servers[i].scope, scope);
	CHECK_INT(servers[i].port, 53);
}

static void test_servers_come_in_order_and_nothing_else_counts(void)
{
	read_text("# nameserver 45.0.0.9\n; nameserver 45.0.0.8\nsearch lan\n"
		  "options ndots:5 use-vc\nnameserver 45.0.0.1\nnameserver\t 2a00:1::1 \t# mine\n"
		  "domain lan\nnameservers 45.0.0.7\nnameserver45.0.0.6\n nameserver 45.0.0.5\n"
		  "nameserver 45.0.0.2");
	CHECK_INT(count, 3);
	CHECK_INT(skipped, 0);
	check_server(0, "45.0.0.1", "");
	check_server(1, "2a00:1::1", "");
	check_server(2, "45.0.0.2", "");
}

static void test_link_local_needs_its_interface(void)
{
	char text[128], name[IF_NAMESIZE];

	read_text("nameserver fe80::1%eth7\nnameserver fe80::1\nnameserver fe80::2%\n"
		  "nameserver fe80::3%a-name-that-is-too-long\nnameserver fe80::4%4000000\n");
	CHECK_INT(count, 1);
	CHECK_INT(skipped, 4);
	check_server(0, "fe80::1", "eth7");
	CHECK(if_indextoname(1, name) != NULL);
	snprintf(text, sizeof(text), "nameserver fe80::1%%1\nnameserver fe80::1%%%s\n", name);
	read_text(text);
	CHECK_INT(count, 1); /* the number and the name are the same interface */
	check_server(0, "fe80::1", name);
}

static void test_interface_of_another_address_says_nothing(void)
{
	read_text("nameserver 2a00:1::1%eth0\n");
	CHECK_INT(count, 1);
	check_server(0, "2a00:1::1", "");
}

static void test_what_is_no_address_is_passed_over_and_counted(void)
{
	read_text("nameserver dns.example.com\nnameserver 45.0.0\nnameserver \nnameserver 1:2\n"
		  "nameserver [::1]:53\nnameserver 45.0.0.1\r\n");
	CHECK_INT(count, 1);
	CHECK_INT(skipped, 5);
	check_server(0, "45.0.0.1", "");
}

static void test_no_address_means_this_machine(void)
{
	read_text("nameserver 0.0.0.0\nnameserver ::\n");
	CHECK_INT(count, 2);
	check_server(0, "127.0.0.1", "");
	check_server(1, "::1", "");
}

static void test_duplicates_count_once_and_eight_at_most(void)
{
	char text[1024] = "nameserver 45.0.0.1\nnameserver 45.0.0.1\n";

	for (unsigned i = 1; i <= 10; i++) {
		size_t len = strlen(text);
		snprintf(text + len, sizeof(text) - len, "nameserver 45.0.0.%u\n", i);
	}
	read_text(text);
	CHECK_INT(count, CONFIG_SERVERS_MAX);
	CHECK_INT(skipped, 2);
	check_server(7, "45.0.0.8", "");
}

static void test_empty_and_missing_files_name_nobody(void)
{
	read_text("");
	CHECK_INT(count, 0);
	read_text("\n\n\n");
	CHECK_INT(count, 0);
	unlink(path);
	free(servers);
	servers = NULL;
	CHECK_INT(resolv_conf_read(path, &servers, &count, &skipped), 0);
	CHECK_INT(count, 0);
	CHECK_INT(skipped, 0);
}

static void test_bytes_of_any_kind_do_no_harm(void)
{
	static const char bytes[] = "nameserver 45.0.0.1\nname\0server\nnameserver 45.0.0.2\n";
	char noise[5000];

	CHECK_INT(read_bytes(bytes, sizeof(bytes) - 1), 0);
	CHECK_INT(count, 1); /* nothing behind a NUL is a line that anybody wrote */
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (char)(i * 7 + i / 256);
	memcpy(noise, "nameserver ", 11);
	CHECK_INT(read_bytes(noise, sizeof(noise)), 0);
	CHECK_INT(count, 0);
}

static void test_what_is_no_modest_file_is_an_error(void)
{
	static char large[RESOLV_CONF_SIZE_MAX + 1];

	memset(large, '\n', sizeof(large));
	CHECK_INT(read_bytes(large, sizeof(large) - 1), 0);
	CHECK_INT(read_bytes(large, sizeof(large)), -EFBIG);
	CHECK_INT(resolv_conf_read("/tmp", &servers, &count, &skipped), -EINVAL);
	CHECK_INT(resolv_conf_read("/dev/zero", &servers, &count, &skipped), -EINVAL);
	unlink(path);
	CHECK_INT(mkfifo(path, 0600), 0);
	CHECK_INT(resolv_conf_read(path, &servers, &count, &skipped), -EINVAL);
	unlink(path);
}

int main(void)
{
	close(mkstemp(path));
	TAP_RUN(test_servers_come_in_order_and_nothing_else_counts);
	TAP_RUN(test_link_local_needs_its_interface);
	TAP_RUN(test_interface_of_another_address_says_nothing);
	TAP_RUN(test_what_is_no_address_is_passed_over_and_counted);
	TAP_RUN(test_no_address_means_this_machine);
	TAP_RUN(test_duplicates_count_once_and_eight_at_most);
	TAP_RUN(test_empty_and_missing_files_name_nobody);
	TAP_RUN(test_bytes_of_any_kind_do_no_harm);
	TAP_RUN(test_what_is_no_modest_file_is_an_error);
	free(servers);
	unlink(path);
	return tap_done();
}
