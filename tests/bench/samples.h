#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was measured, and how it is printed. */
#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>

struct samples {
	double *values;
	size_t count, capacity;
};

static inline void samples_add(struct samples *s, double value)
{
	VEC_GROW(s->values, s->capacity, s->count);
	s->values[s->count++] = value;
}

static inline int samples_compare(const void *x, const void *y)
{
	double a = *(const double *)x, c = *(const double *)y;
	return (a > c) - (a < c);
}

static inline double samples_median(struct samples *s)
{
	qsort(s->values, s->count, sizeof(*s->values), samples_compare);
	return s->values[s->count / 2];
}

static inline void samples_done(struct samples *s)
{
	free(s->values);
	*s = (struct samples){0};
}

/* "1e5"; or the number itself. Valid until the next call. */
static inline const char *samples_label(uint32_t count)
{
	static char text[16];
	unsigned power = 0;
	uint32_t rest = count;
	for (; rest % 10 == 0 && rest > 1; rest /= 10)
		power++;
	snprintf(text, sizeof(text), rest == 1 && power > 0 ? "1e%u" : "%u",
		rest == 1 ? power : count);
	return text;
}
