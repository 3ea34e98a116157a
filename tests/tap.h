#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests in the Test Anything Protocol: one function a case, named for condition and result. A
 * failed check ends its case, not the program. */
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

static unsigned tap_number, tap_failures;
static jmp_buf tap_escape;

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			printf("# %s:%d: %s\n", __FILE__, __LINE__, #cond);                        \
			longjmp(tap_escape, 1);                                                    \
		}                                                                                  \
	} while (0)

#define CHECK_STR(got, want)                                                                       \
	do {                                                                                       \
		const char *got_ = (got), *want_ = (want);                                         \
		if (!got_ || strcmp(got_, want_) != 0) {                                           \
			printf("# %s:%d: %s is \"%s\", not \"%s\"\n", __FILE__, __LINE__, #got,    \
				got_ ? got_ : "(null)", want_);                                    \
			longjmp(tap_escape, 1);                                                    \
		}                                                                                  \
	} while (0)

#define CHECK_INT(got, want)                                                                       \
	do {                                                                                       \
		long long got_ = (long long)(got), want_ = (long long)(want);                      \
		if (got_ != want_) {                                                               \
			printf("# %s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #got, got_,  \
				want_);                                                            \
			longjmp(tap_escape, 1);                                                    \
		}                                                                                  \
	} while (0)

/* Ends a case that cannot run here, and says why. */
#define TAP_SKIP(why)                                                                              \
	do {                                                                                       \
		printf("ok %u - # SKIP %s\n", tap_number, (why));                                  \
		longjmp(tap_escape, 2);                                                            \
	} while (0)

#define TAP_RUN(test)                                                                              \
	do {                                                                                       \
		tap_number++;                                                                      \
		switch (setjmp(tap_escape)) {                                                      \
		case 0:                                                                            \
			test();                                                                    \
			printf("ok %u - %s\n", tap_number, #test);                                 \
			break;                                                                     \
		case 1:                                                                            \
			printf("not ok %u - %s\n", tap_number, #test);                             \
			tap_failures++;                                                            \
			break;                                                                     \
		}                                                                                  \
		fflush(stdout);                                                                    \
	} while (0)

/* The return value of main(). */
static inline int tap_done(void)
{
	printf("1..%u\n", tap_number);
	return tap_failures ? 1 : 0;
}
