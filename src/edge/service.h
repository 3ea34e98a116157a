#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The service manager's protocol (sd_notify(3)); all no-ops when there is none. */
#include <stdbool.h>
#include <stdint.h>

void service_ready(const char *status);
void service_status(const char *status);
/* RELOADING=1 with MONOTONIC_USEC; end with service_ready(). */
void service_reloading(void);
void service_stopping(void);
void service_watchdog(void);
/* Half of the watchdog's interval; 0: none is asked for. */
uint64_t service_watchdog_interval_ms(void);
/* A listening stream socket for the control socket handed over by socket activation, or -1. */
int service_control_fd(void);
