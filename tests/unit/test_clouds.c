/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which cloud a name lies in. */
#include "core/clouds.h"

#include "base/strbuf.h"
#include "tap.h"

static void test_a_cloud_is_found_for_itself_and_all_below(void)
{
	CHECK_STR(clouds_find("amazonaws.com"), "amazonaws.com");
	CHECK_STR(clouds_find("s3.eu-west-1.amazonaws.com"), "amazonaws.com");
	CHECK_STR(clouds_find("redshift.cn-north-1.amazonaws.com.cn"), "amazonaws.com.cn");
	CHECK_STR(clouds_find("database.windows.net"), "windows.net");
	CHECK_STR(clouds_find("com.edgekey.net"), "edgekey.net");
	CHECK_STR(clouds_find("your-server.de"), "your-server.de");
}

static void test_what_only_looks_like_a_cloud_is_none(void)
{
	static const char *const names[] = {"com", "net", "example.com", "xamazonaws.com",
		"amazonaws.com.example", "amazonaws.co", "amazonaws.net", "windows.com",
		"x-windows.net", "s3.amazonaws", "ixon.cloud", "ixon.net", "ayayot.com"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		CHECK(!clouds_find(names[i]));
}

int main(void)
{
	TAP_RUN(test_a_cloud_is_found_for_itself_and_all_below);
	TAP_RUN(test_what_only_looks_like_a_cloud_is_none);
	return tap_done();
}
