# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules that mark, loaded by the daemon: in three steps, again when somebody undoes them, and never
before their sets are filled."""
import os
import re
import shutil
import subprocess
import threading

import pytest
import recipes
from rawnft import RawNft, delete_table, new_set, new_table
from recipes import becomes, ctl_json, resolve, status

HOSTS = {n: f"{n}.example.com" for n in ("a", "b", "c")}
ACME = recipes.profile({"endpoint": "web", "name": HOSTS["a"], "address": "45.7.0.0/24"},
                       {"endpoint": "pings", "name": HOSTS["b"], "allow": "icmp/echo-request"})
BETA = recipes.profile({"endpoint": "web", "name": HOSTS["c"]})
CONFIG = recipes.resolver() + recipes.vendors("acme")
GATEWAY = """
table inet filter {
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state established,related accept
		%s
	}
}
"""
HOOK = "meta mark & 0x00100000 == 0x00100000 accept"
FILLED = {"v_acme4", "v_acme.pings4", "v_acme.web.nets4"}


def begin(make_lab, config=CONFIG, hook=HOOK, start=True):
    lab = make_lab(cache=False, ruleset=GATEWAY % hook)
    lab.dns.edit([(HOSTS["a"], "A", ["45.1.0.1"], 60), (HOSTS["b"], "A", ["45.1.0.2"], 60),
                  (HOSTS["c"], "A", ["45.1.0.3"], 60)])
    daemon = lab.daemon(config)
    daemon.profile("acme", ACME)
    daemon.profile("beta", BETA)
    if start:
        daemon.start()
        becomes(lambda: in_force(daemon), "the rules are in force")
    return lab, daemon


def in_force(daemon):
    return status(daemon).get("rules", {}).get("state") == "in_force"


def listing(lab):
    return lab.gateway.run(["nft", "list", "table", "inet", "allowsync"]).stdout


def names(lab, what):
    """Of the sets or chains in our table."""
    return set(re.findall(rf"^\t{what} (\S+) {{$", listing(lab), re.M))


def too_early(generations, sets, filled=()):
    """The transactions that put a rule into our chain when one of those sets was not filled."""
    filled, bad = set(filled), []
    for g in generations:
        filled -= {name for made, table, name in g.sets if table == "allowsync" and not made}
        filled |= {name for table, name, _ in g.added if table == "allowsync"}
        if any(made and table == "allowsync" for made, table, _ in g.rules) and not sets <= filled:
            bad.append((g.number, sets - filled))
    return bad


def swaps(generations):
    """The transactions that put rules into our chain."""
    return [g for g in generations if any(made and table == "allowsync" for made, table, _ in g.rules)]


def test_start_makes_sets_fills_them_and_only_then_loads_the_rules(make_lab):
    lab, daemon = begin(make_lab, start=False)
    monitor = lab.monitor()
    daemon.start()
    becomes(lambda: in_force(daemon), "the rules are in force")
    assert len(swaps(monitor.read())) == 1 and too_early(monitor.read(), FILLED) == []
    for rule in re.findall(r"^\t\t(.*meta mark set .*)$", daemon.ctl("rules").stdout, re.M):
        assert rule in listing(lab), listing(lab)
    assert lab.device.reaches("45.1.0.1") and not lab.device.reaches("45.1.0.3")
    becomes(lambda: daemon.ctl("status").returncode == 0, "healthy")
    assert "\nrules      in force since " in daemon.ctl("status").stdout
    assert daemon.ctl("diff").returncode == 0
    [said] = daemon.events("rules-loaded")
    assert "in force: vendors 1, sets 4" in said["MESSAGE"]
    # Its own loads are not taken for somebody else's.
    for kind in ("ruleset-changed", "set-ineffective", "set-degraded", "rules-failed",
                 "mark-ineffective", "mark-effective"):
        assert not daemon.events(kind), kind
    daemon.stop()
    assert names(lab, "chain") == {"v_mark"} and lab.device.reaches("45.1.0.1")


def test_start_over_what_stands_marks_all_the_time(make_lab):
    lab, daemon = begin(make_lab)
    daemon.stop()
    monitor = lab.monitor()
    daemon.start()
    becomes(lambda: in_force(daemon), "in force again")
    assert not [g for g in monitor.read() if g.sets or g.removed], "sets stay, and what is in them"
    assert len(swaps(monitor.generations)) == 1


def test_gateway_that_drops_and_tests_no_mark_is_ineffective(make_lab):
    lab, daemon = begin(make_lab, hook="")
    becomes(lambda: daemon.ctl("status").returncode == 2, "ineffective")
    text = daemon.ctl("status").stdout
    line = daemon.ctl("rules", "--hook").stdout.strip()
    assert text.startswith("INEFFECTIVE: inet filter forward drops by policy, and no rule of it "
                           f"accepts what is marked; add: {line}\n"), text
    assert status(daemon)["mark"]["effective"] is False
    assert ctl_json(daemon, "vendors")[0]["state"] == "ineffective"
    assert not lab.device.reaches("45.1.0.1")
    lab.gateway.nft(f"add rule inet filter forward {line}")
    becomes(lambda: daemon.ctl("status").returncode == 0, "effective")
    assert "mark 0x00100000: accepted by inet filter forward handle " in daemon.ctl("status").stdout
    assert lab.device.reaches("45.1.0.1")
    assert len(daemon.events("mark-ineffective")) == len(daemon.events("mark-effective")) == 1
    # A reload of that ruleset as a whole is no change of that kind.
    lab.gateway.nft("flush ruleset\n" + GATEWAY % HOOK)
    becomes(lambda: len(daemon.events("rules-loaded")) == 2, "loaded again")
    becomes(lambda: daemon.ctl("status").returncode == 0, "effective")
    assert len(daemon.events("mark-ineffective")) == 1
    # Nothing that drops: the mark makes no difference, and that is no trouble.
    lab.gateway.nft("delete table inet filter")
    becomes(lambda: "no chain on the forward hook drops" in daemon.ctl("status").stdout, "noticed")
    assert daemon.ctl("status").returncode == 0
    assert len(daemon.events("mark-ineffective")) == len(daemon.events("mark-effective")) == 1


def test_ruleset_flushed_by_another_is_put_back_in_order_without_dns(make_lab):
    lab, daemon = begin(make_lab)
    lab.dns.pause()
    try:
        for i in range(2, 5):
            monitor = lab.monitor()
            lab.gateway.nft("flush ruleset\n" + GATEWAY % HOOK)
            becomes(lambda: len(daemon.events("rules-loaded")) == i, "all three steps again")
            assert too_early(monitor.read(), FILLED) == []
            assert len(swaps(monitor.generations)) == 1
            assert names(lab, "chain") == {"v_mark"} and lab.device.reaches("45.1.0.1")
    finally:
        lab.dns.resume()
    said = daemon.events("ruleset-changed")
    assert len(said) == 3 and all(re.search(
        r"^nft \(pid \d+\) made, removed or replaced set .* and changed the rules of table inet "
        "allowsync; filling what is there and loading the rules again$", e["MESSAGE"])
        for e in said), said


@pytest.mark.parametrize("command", ["flush chain inet allowsync v_mark", "delete table inet allowsync",
                                     "flush table inet allowsync",
                                     "insert rule inet allowsync v_mark accept"])
def test_rules_that_somebody_changes_are_put_back(make_lab, command):
    lab, daemon = begin(make_lab)
    before = listing(lab)
    lab.gateway.nft(command)
    becomes(lambda: len(daemon.events("rules-loaded")) == 2, "loaded again")
    assert listing(lab) == before and lab.device.reaches("45.1.0.1")
    [said] = daemon.events("ruleset-changed")
    assert re.match(r"nft \(pid \d+\) .*changed the rules of table inet allowsync", said["MESSAGE"])


def test_what_is_not_ours_in_the_table_is_left_alone(make_lab):
    theirs = ("table inet allowsync {\n\tset mine { type ipv4_addr; elements = { 45.9.9.9 } }\n"
              "\tchain theirs { ip daddr @mine accept; }\n}\n")
    lab, daemon = begin(make_lab, start=False)
    lab.gateway.nft(theirs)
    daemon.start()
    becomes(lambda: in_force(daemon), "in force")
    lab.gateway.nft("add rule inet allowsync theirs counter")
    daemon.configure(CONFIG + recipes.vendors("beta"))
    daemon.ctl("reload", check=True)
    becomes(lambda: len(daemon.events("rules-loaded")) == 2, "the other vendor's as well")
    assert not daemon.events("ruleset-changed")
    assert "ip daddr @mine accept" in listing(lab) and "counter" in listing(lab)
    assert "45.9.9.9" in lab.elements("mine", table="allowsync")


def test_reload_adds_a_vendor_and_takes_it_out_in_order(make_lab):
    lab, daemon = begin(make_lab)
    monitor = lab.monitor()
    daemon.configure(CONFIG + recipes.vendors("beta"))
    daemon.ctl("reload", check=True)
    becomes(lambda: len(daemon.events("rules-loaded")) == 2, "loaded")
    assert too_early(monitor.read(), FILLED | {"v_beta4"}, FILLED) == []
    assert lab.device.reaches("45.1.0.3")
    # The same text is not loaded again.
    daemon.ctl("reload", check=True)
    becomes(lambda: in_force(daemon), "still")
    assert len(swaps(monitor.read())) == 1
    monitor = lab.monitor()
    daemon.configure(CONFIG)
    daemon.ctl("reload", check=True)
    becomes(lambda: not [n for n in names(lab, "set") if "beta" in n], "its sets are deleted")
    assert not lab.device.reaches("45.1.0.3") and lab.device.reaches("45.1.0.1")
    [emptied] = [g.number for g in monitor.read() if g.removed]
    assert swaps(monitor.generations)[0].number < emptied, "what is used is not emptied before"
    becomes(lambda: "v_beta4" in daemon.events("rules-loaded")[-1]["MESSAGE"], "said")
    assert [e for e in daemon.events("changed") if e.get("ALLOWSYNC_REASON") == "reload"
            and "45.1.0.3" in e.get("ALLOWSYNC_REMOVED", "")]
    # The last one.
    daemon.configure(recipes.resolver())
    daemon.ctl("reload", check=True)
    becomes(lambda: names(lab, "set") == set() == names(lab, "chain"), "nothing is left of it")
    assert "rules" not in status(daemon) and daemon.ctl("status").returncode == 0


def test_address_that_moves_to_another_set_is_never_in_none(make_lab):
    lab, daemon = begin(make_lab, CONFIG + recipes.vendors("beta"))
    monitor = lab.monitor()
    # With more ports than a set of them may have, the endpoint gets a set of addresses.
    daemon.profile("beta", recipes.profile({"endpoint": "web", "name": HOSTS["c"],
                                            "allow": "tcp/443-500"},
                                           {"endpoint": "one", "address": "45.6.0.1"}))
    daemon.ctl("reload", check=True)
    becomes(lambda: len(daemon.events("rules-loaded")) == 2, "loaded")
    becomes(lambda: "45.1.0.3 . tcp . 443" not in lab.elements("v_beta4", table="allowsync"), "left")
    where = {}
    for g in monitor.read():
        for name, changes in (("in", g.added), ("out", g.removed)):
            for _, of, _ in changes:
                where.setdefault((name, of), g.number)
    [swap] = [g.number for g in swaps(monitor.generations)]
    assert where["in", "v_beta.web4"] < swap < where["out", "v_beta4"]
    assert lab.device.reaches("45.1.0.3") and lab.device.reaches("45.6.0.1")


def test_new_flows_pass_all_the_while_that_rules_are_swapped(make_lab):
    lab, daemon = begin(make_lab, CONFIG + recipes.vendors("beta"))
    becomes(lambda: lab.device.reaches("45.1.0.3"), "it passes")
    over, probes = threading.Event(), []

    def probe():
        while not over.is_set():
            probes.append(lab.device.reaches("45.1.0.3") and lab.device.reaches("45.1.0.1"))

    prober = threading.Thread(target=probe)
    prober.start()
    for i in range(10):
        allow = "tcp/443-500" if i % 2 == 0 else "tcp/443"
        daemon.profile("beta", recipes.profile({"endpoint": "web", "name": HOSTS["c"], "allow": allow}))
        daemon.ctl("reload", check=True)
        becomes(lambda i=i: len(daemon.events("rules-loaded")) >= i + 2 and in_force(daemon), "loaded")
        before = len(probes)
        becomes(lambda before=before: len(probes) > before + 2, "and probed")
    over.set()
    prober.join()
    assert all(probes), f"{probes.count(False)} of {len(probes)} were dropped"


def test_release_takes_the_rules_out_and_resume_brings_them_back(make_lab):
    anywhere = recipes.profile({"endpoint": "any", "address": "any", "allow": "tcp/443"})
    lab, daemon = begin(make_lab, CONFIG + recipes.vendors("beta") + "[mark]\ntowards = wan\n",
                        start=False)
    daemon.profile("beta", anywhere)
    daemon.start()
    becomes(lambda: in_force(daemon) and lab.device.reaches("45.9.9.9"), "in force")
    daemon.ctl("release", "beta", check=True)
    becomes(lambda: not lab.device.reaches("45.9.9.9"), "its rule is gone, which has no set")
    assert lab.device.reaches("45.1.0.1")
    daemon.ctl("release", check=True)
    becomes(lambda: names(lab, "chain") == set(), "all are")
    assert "are removed" in daemon.events("rules-loaded")[-1]["MESSAGE"]
    daemon.ctl("resume", check=True)
    becomes(lambda: lab.device.reaches("45.9.9.9") and lab.device.reaches("45.1.0.1"), "back")
    daemon.stop()
    assert daemon.ctl("--root", daemon.root, "release").returncode == 0
    assert names(lab, "chain") == set() and not lab.elements("v_acme4", table="allowsync")
    assert not lab.device.reaches("45.9.9.9")


def test_paused_rules_stay_as_they_are_until_resumed(make_lab):
    lab, daemon = begin(make_lab)
    daemon.ctl("pause", check=True)
    lab.gateway.nft("flush chain inet allowsync v_mark")
    becomes(lambda: status(daemon)["rules"]["state"] == "paused", "paused")
    assert "daddr" not in listing(lab) and len(daemon.events("rules-loaded")) == 1
    daemon.ctl("resume", check=True)
    becomes(lambda: len(daemon.events("rules-loaded")) == 2, "put back")
    assert lab.device.reaches("45.1.0.1")


def test_whoever_keeps_undoing_them_is_named_and_not_raced(make_lab):
    lab, daemon = begin(make_lab)

    other = lab.gateway.popen(["sh", "-c", "while nft flush chain inet allowsync v_mark; do :; done"])
    [said] = becomes(lambda: [e for e in daemon.events("ruleset-changed") if e["PRIORITY"] == "4"],
                     "it is said", 60)
    becomes(lambda: "waiting for a while, as somebody keeps undoing them" in daemon.ctl(
        "status").stdout, "and shown", 60)
    lab.gateway.end(other)
    assert re.match(r"nft \(pid \d+\) keeps undoing the rules of table inet allowsync", said["MESSAGE"])
    assert len(daemon.events("rules-loaded")) <= 22
    becomes(lambda: in_force(daemon) and lab.device.reaches("45.1.0.1"), "put back in the end")


def test_foreign_set_that_nft_falls_over_is_named_and_sets_go_on(make_lab):
    lab, daemon = begin(make_lab)
    raw = RawNft(lab.gateway)
    raw.change(new_table("theirs"), new_set("theirs", "s", "last"))
    if lab.gateway.run(["nft", "list", "tables"], check=False).returncode == 0:
        pytest.skip("this nft lives through such a set")
    daemon.configure(CONFIG + recipes.vendors("beta"))
    daemon.ctl("reload", check=True)
    [said] = becomes(lambda: daemon.events("rules-failed"), "it is said")
    assert "signal 11" in said["MESSAGE"] and "set inet theirs s" in said["MESSAGE"]
    becomes(lambda: "DEGRADED" in daemon.ctl("status").stdout
            or "INEFFECTIVE" in daemon.ctl("status").stdout, "and shown")
    assert status(daemon)["rules"]["state"] == "failed"
    diff = daemon.ctl("diff")
    assert diff.returncode == 2 and "the rules of table inet allowsync: failed" in diff.stdout
    # What stands goes on, and is kept true.
    lab.dns.set(HOSTS["a"], "A", ["45.1.0.7"])
    resolve(daemon, HOSTS["a"])
    assert lab.device.reaches("45.1.0.7") and not lab.device.reaches("45.1.0.3")
    raw.change(delete_table("theirs"))
    becomes(lambda: in_force(daemon) and lab.device.reaches("45.1.0.3"), "tried again", 30)
    assert len(daemon.events("rules-failed")) == 1
    raw.close()


@pytest.fixture
def nft_behaves(make_lab):
    """nft_behaves(shell command): what /usr/sbin/nft does from now on, but for the test's own calls.
    The daemon's child is known by its empty environment."""
    real, fake = "/run/lab/nft.real", "/run/lab/nft"
    shutil.copy("/usr/sbin/nft", real)
    os.environ["LAB_NFT"] = real

    def behave(command):
        with open(fake, "w", encoding="ascii") as f:
            f.write(f'#!/bin/sh\n[ "$LAB_NFT" ] && exec "$LAB_NFT" "$@"\n{command}\n')

    behave(f"exec {real} \"$@\"")
    os.chmod(fake, 0o755)
    subprocess.run(["mount", "--bind", fake, "/usr/sbin/nft"], check=True)
    behave.mode = lambda mode: os.chmod(fake, mode)
    yield behave
    behave.mode(0o755)
    subprocess.run(["umount", "/usr/sbin/nft"], check=True)
    del os.environ["LAB_NFT"]


def test_nft_that_cannot_be_run_is_said_once_and_tried_again(make_lab, nft_behaves):
    lab, daemon = begin(make_lab, start=False)
    nft_behaves.mode(0o644)
    daemon.start()
    [said] = becomes(lambda: daemon.events("rules-failed"), "it is said")
    assert "/usr/sbin/nft cannot be run: Permission denied" in said["MESSAGE"]
    assert daemon.ctl("status").returncode == 2
    nft_behaves.mode(0o755)
    becomes(lambda: in_force(daemon), "tried again", 30)
    assert len(daemon.events("rules-failed")) == 1 and lab.device.reaches("45.1.0.1")


def test_what_nft_refuses_is_quoted_escaped(make_lab, nft_behaves):
    _, daemon = begin(make_lab, start=False)
    nft_behaves("printf 'Error: \\033[31mno\\n\\tset x\\n\\t^^^^^\\n' >&2; exit 1")
    daemon.start()
    [said] = becomes(lambda: daemon.events("rules-failed"), "it is said")
    assert "nft ended with status 1: Error: \\027[31mno set x;" in said["MESSAGE"]


def test_nft_that_hangs_is_ended_and_holds_up_nothing(make_lab, nft_behaves):
    lab, daemon = begin(make_lab, CONFIG + recipes.vendors("beta") + recipes.sets("own beta"), start=False)
    lab.gateway.nft(recipes.table(f"own {recipes.ADDR4}"))
    nft_behaves("exec sleep 100000")
    daemon.start()
    resolve(daemon)
    assert "45.1.0.3" in lab.elements("own"), "everything else goes on"
    assert status(daemon)["rules"]["state"] == "waiting" and daemon.ctl("diff").returncode != 0
    [said] = becomes(lambda: daemon.events("rules-failed"), "the deadline", 40)
    assert "took longer than 10 s" in said["MESSAGE"]
    nft_behaves("exec /run/lab/nft.real \"$@\"")
    daemon.ctl("reload", check=True)
    becomes(lambda: in_force(daemon), "a reload tries at once")
