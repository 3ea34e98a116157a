# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules that mark, loaded by hand: what `allowsyncctl rules` prints is what nft loads and what the
kernel does. Where the daemon loads them: test_rules_load.py."""
import re

import recipes
from recipes import becomes, ctl_json, resolve, status, turn
from varlink import Client

HOSTS = {n: f"{n}.example.com" for n in ("a", "b")}
ACME = recipes.profile({"endpoint": "web", "name": HOSTS["a"],
                        "address": ["45.1.0.9", "45.7.0.0/24"]},
                       {"endpoint": "pings", "name": HOSTS["b"], "allow": "icmp/echo-request"},
                       {"endpoint": "net", "address": "45.8.0.0/24", "allow": "tcp/80"})
BY_HAND = "[mark]\nload = no\n"
CONFIG = recipes.resolver() + recipes.vendors("acme") + BY_HAND
EMPTY = "table inet filter { }\n"


def begin(make_lab, config=CONFIG, ruleset=EMPTY):
    lab = make_lab(cache=False, ruleset=ruleset)
    lab.dns.edit([(HOSTS["a"], "A", ["45.1.0.1"], 60), (HOSTS["b"], "A", ["45.1.0.2"], 60)])
    daemon = lab.daemon(config)
    daemon.profile("acme", ACME)
    daemon.start()
    return lab, daemon


def load(lab, daemon):
    text = daemon.ctl("rules", check=True).stdout
    lab.gateway.nft(text)
    return text


def test_rules_are_printed_as_nft_loads_them(make_lab):
    lab, daemon = begin(make_lab)
    text = load(lab, daemon)
    listed = lab.gateway.run(["nft", "list", "table", "inet", "allowsync"]).stdout
    for rule in re.findall(r"^\t\t(.*meta mark set .*)$", text, re.M):
        assert rule in listed, listed
    assert daemon.ctl("rules").stdout == text
    assert "v_acme4" in text and "v_acme.pings4" in text and "v_acme.net.nets4" in text
    # Of a later configuration the text is another, before anything is loaded.
    daemon.configure(CONFIG + "value = 0x1\n")
    assert daemon.ctl("reload").returncode == 0
    assert "meta mark | 0x00000001" in daemon.ctl("rules").stdout


def test_hook_is_one_line(make_lab):
    _, daemon = begin(make_lab, CONFIG + "value = 0x2\nmask = 0x6\n")
    r = daemon.ctl("rules", "--hook")
    assert r.returncode == 0
    assert r.stdout == "meta mark & 0x00000006 == 0x00000002 accept\n"
    assert ctl_json(daemon, "rules", "--hook") == [
        {"hook": "meta mark & 0x00000006 == 0x00000002 accept"}]
    assert daemon.ctl("sets", "--hook").returncode == 64
    client = Client(daemon.socket)
    pieces = client.list("Rules")
    assert "".join(p.get("text", "") for p in pieces) == daemon.ctl("rules").stdout
    assert [p["hook"] for p in pieces if "hook" in p] == [r.stdout.strip()]
    client.close()


def test_rules_of_many_vendors_come_whole(make_lab):
    names = [f"v{i}" for i in range(400)]
    config = recipes.resolver() + BY_HAND + "".join(
        f"[vendor {n}]\nprofile = acme\n" for n in names)
    lab, daemon = begin(make_lab, config)
    text = load(lab, daemon)
    assert len(text) > 64 * 1024 and text.endswith("}\n")
    assert all(f"@v_{n}4 " in text for n in names)


# --- marked, and accepted by the admin's own chain

DROPS = """
table inet filter {
	chain early { type filter hook prerouting priority mangle; meta mark set 0x41; }
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state established,related accept
		meta mark 0x00100041 counter comment "theirs and ours"
		%s
		meta mark 0x41 counter comment "theirs alone"
		reject
	}
}
"""
HOOK = "meta mark & 0x00100000 == 0x00100000 accept"
V4 = {"45.1.0.1 . tcp . 443", "45.1.0.9 . tcp . 443"}
ALLOWED = [("tcp", "45.1.0.1", 443), ("tcp", "2a00:1::7", 443), ("tcp", "45.8.0.1", 80),
           ("tcp", "45.8.0.254", 80), ("tcp", "45.1.0.9", 443), ("tcp", "45.7.0.9", 443)]
REFUSED = [("tcp", "45.1.0.1", 80), ("tcp", "45.1.0.3", 443), ("udp", "45.1.0.1", 443),
           ("tcp", "45.1.0.2", 443), ("tcp", "45.7.255.255", 80), ("tcp", "45.9.0.0", 80),
           ("tcp", "45.8.0.1", 443), ("tcp", "45.7.0.9", 80), ("tcp", "2a00:1::8", 443)]


def begin_marking(make_lab, config=CONFIG, hook=HOOK, profile=ACME, others=()):
    lab = make_lab(cache=False, ruleset=DROPS % hook)
    lab.dns.edit([(HOSTS["a"], "A", ["45.1.0.1"], 60), (HOSTS["a"], "AAAA", ["2a00:1::7"], 60),
                  (HOSTS["b"], "A", ["45.1.0.2"], 60)])
    daemon = lab.daemon(config)
    daemon.profile("acme", profile)
    for name, text in others:
        daemon.profile(name, text)
    daemon.start()
    resolve(daemon)
    return lab, daemon


def elements(lab, name):
    return set(lab.elements(name, table="allowsync"))


def chain(lab):
    return lab.gateway.run(["nft", "list", "chain", "inet", "allowsync", "v_mark"]).stdout


def pings(lab, address):
    return lab.device.run(["ping", "-c1", "-W1", address], check=False).returncode == 0


def test_what_is_marked_passes_and_its_neighbours_do_not(make_lab):
    lab, daemon = begin_marking(make_lab)
    assert not any(lab.device.probe(ALLOWED + REFUSED).values())
    load(lab, daemon)
    becomes(lambda: status(daemon)["state"] == "healthy", "filled")
    assert elements(lab, "v_acme4") == V4
    assert elements(lab, "v_acme6") == {"2a00:1::7 . tcp . 443"}
    assert elements(lab, "v_acme.pings4") == {"45.1.0.2"}
    assert elements(lab, "v_acme.net.nets4") == {"45.8.0.0/24"}
    assert elements(lab, "v_acme.web.nets4") == {"45.7.0.0/24"}
    reached = lab.device.probe(ALLOWED + REFUSED)
    assert [t for t in ALLOWED if not reached[t]] == []
    assert [t for t in REFUSED if reached[t]] == []
    assert pings(lab, "45.1.0.2") and not pings(lab, "45.1.0.1")
    listed = lab.gateway.run(["nft", "list", "chain", "inet", "filter", "forward"]).stdout
    for comment in ("theirs and ours", "theirs alone"):
        assert re.search(rf'packets [1-9]\d* bytes \d+ comment "{comment}"', listed), listed


def test_what_no_vendor_can_have_leaves_the_chain_before_the_vendors(make_lab):
    web = recipes.profile({"name": HOSTS["a"]})
    voice = recipes.profile({"name": HOSTS["b"], "allow": "udp/5060-5080, icmp/echo-request"})
    lab, daemon = begin_marking(make_lab, recipes.resolver() + recipes.vendors("acme", "voice") + BY_HAND,
                                profile=web, others=[("voice", voice)])
    load(lab, daemon)
    becomes(lambda: elements(lab, "v_acme4") and elements(lab, "v_voice.e04"), "filled")
    lab.gateway.nft("add rule inet allowsync v_mark counter comment \"all of them\"\n")

    def met_all():
        return int(re.search(r'packets (\d+) bytes \d+ comment "all of them"', chain(lab))[1])

    # What they have passes, and what comes back meets none of them.
    assert all(lab.device.probe([("tcp", "45.1.0.1", 443), ("udp", "45.1.0.2", 5060)]).values())
    assert not any(lab.device.probe([("tcp", "45.1.0.1", 80), ("tcp", "45.1.0.2", 5060),
                                     ("udp", "45.1.0.1", 443)]).values())
    assert met_all() == 0, chain(lab)
    # What is neither's, on a port of theirs, meets both.
    assert not any(lab.device.probe([("tcp", "45.1.0.2", 443), ("udp", "45.1.0.1", 5060)]).values())
    assert met_all() > 0, chain(lab)
    assert pings(lab, "45.1.0.2") and not pings(lab, "45.1.0.1")


def test_without_the_hook_nothing_passes(make_lab):
    lab, daemon = begin_marking(make_lab, hook="")
    load(lab, daemon)
    becomes(lambda: elements(lab, "v_acme4"), "filled")
    assert not any(lab.device.probe(ALLOWED).values())


def test_vendor_is_ineffective_until_its_rules_are_loaded(make_lab):
    lab, daemon = begin_marking(make_lab)
    assert daemon.ctl("status").returncode == 2
    (vendor,) = ctl_json(daemon, "vendors")
    assert vendor["state"] == "ineffective" and "not loaded" in vendor["problems"][-1]
    assert daemon.ctl("why", "45.1.0.1").returncode == 1
    load(lab, daemon)
    becomes(lambda: daemon.ctl("status").returncode == 0, "healthy")
    assert ctl_json(daemon, "vendors")[0]["state"] == "ok"
    becomes(lambda: "mark 0x00100000: accepted by inet filter forward handle" in daemon.ctl(
        "status").stdout, "the mark was looked at")
    assert "rules      loaded by hand (load = no)" in daemon.ctl("status").stdout
    assert daemon.ctl("why", "45.1.0.1", "tcp/443").returncode == 0
    becomes(lambda: "inet allowsync v_mark handle" in daemon.ctl("sets").stdout, "looked at")
    # Rules that use no set of it are no rules.
    lab.gateway.nft("flush chain inet allowsync v_mark")
    becomes(lambda: daemon.ctl("status").returncode == 2, "no rule uses them")
    assert not daemon.events("rules-loaded"), "whatever happens, it is the admin's"


def test_a_reload_of_everything_is_refilled_without_dns(make_lab):
    lab, daemon = begin_marking(make_lab)
    text = load(lab, daemon)
    becomes(lambda: elements(lab, "v_acme4"), "filled")
    lab.dns.pause()
    try:
        lab.gateway.nft("flush ruleset\n" + DROPS % HOOK + text)
        becomes(lambda: elements(lab, "v_acme4") == V4, "refilled")
        becomes(lambda: all(lab.device.probe(ALLOWED).values()), "they pass again")
        # Once more by itself: what stands stays, and is not sent again; no rule is there twice.
        monitor, rules = lab.monitor(), chain(lab)
        load(lab, daemon)
        turn(daemon)
        assert elements(lab, "v_acme4") == V4 and chain(lab) == rules
        assert not [c for c in monitor.changes() if c.added or c.removed]
    finally:
        lab.dns.resume()


def test_vendor_that_a_set_takes_leaves_the_table_and_comes_back(make_lab):
    lab, daemon = begin_marking(make_lab)
    load(lab, daemon)
    becomes(lambda: elements(lab, "v_acme4"), "filled")
    lab.gateway.nft(recipes.table(f"own {recipes.PORTS4}"))
    daemon.configure(CONFIG + recipes.sets("own acme"))
    assert daemon.ctl("reload").returncode == 0
    assert not elements(lab, "v_acme4") and not elements(lab, "v_acme.net.nets4")
    assert "not in here, as a [set] takes it: acme" in daemon.ctl("rules").stdout
    daemon.configure(CONFIG)
    assert daemon.ctl("reload").returncode == 0
    becomes(lambda: elements(lab, "v_acme4") == V4, "filled again")


def test_any_destination_is_for_the_way_out_only(make_lab):
    anywhere = recipes.profile({"endpoint": "any", "address": "any", "allow": "tcp/443"})
    lab, daemon = begin_marking(make_lab, CONFIG + "towards = wan\n", profile=anywhere)
    load(lab, daemon)
    assert lab.device.reaches("45.1.0.9") and lab.device.reaches("2a00:1::9")
    assert not lab.device.reaches("45.1.0.9", 80)
    # The same port from outside in: the device would answer with a reset, and nothing is marked.
    lab.gateway.nft("insert rule inet filter forward iifname wan tcp flags syn counter comment "
                    "\"asked\"\ninsert rule inet filter forward iifname wan "
                    "meta mark & 0x00100000 != 0 counter comment \"let in\"")
    assert not lab.internet.reaches("10.91.0.2")
    listed = lab.gateway.run(["nft", "list", "chain", "inet", "filter", "forward"]).stdout
    assert re.search(r'packets [1-9]\d* bytes \d+ comment "asked"', listed), listed
    assert re.search(r'packets 0 bytes 0 comment "let in"', listed), listed
    assert daemon.ctl("rules").stdout.count("oifname != \"wan\" return") == 1


def test_release_empties_the_table_with_and_without_a_daemon(make_lab):
    lab, daemon = begin_marking(make_lab)
    load(lab, daemon)
    becomes(lambda: elements(lab, "v_acme4"), "filled")
    assert daemon.ctl("release", "acme").returncode == 0
    assert not elements(lab, "v_acme4") and not elements(lab, "v_acme.net.nets4")
    assert daemon.ctl("reload").returncode == 0
    becomes(lambda: elements(lab, "v_acme.net.nets4"), "filled again")
    daemon.stop()
    assert elements(lab, "v_acme4")
    assert daemon.ctl("--root", daemon.root, "release").returncode == 0
    assert not elements(lab, "v_acme4")
