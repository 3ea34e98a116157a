#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory that cannot fail: small allocations abort when there is none. Whoever sizes something
 * from outside input bounds it first. */
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

/* Destructors for locals: `_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;` */
#define _cleanup_(fn)       __attribute__((cleanup(fn)))
#define _cleanup_free_      _cleanup_(mem_freep)
#define _printf_(fmt, args) __attribute__((format(printf, fmt, args)))

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
/* `alignment`: a power of two; `size`: a multiple of it. For free(). */
void *xaligned_alloc(size_t alignment, size_t size);
/* Checks count * size for overflow; keeps realloc's rule that `p` may be NULL. */
void *xreallocarray(void *p, size_t count, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t len);
void *xmemdup(const void *p, size_t len);
_printf_(1, 2) char *xasprintf(const char *fmt, ...);
_printf_(1, 0) char *xvasprintf(const char *fmt, va_list ap);
void mem_freep(void *pp);

/* Grow `*array` so that one more item fits behind `count`; capacities double. */
void *mem_grow(void *array, size_t *capacity, size_t count, size_t item_size);
#define VEC_GROW(array, capacity, count)                                                           \
	((array) = mem_grow((array), &(capacity), (count), sizeof(*(array))))

#define ARRAY_LEN(a)                    (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)(((char *)(ptr)) - offsetof(type, member)))
