/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Preloaded into the daemon: a machine that sleeps. CLOCK_BOOTTIME is ahead by the seconds in the
 * file ASLEEP_SECONDS, CLOCK_MONOTONIC is not; a timer on the wall clock is the FIFO ASLEEP_WAKE,
 * which tells that the machine woke up, as the kernel cancels such a timer then. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static int fifo = -1;

int clock_gettime(clockid_t id, struct timespec *ts)
{
	int r = (int)syscall(SYS_clock_gettime, id, ts);
	char text[32] = "";

	if (r == 0 && id == CLOCK_BOOTTIME) {
		int fd = open(getenv("ASLEEP_SECONDS"), O_RDONLY | O_CLOEXEC);
		if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0)
			ts->tv_sec += atol(text);
		close(fd);
	}
	return r;
}

int timerfd_create(int clock, int flags)
{
	if (clock != CLOCK_REALTIME)
		return (int)syscall(SYS_timerfd_create, clock, flags);
	fifo = open(getenv("ASLEEP_WAKE"), O_RDWR | O_NONBLOCK | O_CLOEXEC);
	return fifo;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old)
{
	if (fd != fifo)
		return (int)syscall(SYS_timerfd_settime, fd, flags, new, old);
	return flags & TFD_TIMER_CANCEL_ON_SET ? 0 : -1;
}
