/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks under which the ruleset changes, on the real nf_tables in a private network namespace. */
#include "edge/nft_look.h"

#include "nft_lab.h"

#include <errno.h>

/* Each try, in order: what comes between its two looks at the generation, and what it says. */
struct tries {
	int changes, torn, error_at; /* the first ones; the number of one, from 1 */
	int count;
	uint32_t generation; /* given to the last one */
};

static int read_so(struct nft_socket *s, uint32_t generation, void *userdata)
{
	static int tables;
	struct tries *t = userdata;

	t->count++;
	t->generation = generation;
	if (t->count <= t->changes)
		CHECK(lab_nft("add table inet t%d\n", ++tables));
	if (t->count == t->error_at)
		return -EMSGSIZE;
	return t->count <= t->torn ? NFT_SOCKET_DUMP_TORN : NFT_SOCKET_DUMP_WHOLE;
}

static struct tries look(struct nft_look *l, struct tries t, int expected)
{
	CHECK_INT(nft_look(l, read_so, &t), expected);
	return t;
}

static void quiet_ruleset_is_read_once(void)
{
	static struct nft_look l;
	uint32_t now;

	CHECK_INT(look(&l, (struct tries){0}, 0).count, 1);
	CHECK(l.open);
	CHECK_INT(nft_socket_generation(&l.socket, &now), 0);
	CHECK_INT(look(&l, (struct tries){0}, 0).generation, now);
	nft_look_done(&l);
	CHECK(!l.open);
	/* And it can be opened again. */
	CHECK_INT(look(&l, (struct tries){0}, 0).count, 1);
	nft_look_done(&l);
}

static void changed_ruleset_is_read_again_under_its_new_generation(void)
{
	static struct nft_look l;
	uint32_t first = look(&l, (struct tries){0}, 0).generation;
	struct tries t = look(&l, (struct tries){.changes = 2}, 0);

	CHECK_INT(t.count, 3);
	CHECK_INT(t.generation, first + 2);
	nft_look_done(&l);
}

static void torn_try_is_made_again(void)
{
	static struct nft_look l;

	CHECK_INT(look(&l, (struct tries){.torn = 3}, 0).count, 4);
	nft_look_done(&l);
}

static void ruleset_that_changes_all_the_time_is_given_up(void)
{
	static struct nft_look l;

	CHECK_INT(look(&l, (struct tries){.changes = 100}, NFT_LOOK_E_BUSY).count, 4);
	CHECK_INT(look(&l, (struct tries){.torn = 100}, NFT_LOOK_E_BUSY).count, 4);
	nft_look_done(&l);
}

static void error_ends_the_look(void)
{
	static struct nft_look l;

	CHECK_INT(look(&l, (struct tries){.error_at = 1}, -EMSGSIZE).count, 1);
	CHECK_INT(look(&l, (struct tries){.changes = 1, .error_at = 2}, -EMSGSIZE).count, 2);
	nft_look_done(&l);
}

int main(void)
{
	if (!lab_enter())
		return 0;
	TAP_RUN(quiet_ruleset_is_read_once);
	TAP_RUN(changed_ruleset_is_read_again_under_its_new_generation);
	TAP_RUN(torn_try_is_made_again);
	TAP_RUN(ruleset_that_changes_all_the_time_is_given_up);
	TAP_RUN(error_ends_the_look);
	return tap_done();
}
