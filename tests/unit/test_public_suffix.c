/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the library's own list says, by both of its halves. */
#include "edge/public_suffix.h"

#include "base/mem.h"
#include "tap.h"

static void test_the_suffix_is_a_part_of_the_name_itself(void)
{
	static const char name[] = "www.example.co.uk";
	const char *suffix = public_suffix_of(name);

	CHECK_STR(suffix, "co.uk");
	CHECK(suffix == name + 12);
}

static void test_registries_and_providers_are_in_the_list(void)
{
	static const struct {
		const char *name, *suffix;
	} cases[] = {
		{"co.uk", "co.uk"},
		{"github.io", "github.io"},
		{"acme.github.io", "github.io"},
		{"s3.amazonaws.com", "s3.amazonaws.com"},
		{"a.b.s3.amazonaws.com", "s3.amazonaws.com"},
		{"amazonaws.com", "com"},
		/* a rule "*.compute.amazonaws.com", and what it hangs on */
		{"eu-west-1.compute.amazonaws.com", "eu-west-1.compute.amazonaws.com"},
		{"compute.amazonaws.com", "compute.amazonaws.com"},
		/* "*.ck", and its exception */
		{"co.ck", "co.ck"},
		{"www.ck", "ck"},
		/* a top-level domain that is not in it */
		{"acme.example", "example"},
		{"_tcp.acme.co.uk", "co.uk"},
		{"ixon.cloud", "cloud"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		CHECK_STR(public_suffix_of(cases[i].name), cases[i].suffix);
}

int main(void)
{
	TAP_RUN(test_the_suffix_is_a_part_of_the_name_itself);
	TAP_RUN(test_registries_and_providers_are_in_the_list);
	return tap_done();
}
