/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/commands.h"

#include "edge/control.h"

#include <stddef.h>

struct commands *commands_new(struct engine *e)
{
	return NULL;
}

void commands_on_call(void *userdata, struct control_call *call)
{
	control_call_error(call, "org.varlink.service.MethodNotImplemented", NULL);
}

struct commands *commands_free(struct commands *c)
{
	return NULL;
}
