#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds out what the running kernel really does, instead of believing its version. */
#include <stdbool.h>

struct nft_socket;

/* Does an element that is there take a new timeout (Linux 6.12 and later do), or keep the one it
 * has without a word? Tried on an element of a table of its own, "inet allowsyncd_probe", without
 * chains, that is gone when this returns; one of an earlier probe that ended early goes as well.
 * Negative: -errno. */
int nft_probe_renewal(struct nft_socket *s, bool *ret);
