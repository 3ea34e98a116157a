/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long a batch encoded beforehand takes from being sent until the end of its transaction is
 * heard: so many elements into the empty set s of table inet filter. With FILE, nft loads it before
 * each round, and the batch is sent when the end of that is heard: nobody can refill sooner. Prints
 * each round's milliseconds. */
#include "nft.h"

#include "allowsync/element.h"

enum { PER_MESSAGE = 1000, BYTES_PER_ELEMENT = 64 };

static uint8_t *encode(uint8_t *at, uint32_t count)
{
	at = raw_begin(at);
	for (uint32_t first = 0; first < count; first += PER_MESSAGE) {
		struct nlmsghdr *h = raw_elements(
			at, NFT_MSG_NEWSETELEM, NLM_F_CREATE, NFPROTO_INET, 2, "filter", "s");
		struct nlattr *list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
		for (uint32_t i = first; i < count && i < first + PER_MESSAGE; i++) {
			uint32_t key = htonl(45u << 24 | i);
			raw_put_element(h, &key, sizeof(key), ELEMENT_TAG);
		}
		mnl_attr_nest_end(h, list);
		at += h->nlmsg_len;
	}
	return raw_end(at);
}

/* How many elements the transaction had. */
static size_t until_heard(int ears)
{
	static _Alignas(8) uint8_t buf[65536];
	struct raw_heard heard;
	size_t elements = 0;

	do {
		heard = raw_hear(ears, buf, sizeof(buf));
		elements += heard.elements;
	} while (!heard.generation);
	return elements;
}

int main(int argc, char **argv)
{
	bool fits = argc == 3 || argc == 4;
	uint32_t count = fits ? (uint32_t)strtoul(argv[1], NULL, 10) : 0;
	unsigned long rounds = fits ? strtoul(argv[2], NULL, 10) : 0;
	if (!count || count > 1000000 || !rounds) {
		fprintf(stderr, "usage: bench_refill ELEMENTS ROUNDS [FILE]\n");
		return 2;
	}
	int fd = raw_open(0), ears = raw_open(NFNLGRP_NFTABLES);
	static _Alignas(8) uint8_t empty[512];
	uint8_t *load = calloc((size_t)count + PER_MESSAGE, BYTES_PER_ELEMENT);
	if (!load)
		die("memory");
	uint8_t *load_end = encode(load, count), *empty_end = raw_begin(empty);
	empty_end += raw_elements(empty_end, NFT_MSG_DELSETELEM, 0, NFPROTO_INET, 2, "filter", "s")
			     ->nlmsg_len;
	empty_end = raw_end(empty_end);
	for (unsigned long i = 0; i < rounds; i++) {
		pid_t pid = argc == 4 ? nft_spawn(argv[3], NULL) : 0;
		if (pid)
			until_heard(ears);
		double begin = now_us();
		raw_commit(fd, load, load_end);
		size_t heard = until_heard(ears);
		printf("%.4f\n", (now_us() - begin) / 1e3);
		if (heard != count)
			die("not all elements were heard");
		if (pid) {
			nft_wait(pid);
			continue;
		}
		raw_commit(fd, empty, empty_end);
		until_heard(ears);
	}
	free(load);
	return 0;
}
