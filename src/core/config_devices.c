/* SPDX-License-Identifier: GPL-2.0-or-later */
/* [devices NAME]: which hosts are confined to which vendors, and what else they may use; and what
 * [vendor] denies to them. */
#include "base/map.h"
#include "base/strbuf.h"
#include "core/config_parts.h"
#include "core/ruleset.h"
#include "core/values.h"

#include <string.h>

/* --- who they are --- */

static bool mac_parse(const char *text, char ret[18])
{
	for (size_t i = 0; i < 17; i++) {
		bool good = i % 3 == 2 ? text[i] == ':'
				       : text[i] && strchr("0123456789abcdefABCDEF", text[i]);
		if (!good)
			return false;
		ret[i] = text[i] >= 'A' && text[i] <= 'F' ? (char)(text[i] - 'A' + 'a') : text[i];
	}
	ret[17] = '\0';
	return text[17] == '\0';
}

static void read_macs(struct config_builder *b, const struct section *s, struct strings *ret)
{
	const struct profile_texts *list = section_list(s, "mac");
	char mac[18];

	for (size_t i = 0; i < list->count; i++) {
		if (!mac_parse(list->items[i].text, mac))
			BUILD_ERROR(b, list->items[i].at, s, "mac",
				"\"%s\" is no MAC address (00:22:4d:01:02:03)",
				list->items[i].text);
		else if (!strings_has(ret, mac))
			strings_add(ret, mac);
	}
}

static bool has_family(const struct config_devices *d, enum family f)
{
	for (size_t i = 0; i < d->address_count; i++) {
		if (d->addresses[i].first.family == f)
			return true;
	}
	return false;
}

static void read_ipv6(struct config_builder *b, const struct section *s, struct config_devices *d,
	bool addresses_ok)
{
	static const char *const words[] = {"reject", "ignore", NULL};
	const struct section_key *address = section_key(s, "address");
	const struct profile_text *value = section_scalar(s, "ipv6");
	unsigned word;

	if (value_word(s, "ipv6", words, b->diags, &word))
		d->ipv6 = word == 0 ? CONFIG_IPV6_REJECT : CONFIG_IPV6_IGNORE;
	if (!addresses_ok || b->sections.damaged)
		return;
	if (value && has_family(d, FAMILY_V6))
		BUILD_ERROR(b, value->at, s, "ipv6",
			"is for groups without IPv6 addresses, and this one has some");
	else if (!value && has_family(d, FAMILY_V4) && !has_family(d, FAMILY_V6))
		BUILD_ERROR(b, address->at, s, "address",
			"names IPv4 only: what of IPv6? Name its addresses too, or say ipv6 = "
			"reject or ignore");
	else if (d->ipv6 == CONFIG_IPV6_REJECT && d->address_count &&
		 !section_key(s, "interface") && !section_key(s, "mac"))
		BUILD_ERROR(b, value->at, s, "ipv6",
			"\"reject\" needs interface or mac: IPv6 packets have no IPv4 address to "
			"know the group by");
	else if (d->address_count && !has_family(d, FAMILY_V4))
		BUILD_WARNING(b, address->at, s, "address",
			"names IPv6 only: what these devices send over IPv4 is not the group's");
}

static void read_identity(
	struct config_builder *b, const struct section *s, struct config_devices *d)
{
	size_t errors;

	config_read_interfaces(b, s, "interface", &d->interfaces);
	read_macs(b, s, &d->macs);
	errors = b->diags->errors;
	value_ranges(
		s, "address", b->diags, &d->addresses, &d->address_count, &d->address_capacity);
	read_ipv6(b, s, d, b->diags->errors == errors);
	if (!section_key(s, "interface") && !section_key(s, "address") && !section_key(s, "mac") &&
		!b->sections.damaged)
		BUILD_ERROR(b, s->at, s, NULL,
			"names no device: it needs interface =, address = or mac =");
}

/* --- what they may --- */

/* A word that stands alone, or addresses. */
static void read_dns(struct config_builder *b, const struct section *s, struct config_devices *d)
{
	static const struct {
		const char *word;
		enum config_reach reach;
	} words[] = {{"gateway", CONFIG_REACH_GATEWAY}, {"profile", CONFIG_REACH_PROFILE},
		{"any", CONFIG_REACH_ANY}};
	const struct profile_texts *list = section_list(s, "dns");

	for (size_t i = 0; i < list->count; i++) {
		const struct profile_text *item = &list->items[i];
		struct addr a;
		if (addr_parse(item->text, &a)) {
			VEC_GROW(d->dns_servers, d->dns_server_capacity, d->dns_server_count);
			d->dns_servers[d->dns_server_count++] = (struct addr_range){a, a};
			d->dns = CONFIG_REACH_ADDRESSES;
			continue;
		}
		size_t k = 0;
		while (k < ARRAY_LEN(words) && !str_eq(words[k].word, item->text))
			k++;
		if (k == ARRAY_LEN(words))
			BUILD_ERROR(b, item->at, s, "dns",
				"\"%s\": gateway, profile, any or addresses", item->text);
		else if (list->count > 1)
			BUILD_ERROR(b, item->at, s, "dns", "\"%s\" stands alone", item->text);
		else
			d->dns = words[k].reach;
	}
	d->dns_server_count = addr_ranges_settle(d->dns_servers, d->dns_server_count);
}

static void read_reach(struct config_builder *b, const struct section *s, struct config_devices *d)
{
	static const char *const words[] = {"gateway", "profile", "any", NULL};
	static const enum config_reach reach[] = {
		CONFIG_REACH_GATEWAY, CONFIG_REACH_PROFILE, CONFIG_REACH_ANY};
	unsigned word;

	config_read_interfaces(b, s, "towards", &d->towards);
	config_read_vendors(b, s, &d->vendors);
	read_dns(b, s, d);
	if (value_word(s, "ntp", words, b->diags, &word))
		d->ntp = reach[word];
}

static void read_mode(struct config_builder *b, const struct section *s, struct config_devices *d)
{
	static const char *const modes[] = {"report", "enforce", NULL};
	static const char *const flows[] = {"end", "keep", NULL};
	unsigned word;

	if (value_word(s, "mode", modes, b->diags, &word))
		d->enforce = word == 1;
	if (value_word(s, "flows", flows, b->diags, &word))
		d->keep_flows = word == 1;
	value_number(s, "log-group", 1, UINT16_MAX, b->diags, &d->log_group);
}

static size_t vendors_in_all(const struct config *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->devices_count; i++)
		n += c->devices[i].vendors.count;
	return n;
}

void config_build_devices(struct config_builder *b, const struct section *s)
{
	struct config *c = b->config;
	struct config_devices d = {.at = s->at, .log_group = CONFIG_LOG_GROUP};

	if (c->devices_count == CONFIG_DEVICES_MAX) {
		BUILD_ERROR(
			b, s->at, s, NULL, "more than %d groups of devices", CONFIG_DEVICES_MAX);
		return;
	}
	d.name = xstrdup(s->name);
	read_identity(b, s, &d);
	read_reach(b, s, &d);
	read_mode(b, s, &d);
	if (vendors_in_all(c) + d.vendors.count > CONFIG_DEVICES_VENDORS_MAX)
		BUILD_ERROR(b, s->at, s, "vendor", "more than %d vendors in all groups together",
			CONFIG_DEVICES_VENDORS_MAX);
	VEC_GROW(c->devices, c->devices_capacity, c->devices_count);
	c->devices[c->devices_count++] = d;
}

/* --- what is denied to them --- */

void config_check_denied(struct config_builder *b, const struct section *s)
{
	const struct section_key *deny = section_key(s, "deny");

	if (deny && !b->sections.damaged && !config_has_devices_for(b->config, s->name))
		BUILD_ERROR(b, deny->at, s, "deny",
			"is for device groups, and no [devices] has vendor = %s", s->name);
}

static const char *shared_name(const struct config_endpoint *a, const struct config_endpoint *b)
{
	struct map names = MAP_NULL;
	const char *hit = NULL;

	for (size_t i = 0; i < a->names.count; i++)
		map_put(&names, a->names.items[i], strlen(a->names.items[i]), a->names.items[i]);
	for (size_t i = 0; i < b->names.count && !hit; i++)
		hit = map_get(&names, b->names.items[i], strlen(b->names.items[i]));
	map_done(&names);
	return hit;
}

static struct addr_range *settled(const struct config_endpoint *e, size_t *ret_count)
{
	struct addr_range *ranges = xcalloc(e->address_count + 1, sizeof(*ranges));

	for (size_t i = 0; i < e->address_count; i++)
		ranges[i] = e->addresses[i].range;
	*ret_count = addr_ranges_settle(ranges, e->address_count);
	return ranges;
}

static bool shared_range(
	const struct config_endpoint *a, const struct config_endpoint *b, struct addr_range *ret)
{
	size_t na, nb, i = 0, k = 0;
	_cleanup_free_ struct addr_range *x = settled(a, &na), *y = settled(b, &nb);

	while (i < na && k < nb) {
		if (addr_cmp(&x[i].last, &y[k].first) < 0) {
			i++;
		} else if (addr_cmp(&y[k].last, &x[i].first) < 0) {
			k++;
		} else {
			*ret = addr_cmp(&x[i].first, &y[k].first) < 0 ? y[k] : x[i];
			return true;
		}
	}
	return false;
}

static void tell_collisions_with(struct config_builder *b, const struct config_vendor *other,
	const struct config_endpoint *denied, const struct section *s)
{
	char text[ADDR_RANGE_TEXT_SIZE];

	for (size_t i = 0; i < other->endpoint_count; i++) {
		const struct config_endpoint *e = &other->endpoints[i];
		struct addr_range range;
		if (e->denied || !(e->endpoint->direction & DIRECTION_OUT) ||
			!endpoint_overlaps(e->endpoint, denied->endpoint))
			continue;
		const char *what = shared_name(denied, e);
		if (!what && shared_range(denied, e, &range))
			what = addr_range_format(&range, text);
		if (what)
			BUILD_WARNING(b, section_key(s, "deny")->at, s, "deny",
				"%s: with %s it denies what %s/%s allows", denied->endpoint->name,
				what, other->name, e->endpoint->name);
	}
}

/* With what the same groups are allowed: the denial stands first. */
static void tell_collisions(struct config_builder *b, const struct config_vendor *v,
	const struct config_endpoint *denied, const struct section *s)
{
	const struct config *c = b->config;
	_cleanup_(strings_done) struct strings told = {0};

	for (size_t i = 0; i < c->devices_count; i++) {
		const struct strings *vendors = &c->devices[i].vendors;
		if (!strings_has(vendors, v->name))
			continue;
		for (size_t k = 0; k < vendors->count; k++) {
			if (strings_has(&told, vendors->items[k]))
				continue;
			strings_add(&told, vendors->items[k]);
			tell_collisions_with(
				b, config_vendor_find(c, vendors->items[k]), denied, s);
		}
	}
}

void config_look_at_denied(struct config_builder *b, const struct config_vendor *v,
	const struct config_endpoint *e, const struct section *s)
{
	tell_collisions(b, v, e, s);
}

/* --- what is left undone --- */

static void tell_inbound(
	struct config_builder *b, const struct config_devices *d, const struct section *s)
{
	for (size_t i = 0; i < d->vendors.count && !ruleset_lets_in(d); i++) {
		const struct config_vendor *v = config_vendor_find(b->config, d->vendors.items[i]);
		for (size_t k = 0; k < v->endpoint_count; k++) {
			const struct endpoint *e = v->endpoints[k].endpoint;
			if (!v->endpoints[k].denied && (e->direction & DIRECTION_IN))
				config_undone_endpoint(b, v, e, d->at, s,
					"%s/%s is inbound, and on the way in no MAC address is "
					"known: name address = too",
					v->name, e->name);
		}
	}
}

/* Of a router with one interface, or by mistake. */
static void tell_overlap(
	struct config_builder *b, const struct config_devices *d, const struct section *s)
{
	const struct strings *towards = d->towards.count ? &d->towards : &b->config->mark.towards;

	for (size_t i = 0; i < d->interfaces.count; i++) {
		if (strings_has(towards, d->interfaces.items[i]))
			BUILD_WARNING(b, d->at, s, "interface",
				"\"%s\" is one towards the outside too: what this router sends "
				"back "
				"by it is taken for outward",
				d->interfaces.items[i]);
	}
}

void config_look_at_devices(struct config_builder *b, const struct section *s)
{
	const struct config *c = b->config;
	size_t i = 0;

	while (!str_eq(c->devices[i].name, s->name))
		i++;
	const struct config_devices *d = &c->devices[i];
	if (!c->mark.load)
		BUILD_WARNING(b, d->at, s, NULL,
			"confined by what allowsyncctl rules prints, once that is loaded");
	tell_inbound(b, d, s);
	tell_overlap(b, d, s);
}
