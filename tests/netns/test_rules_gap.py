# SPDX-License-Identifier: GPL-2.0-or-later
"""While the rules of the daemon's own table are swapped, and while the admin's file is loaded, no
packet that is allowed is lost and none that is not gets through: for what is marked, and for devices
that are confined."""
import os
import re
import signal
import time

import pytest
import recipes
from recipes import becomes, status
from test_rules_load import HOOK, in_force, names
from test_saved import load
from traffic import ALLOWED, NEW, Traffic, lost, table, wait_sent

NAME, OTHER = "a.example.com", "b.example.com"
NARROW, WIDE = "tcp/443, udp/443", "tcp/443-500, udp/443-500"  # WIDE has its ports in the rules
# The last rule is no ornament: see test_reload_gap.py.
DROPS = f"""
table inet filter {{
	chain forward {{
		type filter hook forward priority filter; policy drop;
		ct state established,related accept
		{HOOK}
		drop
	}}
}}
"""
PASSES = "table inet filter { chain forward { type filter hook forward priority filter; }; }\n"
# (what the daemon is told to do, what the admin's own chain does with the rest)
MARKS = pytest.param("mark", DROPS, id="marks")
CONFINES_ALONE = pytest.param("enforce", PASSES, id="confines-alone")
CONFINES = pytest.param("enforce", DROPS, id="confines")
EXTENDED = os.environ.get("ALLOWSYNCD_EXTENDED")
RELOADS = 100 if EXTENDED else 30
GAPS = 100 if EXTENDED else 10  # each with a wait: whoever undoes the rules too often is not raced
GAP_PACE_S, HELD_ROUNDS = 0.55, 20
SENT_MIN = 500


def config(mode, *vendors):
    text = recipes.resolver() + recipes.vendors(*vendors)
    if mode != "mark":
        text += f"[devices machines]\ninterface = lan\nvendor = {', '.join(vendors)}\nmode = {mode}\n"
    return text


def web(name, allow):
    return recipes.profile({"endpoint": "web", "name": name, "allow": allow})


class Router:
    """A gateway with the rules in force, and the traffic through it."""

    def __init__(self, make_lab, mode, admin):
        self.mode, self.admin = mode, admin
        self.lab = make_lab(ruleset=admin, cache=False)
        self.lab.dns.edit([(NAME, "A", [a for a in ALLOWED if "." in a], 3600),
                           (NAME, "AAAA", [a for a in ALLOWED if ":" in a], 3600),
                           (OTHER, "A", ["45.1.0.1"], 3600)])
        self.daemon = self.lab.daemon(config(mode, "acme"))
        self.profiles(acme=(NAME, NARROW), beta=(OTHER, NARROW))
        self.daemon.start()
        becomes(lambda: in_force(self.daemon), "the rules are in force")
        becomes(lambda: len(self.elements("v_acme4")) == 4 and len(self.elements("v_acme6")) == 4,
                "and their sets filled")
        self.traffic = Traffic(self.lab)

    def elements(self, name):
        return self.lab.elements(name, table="allowsync")

    def profiles(self, **vendors):
        for vendor, (name, allow) in vendors.items():
            self.daemon.profile(vendor, web(name, allow))

    def reload(self, mode, vendors, sets):
        """Another configuration, until its rules are in force and the sets those it has, no others."""
        self.daemon.configure(config(mode, *vendors))
        self.daemon.ctl("reload", check=True)
        becomes(lambda: in_force(self.daemon) and names(self.lab, "set") == sets,
                lambda: f"{sets}, not {names(self.lab, 'set')}: {status(self.daemon)}", 60)

    def back(self):
        """After somebody removed the rules."""
        becomes(lambda: self.lab.gateway.run(["nft", "list", "table", "inet", "allowsync"],
                                             check=False).returncode == 0
                and in_force(self.daemon) and "daddr" in self.listing(), "they are back", 60)

    def listing(self):
        return self.lab.gateway.run(["nft", "list", "table", "inet", "allowsync"]).stdout

    def goes_on(self, rounds):
        """When this returns, what was sent before has come in, as far as it comes."""
        wait_sent(self.traffic, "", self.traffic.sent("") + rounds)

    def passed(self):
        return sum(came for name, (_, came) in self.traffic.counts().items() if "denied" in name)

    def end(self, title):
        counts, echoes = self.traffic.end()
        print(f"{title}\n{table(counts)}"
              + "".join(f"{kind}: {echoed} of {sent} echoed\n"
                        for kind, (sent, echoed) in echoes.items()))
        return counts, echoes


def check_nothing_lost(counts, echoes, sent_min=SENT_MIN):
    assert min(sent for name, (sent, _) in counts.items() if "denied" not in name) >= sent_min
    assert not any(lost(counts, "established").values()), table(counts)
    assert not any(lost(counts, "new").values()), table(counts)
    assert all(sent == echoed for sent, echoed in echoes.values()), echoes


def check_nothing_denied_passed(counts, sent_min=SENT_MIN):
    assert min(counts[f"denied{v}"][0] for v in NEW) >= sent_min
    assert [counts[f"denied{v}"][1] for v in NEW] == [0, 0], table(counts)


def sets_of(*owners):
    return {f"v_{o}{v}" for o in owners for v in "46"}


@pytest.mark.parametrize("mode, admin", [MARKS, CONFINES_ALONE])
def test_no_packet_is_lost_by_configuration_reloads_that_change_the_rules(make_lab, mode, admin):
    router = Router(make_lab, mode, admin)
    # (vendors, profiles that change, the sets there are then)
    steps = [
        (["acme"], {"acme": (NAME, WIDE)}, sets_of("acme.web")),
        (["acme", "beta"], {}, sets_of("acme.web", "beta")),
        (["acme", "beta"], {"acme": (NAME, NARROW)}, sets_of("acme", "beta")),
        (["acme", "beta"], {"acme": (NAME, NARROW + ", tcp/8443")}, sets_of("acme", "beta")),
        # The name goes from one vendor to the other, and back.
        (["beta"], {"beta": (NAME, NARROW)}, sets_of("beta")),
        (["beta"], {"beta": (NAME, WIDE)}, sets_of("beta.web")),
        (["acme"], {"acme": (NAME, NARROW), "beta": (OTHER, NARROW)}, sets_of("acme")),
    ]
    reloads = 0
    while reloads < RELOADS or router.traffic.sent("") < SENT_MIN:
        vendors, profiles, sets = steps[reloads % len(steps)]
        router.profiles(**profiles)
        router.reload(mode, vendors, sets)
        reloads += 1
    counts, echoes = router.end(f"{reloads} reloads of the configuration, {mode}")
    # All but those where only ports in a set change.
    assert len(router.daemon.events("rules-loaded")) > reloads * (len(steps) - 1) // len(steps)
    check_nothing_lost(counts, echoes)
    check_nothing_denied_passed(counts)


def test_no_packet_is_lost_by_switches_between_report_and_enforce(make_lab):
    """And as soon as the switch to enforce is said to be in force nothing denied gets through."""
    router = Router(make_lab, "enforce", PASSES)
    reloads = 0
    while reloads < RELOADS or router.traffic.sent("") < SENT_MIN:
        before = router.passed()
        router.reload("report", ["acme"], sets_of("acme"))
        becomes(lambda b=before: router.passed() > b, "what is only reported passes")
        router.reload("enforce", ["acme"], sets_of("acme"))
        router.goes_on(3)
        before = router.passed()
        router.goes_on(5)
        assert router.passed() == before, reloads
        reloads += 2
    assert len(router.daemon.events("rules-loaded")) == reloads + 1
    check_nothing_lost(*router.end(f"{reloads} switches"))


@pytest.mark.parametrize("mode, admin", [MARKS, CONFINES_ALONE, CONFINES])
def test_no_packet_is_lost_by_reloads_of_the_admins_own_table(make_lab, tmp_path, mode, admin):
    router = Router(make_lab, mode, admin)
    reloads = 0
    while reloads < RELOADS or router.traffic.sent("") < SENT_MIN:
        load(router.lab, tmp_path, "flush table inet filter\n" + admin)
        reloads += 1
    counts, echoes = router.end(f"{reloads} reloads of table inet filter, {mode}")
    check_nothing_lost(counts, echoes)
    check_nothing_denied_passed(counts)
    # Nobody touched ours.
    assert len(router.daemon.events("rules-loaded")) == 1
    assert not router.daemon.events("ruleset-changed")


def flushing(router, tmp_path, text):
    """GAPS loads of a file that removes our table, each once the rules are in force again; and one
    while the daemon is held, so that there are packets in the gap however fast it is otherwise."""
    for _ in range(GAPS):
        loaded_s = time.monotonic()
        load(router.lab, tmp_path, "flush ruleset\n" + text)
        router.back()
        router.goes_on(10)
        becomes(lambda s=loaded_s: time.monotonic() - s > GAP_PACE_S, "not too often")
    print(f"{GAPS} times flush ruleset, {router.mode}\n{table(router.traffic.counts())}")
    router.daemon.process.send_signal(signal.SIGSTOP)
    try:
        load(router.lab, tmp_path, "flush ruleset\n" + text)
        router.goes_on(HELD_ROUNDS)
    finally:
        router.daemon.process.send_signal(signal.SIGCONT)
    router.back()
    router.goes_on(10)


@pytest.mark.parametrize("mode, admin", [MARKS, CONFINES])
def test_flush_ruleset_loses_new_flows_until_the_rules_are_back_and_opens_nothing(
        make_lab, tmp_path, mode, admin):
    """Where the admin's own chain drops what is not marked."""
    router = Router(make_lab, mode, admin)
    flushing(router, tmp_path, admin)
    counts, _ = router.end("and one more, the daemon held")
    assert len(router.daemon.events("rules-loaded")) == GAPS + 2
    assert all(n >= HELD_ROUNDS - 1 for n in lost(counts, "new").values()), table(counts)
    assert not any(lost(counts, "established").values()), table(counts)
    check_nothing_denied_passed(counts, 10 * GAPS)


def test_flush_ruleset_frees_confined_devices_until_the_rules_are_back(make_lab, tmp_path):
    """Where no other chain drops anything. What is allowed is not lost."""
    router = Router(make_lab, "enforce", PASSES)
    flushing(router, tmp_path, PASSES)
    before = router.passed()
    assert before >= HELD_ROUNDS - 1
    router.goes_on(20)
    assert router.passed() == before
    check_nothing_lost(*router.end("and one more, the daemon held"), 10 * GAPS)


@pytest.mark.parametrize("mode, admin", [MARKS, CONFINES_ALONE])
def test_file_that_includes_the_kept_rules_loses_nothing_and_opens_nothing(
        make_lab, tmp_path, mode, admin):
    """As often as it can be loaded, whatever the daemon makes of it."""
    router = Router(make_lab, mode, admin)
    state = f"{router.daemon.root}/var/lib/allowsyncd"
    for name in ("v_acme4", "v_acme6"):
        becomes(lambda n=name: os.path.exists(f"{state}/elements.d/inet-allowsync-{n}.nft"), "kept")
    before, reloads = router.listing(), 0
    while reloads < RELOADS or router.traffic.sent("") < SENT_MIN:
        load(router.lab, tmp_path, f'flush ruleset\ninclude "{state}/rules.nf[t]"\n' + admin)
        reloads += 1
    counts, echoes = router.end(f"{reloads} times flush ruleset with the kept rules, {mode}")
    check_nothing_lost(counts, echoes)
    check_nothing_denied_passed(counts)
    becomes(lambda: in_force(router.daemon), "in force", 60)
    strip = re.compile(r"\s+counter packets \d+ bytes \d+")
    assert strip.sub("", router.listing()) == strip.sub("", before)
