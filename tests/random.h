#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers for tests with random operations: the same for the same seed, on every machine. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t random_state;

/* TEST_SEED in the environment takes the place of `seed`; what is used is printed. */
static inline void random_begin(uint64_t seed)
{
	const char *text = getenv("TEST_SEED");

	random_state = text ? strtoull(text, NULL, 0) : seed;
	printf("# TEST_SEED=%llu\n", (unsigned long long)random_state);
}

static inline uint64_t random_next(void)
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* 0 ... bound - 1. */
static inline unsigned random_below(unsigned bound)
{
	return (unsigned)(random_next() % bound);
}
