#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Domains in which a provider hands out names to whoever asks: whose customers share them. */

/* The cloud that this name (normalized) is, or lies in; NULL: none that is known. Static text. */
const char *clouds_find(const char *name);
