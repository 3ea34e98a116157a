/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list that is compiled into the library, and not the newer one that there may be in a file:
 * that is not below another root, and its update would have a configuration refused at the next
 * start that was fine until then. */
#include "edge/public_suffix.h"

#include <libpsl.h>
#include <stddef.h>

const char *public_suffix_of(const char *name)
{
	const psl_ctx_t *list = psl_builtin();
	const char *suffix = list ? psl_unregistrable_domain(list, name) : NULL;

	return suffix ? suffix : name;
}
