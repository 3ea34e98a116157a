/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names and message ids of the kinds of events. An id never changes and is never given to another
 * kind: people filter by it, and the catalog explains it. */
#include "allowsync/event.h"

static const struct {
	const char *name, *message_id;
} kinds[EVENT_KIND_COUNT] = {
	[EVENT_STARTED] = {"started", "524a35d99af545ec80ae1d493f015e82"},
	[EVENT_STOPPED] = {"stopped", "2ecd8320dcdb430ba63924e9251e2eb9"},
	[EVENT_CHANGED] = {"changed", "6c47b6ddc0f84ec1bda2cd39791f9c47"},
	[EVENT_ROTATING] = {"rotating", "4744946ae48b4618beb6892fc138de61"},
	[EVENT_SUMMARY] = {"summary", "0afe403124a349a0a913631c0d13b45e"},
	[EVENT_RELOADED] = {"reloaded", "79941b9c99f947b79832b04d2858ab47"},
	[EVENT_RELOAD_REFUSED] = {"reload-refused", "ae811650b2a948ccb59c31bffd985ba1"},
	[EVENT_CONFIG_BROKEN] = {"config-broken", "6793d9a79bd1459d815bcc69908a3f8b"},
	[EVENT_CONFIG_INSTEAD] = {"config-instead", "7899e6d38bc64ad09789131045462927"},
	[EVENT_CONFIG_DIAG] = {"config-diag", "358c9e4ddf5f441e8bc1a2e67b023ec7"},
	[EVENT_NAME_FAILING] = {"name-failing", "46678e22a8af443a8d00f283ffa86b45"},
	[EVENT_NAME_RECOVERED] = {"name-recovered", "1f8cb8a5298b4371b4c6007ba4a342b5"},
	[EVENT_NAME_GONE] = {"name-gone", "cc88263dc0f54af9b5915ea9d45a4e66"},
	[EVENT_NAME_STALE] = {"name-stale", "7205d174b7a84bd69264e7fa23452367"},
	[EVENT_NAME_NEVER] = {"name-never", "03be9cda42624611a7a1f8895252ebe3"},
	[EVENT_DNS_SILENT] = {"dns-silent", "69ffefc6d296495f911e512bce68531a"},
	[EVENT_DNS_ANSWERS] = {"dns-answers", "8c05a876abf741c2945f4fefd8f208fc"},
	[EVENT_ANSWER_REFUSED] = {"answer-refused", "3234b2d1bd9041c6b522edf381d06694"},
	[EVENT_ANSWER_REPLACED] = {"answer-replaced", "05a095757db96fb7473ac1ddaff65f49"},
	[EVENT_ALIAS_MOVED] = {"alias-moved", "5ae181515a4ee6c29b7db2c6fdf746c4"},
	[EVENT_LIMITED] = {"limited", "eb14e24bbbf5d73dc1605db07bea5aeb"},
	[EVENT_DENY_COLLIDES] = {"deny-collides", "27b2a476838b47d4a2c7a7417d2e4083"},
	[EVENT_SET_DEGRADED] = {"set-degraded", "8cd74a56434f44fbbba25cbc643b8ffb"},
	[EVENT_SET_RECOVERED] = {"set-recovered", "d4f6b952a37344ad9ddaf70891f99fe1"},
	[EVENT_SET_ENTRY_REFUSED] = {"set-entry-refused", "1d1ed1109dc04d5388ab8a301d2fe3d8"},
	[EVENT_SET_MIXED] = {"set-mixed", "4e723ce8a67c494cbcd4888e83ec0749"},
	[EVENT_SET_INEFFECTIVE] = {"set-ineffective", "8060824e3b1f4e8988e76e3b4bf3e52f"},
	[EVENT_SET_EFFECTIVE] = {"set-effective", "6a8aa87748464d48977d0edb6f59a5c7"},
	[EVENT_RULESET_CHANGED] = {"ruleset-changed", "730688dfcea34f6c81ecfade837815b3"},
	[EVENT_RULES_LOADED] = {"rules-loaded", "44de84db8088414d9a053fe8e93179c3"},
	[EVENT_RULES_FAILED] = {"rules-failed", "007a547147e747daa8f0ec244304244b"},
	[EVENT_MARK_INEFFECTIVE] = {"mark-ineffective", "090df1e69f004aa3a0cad1666ad4309f"},
	[EVENT_MARK_EFFECTIVE] = {"mark-effective", "925a311eee2540fd9d83ab70367b9c8b"},
	[EVENT_SET_COSTLY] = {"set-costly", "e9ff1b76caf8468d9d71509309350379"},
	[EVENT_COMMIT_SPLIT] = {"commit-split", "884bdba7ccb9464a87b80f320366d47b"},
	[EVENT_FOREIGN] = {"foreign", "d86b72817d954f328b70a9629064b7ce"},
	[EVENT_COMMIT_FAILED] = {"commit-failed", "f59797eaef3840dc9e686b4df62c47fb"},
	[EVENT_RELEASED] = {"released", "53874bfd58de4964b5d8c730c8364a34"},
	[EVENT_SERVER_FAILING] = {"server-failing", "f84be18336ef4c958ea85bec4e5ba1d0"},
	[EVENT_SERVER_RECOVERED] = {"server-recovered", "c0dc81687b9c425d93f8da091aee0980"},
	[EVENT_SERVER_UNMATCHED] = {"server-unmatched", "ce50f52a9ea64987be68335a2bcb231a"},
	[EVENT_SERVER_REMOTE] = {"server-remote", "cb0b4b6fdebd41959865b7dc587e9a14"},
	[EVENT_RESOLVER] = {"resolver", "5bfae0c4a2b5497e9dc7eb8f1cb8e571"},
	[EVENT_CONTROL_FAILED] = {"control-failed", "9a8ff21537934a7693d0791be6a73e8c"},
	[EVENT_PAUSED] = {"paused", "80a1779465694880be148be3832f1415"},
	[EVENT_FLOWS_ENDED] = {"flows-ended", "5f0c7c3e2a4b4d0f9a6d1be7c2f85e31"},
	[EVENT_STATE_FAILED] = {"state-failed", "9a4cfc32fceb44fbb79529d491ffd211"},
	[EVENT_REFUSED] = {"refused", "35921a72bad942db8caa8af8f3bd3dc6"},
	[EVENT_REFUSED_SUM] = {"refused-sum", "72b781d26b6747dba911d51fd9989f46"},
	[EVENT_LOG_FAILED] = {"log-failed", "17917f407d7844a29f0bbae2e1aa4837"},
	[EVENT_LOG_RECOVERED] = {"log-recovered", "1bf919c78be44679b44ee42581bebe46"},
};

const char *event_kind_name(enum event_kind k)
{
	return kinds[k].name;
}

const char *event_message_id(enum event_kind k)
{
	return kinds[k].message_id;
}
