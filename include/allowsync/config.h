#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration, checked whole: what the daemon is to do. Grammar: allowsyncd.conf(5). */
#include "allowsync/addr.h"
#include "allowsync/diag.h"
#include "allowsync/element.h"
#include "allowsync/name.h"
#include "allowsync/profile.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config_server {
	struct addr addr;
	uint16_t port;
	char scope[16]; /* interface of a link-local address; "" otherwise */
};

/* Addresses of this machine to ask from. */
struct config_source {
	bool given[FAMILY_COUNT]; /* else the kernel chooses */
	struct addr addr[FAMILY_COUNT];
};

struct config_resolver {
	struct config_server *servers; /* none: resolv.conf's */
	size_t server_count, server_capacity;
	struct config_source source;
	uint32_t timeout_ms;    /* of one try, default 2 s */
	unsigned tries;         /* rounds over all servers, default 3 */
	unsigned max_in_flight; /* questions at a time to one server, default 64 */
	unsigned max_rate;      /* a second to one server; 0: without a limit */
	bool add_up;            /* "union": all servers are asked, and their addresses added up */
};

/* When names are asked again, and how long an address stays that DNS no longer gives. */
struct config_bounds {
	uint32_t refresh_min_s;   /* default 5 */
	uint32_t refresh_max_s;   /* default 3600 */
	int64_t linger_s;         /* -1: the design's default, from the TTLs seen */
	uint32_t revoke_within_s; /* 0: not asked for */
	uint32_t stale_max_s; /* without a good answer for that long it is said loudly; 0: never */
	uint32_t addresses_max; /* of one name and family; 0: CONFIG_NAME_ADDRESSES_MAX */
};

/* What one endpoint of a vendor comes to, after choice and expansion. */
struct config_endpoint {
	const struct endpoint *endpoint;
	bool denied;              /* refused to device groups instead of allowed to anybody */
	struct strings names;     /* exact, normalized, without duplicates */
	struct strings wildcards; /* "*.example.com" */
	struct profile_address *addresses;
	size_t address_count, address_capacity;
	/* Beside `names` and `wildcards`: the entry of the profile that each comes from. */
	const struct profile_text **names_from, **wildcards_from;
	size_t names_from_capacity, wildcards_from_capacity;
};

/* What keeps an endpoint of the profile from being chosen: bits. */
enum config_lack {
	CONFIG_LACK_ROLE = 1,     /* none of its roles is chosen */
	CONFIG_LACK_REGION = 2,   /* none of its regions is */
	CONFIG_LACK_NAME = 4,     /* default = no, and endpoint = does not name it */
	CONFIG_LACK_VARIABLE = 8, /* a variable that it needs is not set */
};

/* What was made of one endpoint of the profile. */
struct config_choice {
	unsigned lacks;       /* 0: it is among the vendor's endpoints */
	struct strings unset; /* the variables that it needs and that are not set */
};

struct config_vendor {
	char *name;
	struct source at;
	struct profile *profile; /* owned */
	struct config_bounds bounds;
	unsigned addresses_max; /* of all its names together */
	bool has_dscp;          /* its traffic gets that class of DiffServ, both ways */
	uint8_t dscp;
	/* Addresses that its names may have though they are for special purposes; settled. */
	struct addr_range *allow_private;
	size_t allow_private_count, allow_private_capacity;
	/* Wildcards over what many share that its endpoints may have: "*.amazonaws.com". */
	struct strings allow_shared;
	struct config_endpoint *endpoints; /* the chosen ones, in the profile's order */
	size_t endpoint_count, endpoint_capacity;
	struct strings roles, regions; /* as the admin chose them; none: the profile's default */
	struct strings *values;        /* beside profile->variables; none: not set */
	struct config_choice *choices; /* beside profile->endpoints */
};

/* Which static entries of its endpoints a set takes. */
enum config_content {
	CONFIG_CONTENT_ALL,
	CONFIG_CONTENT_EXACT, /* names, and addresses that stand alone */
	CONFIG_CONTENT_NETS,  /* prefixes and ranges only, no names */
};

struct config_set {
	char *name;
	struct source at;
	struct set_id id;
	bool managed;       /* of the managed table (core/ruleset.h): no [set] says it */
	enum family family; /* managed: of the addresses in it */
	bool denies;        /* takes what is denied instead of what is allowed */
	enum config_content content;
	struct strings vendors;
	struct strings endpoints; /* none: all */
	struct strings roles;     /* none: all */
	enum direction direction;
	bool remove_foreign;   /* elements of others that nobody wants are deleted */
	uint8_t protocol;      /* IPPROTO_*: the set takes services of that one only; 0: of all */
	unsigned elements_max; /* that there may be in it */
	int64_t fuse_s; /* our elements expire that long after the last sign of life; 0: never; -1:
			 * as the set's own default timeout says */
};

/* [mark]: the bits of a packet's mark by which the admin's chain knows what the vendors allow. */
struct config_mark {
	uint32_t value;         /* default 0x00100000; never 0, and within `mask` */
	uint32_t mask;          /* default: the bits of the value; others are not touched */
	struct strings towards; /* outgoing interfaces; none: any of them */
	bool load;              /* the daemon loads the rules itself; default */
};

/* What a device group may speak of a protocol that every host needs. */
enum config_reach {
	CONFIG_REACH_PROFILE,   /* as its vendors' profiles say */
	CONFIG_REACH_GATEWAY,   /* with this router only */
	CONFIG_REACH_ADDRESSES, /* with these only */
	CONFIG_REACH_ANY,       /* with anybody */
};

enum config_ipv6 { CONFIG_IPV6_LIKE_IPV4, CONFIG_IPV6_REJECT, CONFIG_IPV6_IGNORE };

/* [devices NAME]: hosts that may go towards the outside only to these vendors. A packet is theirs
 * when of each kind that is named one matches: interface, address, MAC address. */
struct config_devices {
	char *name;
	struct source at;
	struct strings interfaces;
	struct addr_range *addresses; /* settled */
	size_t address_count, address_capacity;
	struct strings macs;    /* "00:22:4d:01:02:03" */
	struct strings towards; /* none: [mark]'s; else the interfaces with a default route */
	struct strings vendors;
	bool enforce;    /* the rest is rejected; else only reported */
	bool keep_flows; /* those that stand when that begins go on */
	enum config_reach dns, ntp;
	struct addr_range *dns_servers; /* settled */
	size_t dns_server_count, dns_server_capacity;
	enum config_ipv6 ipv6;
	unsigned log_group; /* of NFLOG: who reads it gets what is refused */
};

/* Something the configuration asks for and this version does not carry out. */
struct config_undone {
	struct source at;
	char *text; /* "[vendor acme] tunnel: inbound, and ..." */
	/* Whose it is; borrowed. NULL: no one vendor's, or not one endpoint's of it. */
	const char *vendor;
	const struct endpoint *endpoint;
};

/* One of the files that were read, whole. */
struct config_text {
	char *path; /* on the running system: "/etc/allowsyncd/allowsyncd.conf" */
	char *content;
};

struct config {
	struct config_resolver resolver;
	struct config_bounds bounds;
	struct strings admins; /* users that may change things over the control socket */
	struct config_vendor *vendors;
	size_t vendor_count, vendor_capacity;
	struct config_set *sets;
	size_t set_count, set_capacity;
	struct config_mark mark;
	struct config_devices *devices; /* the first that a packet belongs to decides */
	size_t devices_count, devices_capacity;
	struct config_undone *undone;
	size_t undone_count, undone_capacity;
	char **files; /* what was read, as messages name it; sources point into these strings */
	size_t file_count, file_capacity;
	char digest[17]; /* hex, over all that was read: tells versions apart, proves nothing */
	struct config_text
		*texts; /* all that was read; below another root they are the same again */
	size_t text_count, text_capacity;
	char *instead; /* why it runs in place of what is in the files now; NULL: it is what is
			  there */
};

enum {
	CONFIG_SERVERS_MAX = 8,
	CONFIG_IN_FLIGHT_MAX = 64,
	CONFIG_RATE_MAX = 100000,
	CONFIG_NAMES_MAX = 100000,
	CONFIG_ALLOW_SHARED_MAX = 100,
	CONFIG_VENDORS_MAX = 1000,
	CONFIG_SETS_MAX = 1000,
	CONFIG_MANAGED_SETS_MAX = 10000,
	CONFIG_DEVICES_MAX = 256,
	CONFIG_DEVICES_VENDORS_MAX = 10000, /* of all groups together */
	CONFIG_LOG_GROUP = 4747,
	CONFIG_FUSE_MIN_S = 10,
	CONFIG_REFRESH_MIN_S = 5,
	CONFIG_REFRESH_MAX_S = 3600,
	CONFIG_STALE_MAX_S = 7 * 24 * 3600,
	CONFIG_NAME_ADDRESSES_MAX = 4096,
	/* Of a vendor by default: the first, or for each name the second, whichever is more. */
	CONFIG_VENDOR_ADDRESSES_MAX = 16384,
	CONFIG_VENDOR_ADDRESSES_A_NAME = 64,
	CONFIG_SET_ELEMENTS_MAX = 1000000,
	CONFIG_MARK = 0x00100000,
};

struct config_vendor *config_vendor_find(const struct config *c, const char *name);
/* Does this set take that endpoint of that vendor? */
bool config_set_takes(
	const struct config_set *s, const struct config_vendor *v, const struct config_endpoint *e);
/* Does it take its names, or this static entry of it? */
bool config_set_takes_names(const struct config_set *s);
bool config_set_takes_range(const struct config_set *s, const struct addr_range *r);
/* Does any [set] take the vendor? What none takes is for the rules that mark (core/ruleset.h). */
bool config_has_set_for(const struct config *c, const char *vendor);
/* Does any [devices] group? Then it is allowed to such groups only. */
bool config_has_devices_for(const struct config *c, const char *vendor);
/* Takes NULL; returns NULL. */
struct config *config_free(struct config *c);
