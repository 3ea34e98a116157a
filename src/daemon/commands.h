#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verbs of the control socket: what io.allowsync's methods do and say. */
struct commands;
struct control_call;
struct engine;

struct commands *commands_new(struct engine *e);
/* A control_call_fn; `userdata` is the commands. */
void commands_on_call(void *userdata, struct control_call *call);
struct commands *commands_free(struct commands *c);
