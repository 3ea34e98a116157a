# SPDX-License-Identifier: GPL-2.0-or-later
"""What a denied endpoint had stays denied for thirty days after DNS last gave it: whatever becomes of
the name, the daemon, the ruleset and the machine."""
import ipaddress
import os
import re

import pytest

import recipes
from recipes import becomes, ctl_json, name_of, resolve, status, turn
from test_asleep import Machine
from test_devices import ACME, HOSTS, PASSES, begin, group, load, outcomes
from test_early import boot, saved

DAY = 86400
KEPT = 30 * DAY + 3600  # in the kernel: an hour more than by the daemon's own clock
DENY = "deny = tunnel\n"
SET4, SET6 = "v_acme.tunnel.deny4", "v_acme.tunnel.deny6"
OLD, NEW = "45.1.0.8", "45.1.0.9"


def start(make_lab, keys="interface = lan\nmode = enforce\n", ruleset=PASSES, vendor=DENY, **kw):
    """A denied name that has moved on."""
    lab, daemon, _ = begin(make_lab, keys, ruleset, vendor=vendor, **kw)
    becomes(lambda: set(denied(lab)) == {OLD}, "the denial")
    move(lab, daemon)
    return lab, daemon


def rules_stand(daemon):
    """In its first turns a daemon says nothing of them."""
    return status(daemon).get("rules", {}).get("state") == "in_force"


def move(lab, daemon, *addresses):
    addresses = addresses or [NEW]
    lab.dns.edit([(HOSTS["t"], "AAAA" if ":" in addresses[0] else "A", list(addresses), 60)])
    resolve(daemon, HOSTS["t"])
    becomes(lambda: set(addresses) <= set(denied(lab, SET6 if ":" in addresses[0] else SET4)), "in")


def denied(lab, name=SET4):
    """{address: seconds that the kernel keeps it; None: for ever}"""
    return {k: e.get("expires") for k, e in lab.elements(name, table="allowsync").items()}


def refuses(lab, *addresses):
    targets = [("tcp", a, 18991) for a in addresses]
    return outcomes(lab.device, targets) == dict.fromkeys(targets, "reset")


def why(daemon, address, *service):
    r = daemon.ctl("why", address, *service)
    return r.returncode, r.stdout


def removed(monitor):
    """What somebody deleted from sets that deny; what ends by itself the kernel does not tell."""
    return {str(ipaddress.ip_address(key)) for g in monitor.changes() for _, name, key in g.removed
            if ".deny" in name}


def changed(daemon):
    return [(e.get("ALLOWSYNC_ADDED", ""), e.get("ALLOWSYNC_REMOVED", ""), e["ALLOWSYNC_REASON"])
            for e in daemon.events("changed") if e["ALLOWSYNC_SET"].endswith(SET4)]


def test_address_stays_denied_when_its_name_has_moved_on(make_lab):
    lab, daemon = start(make_lab)
    becomes(lambda: name_of(daemon, HOSTS["t"])["ipv4"]["addresses"][0]["address"] == NEW, "moved")
    assert len(name_of(daemon, HOSTS["t"])["ipv4"]["addresses"]) == 1
    assert set(denied(lab)) == {OLD, NEW} and not denied(lab, SET6)
    assert all(KEPT - 300 < s <= KEPT for s in denied(lab).values())
    assert refuses(lab, OLD, NEW)
    assert not [c for c in changed(daemon) if c[1]]
    # Of every family, and what is gone for certain too.
    move(lab, daemon, "2a00:1::8")
    move(lab, daemon, "2a00:1::9")
    assert set(denied(lab, SET6)) == {"2a00:1::8", "2a00:1::9"} and refuses(lab, "2a00:1::8")
    code, text = why(daemon, OLD)
    assert code == 1 and f"{OLD} is denied to device groups" in text
    assert "denied by acme/tunnel since " in text
    assert re.search(f" by {HOSTS['t']}; leaves in (29|30) d, unless it is given again", text), text
    assert "earlier run" not in text
    assert why(daemon, OLD, "tcp/18991")[0] == 1 and "denied" in why(daemon, OLD, "tcp/18991")[1]
    assert "denied" not in why(daemon, OLD, "tcp/443")[1], "that service is not"
    element = ctl_json(daemon, "why", OLD)[0]["elements"][0]
    assert element["denies"] and element["owners"] == []
    seen = element["denied"]
    assert seen["name"] == HOSTS["t"] and seen["until"] - seen["last_seen"] == 30 * DAY
    assert 0 <= seen["last_seen"] - seen["since"] < 300
    kept = name_of(daemon, HOSTS["t"])["denied"]
    assert {d["address"] for d in kept} == {OLD, "2a00:1::8"}
    assert f"denied still  {OLD}" in daemon.ctl("show", HOSTS["t"]).stdout
    assert daemon.ctl("status").returncode == 0 and status(daemon)["undone"] == []


def test_address_that_was_both_denied_and_allowed_stays_denied_only(make_lab):
    """The same name is allowed for another service: there it lets go as ever."""
    lab, daemon, _ = begin(make_lab, "interface = lan\n", PASSES)
    daemon.profile("acme", recipes.profile(
        {"endpoint": "web", "name": HOSTS["t"]},
        {"endpoint": "tunnel", "default": "no", "name": HOSTS["t"], "allow": "tcp/18991"}))
    daemon.configure(recipes.resolver() + "[vendor acme]\n" + DENY + group("interface = lan\n"))
    daemon.ctl("reload", check=True)
    becomes(lambda: OLD in denied(lab), "denied")
    move(lab, daemon)
    assert set(lab.elements("v_acme4", table="allowsync")) == {f"{NEW} . tcp . 443"}
    assert set(denied(lab)) == {OLD, NEW}


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_restart_goes_on_where_the_daemon_ended(make_lab, how):
    lab, daemon = start(make_lab)
    before = denied(lab)
    monitor = lab.monitor()
    getattr(daemon, how)()
    lab.dns.pause()
    assert refuses(lab, OLD, NEW)
    daemon.start()
    becomes(lambda: rules_stand(daemon), "the rules are in force", 60)
    after = denied(lab)
    assert set(after) == {OLD, NEW} and all(after[a] <= before[a] for a in after)
    code, text = why(daemon, OLD)
    assert "denied by acme/tunnel since an earlier run, last given" in text
    assert "; leaves in 30 d, unless" in text, text
    assert not removed(monitor)
    lab.dns.resume()
    resolve(daemon)
    # The names are known, and what nobody gives stays.
    becomes(lambda: f" by {HOSTS['t']};" in why(daemon, NEW)[1], "given again")
    turn(daemon)
    assert set(denied(lab)) == {OLD, NEW} and not removed(monitor)
    assert refuses(lab, OLD, NEW)
    assert "earlier run" in why(daemon, OLD)[1]


def test_reload_keeps_what_is_denied(make_lab):
    lab, daemon = start(make_lab)
    monitor = lab.monitor()
    daemon.ctl("reload", check=True)
    turn(daemon)
    assert set(denied(lab)) == {OLD, NEW}
    # Another name takes the place of the first, which is not asked for any more.
    daemon.profile("acme", ACME.replace(HOSTS["t"], HOSTS["a"]))
    daemon.ctl("reload", check=True)
    becomes(lambda: set(denied(lab)) == {OLD, NEW, "45.1.0.1"}, lambda: f"{denied(lab)}")
    assert not removed(monitor)
    assert f"by {HOSTS['t']};" in why(daemon, NEW)[1]
    assert refuses(lab, OLD, NEW)
    # What is not denied any more goes.
    daemon.configure(recipes.resolver() + "[vendor acme]\n" + group("interface = lan\n"))
    daemon.ctl("reload", check=True)
    becomes(lambda: SET4 not in lab.gateway.run(["nft", "list", "sets"]).stdout, "it is gone")


def test_flushed_ruleset_is_filled_with_the_time_that_is_left(make_lab):
    lab, daemon = start(make_lab)
    earlier = "45.1.0.7"
    lab.gateway.nft(f"add element inet allowsync {SET4} {{ {earlier} timeout 10d expires 9d "
                    'comment "allowsyncd" }')
    becomes(lambda: "earlier run" in why(daemon, earlier)[1], "taken over")
    lab.gateway.nft("flush ruleset\n" + PASSES)
    becomes(lambda: rules_stand(daemon)
            and set(denied(lab)) == {OLD, NEW, earlier}, "it is back", 60)
    left = denied(lab)
    assert all(KEPT - 300 < left[a] <= KEPT for a in (OLD, NEW)) and refuses(lab, OLD, NEW, earlier)
    assert 9 * DAY - 300 < left[earlier] <= 9 * DAY
    # Whoever takes one out, or makes it permanent, has it put right.
    lab.gateway.nft(f"delete element inet allowsync {SET4} {{ {OLD}, {NEW} }}\n"
                    f'add element inet allowsync {SET4} {{ {NEW} comment "allowsyncd" }}')
    becomes(lambda: set(denied(lab)) == {OLD, NEW, earlier} and all(denied(lab).values()),
            lambda: f"{denied(lab)}")


def test_addresses_that_came_and_went_before_the_set_was_there_are_denied(make_lab):
    lab = make_lab(cache=False, ruleset=PASSES)
    lab.dns.edit([(HOSTS["a"], "A", ["45.1.0.1"], 60), (HOSTS["t"], "A", [OLD], 60)])
    daemon = lab.daemon(recipes.resolver() + "[vendor acme]\n" + DENY + group("interface = lan\n")
                        + "[mark]\nload = no\n")
    daemon.profile("acme", ACME)
    resolve(daemon.start())
    lab.dns.set(HOSTS["t"], "A", [NEW], 60)
    resolve(daemon)
    lab.gateway.nft(daemon.ctl("rules").stdout)
    becomes(lambda: set(denied(lab)) == {OLD, NEW}, lambda: f"{denied(lab)}")


def test_ruleset_of_the_admin_that_includes_the_rules_has_what_is_denied_at_once(make_lab):
    """With the text of another time: whom the daemon knows, it knows better."""
    lab, daemon = start(make_lab)
    path = f"{daemon.root}/var/lib/allowsyncd/elements.d/inet-allowsync-{SET4}.nft"
    becomes(lambda: all(a in saved(daemon, f"elements.d/{os.path.basename(path)}")
                        for a in (OLD, NEW)), "saved")
    daemon.stop()
    text = saved(daemon, f"elements.d/{os.path.basename(path)}")
    assert text.count(f"timeout {KEPT}s") == 2, text
    daemon.start()
    load(lab, daemon)
    mine = f"{lab.directory}/{SET4}.nft"
    with open(mine, "w", encoding="ascii") as f:
        f.write(text.replace(f"{OLD} timeout {KEPT}s", f"{OLD} timeout {KEPT}s expires 5d")
                .replace(f"expires 5d expires", "expires")
                .replace("elements = {", "elements = { 45.1.0.7 timeout 10d expires 9d "
                         'comment "allowsyncd",'))
    rules = saved(daemon, "rules.nft")
    include = f'include "{path[:-1]}[t]"'
    assert include in rules
    lab.gateway.nft("flush ruleset\n" + PASSES + rules.replace(include, f'include "{mine}"'))
    assert set(denied(lab)) >= {OLD, NEW, "45.1.0.7"}, "from the load on"
    load(lab, daemon)
    becomes(lambda: set(denied(lab)) == {OLD, NEW, "45.1.0.7"}
            and all(KEPT - 600 < denied(lab)[a] <= KEPT for a in (OLD, NEW)),
            lambda: f"{denied(lab)}")
    assert 9 * DAY - 300 < denied(lab)["45.1.0.7"] <= 9 * DAY
    assert refuses(lab, OLD, NEW, "45.1.0.7")
    assert "earlier run" in why(daemon, "45.1.0.7")[1]


def test_reboot_without_dns_denies_what_was_denied_from_the_first_packet_on(make_lab):
    lab, daemon = start(make_lab)
    move(lab, daemon, "2a00:1::8")
    for name, address in ((SET4, OLD), (SET4, NEW), (SET6, "2a00:1::8")):
        becomes(lambda: address in saved(daemon, f"elements.d/inet-allowsync-{name}.nft"), address)
    daemon.kill()
    lab.dns.pause()
    boot(lab, daemon)
    assert set(denied(lab)) == {OLD, NEW} and set(denied(lab, SET6)) == {"2a00:1::8"}
    assert all(KEPT - 600 < s <= KEPT for s in denied(lab).values())
    assert refuses(lab, OLD, NEW, "2a00:1::8")
    daemon.start()
    becomes(lambda: rules_stand(daemon), "the rules are in force", 60)
    assert set(denied(lab)) == {OLD, NEW} and set(denied(lab, SET6)) == {"2a00:1::8"}
    assert refuses(lab, OLD, NEW, "2a00:1::8")
    assert "earlier run" in why(daemon, OLD)[1]
    # And so it is saved again.
    daemon.kill()
    boot(lab, daemon)
    assert set(denied(lab)) == {OLD, NEW} and refuses(lab, OLD)


def test_what_is_left_of_an_earlier_run_leaves_in_its_time(make_lab):
    """By what the kernel says, a minute before it would go by itself."""
    lab, daemon = start(make_lab)
    daemon.stop()
    lab.gateway.nft(f"add element inet allowsync {SET4} {{ "
                    '45.1.0.6 timeout 10d expires 62s comment "allowsyncd", '
                    '45.1.0.7 timeout 10d expires 9d comment "allowsyncd", '
                    '45.1.0.5 comment "allowsyncd" }')
    monitor = lab.monitor()
    lab.dns.pause()
    daemon.start()
    becomes(lambda: "45.1.0.6" not in denied(lab), "it has left", 60)
    assert removed(monitor) == {"45.1.0.6"}, "by the daemon"
    assert ("", "45.1.0.6", "linger") in changed(daemon)
    assert set(denied(lab)) == {OLD, NEW, "45.1.0.7", "45.1.0.5"}
    assert "Left today" in why(daemon, "45.1.0.6")[1]
    # What has no timeout was a static entry, and goes once the names are known.
    lab.dns.resume()
    resolve(daemon)
    becomes(lambda: set(denied(lab)) == {OLD, NEW, "45.1.0.7"}, lambda: f"{denied(lab)}")


def test_release_lets_go_of_it_and_a_reload_denies_it_again(make_lab):
    lab, daemon = start(make_lab)
    daemon.ctl("release", "acme", check=True)
    becomes(lambda: not denied(lab), "empty")
    daemon.ctl("reload", check=True)
    becomes(lambda: set(denied(lab)) == {OLD, NEW}, "denied again")


def test_static_entries_of_a_denied_endpoint_are_permanent(make_lab):
    lab, daemon, _ = begin(make_lab, "interface = lan\n", PASSES, vendor=DENY)
    daemon.profile("acme", recipes.profile(
        {"endpoint": "web", "name": HOSTS["a"]},
        {"endpoint": "tunnel", "default": "no", "name": HOSTS["t"], "address": "45.1.0.5",
         "allow": "tcp/18991"}))
    daemon.ctl("reload", check=True)
    becomes(lambda: set(denied(lab)) == {OLD, "45.1.0.5"}, "both")
    assert denied(lab)["45.1.0.5"] is None and denied(lab)[OLD] > KEPT - 300
    assert "static" in why(daemon, "45.1.0.5")[1]


def test_more_than_max_addresses_lets_go_of_what_was_given_least_recently(make_lab):
    lab, daemon, _ = begin(make_lab, "interface = lan\n", PASSES, vendor=DENY + "max-addresses = 8\n")
    for i in range(10, 20):
        move(lab, daemon, f"45.1.0.{i}")
    becomes(lambda: set(denied(lab)) == {f"45.1.0.{i}" for i in range(12, 20)},
            lambda: f"{denied(lab)}")
    said = [e["MESSAGE"] for e in daemon.events("limited")]
    assert len(said) == 1 and "max-addresses 8" in said[0] and "tunnel" in said[0], said
    assert ("", OLD, "limit") in changed(daemon) or any(
        OLD in c[1] and "limit" in c[2] for c in changed(daemon))
    assert "max-addresses 8" in str([s["notes"] for s in ctl_json(daemon, "sets")])


def sleeps(daemon):
    """It waits for something to come, and does not turn on the spot."""
    def state():
        with open(f"/proc/{daemon.process.pid}/stat", encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0]
    return all(state() == "S" for _ in range(200))


def test_what_is_over_before_the_set_is_there_keeps_nobody_busy(make_lab):
    lab = make_lab(cache=False, ruleset=PASSES)
    machine = Machine(lab.directory)
    lab.dns.edit([(HOSTS["a"], "A", ["45.1.0.1"], 60), (HOSTS["t"], "A", [OLD], 60)])
    daemon = lab.daemon(recipes.resolver() + "[vendor acme]\n" + DENY + group("interface = lan\n")
                        + "[mark]\nload = no\n", plain=True, wrapper=machine.wrapper)
    daemon.profile("acme", ACME)
    resolve(daemon.start())
    lab.dns.set(HOSTS["t"], "A", [NEW], 60)
    resolve(daemon)
    machine.sleep(31 * DAY)
    resolve(daemon)
    becomes(lambda: sleeps(daemon), "it sleeps")
    lab.gateway.nft(daemon.ctl("rules").stdout)
    becomes(lambda: set(denied(lab)) == {NEW}, lambda: f"{denied(lab)}")


def test_thirty_days_pass(make_lab):
    """By the daemon's clock: that of the kernel goes on as ever."""
    lab = make_lab(cache=False, ruleset=PASSES)
    machine = Machine(lab.directory)
    lab.dns.edit([(HOSTS["a"], "A", ["45.1.0.1"], 60), (HOSTS["t"], "A", [OLD], 60)])
    daemon = lab.daemon(recipes.resolver() + "[vendor acme]\n" + DENY + group("interface = lan\n"),
                        plain=True, wrapper=machine.wrapper)
    daemon.profile("acme", recipes.profile(
        {"endpoint": "web", "name": HOSTS["a"]},
        {"endpoint": "tunnel", "default": "no", "name": HOSTS["t"], "allow": "tcp/18991"}))
    daemon.start()
    becomes(lambda: rules_stand(daemon)
            and set(denied(lab)) == {OLD}, "the denial", 60)
    move(lab, daemon)
    machine.sleep(30 * DAY - 120)
    resolve(daemon)
    turn(daemon)
    assert set(denied(lab)) == {OLD, NEW}
    machine.sleep(120)
    becomes(lambda: set(denied(lab)) == {NEW}, lambda: f"{denied(lab)}")
    assert ("", OLD, "linger") in changed(daemon)
    _, text = why(daemon, OLD)
    assert "kept 30 d more" in text, text
    # Where nobody says that it is gone, what was given last stays.
    lab.dns.pause()
    machine.sleep(40 * DAY)
    turn(daemon)
    machine.sleep(40 * DAY)
    turn(daemon)
    becomes(lambda: set(denied(lab)) == {NEW} and 0 < denied(lab)[NEW] <= DAY + 3600,
            lambda: f"a day at a time: {denied(lab)}")
    lab.dns.resume()
    lab.dns.edit([(HOSTS["t"], "A", ["45.1.0.7"], 60)])
    resolve(daemon)
    becomes(lambda: "45.1.0.7" in denied(lab), "given")
    machine.sleep(31 * DAY)
    becomes(lambda: set(denied(lab)) == {"45.1.0.7"}, lambda: f"{denied(lab)}")


# --- collisions

def collisions(daemon):
    return [(e["MESSAGE"], e.get("ALLOWSYNC_NAME")) for e in daemon.events("deny-collides")]


COLLIDING = recipes.profile(
    {"endpoint": "web", "name": HOSTS["a"], "allow": ["tcp/443", "tcp/18000-19000"]},
    {"endpoint": "far", "name": "far.example.com", "allow": "tcp/443"},
    {"endpoint": "nets", "address": "45.8.0.0/24", "allow": "tcp/18991"},
    {"endpoint": "tunnel", "default": "no", "name": HOSTS["t"], "allow": "tcp/18991"})


def test_collision_is_told_once_with_both_names(make_lab):
    lab, daemon, _ = begin(make_lab, "interface = lan\nmode = enforce\n", PASSES)
    daemon.profile("acme", COLLIDING)
    daemon.configure(recipes.resolver() + "[vendor acme]\n" + DENY
                     + group("interface = lan\nmode = enforce\n"))
    lab.dns.edit([("far.example.com", "A", [OLD], 60)])
    daemon.ctl("reload", check=True)
    resolve(daemon)
    load(lab, daemon)
    assert collisions(daemon) == [], "another service is no collision"
    # What is denied comes to be allowed.
    lab.dns.edit([(HOSTS["a"], "A", ["45.1.0.1", OLD], 60)])
    resolve(daemon)
    becomes(lambda: len(collisions(daemon)) == 1, "told")
    text, name = collisions(daemon)[0]
    assert name == HOSTS["t"]
    assert f"{OLD} is denied by acme/tunnel ({HOSTS['t']}) and allowed by acme/web ({HOSTS['a']})" in text
    # The denial stands first.
    assert refuses(lab, OLD) and outcomes(lab.device, [("tcp", OLD, 443)]) == {
        ("tcp", OLD, 443): "echo"}
    # Another address of the same two is no news, nor a reload, nor when it comes back.
    move(lab, daemon, "45.1.0.1")
    daemon.ctl("reload", check=True)
    resolve(daemon)
    turn(daemon)
    assert len(collisions(daemon)) == 1
    # What is allowed, be it as a range, comes to be denied.
    move(lab, daemon, "45.8.0.3")
    becomes(lambda: len(collisions(daemon)) == 2, "told")
    assert "45.8.0.3 is denied by" in collisions(daemon)[1][0]
    assert "and allowed by acme/nets:" in collisions(daemon)[1][0]


def test_collision_with_what_an_earlier_run_denied_is_told(make_lab):
    lab, daemon, _ = begin(make_lab, "interface = lan\n", PASSES)
    daemon.profile("acme", COLLIDING)
    daemon.configure(recipes.resolver() + "[vendor acme]\n" + DENY + group("interface = lan\n"))
    daemon.ctl("reload", check=True)
    resolve(daemon)
    load(lab, daemon)
    move(lab, daemon)
    daemon.stop()
    lab.dns.edit([(HOSTS["a"], "A", [OLD], 60)])
    daemon.start()
    resolve(daemon)
    becomes(lambda: any(f"{OLD} is denied by acme/tunnel and allowed by acme/web ({HOSTS['a']})" in m
                        for m, _ in collisions(daemon)), lambda: f"{collisions(daemon)}")


def test_vendors_of_different_groups_do_not_collide(make_lab):
    lab, daemon, _ = begin(make_lab, "interface = lan\n", PASSES)
    daemon.profile("acme", COLLIDING)
    daemon.profile("none", recipes.profile({"endpoint": "e", "name": "far.example.com", "allow": "tcp"}))
    both = (recipes.resolver() + "[vendor none]\n[vendor acme]\n" + DENY
            + group("interface = lan\n"))
    lab.dns.edit([("far.example.com", "A", [OLD], 60)])
    daemon.configure(both + group("interface = lan2\n", "none", "others"))
    daemon.ctl("reload", check=True)
    resolve(daemon)
    load(lab, daemon)
    turn(daemon)
    assert set(denied(lab)) == {OLD} and collisions(daemon) == []
    daemon.configure(both + group("interface = lan2\n", "none, acme", "others"))
    daemon.ctl("reload", check=True)
    becomes(lambda: [n for _, n in collisions(daemon)] == [HOSTS["t"]], lambda: f"{collisions(daemon)}")
