#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The name servers of resolv.conf(5); nothing else in it is used. */
#include "allowsync/config.h"

#include <stddef.h>

enum { RESOLV_CONF_SIZE_MAX = 65536 };

/* Servers in their order, without duplicates, as an array to free(). What cannot be asked is passed
 * over and counted: no address, link-local without an interface, more than CONFIG_SERVERS_MAX. A
 * file that does not exist names no server. Negative: -errno (-EINVAL: not a regular file; -EFBIG).
 */
int resolv_conf_read(const char *path, struct config_server **ret_servers, size_t *ret_count,
	size_t *ret_skipped);
