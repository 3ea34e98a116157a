# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules that mark: what `allowsyncctl rules` prints is what nft loads and what the kernel does."""
import re

import recipes
from recipes import ctl_json
from varlink import Client

HOSTS = {n: f"{n}.example.com" for n in ("a", "b")}
ACME = recipes.profile({"endpoint": "web", "name": HOSTS["a"]},
                       {"endpoint": "pings", "name": HOSTS["b"], "allow": "icmp/echo-request"},
                       {"endpoint": "net", "address": "45.8.0.0/24", "allow": "tcp/80"})
CONFIG = recipes.resolver() + recipes.vendors("acme")
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
    for rule in re.findall(r"^\t\t(ip6? daddr .*)$", text, re.M):
        assert rule in listed, listed
    assert daemon.ctl("rules").stdout == text
    assert "v_acme4" in text and "v_acme.pings4" in text and "v_acme.net.nets4" in text
    # Of a later configuration the text is another, before anything is loaded.
    daemon.configure(CONFIG + "[mark]\nvalue = 0x1\n")
    assert daemon.ctl("reload").returncode == 0
    assert "meta mark | 0x00000001" in daemon.ctl("rules").stdout


def test_hook_is_one_line(make_lab):
    _, daemon = begin(make_lab, CONFIG + "[mark]\nvalue = 0x2\nmask = 0x6\n")
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
    config = recipes.resolver() + "".join(f"[vendor {n}]\nprofile = acme\n" for n in names)
    lab, daemon = begin(make_lab, config)
    text = load(lab, daemon)
    assert len(text) > 64 * 1024 and text.endswith("}\n")
    assert all(f"@v_{n}4 " in text for n in names)
