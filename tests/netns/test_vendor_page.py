# SPDX-License-Identifier: GPL-2.0-or-later
"""`allowsyncctl vendors NAME`: every line of the vendor's page is shown, and what is made of it."""
import ipaddress
import os

import pytest

import recipes
from lab import SOURCE
from pages import Page
from recipes import ADDR4, ADDR6, becomes, ctl_json, resolve
from varlink import Client, Error

VENDORS = ["cloudtrax", "digi", "ixon", "ray", "ringio"]
NETS4 = "{ type ipv4_addr; flags interval; }"
TABLE = recipes.table(f"one {ADDR4}", f"six {ADDR6}", f"nets {NETS4}")


def begin(make_lab, config, records=(), files=()):
    lab = make_lab(ruleset=TABLE, cache=False)
    lab.dns.edit(records)
    daemon = lab.daemon(recipes.resolver() + config)
    for path, text in files:
        daemon.write(f"etc/allowsyncd/vendors/{path}", text)
    daemon.start()
    resolve(daemon)
    return lab, daemon


def page_of(daemon, vendor):
    """(the page, {name: endpoint}), checked by the interface."""
    client = Client(daemon.socket)
    replies = client.list("ShowVendor", vendor=vendor)
    client.close()
    endpoints = [r["endpoint"] for r in replies[1:] if "endpoint" in r]
    assert len({e["name"] for e in endpoints}) == len(endpoints)
    return replies[0]["vendor"], {e["name"]: e for e in endpoints}


def destinations(endpoint):
    return [(d["kind"], d["text"], d.get("set_by")) for d in endpoint["destinations"]]


def profile_lines(vendor):
    """[(section, key, value)] of the file, each line for itself."""
    out, section = [], None
    with open(os.path.join(SOURCE, "conf", "vendors", f"{vendor}.conf"), encoding="utf-8") as f:
        for line in f.read().splitlines():
            if line.startswith("["):
                section = line.strip("[]")
            elif line and not line.startswith("#"):
                out.append((section, *line.split(" = ", 1)))
    return out


@pytest.mark.parametrize("vendor", VENDORS)
def test_no_line_of_a_profile_is_kept_from_the_admin(make_lab, vendor):
    """Nothing chosen, then all of it: every text, name, address and service of the file is there."""
    page = Page(vendor)
    variables = "".join(f"{k} = {', '.join(v)}\n" for k, v in page.variables.items())
    _, daemon = begin(make_lab, f"[vendor {vendor}]\n")
    for choice in ("", f"role = {', '.join(page.roles)}\n{variables}" if page.roles else variables):
        daemon.configure(recipes.resolver() + f"[vendor {vendor}]\n{choice}")
        daemon.ctl("reload", check=True)
        blocks = daemon.ctl("vendors", vendor, check=True).stdout.split("\n\n")
        names = [b.partition(":")[0] for b in blocks[1:]]
        lines = profile_lines(vendor)
        assert names == list(dict.fromkeys(s.split()[1] for s, *_ in lines
                                           if s.startswith("endpoint"))), "in the profile's order"
        of = {f"endpoint {n}": b for n, b in zip(names, blocks[1:])}
        for section, key, value in lines:
            block = of.get(section, blocks[0])
            if section.startswith("variable") and key == "kind" or key in (
                    "default", "direction", "revoke-within", "tcp-timeout-min",
                    "udp-timeout-min", "refresh-max", "default-role"):
                continue  # in other words, see below
            entries = [value] if key in ("title", "page", "note", "warning", "inferred") \
                else value.split(", ")
            for entry in entries:
                if key == "address" and "-" in entry and "{" not in entry:
                    entry = str(next(ipaddress.summarize_address_range(
                        *map(ipaddress.ip_address, entry.split("-")))))  # as nft writes it
                if "{" not in entry or ": not chosen" in block.split("\n")[0]:
                    assert entry in block, f"{key} = {entry} in {section}"


def test_ixon_without_variables_says_what_each_part_lacks(make_lab):
    _, daemon = begin(make_lab, "[vendor ixon]\n" + recipes.sets("one ixon", "six ixon"),
                      [("whitelist.ixon.cloud", "A", ["45.1.0.1", "45.1.0.2"], 60),
                       ("whitelist.ixon.cloud", "AAAA", ["2a00:1::1"], 60)])
    page, endpoints = page_of(daemon, "ixon")
    assert page["vendor"]["state"] == "ok" and page["revoke_within"] == 3600
    assert "refresh_max" not in page and "mark" not in page and page["undone"] == []
    assert page["roles"] == [
        {"name": "servers", "chosen": True, "by_default": True},
        {"name": "stealth", "chosen": False, "by_default": False},
        {"name": "failover", "chosen": False, "by_default": False}]
    assert [(v["name"], v["kind"], v["values"]) for v in page["variables"]] == [
        ("dns_servers", "address", []), ("ntp_servers", "host", []),
        ("failover_targets", "host", [])]
    assert {n: (e["state"], *e["lacks"]) for n, e in endpoints.items()} == {
        "servers": ("chosen",),
        "wildcards": ("off", "off by default: takes endpoint = wildcards"),
        "stealth": ("off", "for role = stealth, which is not chosen"),
        "dns": ("off", "needs dns_servers =, which is not set"),
        "ntp": ("off", "needs ntp_servers =, which is not set"),
        "failover": ("off", "for role = failover, which is not chosen",
                     "needs failover_targets =, which is not set")}
    servers = endpoints["servers"]
    assert servers["source"] == "stated" and endpoints["dns"]["source"] == "inferred"
    assert servers["place"].startswith("/usr/share/allowsyncd/vendors/ixon.conf:")
    assert servers["destinations"] == [{"kind": "name", "text": "whitelist.ixon.cloud",
                                        "state": "ok", "ipv4": 2, "ipv6": 1}]
    assert servers["sets"] == [{"set": "inet filter one", "type": "ipv4_addr", "state": "ok"},
                               {"set": "inet filter six", "type": "ipv6_addr", "state": "ok"}]
    assert servers["undone"] == [] and servers["services"] == ["tcp/443"]
    assert destinations(endpoints["ntp"]) == [("entry", "{ntp_servers}", None)]
    assert endpoints["ntp"]["sets"] == [] and endpoints["ntp"]["undone"] == []
    text = daemon.ctl("vendors", "ixon").stdout
    assert "variable  ntp_servers: not set (the time servers that the device is set to)" in text
    assert "name      whitelist.ixon.cloud: ok, 2 IPv4 and 1 IPv6 addresses" in text
    assert "failover: not chosen (for role = failover, which is not chosen; needs" in text


def test_ixon_with_variables_and_a_drop_in_tells_the_admins_lines_from_the_pages(make_lab):
    _, daemon = begin(
        make_lab, "[vendor ixon]\nntp_servers = 45.2.0.1, b.example.com\ndns_servers = 45.3.0.1\n"
        + recipes.sets("one ixon"), [("b.example.com", "A", ["45.1.0.3"], 60)],
        [("ixon.conf.d/own.conf", "[profile]\nnote = ours\n[endpoint servers]\n"
          "name = a.example.com\nallow = tcp/8443\n[endpoint desk]\nname = c.example.com\n"
          "allow = tcp/1\ninferred = heard on the phone\n")])
    page, endpoints = page_of(daemon, "ixon")
    own = "vendors/ixon.conf.d/own.conf"
    assert page["variables"][1]["values"] == ["45.2.0.1", "b.example.com"]
    assert page["amended"] == [{"key": "note", "place": f"{own}:2"}] and "ours" in page["notes"]
    assert endpoints["servers"]["source"] == "stated"
    assert endpoints["servers"]["amended"] == [{"key": "name", "place": f"{own}:4"},
                                               {"key": "allow", "place": f"{own}:5"}]
    assert destinations(endpoints["servers"]) == [
        ("name", "whitelist.ixon.cloud", None), ("name", "a.example.com", f"{own}:4")]
    assert endpoints["ntp"]["source"] == "inferred" and endpoints["ntp"]["state"] == "chosen"
    assert destinations(endpoints["ntp"]) == [("name", "b.example.com", "ntp_servers"),
                                              ("address", "45.2.0.1", "ntp_servers")]
    assert endpoints["desk"]["source"] == "admin" and endpoints["desk"]["place"] == f"{own}:6"
    assert list(endpoints)[-1] == "desk"
    text = daemon.ctl("vendors", "ixon").stdout
    assert f"source    set by the admin ({own}:6)\n  source    inferred: heard on the phone" in text
    assert "address   45.2.0.1 (set by the admin: ntp_servers)" in text
    # A file of the admin's own in place of the packaged one: nothing of it is the page's.
    daemon.write("etc/allowsyncd/vendors/ixon.conf", "[endpoint x]\nname = c.example.com\n"
                 "allow = tcp/1\n")
    os.unlink(f"{daemon.root}/etc/allowsyncd/vendors/{own.split('/', 1)[1]}")
    daemon.configure(recipes.resolver() + "[vendor ixon]\n" + recipes.sets("one ixon"))
    daemon.ctl("reload", check=True)
    _, endpoints = page_of(daemon, "ixon")
    assert [(n, e["source"]) for n, e in endpoints.items()] == [("x", "admin")]
    assert destinations(endpoints["x"]) == [("name", "c.example.com", "vendors/ixon.conf:2")]


ANY = "Remedy 2, which the page prefers: role = any-destination opens its two ports to everywhere."


@pytest.mark.parametrize("config, state, undone, by_rule", [
    ("[vendor ray]\n", "off", None, False),
    ("[vendor ray]\nrole = any-destination\n", "chosen", "any destination needs towards", False),
    ("[vendor ray]\nrole = any-destination\n[mark]\ntowards = wan\n", "chosen", None, True),
    ("[vendor ray]\nrole = any-destination\n" + recipes.sets("one ray"), "chosen",
     "any destination is a rule, no element", False),
])
def test_ray_says_what_the_page_prefers_and_what_becomes_of_it(make_lab, config, state, undone,
                                                               by_rule):
    _, daemon = begin(make_lab, config)
    page, endpoints = page_of(daemon, "ray")
    assert ANY in page["notes"] and f"note      {ANY}" in daemon.ctl("vendors", "ray").stdout
    best = endpoints["any-destination"]
    assert (best["state"], best["by_rule"]) == (state, by_rule)
    assert destinations(best) == [("any", "any", None)]
    assert bool(undone) == bool(best["undone"]) and (not undone or undone in best["undone"][0])
    assert page.get("mark") == (None if "[set" in config else "0x00100000/0x00100000")
    heading = daemon.ctl("vendors", "ray").stdout.split("\nany-destination: ")[1].split("\n")[0]
    assert heading == ("chosen" if by_rule else "chosen, and not carried out" if undone else
                       "not chosen (for role = any-destination, which is not chosen)")


def test_ray_with_its_addresses_says_which_of_them_no_set_can_hold(make_lab):
    config = "[vendor ray]\nray_addresses = 45.7.0.0/16, 45.8.0.1, 2a00:1::7\n"
    _, daemon = begin(make_lab, config + recipes.sets("one ray"))
    _, endpoints = page_of(daemon, "ray")
    own = endpoints["addresses"]
    assert destinations(own) == [("address", a, "ray_addresses")
                                 for a in ("45.7.0.0/16", "45.8.0.1", "2a00:1::7")]
    assert len(own["undone"]) == 2
    assert "45.7.0.0/16 needs flag interval, which set inet filter one (one)" in own["undone"][0]
    assert own["undone"][1] == "its IPv6 addresses (1): none of these sets is for them"
    assert endpoints["mqtt"]["undone"] == []
    # Sets for both, and for a part of the endpoints only.
    daemon.configure(recipes.resolver() + config + recipes.sets(
        "nets ray\nendpoint = addresses, mqtt", "six ray\nendpoint = addresses"))
    daemon.ctl("reload", check=True)
    _, endpoints = page_of(daemon, "ray")
    assert endpoints["addresses"]["undone"] == [] == endpoints["mqtt"]["undone"]
    assert endpoints["hub"]["undone"] == ["no [set] takes it"] and endpoints["hub"]["sets"] == []
    assert endpoints["hub"]["destinations"] == [{"kind": "name", "text": "hubcloud.ray.life"}]
    text = daemon.ctl("vendors", "ray").stdout
    assert "hub: chosen, and not carried out\n" in text
    assert "name      hubcloud.ray.life: not asked for\n" in text


def test_a_denied_part_and_the_groups_are_shown(make_lab):
    _, daemon = begin(make_lab, "[vendor cloudtrax]\nrole = ap\ndeny = support-tunnel\n"
                      "[devices machines]\ninterface = lan\nvendor = cloudtrax\n")
    page, endpoints = page_of(daemon, "cloudtrax")
    assert page["devices"] == [{"name": "machines", "mode": "report"}] and "mark" not in page
    assert page["undone"] == []
    assert page["tcp_timeout_min"] == 600
    tunnel = endpoints["support-tunnel"]
    assert tunnel["state"] == "denied" and tunnel["lacks"] == []
    assert {s["set"] for s in tunnel["sets"]} == {
        f"inet allowsync v_cloudtrax.support-tunnel.deny{v}" for v in (4, 6)}
    assert tunnel["undone"] == []
    # The daemon makes the sets: nothing is the matter with them.
    denied = "denied by inet allowsync v_cloudtrax.support-tunnel.deny4 (ipv4_addr)\n"
    becomes(lambda: denied in daemon.ctl("vendors", "cloudtrax").stdout, "the set is there")
    text = daemon.ctl("vendors", "cloudtrax").stdout
    assert "\nsupport-tunnel: denied\n" in text and "devices   machines: report" in text


def test_an_old_name_that_never_resolved_is_a_note(make_lab):
    _, daemon = begin(make_lab, "[vendor digi]\nregion = us\n" + recipes.sets("one digi"),
                      [("login.etherios.com", "A", ["45.1.0.1"], 60)])
    page, endpoints = page_of(daemon, "digi")
    assert page["vendor"]["state"] == "ok" and page["vendor"]["problems"] == []
    old = endpoints["edp-us-old-name"]
    assert old["replaced_by"] == "login.etherios.com" and old["destinations"][0]["state"] == "never"
    assert old["notes"] == ["my.idigi.com has never resolved, which is no fault: "
                            "login.etherios.com is in its place"]
    assert not [n for n in endpoints["edp-us"]["notes"] if "never" in n]
    assert endpoints["edp-eu"]["lacks"] == ["for region = eu, which is not chosen"]
    assert [r["chosen"] for r in page["regions"]] == [True, False]
    assert [r["by_default"] for r in page["regions"]] == [True, True]


def test_addresses_that_the_endpoint_may_not_have_are_said(make_lab):
    """One name of two endpoints, one of which expects its addresses elsewhere."""
    text = recipes.profile({"endpoint": "a", "name": "a.example.com"},
                           {"endpoint": "b", "name": "a.example.com", "expect": "46.0.0.0/8"},
                           {"endpoint": "c", "name": "c.example.com"})
    _, daemon = begin(make_lab, "[vendor acme]\n" + recipes.sets("one acme"), files=[
        ("acme.conf", text)], records=[("a.example.com", "A", ["45.1.0.1", "45.1.0.2"], 60),
                                       ("c.example.com", "A", ["10.1.2.3"], 60)])
    _, endpoints = page_of(daemon, "acme")
    assert [{k: v for k, v in e["destinations"][0].items() if k not in ("kind", "set_by")}
            for e in endpoints.values()] == [
        {"text": "a.example.com", "state": "ok", "ipv4": 2, "ipv6": 0},
        {"text": "a.example.com", "state": "ok", "ipv4": 0, "ipv6": 0, "refused": "not in expect"},
        {"text": "c.example.com", "state": "never", "ipv4": 0, "ipv6": 0, "refused": "private"}]
    assert ("name      c.example.com: has never resolved, addresses that DNS gives are not used "
            "(private)") in daemon.ctl("vendors", "acme").stdout


def test_an_endpoint_of_very_many_names_comes_in_pieces(make_lab):
    names = [f"h{i}.example.com" for i in range(1, 1001)] + [f"k{i}.example.com"
                                                             for i in range(1, 201)]
    text = recipes.profile({"endpoint": "a", "name": "h{1..1000}.example.com, k{1..200}.example.com"},
                           {"endpoint": "b", "name": "x.example.com"},
                           {"endpoint": "c", "name": "h{1..500}.example.com", "default": "no"})
    _, daemon = begin(make_lab, "[vendor acme]\nendpoint = c\n", files=[("acme.conf", text)])
    client = Client(daemon.socket)
    replies = client.list("ShowVendor", vendor="acme")
    client.close()
    assert [next(iter(r)) for r in replies] == ["vendor", "endpoint", "more", "more", "endpoint",
                                                "endpoint"]
    got = [r.get("more") or r["endpoint"]["destinations"] for r in replies[1:]]
    assert [d["text"] for piece in got[:3] for d in piece] == names
    assert [len(piece) for piece in got] == [500, 500, 200, 1, 500]
    shown = daemon.ctl("vendors", "acme").stdout
    assert [line.split()[1].strip(":") for line in shown.split("\nb: ")[0].splitlines()
            if line.startswith("  name ")] == names
    assert len(ctl_json(daemon, "vendors", "acme")) == 6


def test_what_is_no_vendor_is_said_so(make_lab):
    _, daemon = begin(make_lab, "[vendor ixon]\n")
    r = daemon.ctl("vendors", "ray")
    assert r.returncode == 1 and "the configuration has no such vendor: ray" in r.stdout
    client = Client(daemon.socket)
    for method, error in (({"vendor": "ray"}, "io.allowsync.NoSuchVendor"),
                          ({}, "org.varlink.service.InvalidParameter"),
                          ({"vendor": 1}, "org.varlink.service.InvalidParameter")):
        with pytest.raises(Error) as e:
            client.list("ShowVendor", **method)
        assert e.value.name == error
    with pytest.raises(Error) as e:
        client.call("ShowVendor", vendor="ixon")
    assert e.value.name == "org.varlink.service.ExpectedMore"
    client.close()
