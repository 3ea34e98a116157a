/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/mem: growing, copying, and giving up where there is nothing to give. */
#include "base/mem.h"

#include "tap.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Whether `fn` ends its process at once: by abort(), or by the sanitizer that comes before it. */
static bool aborts(void (*fn)(void))
{
	int status;

	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		struct rlimit none = {0, 0};
		setrlimit(RLIMIT_CORE, &none);
		signal(SIGABRT, SIG_DFL);
		fclose(stderr);
		fn();
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return false;
	return WIFSIGNALED(status) ? WTERMSIG(status) == SIGABRT : WEXITSTATUS(status) != 0;
}

static void *volatile escape;

static void ask_for_a_product_that_wraps(void)
{
	size_t volatile half = (size_t)1 << (sizeof(size_t) * 4);

	escape = xreallocarray(NULL, half, half);
}

static void product_that_wraps_aborts(void)
{
	CHECK(aborts(ask_for_a_product_that_wraps));
}

static void nothing(void)
{
}

static void the_way_to_see_an_abort_sees_none_where_there_is_none(void)
{
	CHECK(!aborts(nothing));
}

static void zero_sizes_give_memory_to_free(void)
{
	void *p[] = {xmalloc(0), xcalloc(0, 8), xcalloc(8, 0), xreallocarray(NULL, 0, 8),
		xmemdup(NULL, 0)};

	for (size_t i = 0; i < ARRAY_LEN(p); i++) {
		CHECK(p[i]);
		free(p[i]);
	}
}

static void calloc_gives_zeros(void)
{
	unsigned char *p = xcalloc(100, 3), sum = 0;

	for (size_t i = 0; i < 300; i++)
		sum |= p[i];
	free(p);
	CHECK_INT(sum, 0);
}

static void copies_are_apart(void)
{
	char text[] = "some text";
	_cleanup_free_ char *all = xstrdup(text), *some = xstrndup(text, 4),
			    *bytes = xmemdup(text, sizeof(text)), *more = xstrndup("ab", 10);

	text[0] = 'X';
	CHECK_STR(all, "some text");
	CHECK_STR(some, "some");
	CHECK_STR(bytes, "some text");
	CHECK_STR(more, "ab");
}

static void asprintf_formats(void)
{
	_cleanup_free_ char *s = xasprintf("%s %d", "a", 5);

	CHECK_STR(s, "a 5");
}

static void vectors_grow_by_doubling_and_keep_their_items(void)
{
	unsigned *v = NULL;
	size_t capacity = 0, grown = 0;

	for (unsigned i = 0; i < 1000; i++) {
		size_t before = capacity;
		VEC_GROW(v, capacity, i);
		grown += capacity != before;
		v[i] = i;
	}
	bool kept = true;
	for (unsigned i = 0; i < 1000; i++)
		kept &= v[i] == i;
	free(v);
	CHECK(kept);
	CHECK(capacity >= 1000 && capacity < 2048);
	CHECK(grown <= 9);
}

static void growing_reaches_a_count_far_behind_the_capacity(void)
{
	size_t capacity = 0;
	char *p = mem_grow(NULL, &capacity, 5000, 1);

	CHECK(capacity > 5000);
	p[5000] = 1;
	p = mem_grow(p, &capacity, 65536, 1);
	CHECK(capacity > 65536);
	free(p);
}

static void cleanup_frees_at_the_end_of_scope(void)
{
	/* A leak would be the sanitizer's to find. */
	for (int i = 0; i < 3; i++) {
		_cleanup_free_ char *s = xmalloc(100);
		s[0] = (char)i;
		CHECK_INT(s[0], i);
	}
	_cleanup_free_ char *none = NULL;
	CHECK(!none);
}

static void container_of_finds_the_whole(void)
{
	struct whole {
		int before;
		int part;
	} w;

	CHECK(CONTAINER_OF(&w.part, struct whole, part) == &w);
}

int main(void)
{
	TAP_RUN(the_way_to_see_an_abort_sees_none_where_there_is_none);
	TAP_RUN(product_that_wraps_aborts);
	TAP_RUN(zero_sizes_give_memory_to_free);
	TAP_RUN(calloc_gives_zeros);
	TAP_RUN(copies_are_apart);
	TAP_RUN(asprintf_formats);
	TAP_RUN(vectors_grow_by_doubling_and_keep_their_items);
	TAP_RUN(growing_reaches_a_count_far_behind_the_capacity);
	TAP_RUN(cleanup_frees_at_the_end_of_scope);
	TAP_RUN(container_of_finds_the_whole);
	return tap_done();
}
