/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Says of each transaction in its network namespace when it was heard: a line of microseconds
 * (CLOCK_MONOTONIC), how many elements it changed, and the program that made it. */
#include "raw.h"

static int program(const struct nlattr *attr, void *data)
{
	if (mnl_attr_get_type(attr) == NFTA_GEN_PROC_NAME)
		*(const char **)data = mnl_attr_get_str(attr);
	return MNL_CB_OK;
}

int main(void)
{
	static _Alignas(8) uint8_t buf[65536];
	int fd = raw_open(NFNLGRP_NFTABLES);
	size_t elements = 0;

	printf("ready\n");
	fflush(stdout);
	for (;;) {
		struct raw_heard heard = raw_hear(fd, buf, sizeof(buf));
		elements += heard.elements;
		if (!heard.generation)
			continue;
		double at = now_us();
		const char *name = "?";
		mnl_attr_parse(heard.generation, sizeof(struct nfgenmsg), program, &name);
		printf("%.0f %zu %s\n", at, elements, name);
		fflush(stdout);
		elements = 0;
	}
}
