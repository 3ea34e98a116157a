/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The event loop on libevent. */
#include "edge/loop.h"

#include "base/mem.h"

#include <errno.h>
#include <event2/event.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { CLOCK_LOOK_S = 365 * 24 * 3600 };

struct loop {
	struct event_base *base;
	struct event *clock_event; /* NULL: no such timer here */
	int clock_fd;
	bool stopping;
};

/* What a callback may free while it runs is only marked, and freed when it has returned. */
struct loop_io {
	struct loop *loop;
	struct event *event;
	int fd;
	unsigned events;
	loop_io_fn fn;
	void *userdata;
	bool running, dead;
};

struct loop_timer {
	struct event *event;
	loop_fn fn;
	void *userdata;
};

struct loop_signal {
	struct event *event;
	loop_fn fn;
	void *userdata;
};

/* It is cancelled when the machine wakes up from a sleep (and when its clock is set), and that is
 * what it is for: libevent's own timers do not count the sleep, so that they would be late. */
static void arm_clock(struct loop *l)
{
	const struct itimerspec at = {.it_value.tv_sec = time(NULL) + CLOCK_LOOK_S};

	timerfd_settime(l->clock_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &at, NULL);
}

static void on_clock(evutil_socket_t fd, short what, void *userdata)
{
	uint64_t expired;

	/* ECANCELED as a rule. The turn that follows looks at the clock. */
	if (read(fd, &expired, sizeof(expired)) < 0 && errno == EAGAIN)
		return;
	arm_clock(userdata);
}

static void watch_clock(struct loop *l)
{
	l->clock_fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (l->clock_fd < 0)
		return;
	l->clock_event = event_new(l->base, l->clock_fd, EV_READ | EV_PERSIST, on_clock, l);
	if (!l->clock_event || event_add(l->clock_event, NULL) < 0)
		abort();
	arm_clock(l);
}

int loop_new(struct loop **ret)
{
	struct event_config *config = event_config_new();

	if (!config)
		return -ENOMEM;
	/* Timers of milliseconds must not fire early on a coarse clock. */
	event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
	struct event_base *base = event_base_new_with_config(config);
	event_config_free(config);
	if (!base)
		return -ENOMEM;
	struct loop *l = xcalloc(1, sizeof(*l));
	l->base = base;
	watch_clock(l);
	*ret = l;
	return 0;
}

/* A round at a time: libevent's own priorities would let a busy resolver starve whatever is to be
 * done "at the end". */
int loop_run(struct loop *l, loop_fn turn, void *userdata)
{
	turn(userdata);
	while (!l->stopping) {
		if (event_base_loop(l->base, EVLOOP_ONCE) < 0)
			return -EIO;
		turn(userdata);
	}
	l->stopping = false; /* it may run again */
	return 0;
}

void loop_stop(struct loop *l)
{
	l->stopping = true;
	event_base_loopbreak(l->base);
}

uint64_t loop_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000 + 1;
}

struct loop *loop_free(struct loop *l)
{
	if (!l)
		return NULL;
	if (l->clock_event)
		event_free(l->clock_event);
	if (l->clock_fd >= 0)
		close(l->clock_fd);
	event_base_free(l->base);
	free(l);
	return NULL;
}

static void on_io(evutil_socket_t fd, short what, void *userdata)
{
	struct loop_io *io = userdata;
	unsigned events = 0;

	if (what & EV_READ)
		events |= LOOP_READ;
	if (what & EV_WRITE)
		events |= LOOP_WRITE;
	io->running = true;
	io->fn(io->userdata, fd, events);
	io->running = false;
	if (io->dead)
		free(io);
}

struct loop_io *loop_io_new(struct loop *l, int fd, unsigned events, loop_io_fn fn, void *userdata)
{
	struct loop_io *io = xcalloc(1, sizeof(*io));

	io->loop = l;
	io->fd = fd;
	io->fn = fn;
	io->userdata = userdata;
	loop_io_set(io, events);
	return io;
}

void loop_io_set(struct loop_io *io, unsigned events)
{
	if (io->events == events)
		return;
	if (io->event)
		event_free(io->event);
	io->event = NULL;
	io->events = events;
	if (!events)
		return;
	short what = EV_PERSIST;
	if (events & LOOP_READ)
		what |= EV_READ;
	if (events & LOOP_WRITE)
		what |= EV_WRITE;
	io->event = event_new(io->loop->base, io->fd, what, on_io, io);
	if (!io->event || event_add(io->event, NULL) < 0)
		abort();
}

struct loop_io *loop_io_free(struct loop_io *io)
{
	if (!io)
		return NULL;
	loop_io_set(io, 0);
	io->dead = true;
	if (!io->running)
		free(io);
	return NULL;
}

static void on_timer(evutil_socket_t fd, short what, void *userdata)
{
	struct loop_timer *t = userdata;

	t->fn(t->userdata);
}

struct loop_timer *loop_timer_new(struct loop *l, loop_fn fn, void *userdata)
{
	struct loop_timer *t = xcalloc(1, sizeof(*t));

	t->fn = fn;
	t->userdata = userdata;
	t->event = event_new(l->base, -1, 0, on_timer, t);
	if (!t->event)
		abort();
	return t;
}

void loop_timer_arm(struct loop_timer *t, uint64_t delay_ms)
{
	struct timeval tv = {
		.tv_sec = (time_t)(delay_ms / 1000),
		.tv_usec = (suseconds_t)(delay_ms % 1000 * 1000),
	};

	if (event_add(t->event, &tv) < 0)
		abort();
}

void loop_timer_disarm(struct loop_timer *t)
{
	event_del(t->event);
}

struct loop_timer *loop_timer_free(struct loop_timer *t)
{
	if (!t)
		return NULL;
	event_free(t->event);
	free(t);
	return NULL;
}

static void on_signal(evutil_socket_t fd, short what, void *userdata)
{
	struct loop_signal *s = userdata;

	s->fn(s->userdata);
}

struct loop_signal *loop_signal_new(struct loop *l, int signal, loop_fn fn, void *userdata)
{
	struct loop_signal *s = xcalloc(1, sizeof(*s));

	s->fn = fn;
	s->userdata = userdata;
	s->event = evsignal_new(l->base, signal, on_signal, s);
	if (!s->event || event_add(s->event, NULL) < 0)
		abort();
	return s;
}

struct loop_signal *loop_signal_free(struct loop_signal *s)
{
	if (!s)
		return NULL;
	event_free(s->event);
	free(s);
	return NULL;
}
