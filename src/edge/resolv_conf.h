#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The name servers of resolv.conf(5); nothing else in it is used. */
#include <stddef.h>

struct config_server;

enum { RESOLV_CONF_SERVERS_MAX = 8, RESOLV_CONF_SIZE_MAX = 65536 };

/* Servers in their order, without duplicates, as an array to free(). What cannot be asked is passed
 * over and counted: no address, link-local without an interface, one too many. A file that does not
 * exist names no server. Negative: -errno (-EINVAL: not a regular file; -EFBIG). */
int resolv_conf_read(const char *path, struct config_server **ret_servers, size_t *ret_count,
	size_t *ret_skipped);
