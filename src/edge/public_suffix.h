#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Below which names anybody may have one: the Public Suffix List, as libpsl brings it along. The
 * only place that knows libpsl. */

/* The public suffix that the name (normalized) ends in, a pointer into it: "co.uk" of
 * "www.example.co.uk", "s3.amazonaws.com" of itself. Never NULL: without a list it is the name as a
 * whole, so that nothing passes unseen. */
const char *public_suffix_of(const char *name);
