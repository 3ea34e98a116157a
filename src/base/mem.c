/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Allocation that aborts instead of failing. */
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

void *xmalloc(size_t size)
{
	return must(malloc(size ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
	return must(calloc(count ? count : 1, size ? size : 1));
}

void *xaligned_alloc(size_t alignment, size_t size)
{
	return must(aligned_alloc(alignment, size));
}

void *xreallocarray(void *p, size_t count, size_t size)
{
	if (!count || !size)
		count = size = 1;
	return must(reallocarray(p, count, size));
}

char *xstrdup(const char *s)
{
	return must(strdup(s));
}

char *xstrndup(const char *s, size_t len)
{
	return must(strndup(s, len));
}

void *xmemdup(const void *p, size_t len)
{
	void *copy = xmalloc(len);

	if (len)
		memcpy(copy, p, len);
	return copy;
}

char *xvasprintf(const char *fmt, va_list ap)
{
	char *s;

	if (vasprintf(&s, fmt, ap) < 0)
		abort();
	return s;
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	char *s = xvasprintf(fmt, ap);
	va_end(ap);
	return s;
}

void mem_freep(void *pp)
{
	free(*(void **)pp);
}

void *mem_grow(void *array, size_t *capacity, size_t count, size_t item_size)
{
	if (count < *capacity)
		return array;
	size_t next = *capacity ? *capacity * 2 : 4;
	while (next <= count)
		next *= 2;
	array = xreallocarray(array, next, item_size);
	*capacity = next;
	return array;
}
