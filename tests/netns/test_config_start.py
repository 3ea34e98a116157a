# SPDX-License-Identifier: GPL-2.0-or-later
"""Configurations at the start: broken ones, ones in pieces, and what --check says of them."""
import os
import re
import subprocess

import pytest

import recipes
from lab import build_dir
from recipes import ADDR4, resolve, status

EX_CONFIG = 78
NAME = "a.example.com"
ACME = recipes.profile({"endpoint": "servers", "name": NAME})
CONFIG = recipes.resolver() + recipes.vendors("acme") + recipes.sets("s acme")

# What is wrong with it, and where that is said.
BROKEN = {
    "one word": (CONFIG + "nonsense\n", ["allowsyncd.conf:12: "]),
    "an unknown key": (CONFIG.replace("linger", "lingr"), ["allowsyncd.conf:4: [resolver] lingr"]),
    "many at once": (
        CONFIG.replace("refresh-min = 1s", "refresh-min = 1") + "[vendor nobody]\n[set s]\n"
        "vendor = somebody\n[set t]\nfamily = arp\n[control]\nadmin = root\n",
        [":3: [resolver] refresh-min", ":12: [vendor nobody]", ":14: [set s] vendor: \"somebody\"",
         ":16: [set t] family", "[set t] has no table", ":18: [control] admin"]),
    "torn sections": (CONFIG + "[vendor Acme]\n[control]\nx\n[set s\n",
                      [":12: [vendor Acme]", ":14: ", ":15: "]),
    "a cut line": ("# " + "x" * 300 + "\n" + CONFIG, ["allowsyncd.conf:1: "]),
    "no newline at the end": (CONFIG + "[vendor other]", ["allowsyncd.conf:12: "]),
    "a group of no devices": (CONFIG + "[devices d]\nvendor = acme\nmode = enforce\n",
                              [":12: [devices d] names no device"]),
}


def begin(make_lab, config=CONFIG):
    """A lab whose set holds what an earlier run left, and a daemon not started."""
    lab = make_lab(ruleset=recipes.table(f"s {ADDR4}"), cache=False)
    lab.dns.set(NAME, "A", ["45.1.0.1"], 60)
    lab.gateway.nft('add element inet filter s { 45.1.0.9 comment "allowsyncd", 45.99.0.1 }')
    daemon = lab.daemon(config)
    daemon.profile("acme", ACME)
    return lab, daemon


def check(daemon):
    """`--check` without any privilege, outside of the lab's network."""
    for where, dirs, files in os.walk(daemon.root):
        for name in [where] + [os.path.join(where, f) for f in files]:
            if not os.path.islink(name):  # a mask is a link to /dev/null
                os.chmod(name, 0o755 if name == where else 0o644)
    for path in (daemon.lab.directory, daemon.directory):
        os.chmod(path, 0o755)
    return subprocess.run(["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups",
                           f"{build_dir()}/src/allowsyncd", "--check", "--root", daemon.root],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60,
                          check=False)


def ends(daemon):
    daemon.start(wait=False)
    return daemon.process.wait(20)


@pytest.mark.parametrize("what", BROKEN)
def test_broken_configuration_ends_the_start_and_touches_nothing(make_lab, what):
    config, places = BROKEN[what]
    lab, daemon = begin(make_lab, config)
    before, monitor = lab.elements("s"), lab.monitor()
    assert ends(daemon) == EX_CONFIG
    daemon.read_notify()
    assert not daemon.ready and not os.path.exists(daemon.socket)
    assert lab.elements("s") == before and not monitor.read()
    # Every error is in the journal, and the same ones are what --check prints.
    errors = [e for e in daemon.events("config-diag") if e["PRIORITY"] == "3"]
    for place in places:
        assert any(place in e["MESSAGE"] for e in errors), (place, [e["MESSAGE"] for e in errors])
    for e in errors:
        assert e["ALLOWSYNC_FILE"] and e["MESSAGE_ID"]
    (last,) = daemon.events("config-broken")
    assert "not started" in last["MESSAGE"] and f" {len(errors)} error" in last["MESSAGE"]
    r = check(daemon)
    assert r.returncode == EX_CONFIG and not r.stdout
    printed = r.stderr.splitlines()
    assert set(printed[:-1]) == {e["MESSAGE"] for e in daemon.events("config-diag")}
    assert re.match(rf"{len(errors)} errors?; ", printed[-1])


def test_a_missing_file_and_a_missing_profile_are_errors(make_lab):
    lab, daemon = begin(make_lab)
    os.unlink(f"{daemon.root}/etc/allowsyncd/vendors/acme.conf")
    assert ends(daemon) == EX_CONFIG
    assert any("acme" in e["MESSAGE"] for e in daemon.events("config-diag"))
    os.unlink(f"{daemon.root}/etc/allowsyncd/allowsyncd.conf")
    assert ends(daemon) == EX_CONFIG
    assert any("allowsyncd.conf" in e["MESSAGE"] for e in daemon.events("config-diag"))
    assert set(lab.elements("s")) == {"45.1.0.9", "45.99.0.1"}


def test_a_configuration_in_pieces(make_lab):
    """Drop-ins in the order of their names, a profile's drop-in, a masked one, /dev/null."""
    lab, daemon = begin(make_lab, recipes.resolver(server="45.53.0.1"))
    etc = "etc/allowsyncd"
    daemon.write(f"{etc}/allowsyncd.conf.d/20-late.conf",
                 "[resolver]\nserver =\nserver = 45.53.0.53\n" + recipes.sets("s acme"))
    daemon.write(f"{etc}/allowsyncd.conf.d/10-early.conf",
                 recipes.vendors("acme") + "[resolver]\nserver = 45.53.0.2\n")
    daemon.write(f"{etc}/allowsyncd.conf.d/.hidden.conf", "nonsense\n")
    daemon.write(f"{etc}/allowsyncd.conf.d/readme.txt", "nonsense\n")
    os.symlink("/dev/null", f"{daemon.root}/{etc}/allowsyncd.conf.d/30-masked.conf")
    daemon.write(f"{etc}/vendors/acme.conf.d/more.conf",
                 "[endpoint servers]\nname = b.example.com\n"
                 "[endpoint more]\naddress = 45.8.0.1\nallow = udp/123\n")
    lab.dns.set("b.example.com", "A", ["45.1.0.2"], 60)
    r = check(daemon)
    assert r.returncode == 0 and "1 vendor, 1 set" in r.stdout, r.stderr
    resolve(daemon.start())
    assert {"45.1.0.1", "45.1.0.2", "45.8.0.1", "45.99.0.1"} <= set(lab.elements("s"))
    shown = status(daemon)
    assert shown["resolver"]["servers"].startswith("45.53.0.53")
    files = [os.path.basename(f) for f in shown["config"]["files"]]
    assert [f for f in files if f[0].isdigit()] == ["10-early.conf", "20-late.conf"]
    assert "more.conf" in files and r.stdout.split()[1] == shown["config"]["digest"]
    # An error in a drop-in names it, and the whole is refused.
    daemon.write(f"{etc}/allowsyncd.conf.d/20-late.conf", "[resolver]\nservr = 45.53.0.53\n")
    r = check(daemon)
    assert r.returncode == EX_CONFIG and "20-late.conf:2: [resolver] servr" in r.stderr


def test_check_warns_of_what_is_not_carried_out_and_status_shows_it(make_lab):
    lab, daemon = begin(make_lab)
    daemon.write("etc/allowsyncd/vendors/acme.conf.d/more.conf",
                 "[endpoint w]\nname = *.w.example.com\nallow = tcp/443\n")
    r = check(daemon)
    assert r.returncode == 0 and "1 warning\n" in r.stdout
    assert "[vendor acme] w: wildcards are not carried out" in r.stderr
    resolve(daemon.start())
    assert len(status(daemon)["undone"]) == 1
    assert "w: wildcards are not carried out" in daemon.ctl("status").stdout
    warned = [e for e in daemon.events("config-diag") if e["PRIORITY"] == "4"]
    assert {e["MESSAGE"] for e in warned} == set(r.stderr.splitlines())
    assert "45.1.0.1" in lab.elements("s")


def test_all_five_vendors_start(make_lab):
    """As packaged, each into sets of its own."""
    vendors = ("cloudtrax", "digi", "ixon", "ray", "ringio")
    lab = make_lab(ruleset=recipes.table(*(f"{v} {recipes.PORTS4}" for v in vendors)), cache=False)
    daemon = lab.daemon(recipes.resolver() + recipes.vendors(*vendors)
                        + recipes.sets(*(f"{v} {v}" for v in vendors)))
    r = check(daemon)
    assert r.returncode == 0, r.stderr
    daemon.start()
    assert status(daemon)["sets"]["elements"] > 0, "what the pages give as addresses"
    assert [v["name"] for v in status(daemon)["vendors"]] == list(vendors)
    assert status(daemon)["state"] != "ineffective"
