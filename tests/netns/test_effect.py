# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether rules use the sets: said once, shown everywhere, and true after whatever others load."""
import re

import recipes
from recipes import ADDR4, ADDR6, PORTS4, becomes, ctl_json, resolve, set_of, status

NAME = "a.example.com"
HOOK = "type filter hook forward priority 0;"
SETS = recipes.table(f"one {ADDR4}", f"two {PORTS4}", used=False)


def begin(make_lab, rules, ruleset=SETS, sets=("one acme", "two acme")):
    lab = make_lab(ruleset=ruleset + rules, cache=False)
    lab.dns.edit([(NAME, "A", ["45.1.0.1"], 60)])
    daemon = lab.daemon(recipes.resolver() + recipes.vendors("acme") + recipes.sets(*sets))
    daemon.profile("acme", recipes.profile({"name": NAME}))
    daemon.start()
    resolve(daemon)
    return lab, daemon


def chain(*rules, name="forward", hook=HOOK):
    return f"table inet filter {{\n chain {name} {{ {hook}\n" + "\n".join(rules) + "\n}\n}\n"


def effects(daemon):
    return {e["set"].split()[-1]: e["effect"] for e in status(daemon)["effects"]}


def used(daemon):
    return {name: e.get("used") for name, e in effects(daemon).items()}


def handle(lab, rule):
    listing = lab.gateway.run(["nft", "-a", "list", "ruleset"]).stdout
    return re.search(re.escape(rule) + r" # handle (\d+)", listing).group(1)


RULE1 = "ip daddr @one accept"
RULE2 = "ip daddr . meta l4proto . th dport @two accept"


def test_the_rule_that_lets_through_is_named(make_lab):
    lab, daemon = begin(make_lab, chain("ip saddr @one counter", RULE1, RULE2))
    becomes(lambda: used(daemon) == {"one": True, "two": True}, "looked at")
    one, two = handle(lab, RULE1), handle(lab, RULE2)
    assert effects(daemon)["one"] == {
        "used": True, "rules": 2, "rule": f"inet filter forward handle {one}",
        "text": f"accepted by inet filter forward handle {one} and 1 more rule"}
    assert daemon.ctl("status").returncode == 0
    text = daemon.ctl("status").stdout
    assert f"effect     inet filter two: accepted by inet filter forward handle {two}\n" in text
    assert f"inet filter forward handle {one} +1 " in daemon.ctl("sets").stdout
    why = daemon.ctl("why", "45.1.0.1").stdout
    assert f"accepted by inet filter forward handle {two}\n" in why
    assert not daemon.events("set-ineffective") and not daemon.events("set-effective")


def test_a_set_that_no_rule_uses_is_ineffective(make_lab):
    lab, daemon = begin(make_lab, chain(RULE2))
    becomes(lambda: used(daemon) == {"one": False, "two": True}, "looked at")
    r = daemon.ctl("status")
    assert r.returncode == 2
    assert r.stdout.startswith("INEFFECTIVE: no rule uses inet filter one\n")
    assert "effect     inet filter one: no rule uses it\n" in r.stdout
    assert set_of(daemon, "one")["state"] == "ineffective"
    assert set_of(daemon, "two")["state"] == "ok"
    assert "no rule uses it" in daemon.ctl("why", "45.1.0.1").stdout
    [said] = daemon.events("set-ineffective")
    assert said["ALLOWSYNC_SET"] == "inet filter one" and said["PRIORITY"] == "4"
    becomes(lambda: "INEFFECTIVE" in daemon.status, "the manager is told")
    assert lab.elements("one"), "it is kept true all the same"


def test_rules_that_come_and_go_are_noticed(make_lab):
    lab, daemon = begin(make_lab, chain(RULE1, RULE2))
    becomes(lambda: used(daemon) == {"one": True, "two": True}, "looked at")
    dumps = status(daemon)["sets"]["dumps"]
    for i in range(1, 4):
        lab.gateway.nft(f"delete rule inet filter forward handle {handle(lab, RULE1)}")
        becomes(lambda: len(daemon.events("set-ineffective")) == i, "said")
        assert used(daemon) == {"one": False, "two": True}
        lab.gateway.nft(f"add rule inet filter forward {RULE1}")
        becomes(lambda: len(daemon.events("set-effective")) == i, "said")
        assert used(daemon) == {"one": True, "two": True}
    assert status(daemon)["sets"]["dumps"] == dumps, "no set was read for it"
    assert daemon.ctl("status").returncode == 0


def test_a_rule_that_no_packet_comes_by_is_none(make_lab):
    lab, daemon = begin(make_lab, chain(RULE1, RULE2, name="lone", hook="") + chain("accept"))
    becomes(lambda: used(daemon) == {"one": False, "two": False}, "looked at")
    text = daemon.ctl("status").stdout
    assert f"inet filter lone handle {handle(lab, RULE1)}" in text and "no packet" in text
    lab.gateway.nft("add rule inet filter forward meta l4proto vmap { tcp : jump lone }")
    becomes(lambda: used(daemon) == {"one": True, "two": True}, "now one does")
    lab.gateway.nft("add table inet filter { flags dormant; }")
    becomes(lambda: used(daemon) == {"one": False, "two": False}, "asleep")


def test_reload_of_the_configuration_looks_again(make_lab):
    _, daemon = begin(make_lab, chain(RULE2), sets=("two acme",))
    becomes(lambda: used(daemon) == {"two": True}, "looked at")
    daemon.configure(recipes.resolver() + recipes.vendors("acme")
                     + recipes.sets("one acme", "two acme"))
    daemon.ctl("reload", check=True)
    becomes(lambda: used(daemon) == {"one": False, "two": True}, "the new one as well")


def test_a_ruleset_loaded_anew_is_effective_throughout(make_lab):
    rules = chain(RULE1, RULE2)
    lab, daemon = begin(make_lab, rules)
    becomes(lambda: used(daemon) == {"one": True, "two": True}, "looked at")
    for _ in range(3):
        lab.gateway.nft("flush ruleset\n" + SETS + rules)
        becomes(lambda: lab.elements("one") and effects(daemon)["one"].get("rule", "")
                .endswith(f" {handle(lab, RULE1)}"), "filled, and its new rule known")
    assert not daemon.events("set-ineffective")


def test_a_missing_set_is_degraded_not_ineffective(make_lab):
    lab, daemon = begin(make_lab, chain(RULE1), ruleset=recipes.table(f"one {ADDR4}", used=False))
    becomes(lambda: used(daemon) == {"one": True, "two": None}, "looked at")
    assert daemon.ctl("status").returncode == 1
    assert not daemon.events("set-ineffective")
    lab.gateway.nft(recipes.table(f"two {PORTS4}", used=False))
    becomes(lambda: used(daemon) == {"one": True, "two": False}, "made, and used by none")
    assert daemon.ctl("status").returncode == 2 and len(daemon.events("set-ineffective")) == 1


def test_other_tables_rules_are_not_taken_for_ours(make_lab):
    """A set of the same name stands in each."""
    theirs = (f"table ip filter {{ set one {ADDR4}\n chain forward {{ {HOOK}\n{RULE1}\n }}\n }}\n"
              f"table inet other {{ set one {ADDR6}\n chain forward {{ {HOOK}\n"
              "ip6 daddr @one accept\n }\n }\n")
    _, daemon = begin(make_lab, theirs)
    becomes(lambda: used(daemon) == {"one": False, "two": False}, "looked at")


def test_thousands_of_other_rules_cost_no_time_to_speak_of(make_lab):
    many = "\n".join(f"tcp dport {i} accept" for i in range(5000))
    lab, daemon = begin(make_lab, chain(many, RULE1, RULE2))
    becomes(lambda: used(daemon) == {"one": True, "two": True}, "looked at")
    lab.gateway.nft("add rule inet filter forward ip daddr @one drop")
    becomes(lambda: ctl_json(daemon, "sets")[0]["effect"]["rules"] == 2, "noticed")
