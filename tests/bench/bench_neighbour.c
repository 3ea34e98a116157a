/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Somebody else at work in the same network namespace: so many transactions a second, each of which
 * adds or deletes an element of set s in table inet neighbour, which has to be there. Until
 * SIGTERM; then it prints how many it made and how many a second. */
#include "raw.h"

#include <signal.h>

enum { BATCH_SIZE = 512 };

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
	(void)number;
	ended = 1;
}

struct batch {
	_Alignas(8) uint8_t bytes[BATCH_SIZE];
	uint8_t *end;
};

static void encode(struct batch *b, unsigned message, unsigned flags)
{
	uint32_t key = htonl(45u << 24 | 98u << 16 | 1);
	b->end = raw_begin(b->bytes);
	struct nlmsghdr *h =
		raw_elements(b->end, message, flags, NFPROTO_INET, 2, "neighbour", "s");
	struct nlattr *list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
	raw_put_element(h, &key, sizeof(key), NULL);
	mnl_attr_nest_end(h, list);
	b->end = raw_end(b->end + h->nlmsg_len);
}

int main(int argc, char **argv)
{
	unsigned long rate = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
	if (!rate || rate > 100000) {
		fprintf(stderr, "usage: bench_neighbour TRANSACTIONS_PER_SECOND\n");
		return 2;
	}
	static struct batch batches[2];
	struct sigaction action = {.sa_handler = on_signal};
	sigaction(SIGTERM, &action, NULL);
	encode(&batches[0], NFT_MSG_NEWSETELEM, NLM_F_CREATE);
	encode(&batches[1], NFT_MSG_DELSETELEM, 0);

	int fd = raw_open(0);
	double begin = now_us();
	unsigned long made = 0;
	while (!ended) {
		double ahead = begin + (double)made * 1e6 / (double)rate - now_us();
		/* What it is behind it makes up for, as long as that takes. */
		if (ahead > 0) {
			struct timespec t = {(time_t)(ahead / 1e6), (long)ahead % 1000000 * 1000};
			nanosleep(&t, NULL);
			continue;
		}
		raw_commit(fd, batches[made % 2].bytes, batches[made % 2].end);
		made++;
	}
	printf("%lu %.0f\n", made, (double)made * 1e6 / (now_us() - begin));
	return 0;
}
