#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The event loop: the only place that knows libevent. One thread; nothing here is reentrant. */
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_io;
struct loop_timer;

enum { LOOP_READ = 1, LOOP_WRITE = 2 };
typedef void (*loop_io_fn)(void *userdata, int fd, unsigned events);
typedef void (*loop_fn)(void *userdata);

/* Negative: -errno. */
int loop_new(struct loop **ret);
/* Runs until loop_stop(). After each round of events `turn` is called once: the place for what the
 * round has gathered. Negative: -errno. */
int loop_run(struct loop *l, loop_fn turn, void *userdata);
void loop_stop(struct loop *l);
/* Monotonic milliseconds, never 0. The time that the machine sleeps counts: TTLs run out meanwhile.
 * Timers do not count it, but there is a turn when it wakes up. */
uint64_t loop_now_ms(void);
/* Everything made from it must be freed before. Takes NULL; returns NULL. */
struct loop *loop_free(struct loop *l);

/* Watches `fd`, which stays the caller's, for `events` (0: none for now). */
struct loop_io *loop_io_new(struct loop *l, int fd, unsigned events, loop_io_fn fn, void *userdata);
void loop_io_set(struct loop_io *io, unsigned events);
/* May be called from the callback. Takes NULL; returns NULL. */
struct loop_io *loop_io_free(struct loop_io *io);

struct loop_timer *loop_timer_new(struct loop *l, loop_fn fn, void *userdata);
/* Fires once, `delay_ms` from now; arming again moves it. */
void loop_timer_arm(struct loop_timer *t, uint64_t delay_ms);
void loop_timer_disarm(struct loop_timer *t);
struct loop_timer *loop_timer_free(struct loop_timer *t);

/* Calls `fn` in the loop, not in the handler. */
struct loop_signal;
struct loop_signal *loop_signal_new(struct loop *l, int signal, loop_fn fn, void *userdata);
struct loop_signal *loop_signal_free(struct loop_signal *s);
