#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One set of the kernel, as nf_tables behaves: what a batch may do, what is told of it, what a dump
 * shows. Its keys are cells of a small universe: an address, a protocol and a port, by number. */
#include "../random.h"
#include "../tap.h"
#include "allowsync/plan.h"
#include "core/live_feed.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

enum { CELLS = 128, QUEUE_MAX = 65536, GONE_MAX = 4 };

/* Cells that make one element: one in a hash set, neighbours in a set of ranges, a box. All ends
 * belong to it. */
struct shape {
	uint8_t a0, a1, p0, p1, q0, q1;
};

struct kernel_element {
	struct shape at;
	bool ours, expires;
	bool fresh;    /* its time was set since that was last looked at */
	bool tagged;   /* a box of more than a key with our tag; never ours all the same */
	bool unclosed; /* a range without an end of its own; never ours, whatever its tag says */
};

struct kernel_set {
	struct kernel_element items[CELLS];
	unsigned count;
	int16_t by_cell[CELLS];    /* which element holds it; -1: none */
	bool null_end;             /* that nft puts at address 0 */
	bool lone_ends[CELLS + 1]; /* of ranges whose start expired */
	/* Expired without a word since the daemon looked. */
	struct shape gone[GONE_MAX];
	unsigned gone_count;
};

enum notice_kind { NOTICE_ADDED, NOTICE_DELETED, NOTICE_SET, NOTICE_GENERATION };
struct notice {
	enum notice_kind kind;
	bool own;
	uint32_t generation;
	struct set_entry entry;
};

static struct {
	struct set_kind kind;
	unsigned addresses, protocols, ports;
	uint32_t base;      /* the last four bytes of the first address */
	uint8_t fill;       /* those before */
	bool counts_ends;   /* a kernel to which a range is two entries of the size */
	bool keeps_timeout; /* a kernel that takes no new timeout for what is there */
	uint32_t generation;
	struct kernel_set now, next; /* `next`: of the batch that is being made */
	struct notice made[8 * CELLS];
	size_t made_count;
	/* What the daemon has not heard yet. */
	struct notice queue[QUEUE_MAX];
	size_t queue_at, queue_count;
	bool lost;
} kernel;

static const uint8_t protocol_numbers[] = {IPPROTO_TCP, IPPROTO_UDP};
static const uint16_t port_numbers[] = {80, 81, 443, 8443};

static struct {
	unsigned long run, steps, stale, unguarded, put_off, refused, full, halved, looks, unsure,
		lost;
	unsigned long strange, pieces, batches, adds, deletes, renewals, replaced, flushes,
		recreations;
	unsigned long foreign, foreign_failed, foreign_removed, reshaped, merged;
	unsigned long tagged_boxes, unclosed, expired, retimed, reloads, repaired, differing,
		mistaken;
} counts;

/* A failure says where: the steps are the same for the same seed. */
#define HOLDS(cond)                                                                                \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			tell_where();                                                              \
			printf("# %s:%d: %s\n", __FILE__, __LINE__, #cond);                        \
			longjmp(tap_escape, 1);                                                    \
		}                                                                                  \
	} while (0)

static inline void tell_where(void)
{
	const struct set_kind *k = &kernel.kind;

	printf("# run %lu, step %lu: %s%s%s, size %u%s%s%s\n", counts.run, counts.steps,
		set_kind_type_name(k), k->interval ? ", interval" : "",
		k->auto_merge ? ", auto-merge" : "", k->size, k->fuse_ms ? ", fuse" : "",
		kernel.counts_ends ? ", counts ends" : "",
		kernel.keeps_timeout ? ", keeps timeouts" : "");
}

static inline bool chance(unsigned odds)
{
	return random_below(odds) == 0;
}

/* --- shapes --- */

static inline unsigned cell_of(unsigned a, unsigned p, unsigned q)
{
	return (a * kernel.protocols + p) * kernel.ports + q;
}

static inline unsigned cells_of(const struct shape *s, uint8_t ret[CELLS])
{
	unsigned n = 0;

	for (unsigned a = s->a0; a <= s->a1; a++)
		for (unsigned p = s->p0; p <= s->p1; p++)
			for (unsigned q = s->q0; q <= s->q1; q++)
				ret[n++] = (uint8_t)cell_of(a, p, q);
	return n;
}

static inline bool shape_eq(const struct shape *a, const struct shape *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static inline bool is_single(const struct shape *s)
{
	return s->a0 == s->a1 && s->p0 == s->p1 && s->q0 == s->q1;
}

static inline struct shape shape_of_cell(unsigned c)
{
	unsigned q = c % kernel.ports, p = c / kernel.ports % kernel.protocols;
	unsigned a = c / kernel.ports / kernel.protocols;

	return (struct shape){
		(uint8_t)a, (uint8_t)a, (uint8_t)p, (uint8_t)p, (uint8_t)q, (uint8_t)q};
}

static inline bool has_ranges(void)
{
	return set_kind_has_ranges(&kernel.kind);
}

/* The universe reaches to the last address there is. */
static inline bool is_last(unsigned a)
{
	return a + 1 == kernel.addresses && kernel.base + kernel.addresses == 0;
}

static inline struct addr address_of(unsigned a)
{
	uint32_t low = kernel.base + a;
	uint8_t bytes[16];
	size_t len = addr_len(kernel.kind.family);

	memset(bytes, kernel.fill, sizeof(bytes));
	for (size_t i = 0; i < 4; i++)
		bytes[len - 1 - i] = (uint8_t)(low >> 8 * i);
	return addr_from_bytes(kernel.kind.family, bytes);
}

static inline unsigned number_of(const struct addr *a)
{
	size_t len = addr_len(kernel.kind.family);
	uint32_t low = 0;

	for (size_t i = len - 4; i < len; i++)
		low = low << 8 | a->bytes[i];
	HOLDS(low - kernel.base < kernel.addresses);
	return low - kernel.base;
}

static inline struct element_key key_of(const struct shape *s)
{
	return element_key_encode(
		&kernel.kind, &(struct element_value){
				      .addr = {address_of(s->a0), address_of(s->a1)},
				      .protocol_first = protocol_numbers[s->p0],
				      .protocol_last = protocol_numbers[s->p1],
				      .port_first = port_numbers[s->q0],
				      .port_last = port_numbers[s->q1],
			      });
}

static inline uint8_t place_in(unsigned value, bool is_port)
{
	uint8_t i = 0;

	while (i < 3 && (is_port ? port_numbers[i] : protocol_numbers[i & 1]) != value)
		i++;
	return i;
}

static inline struct shape shape_of(const struct element_key *key)
{
	struct element_value v;
	struct shape s = {0};

	HOLDS(element_key_decode(&kernel.kind, key, &v));
	s.a0 = (uint8_t)number_of(&v.addr.first);
	s.a1 = (uint8_t)number_of(&v.addr.last);
	if (kernel.protocols > 1) {
		s.p0 = place_in(v.protocol_first, false);
		s.p1 = place_in(v.protocol_last, false);
	}
	if (kernel.ports > 1) {
		s.q0 = place_in(v.port_first, true);
		s.q1 = place_in(v.port_last, true);
	}
	struct element_key back = key_of(&s);
	HOLDS(element_key_eq(&back, key));
	return s;
}

/* --- what is told --- */

static inline void tell_entry(bool added, const struct set_entry *e)
{
	HOLDS(kernel.made_count < 8 * CELLS);
	kernel.made[kernel.made_count++] =
		(struct notice){.kind = added ? NOTICE_ADDED : NOTICE_DELETED, .entry = *e};
}

static inline struct set_entry start_of(const struct kernel_element *e)
{
	struct element_key key = key_of(&e->at);
	struct set_entry s = {.key = key, .ours = e->ours, .expires = e->expires};

	if (!kernel.kind.interval)
		return s;
	s.ours |= e->tagged || (e->unclosed && e->at.a0 % 2);
	s.key.len /= 2;
	memset(s.key.bytes + s.key.len, 0, s.key.len);
	if (has_ranges()) {
		s.is_open = is_last(e->at.a1) && !e->unclosed;
		return s;
	}
	if (!is_single(&e->at) || chance(2)) {
		s.last.len = s.key.len;
		memcpy(s.last.bytes, key.bytes + s.key.len, s.key.len);
	}
	return s;
}

/* Of a range that ends before that address. */
static inline struct set_entry end_at(unsigned a)
{
	struct addr addr = address_of(a);
	struct set_entry s = {.is_end = true};

	s.key.len = (uint8_t)addr_len(kernel.kind.family);
	memcpy(s.key.bytes, addr.bytes, s.key.len);
	return s;
}

static inline struct set_entry null_end(void)
{
	return (struct set_entry){
		.is_end = true, .key = {.len = (uint8_t)addr_len(kernel.kind.family)}};
}

static inline bool has_end(const struct kernel_element *e)
{
	return has_ranges() && !e->unclosed && !is_last(e->at.a1);
}

static inline void tell_element(bool added, const struct kernel_element *e)
{
	struct set_entry s = start_of(e);

	tell_entry(added, &s);
	if (!has_end(e))
		return;
	s = end_at(e->at.a1 + 1U);
	tell_entry(added, &s);
}

/* --- a batch --- */

static inline void kernel_begin(void)
{
	kernel.next = kernel.now;
	kernel.made_count = 0;
}

static inline bool kernel_is_full(void)
{
	const struct kernel_set *n = &kernel.next;
	unsigned size = kernel.kind.size, entries = 0;

	if (!size)
		return false;
	if (!has_ranges())
		return n->count >= size;
	for (unsigned i = 0; i < n->count; i++)
		entries += 1 + has_end(&n->items[i]);
	for (unsigned i = 0; i <= kernel.addresses; i++)
		entries += n->lone_ends[i];
	return kernel.counts_ends ? entries + n->null_end + 2 > size : entries + 2 > 2 * size;
}

static inline struct kernel_element *kernel_at(struct kernel_set *s, unsigned cell)
{
	return s->by_cell[cell] < 0 ? NULL : &s->items[s->by_cell[cell]];
}

/* The element that has a cell of this; NULL: none. */
static inline struct kernel_element *kernel_overlapping(
	struct kernel_set *s, const struct shape *at)
{
	uint8_t cells[CELLS];

	for (unsigned n = cells_of(at, cells); n > 0; n--) {
		if (s->by_cell[cells[n - 1]] >= 0)
			return kernel_at(s, cells[n - 1]);
	}
	return NULL;
}

static inline void set_cells(const struct shape *at, int16_t to)
{
	uint8_t cells[CELLS];

	for (unsigned n = cells_of(at, cells); n > 0; n--)
		kernel.next.by_cell[cells[n - 1]] = to;
}

enum { ADD_PLAIN, ADD_EXCL, ADD_REFRESH };

static inline int kernel_add(const struct kernel_element *e, int how)
{
	struct kernel_element *there = kernel_overlapping(&kernel.next, &e->at);

	if (there) {
		if (how == ADD_EXCL || !shape_eq(&there->at, &e->at))
			return -EEXIST;
		if (kernel.keeps_timeout || (how != ADD_REFRESH && there->expires == e->expires))
			return 0;
		there->expires = e->expires;
		there->fresh = true;
		struct set_entry s = start_of(there); /* its end is not told */
		tell_entry(true, &s);
		return 0;
	}
	if (kernel_is_full())
		return -ENFILE;
	set_cells(&e->at, (int16_t)kernel.next.count);
	kernel.next.items[kernel.next.count++] = *e;
	if (has_ranges() && !e->unclosed)
		memset(kernel.next.lone_ends + e->at.a0 + 1, 0, e->at.a1 - e->at.a0 + 1U);
	tell_element(true, e);
	return 0;
}

static inline void kernel_drop(struct kernel_element *e)
{
	struct kernel_set *n = &kernel.next;
	struct kernel_element *last = &n->items[n->count - 1];

	set_cells(&e->at, -1);
	if (e != last) {
		*e = *last;
		set_cells(&e->at, (int16_t)(e - n->items));
	}
	n->count--;
}

/* Concatenated intervals: whatever holds the first key goes. */
static inline int kernel_delete(const struct shape *at, struct kernel_element *ret)
{
	struct shape first = {at->a0, at->a0, at->p0, at->p0, at->q0, at->q0};
	struct kernel_element *there = kernel_overlapping(&kernel.next, &first);

	if (!there || (has_ranges() && (!shape_eq(&there->at, at) || there->unclosed)))
		return -ENOENT;
	*ret = *there;
	tell_element(false, ret);
	kernel_drop(there);
	return 0;
}

static inline void kernel_flush(void)
{
	struct kernel_set *n = &kernel.next;
	bool start_first = !chance(4);

	if (!has_ranges()) {
		for (unsigned i = 0; i < n->count; i++)
			tell_element(false, &n->items[i]);
	}
	for (int a = (int)kernel.addresses; has_ranges() && a >= 0; a--) {
		const struct kernel_element *below = a > 0 ? kernel_at(n, (unsigned)a - 1) : NULL;
		const struct kernel_element *above =
			a < (int)kernel.addresses ? kernel_at(n, (unsigned)a) : NULL;
		struct set_entry start, end = end_at((unsigned)a);
		bool starts = above && above->at.a0 == a;
		bool ends = (below && below->at.a1 + 1 == a && has_end(below)) || n->lone_ends[a];
		if (starts) {
			start = start_of(above);
			if (start_first)
				tell_entry(false, &start);
		}
		if (ends)
			tell_entry(false, &end);
		if (starts && !start_first)
			tell_entry(false, &start);
	}
	if (n->null_end) {
		struct set_entry e = null_end();
		tell_entry(false, &e);
	}
	/* The end that is left of a range tells that it is gone. */
	struct kernel_set empty = {.gone_count = 0};
	for (unsigned i = 0; i < n->gone_count; i++) {
		if (!has_ranges() || is_last(n->gone[i].a1))
			empty.gone[empty.gone_count++] = n->gone[i];
	}
	memset(empty.by_cell, 0xff, sizeof(empty.by_cell));
	*n = empty;
}

/* The daemon's buffer is too small for some. */
static inline void queue_put(const struct notice *n, bool lose)
{
	if (lose) {
		kernel.lost = true;
		return;
	}
	HOLDS(kernel.queue_count < QUEUE_MAX);
	kernel.queue[kernel.queue_count++] = *n;
}

/* True: something changed. */
static inline bool kernel_end(bool own, bool loses)
{
	size_t lost_from = kernel.made_count + 1, lost_to = lost_from;

	if (!kernel.made_count)
		return false;
	kernel.now = kernel.next;
	kernel.generation += kernel.generation == UINT32_MAX ? 2 : 1; /* never 0 */
	kernel.made[kernel.made_count++] =
		(struct notice){.kind = NOTICE_GENERATION, .generation = kernel.generation};
	if (loses) {
		lost_from = random_below((unsigned)kernel.made_count);
		lost_to = lost_from + 1 + random_below((unsigned)kernel.made_count);
	}
	for (size_t i = 0; i < kernel.made_count; i++) {
		kernel.made[i].own = own;
		queue_put(&kernel.made[i], i >= lost_from && i < lost_to);
	}
	return true;
}

/* --- a dump --- */

static inline void kernel_dump(struct live *l, const struct set_kind *kind, size_t *ret_strange)
{
	const struct kernel_set *n = &kernel.now;
	unsigned turn = n->count ? random_below(n->count) : 0;
	struct live_feed f;
	struct set_entry e;

	live_feed_init(&f, kind, l);
	for (unsigned i = 0; i < n->count; i++) {
		const struct kernel_element *it = &n->items[(i + turn) % n->count];
		e = start_of(it);
		HOLDS(live_feed_take(&f, &e));
		if (!has_end(it))
			continue;
		e = end_at(it->at.a1 + 1U);
		HOLDS(live_feed_take(&f, &e));
	}
	for (unsigned a = 0; a <= kernel.addresses; a++) {
		e = end_at(a);
		if (n->lone_ends[a])
			HOLDS(live_feed_take(&f, &e));
	}
	e = null_end();
	if (n->null_end)
		HOLDS(live_feed_take(&f, &e));
	HOLDS(live_feed_finish(&f));
	*ret_strange = f.strange;
	live_feed_done(&f);
}
