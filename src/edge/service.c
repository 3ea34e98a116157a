/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the service manager is told, and what it hands over. */
#include "edge/service.h"

#include <inttypes.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <time.h>

/* STATUS= ends at a newline: the text after one would be read as further assignments. */
static int one_line(const char *s)
{
	int len = 0;

	while (s[len] && s[len] != '\n' && len < 512)
		len++;
	return len;
}

void service_ready(const char *status)
{
	if (status)
		sd_notifyf(0, "READY=1\nSTATUS=%.*s", one_line(status), status);
	else
		sd_notify(0, "READY=1");
}

void service_status(const char *status)
{
	sd_notifyf(0, "STATUS=%.*s", one_line(status), status);
}

void service_reloading(void)
{
	struct timespec now = {0};

	/* Managers from 253 on match the READY=1 that follows by this time. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		(uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
}

void service_stopping(void)
{
	sd_notify(0, "STOPPING=1");
}

void service_watchdog(void)
{
	sd_notify(0, "WATCHDOG=1");
}

uint64_t service_watchdog_interval_ms(void)
{
	uint64_t usec;

	if (sd_watchdog_enabled(0, &usec) <= 0)
		return 0;
	/* 0 would mean that none is asked for. */
	return usec / 2000 ? usec / 2000 : 1;
}

int service_control_fd(void)
{
	int n = sd_listen_fds(0);

	/* A datagram socket can be handed over just as well: look. */
	for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + n; fd++)
		if (sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0) > 0)
			return fd;
	return -1;
}
