/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Notifications of nf_tables. */
#include "edge/nft_monitor.h"
