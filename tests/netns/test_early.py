# SPDX-License-Identifier: GPL-2.0-or-later
"""From link-up on: what the rules kept from the last run make of a confined device's packets, while
there is no DNS, the configuration is broken, and the daemon crashes or has not started yet.

The lab loads them as allowsyncd-early.service does; that the service does, before there is a network,
is in test_systemd.py."""
import os
import re

import recipes
from lab import SOURCE
from recipes import becomes, resolve, status
from traffic import ALLOWED, NEW, Traffic, lost, table

NAME = "a.example.com"
ACME = recipes.profile({"name": NAME, "allow": "tcp/443, udp/443"})
CONFIG = recipes.resolver() + "[vendor acme]\n[devices machines]\ninterface = lan\nvendor = acme\n"
PASSES = "table inet filter { }\n"
SENT = 200


def begin(make_lab, more="mode = enforce\n"):
    """A router that ran, and lost its power; its rules and elements are kept."""
    lab = make_lab(ruleset=PASSES, cache=False)
    lab.dns.edit([(NAME, "AAAA" if ":" in a else "A", [a], 60) for a in ALLOWED])
    lab.dns.set(NAME, "A", [a for a in ALLOWED if "." in a], 60)
    lab.dns.set(NAME, "AAAA", [a for a in ALLOWED if ":" in a], 60)
    daemon = lab.daemon(CONFIG + more)
    daemon.profile("acme", ACME)
    resolve(daemon.start())
    becomes(lambda: status(daemon)["rules"]["state"] == "in_force", "the rules are in force")
    for name, address in (("v_acme4", "45.3.0.1"), ("v_acme6", "2a00:1::1")):
        becomes(lambda: address in saved(daemon, f"elements.d/inet-allowsync-{name}.nft"), name)
    daemon.kill()
    return lab, daemon


def saved(daemon, name):
    path = f"{daemon.root}/var/lib/allowsyncd/{name}"
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8") as f:
        return f.read()


def boot(lab, daemon):
    """As the early service does, with nothing there."""
    lab.gateway.ip("link set lan down", "link set wan down")
    lab.gateway.nft("flush ruleset")
    with open(f"{SOURCE}/systemd/allowsyncd-early.service.in", encoding="ascii") as f:
        command = re.search(r"^ExecStart=(.*)$", f.read(), re.M)[1]
    command = command.replace("@NFT@", "/usr/sbin/nft").replace(
        "@STATEDIR@", f"{daemon.root}/var/lib/allowsyncd")
    lab.gateway.run(command.split())
    lab.gateway.nft(PASSES)
    link_up(lab)


def link_up(lab):
    """With the addresses and routes that IPv6 lost."""
    lab.gateway.ip("link set lan up", "link set wan up",
                   "addr replace fd91::1/64 dev lan nodad", "addr replace fd92::1/64 dev wan nodad",
                   "route replace default via 10.92.0.2", "route replace default via fd92::2")


def fully(traffic):
    count = traffic.sent("") + SENT
    becomes(lambda: traffic.sent("") >= count, "traffic", 60)


def test_confined_device_reaches_its_vendor_alone_from_link_up_on(make_lab):
    lab, daemon = begin(make_lab)
    lab.dns.pause()
    daemon.configure(CONFIG + "nonsense\n")
    boot(lab, daemon)
    traffic = Traffic(lab)
    fully(traffic)
    daemon.start()  # READY, with the configuration accepted last
    fully(traffic)
    assert status(daemon)["config"]["digest"] and daemon.events("config-instead")
    daemon.kill()
    fully(traffic)
    daemon.start()
    becomes(lambda: status(daemon)["rules"]["state"] == "in_force", "the rules are in force", 60)
    fully(traffic)
    counts, echoes = traffic.end()
    print(table(counts))
    assert [counts[f"denied{v}"][1] for v in NEW] == [0, 0], table(counts)
    assert min(counts[f"denied{v}"][0] for v in NEW) >= 4 * SENT
    assert not any(lost(counts, "established").values()), table(counts)
    assert not any(lost(counts, "new").values()), table(counts)
    assert all(sent == echoed for sent, echoed in echoes.values()), echoes


def test_without_what_was_kept_a_confined_device_reaches_anything(make_lab):
    """What the test above would see if nothing was loaded."""
    lab, daemon = begin(make_lab)
    with open(f"{daemon.root}/var/lib/allowsyncd/rules.nft", "w", encoding="ascii"):
        pass
    boot(lab, daemon)
    traffic = Traffic(lab)
    fully(traffic)
    counts, _ = traffic.end()
    assert min(counts[f"denied{v}"][1] for v in NEW) > 0


def test_kept_rules_are_those_in_force(make_lab):
    lab, daemon = begin(make_lab)
    before = lab.gateway.run(["nft", "-s", "list", "table", "inet", "allowsync"]).stdout
    boot(lab, daemon)
    strip = re.compile(r"\s+counter packets \d+ bytes \d+|^\t\telements = \{.*?\}\n", re.M | re.S)
    after = lab.gateway.run(["nft", "-s", "list", "table", "inet", "allowsync"]).stdout
    assert strip.sub("", after) == strip.sub("", before)
    assert "45.3.0.1" in after and "2a00:1::2" in after
    # Another load is the same again.
    boot(lab, daemon)
    assert lab.gateway.run(["nft", "-s", "list", "table", "inet", "allowsync"]).stdout == after


def test_kept_rules_go_when_there_are_to_be_none(make_lab):
    lab, daemon = begin(make_lab)
    daemon.start()
    assert saved(daemon, "rules.nft")
    daemon.configure(CONFIG + "mode = enforce\n[mark]\nload = no\n")
    assert daemon.ctl("reload").returncode == 0
    becomes(lambda: not saved(daemon, "rules.nft"), "it is gone")
    daemon.configure(CONFIG + "mode = enforce\n")
    assert daemon.ctl("reload").returncode == 0
    becomes(lambda: saved(daemon, "rules.nft"), "it is back")
    daemon.ctl("release", check=True)
    becomes(lambda: not saved(daemon, "rules.nft"), "it is gone")
    daemon.ctl("reload", check=True)
    becomes(lambda: saved(daemon, "rules.nft"), "it is back")
    daemon.stop()
    daemon.ctl("release", "--root", daemon.root, check=True)
    assert not saved(daemon, "rules.nft")


def test_rules_that_cannot_be_kept_are_told(make_lab):
    lab, daemon = begin(make_lab)
    path = f"{daemon.root}/var/lib/allowsyncd/rules.nft"
    os.unlink(path)
    os.mkdir(path)
    daemon.start()
    becomes(lambda: any("rules.nft" in e["MESSAGE"] for e in daemon.events("state-failed")), "told")
    becomes(lambda: status(daemon)["rules"]["state"] == "in_force", "in force all the same")
