/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/element: keys byte for byte as the kernel has them, and as nft writes them. */
#include "allowsync/element.h"

#include "tap.h"

#include <netinet/in.h>
#include <stdlib.h>

#include <linux/netfilter.h> /* behind netinet/in.h */

static const struct set_kind plain4 = {.layout = SET_LAYOUT_ADDR, .family = FAMILY_V4};
static const struct set_kind plain6 = {.layout = SET_LAYOUT_ADDR, .family = FAMILY_V6};
static const struct set_kind ports4 = {
	.layout = SET_LAYOUT_ADDR_PROTO_SERVICE, .family = FAMILY_V4};
static const struct set_kind ports6 = {
	.layout = SET_LAYOUT_ADDR_PROTO_SERVICE, .family = FAMILY_V6};
static const struct set_kind unseen = {.layout = SET_LAYOUT_UNKNOWN};

static struct addr addr(const char *text)
{
	struct addr a;

	CHECK(addr_parse(text, &a));
	return a;
}

static struct service service(const char *text)
{
	struct service s;

	CHECK(!service_parse(text, &s));
	return s;
}

static void plain_keys_are_the_address(void)
{
	struct addr v4 = addr("192.0.2.1"), v6 = addr("2001:db8::1");
	struct element_key k4 = element_key_addr(&v4), k6 = element_key_addr(&v6);

	CHECK_INT(k4.len, 4);
	CHECK(memcmp(k4.bytes, "\xc0\x00\x02\x01", 4) == 0);
	CHECK_INT(k6.len, 16);
	CHECK(memcmp(k6.bytes, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16) == 0);
}

static void concatenated_keys_are_padded_with_zeros(void)
{
	struct addr v4 = addr("192.0.2.1"), v6 = addr("2001:db8::1");
	struct element_key k4 = element_key_service(&v4, IPPROTO_TCP, 443);
	struct element_key k6 = element_key_service(&v6, IPPROTO_UDP, 65535);

	CHECK_INT(k4.len, 12);
	CHECK(memcmp(k4.bytes, "\xc0\x00\x02\x01\x06\0\0\0\x01\xbb\0\0", 12) == 0);
	CHECK_INT(k6.len, 24);
	CHECK(memcmp(k6.bytes, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x11\0\0\0\xff\xff\0\0",
		      24) == 0);
}

static void keys_compare_by_length_and_bytes(void)
{
	struct addr low = addr("9.0.0.0"), high = addr("10.0.0.0"), v6 = addr("::1");
	struct element_key a = element_key_addr(&low), b = element_key_addr(&high);
	struct element_key c = element_key_addr(&v6);

	CHECK(element_key_cmp(&a, &b) < 0);
	CHECK(element_key_cmp(&b, &a) > 0);
	CHECK(element_key_cmp(&b, &c) < 0);
	CHECK(element_key_eq(&a, &a));
	CHECK(!element_key_eq(&a, &b));
}

static void keys_decode_to_what_they_were_made_of(void)
{
	struct addr v6 = addr("2001:db8::7");
	struct element_key key = element_key_service(&v6, IPPROTO_UDPLITE, 10001);
	struct element_value v;

	CHECK(element_key_decode(&ports6, &key, &v));
	CHECK(addr_eq(&v.addr.first, &v6) && addr_eq(&v.addr.last, &v6));
	CHECK(v.protocol_first == IPPROTO_UDPLITE && v.protocol_last == IPPROTO_UDPLITE);
	CHECK(v.port_first == 10001 && v.port_last == 10001);

	key = element_key_addr(&v6);
	CHECK(element_key_decode(&plain6, &key, &v));
	CHECK(addr_eq(&v.addr.first, &v6) && addr_eq(&v.addr.last, &v6));
	CHECK(!v.protocol_first && !v.protocol_last);
	CHECK(!v.port_first && !v.port_last);
}

static void keys_of_another_kind_do_not_decode(void)
{
	struct addr v4 = addr("192.0.2.1"), v6 = addr("::1");
	struct element_key plain = element_key_addr(&v4), long_one = element_key_addr(&v6);
	struct element_key with_port = element_key_service(&v4, IPPROTO_TCP, 1);
	struct element_value v = {.protocol_first = 9, .port_last = 9};

	CHECK(!element_key_decode(&plain6, &plain, &v));
	CHECK(!element_key_decode(&plain4, &long_one, &v));
	CHECK(!element_key_decode(&plain4, &with_port, &v));
	CHECK(!element_key_decode(&ports4, &plain, &v));
	CHECK(!element_key_decode(&ports6, &with_port, &v));
	CHECK(!element_key_decode(&unseen, &plain, &v));
	CHECK(v.protocol_first == 9 && v.port_last == 9); /* written only on success */
}

static void dirty_padding_does_not_pass_for_the_key_it_looks_like(void)
{
	static const unsigned padding[] = {5, 6, 7, 10, 11};
	struct addr v4 = addr("192.0.2.1");
	char text[ELEMENT_TEXT_SIZE];
	struct element_value v;

	for (size_t i = 0; i < sizeof(padding) / sizeof(*padding); i++) {
		struct element_key key = element_key_service(&v4, IPPROTO_TCP, 443);
		key.bytes[padding[i]] = 1;
		CHECK(!element_key_decode(&ports4, &key, &v));
		CHECK(strncmp(element_key_format(&ports4, &key, text), "0x", 2) == 0);
	}
}

static void keys_are_written_as_nft_does(void)
{
	char text[ELEMENT_TEXT_SIZE];
	struct addr v4 = addr("192.0.2.1"), v6 = addr("2001:db8::1");
	static const struct {
		uint8_t protocol;
		const char *text;
	} cases[] = {
		{IPPROTO_TCP, "192.0.2.1 . tcp . 443"},
		{IPPROTO_UDP, "192.0.2.1 . udp . 443"},
		{IPPROTO_SCTP, "192.0.2.1 . sctp . 443"},
		{IPPROTO_DCCP, "192.0.2.1 . dccp . 443"},
		{IPPROTO_UDPLITE, "192.0.2.1 . udplite . 443"},
		{IPPROTO_ICMP, "192.0.2.1 . icmp . 443"},
		{IPPROTO_ICMPV6, "192.0.2.1 . icmpv6 . 443"},
		{47, "192.0.2.1 . 47 . 443"},
		{255, "192.0.2.1 . 255 . 443"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct element_key key = element_key_service(&v4, cases[i].protocol, 443);
		CHECK_STR(element_key_format(&ports4, &key, text), cases[i].text);
	}
	struct element_key key = element_key_addr(&v4);
	CHECK_STR(element_key_format(&plain4, &key, text), "192.0.2.1");
	key = element_key_addr(&v6);
	CHECK_STR(element_key_format(&plain6, &key, text), "2001:db8::1");
	key = element_key_service(&v6, IPPROTO_TCP, 1);
	CHECK_STR(element_key_format(&ports6, &key, text), "2001:db8::1 . tcp . 1");
}

static void longest_texts_fit(void)
{
	struct addr v6 = addr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	struct element_key key = element_key_service(&v6, IPPROTO_UDPLITE, 65535);
	char text[ELEMENT_TEXT_SIZE];

	CHECK_STR(element_key_format(&ports6, &key, text),
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff . udplite . 65535");
	key.len = ELEMENT_KEY_MAX;
	memset(key.bytes, 0xff, sizeof(key.bytes));
	CHECK_INT(strlen(element_key_format(&ports6, &key, text)), 2 + 2 * ELEMENT_KEY_MAX);
	CHECK_STR(element_key_format(
			  &unseen, &(struct element_key){.len = 2, .bytes = {1, 0xab}}, text),
		"0x01ab");
}

static void families_have_nft_names(void)
{
	CHECK_STR(nf_family_name(NFPROTO_INET), "inet");
	CHECK_STR(nf_family_name(NFPROTO_IPV4), "ip");
	CHECK_STR(nf_family_name(NFPROTO_IPV6), "ip6");
	CHECK_STR(nf_family_name(NFPROTO_BRIDGE), "unknown");
	CHECK_INT(nf_family_parse("inet"), NFPROTO_INET);
	CHECK_INT(nf_family_parse("ip"), NFPROTO_IPV4);
	CHECK_INT(nf_family_parse("ip6"), NFPROTO_IPV6);
	CHECK_INT(nf_family_parse("unknown"), 0);
	CHECK_INT(nf_family_parse("inet "), 0);
	CHECK_INT(nf_family_parse(""), 0);
}

static void sets_are_named_by_family_table_and_name(void)
{
	char table[] = "filter", name[] = "voip4", other_name[] = "voip6";
	struct set_id id = {NFPROTO_INET, table, name}, same = id, other = id;
	char *text = set_id_format(&id);
	bool right = strcmp(text, "inet filter voip4") == 0;

	free(text);
	CHECK(right);
	CHECK(set_id_eq(&id, &same));
	other.name = other_name;
	CHECK(!set_id_eq(&id, &other));
	other = id;
	other.table = other_name;
	CHECK(!set_id_eq(&id, &other));
	other = id;
	other.nf_family = NFPROTO_IPV4;
	CHECK(!set_id_eq(&id, &other));
}

static void kinds_have_nft_type_names(void)
{
	CHECK_STR(set_kind_type_name(&plain4), "ipv4_addr");
	CHECK_STR(set_kind_type_name(&plain6), "ipv6_addr");
	CHECK_STR(set_kind_type_name(&ports4), "ipv4_addr . inet_proto . inet_service");
	CHECK_STR(set_kind_type_name(&ports6), "ipv6_addr . inet_proto . inet_service");
	CHECK_STR(set_kind_type_name(&unseen), "unknown");
}

/* The keys of one address with services, in text. */
static const char *expand(const struct set_kind *kind, const char *address, const char *services)
{
	static char text[SET_PORTS_MAX * ELEMENT_TEXT_SIZE];
	char list[256], element[ELEMENT_TEXT_SIZE], *rest = list, *one;
	struct element_key keys[SET_PORTS_MAX];
	struct service parsed[8];
	struct addr_range r = {addr(address), addr(address)};
	size_t count = 0, len = 0;

	snprintf(list, sizeof(list), "%s", services);
	while ((one = strsep(&rest, " ")) && *one)
		parsed[count++] = service(one);
	text[0] = '\0';
	size_t n = element_expand(kind, &r, parsed, count, keys);
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i ? ", " : "",
			element_key_format(kind, &keys[i], element));
	return text;
}

static void plain_sets_get_the_address_once(void)
{
	CHECK_STR(expand(&plain4, "192.0.2.1", "tcp/443 udp/10000-20000 icmp/echo-request"),
		"192.0.2.1");
	CHECK_STR(expand(&plain4, "192.0.2.1", "any"), "192.0.2.1");
	CHECK_STR(expand(&plain6, "::1", ""), "::1");
}

static void sets_with_ports_get_one_key_a_port(void)
{
	CHECK_STR(expand(&ports4, "192.0.2.1", "tcp/443 udp/53-55"),
		"192.0.2.1 . tcp . 443, 192.0.2.1 . udp . 53, 192.0.2.1 . udp . 54, "
		"192.0.2.1 . udp . 55");
	CHECK_STR(expand(&ports4, "192.0.2.1", "tcp/65535"), "192.0.2.1 . tcp . 65535");
	CHECK_STR(expand(&ports4, "192.0.2.1", ""), "");
}

static void overlapping_services_give_each_key_once(void)
{
	CHECK_STR(expand(&ports4, "192.0.2.1", "tcp/1-3 tcp/2-4 tcp/3 udp/3"),
		"192.0.2.1 . tcp . 1, 192.0.2.1 . tcp . 2, 192.0.2.1 . tcp . 3, "
		"192.0.2.1 . tcp . 4, 192.0.2.1 . udp . 3");
}

static void other_families_and_unseen_sets_get_nothing(void)
{
	CHECK_STR(expand(&plain4, "::1", "tcp/443"), "");
	CHECK_STR(expand(&plain6, "192.0.2.1", "tcp/443"), "");
	CHECK_STR(expand(&ports6, "192.0.2.1", "tcp/443"), "");
	CHECK_STR(expand(&unseen, "192.0.2.1", "tcp/443"), "");
}

static void what_has_no_port_is_passed_over(void)
{
	CHECK_STR(expand(&ports4, "192.0.2.1", "icmp/echo-request tcp/443 gre any"),
		"192.0.2.1 . tcp . 443");
}

static void sixteen_ports_fit_and_seventeen_give_none(void)
{
	struct service services[] = {service("tcp/1-15"), service("udp/1"), service("udp/2")};
	struct element_key keys[SET_PORTS_MAX];
	struct addr_range a = {addr("192.0.2.1"), addr("192.0.2.1")};

	CHECK_INT(element_expand(&ports4, &a, services, 2, keys), 16);
	CHECK_INT(element_ports_in_all(&ports4, services, 2), 16);
	CHECK_INT(element_expand(&ports4, &a, services, 3, keys), 0);
	CHECK_INT(element_ports_in_all(&ports4, services, 3), 17);
	CHECK_INT(element_expand(&plain4, &a, services, 3, keys), 1);
}

static void counting_ports_ends_at_one_too_many(void)
{
	struct service all[] = {service("udp/1-65535"), service("tcp/1-65535")};
	struct service doubled[] = {service("tcp/1-16"), service("tcp/1-16"), service("icmp/1")};

	CHECK_INT(element_ports_in_all(&ports4, all, 2), SET_PORTS_MAX + 1);
	CHECK_INT(element_ports_in_all(&ports4, doubled, 3), 16);
	CHECK_INT(element_ports_in_all(&ports4, NULL, 0), 0);
}

static void refusals_say_why(void)
{
	struct service tcp = service("tcp/443"), icmp = service("icmp/echo-request");
	struct service gre = service("gre"), any = service("any");

	CHECK(!set_kind_refuses(&ports4, &tcp, 1));
	CHECK(!set_kind_refuses(&ports4, &tcp, SET_PORTS_MAX));
	CHECK_STR(set_kind_refuses(&ports4, &tcp, SET_PORTS_MAX + 1), "more than 16 ports in all");
	CHECK_STR(set_kind_refuses(&ports4, &icmp, 1), "an ICMP type has no port");
	CHECK(set_kind_refuses(&ports6, &gre, 1));
	CHECK(set_kind_refuses(&ports6, &any, 1));
}

static void plain_and_unseen_sets_refuse_no_service(void)
{
	static const char *const texts[] = {"tcp/443", "udp/1-65535", "icmp/1", "gre", "any"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct service s = service(texts[i]);
		CHECK(!set_kind_refuses(&plain4, &s, 100));
		CHECK(!set_kind_refuses(&unseen, &s, 100));
	}
}

int main(void)
{
	TAP_RUN(plain_keys_are_the_address);
	TAP_RUN(concatenated_keys_are_padded_with_zeros);
	TAP_RUN(keys_compare_by_length_and_bytes);
	TAP_RUN(keys_decode_to_what_they_were_made_of);
	TAP_RUN(keys_of_another_kind_do_not_decode);
	TAP_RUN(dirty_padding_does_not_pass_for_the_key_it_looks_like);
	TAP_RUN(keys_are_written_as_nft_does);
	TAP_RUN(longest_texts_fit);
	TAP_RUN(families_have_nft_names);
	TAP_RUN(sets_are_named_by_family_table_and_name);
	TAP_RUN(kinds_have_nft_type_names);
	TAP_RUN(plain_sets_get_the_address_once);
	TAP_RUN(sets_with_ports_get_one_key_a_port);
	TAP_RUN(overlapping_services_give_each_key_once);
	TAP_RUN(other_families_and_unseen_sets_get_nothing);
	TAP_RUN(what_has_no_port_is_passed_over);
	TAP_RUN(sixteen_ports_fit_and_seventeen_give_none);
	TAP_RUN(counting_ports_ends_at_one_too_many);
	TAP_RUN(refusals_say_why);
	TAP_RUN(plain_and_unseen_sets_refuse_no_service);
	return tap_done();
}
