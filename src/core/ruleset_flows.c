/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the managed table does to the flows that it allows: a policy keeps those of a vendor that
 * asks for it for longer than the kernel would.
 *
 * A policy is given to the first packet of a flow, and only then. The kernel takes it from its
 * flows when the object is deleted; so an object whose content is unchanged stays where it is. */
#include "base/strbuf.h"
#include "core/ruleset_parts.h"
#include "core/values.h"

#include <netinet/in.h>
#include <string.h>

static const struct {
	uint8_t protocol;
	const char *word;
} protocols[] = {{IPPROTO_TCP, "tcp"}, {IPPROTO_UDP, "udp"}};

static uint32_t min_of(const struct config_vendor *v, size_t protocol)
{
	return protocols[protocol].protocol == IPPROTO_TCP ? v->profile->tcp_timeout_min_s
							   : v->profile->udp_timeout_min_s;
}

/* Asked for, and not what the kernel does anyway. */
static bool is_wanted(const struct config *c, const struct ruleset_facts *f,
	const struct config_vendor *v, size_t protocol)
{
	if (f->without && f->without[v - c->vendors])
		return false;
	return min_of(v, protocol) && ruleset_has_vendor(c, v) &&
	       timeouts_are_below(&f->timeouts, protocols[protocol].protocol, min_of(v, protocol));
}

/* "v_udp.600.c4f2a9d1"; NULL: it has none. The caller frees it. */
static char *policy_of(const struct config *c, const struct ruleset_facts *f,
	const struct config_vendor *v, size_t protocol)
{
	struct strbuf b = STRBUF_NULL;
	uint8_t number = protocols[protocol].protocol;

	if (!is_wanted(c, f, v, protocol) || !timeouts_are_known(&f->timeouts, number))
		return NULL;
	strbuf_append(&b, RULESET_PREFIX);
	timeouts_append_name(&b, &f->timeouts, number, min_of(v, protocol));
	return strbuf_take(&b);
}

char *ruleset_allowing(const struct config *c, const struct ruleset_facts *f,
	const struct config_vendor *v, const char *verdict)
{
	_cleanup_free_ char *marking = ruleset_marking(&c->mark, verdict);
	struct strbuf b = STRBUF_NULL;

	/* Each is for its protocol alone: to a packet of another it does nothing. */
	for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
		_cleanup_free_ char *name = policy_of(c, f, v, i);
		if (name)
			strbuf_appendf(&b, "ct timeout set \"%s\" ", name);
	}
	strbuf_append(&b, marking);
	return strbuf_take(&b);
}

bool ruleset_lengthens_not(const struct config *c, const struct ruleset_facts *f)
{
	for (size_t i = 0; i < c->vendor_count; i++) {
		for (size_t k = 0; k < ARRAY_LEN(protocols); k++) {
			if (is_wanted(c, f, &c->vendors[i], k) &&
				!timeouts_are_known(&f->timeouts, protocols[k].protocol))
				return true;
		}
	}
	return false;
}

static void describe_unknown(struct strbuf *b, const struct config *c,
	const struct ruleset_facts *f, const struct config_vendor *v, size_t protocol)
{
	char text[32];

	if (is_wanted(c, f, v, protocol) &&
		!timeouts_are_known(&f->timeouts, protocols[protocol].protocol))
		strbuf_appendf(b,
			"\t# not in these rules: %s, %s-timeout-min %s: this kernel does not say "
			"how long it keeps flows, or cannot keep them for longer\n",
			v->name, protocols[protocol].word,
			duration_format(min_of(v, protocol), text));
}

void ruleset_append_policies(
	struct strbuf *b, const struct config *c, const struct ruleset_facts *f)
{
	_cleanup_(strings_done) struct strings seen = {0};

	for (size_t i = 0; i < c->vendor_count; i++) {
		const struct config_vendor *v = &c->vendors[i];
		for (size_t k = 0; k < ARRAY_LEN(protocols); k++) {
			_cleanup_free_ char *name = policy_of(c, f, v, k);
			describe_unknown(b, c, f, v, k);
			if (!name || strings_has(&seen, name))
				continue;
			strings_add(&seen, name);
			strbuf_appendf(b, "\tct timeout %s {\n\t\tprotocol %s\n\t\tpolicy = ", name,
				protocols[k].word);
			timeouts_append_policy(
				b, &f->timeouts, protocols[k].protocol, min_of(v, k));
			strbuf_append(b, "\n\t}\n");
		}
	}
}

static bool is_used(const struct config *c, const struct ruleset_facts *f, const char *name)
{
	for (size_t i = 0; i < c->vendor_count; i++) {
		for (size_t k = 0; k < ARRAY_LEN(protocols); k++) {
			_cleanup_free_ char *used = policy_of(c, f, &c->vendors[i], k);
			if (used && str_eq(used, name))
				return true;
		}
	}
	return false;
}

/* "tcp", where it is one of ours and what is used of that protocol is known: else flows would lose
 * theirs for nothing. Its name goes into the text. */
static const char *protocol_of(const struct ruleset_facts *f, const char *name)
{
	const char *const safe = "0123456789abcdef.";

	for (size_t k = 0; k < ARRAY_LEN(protocols); k++) {
		_cleanup_free_ char *prefix = xasprintf(RULESET_PREFIX "%s.", protocols[k].word);
		size_t len = strlen(prefix);
		if (timeouts_are_known(&f->timeouts, protocols[k].protocol) &&
			str_starts(name, prefix) && name[len + strspn(name + len, safe)] == '\0')
			return protocols[k].word;
	}
	return NULL;
}

void ruleset_append_unused(struct strbuf *b, const struct config *c, const struct ruleset_facts *f)
{
	const struct strings *all = &f->policies;

	for (size_t i = 0; i < all->count; i++) {
		const char *name = all->items[i], *protocol = protocol_of(f, name);
		/* Made first, should it be gone by then. */
		if (protocol && !is_used(c, f, name))
			strbuf_appendf(b,
				"table inet " RULESET_TABLE
				" {\n\tct timeout %s {\n\t\tprotocol %s\n\t}\n}\n"
				"delete ct timeout inet " RULESET_TABLE " %s\n\n",
				name, protocol, name);
	}
}
