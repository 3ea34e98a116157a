# SPDX-License-Identifier: GPL-2.0-or-later
"""`check --host`: what on a gateway breaks which vendor. Flowtables, and what else this kernel may not
have, are read from recorded messages in tests/unit/test_host_read.c, and not here."""
import recipes
from lab import build_dir

ACME = recipes.profile({"endpoint": "phones", "direction": "both", "address": "45.1.0.0/24",
                        "allow": "udp/5060"}).replace("title", "udp-timeout-min = 10min\ntitle")
CONFIG = recipes.resolver() + recipes.vendors("acme")
GROUP = CONFIG + "[devices floor]\ninterface = nosuch0\nvendor = acme\n"


def begin(make_lab, config=CONFIG):
    lab = make_lab(cache=False, ruleset="table inet filter { }\n")
    daemon = lab.daemon(config)
    daemon.profile("acme", ACME)
    return lab, daemon


def check(daemon, *words):
    return daemon.ctl("check", *words, "--root", daemon.root)


def test_gateway_is_looked_at_with_host_only(make_lab):
    _, daemon = begin(make_lab, GROUP)
    assert "host:" not in check(daemon).stdout
    r = check(daemon, "--host")
    assert r.returncode == 1
    assert "host: warning: [devices floor] interface = nosuch0: this machine has no such" in r.stdout
    _, daemon = begin(make_lab, GROUP.replace("nosuch0", "lan"))
    assert "no such" not in check(daemon, "--host").stdout


def test_flows_of_a_set_that_are_forgotten_too_soon_are_told_until_it_is_mended(make_lab):
    lab, daemon = begin(make_lab, CONFIG + recipes.sets("own acme"))
    sysctl = "net.netfilter.nf_conntrack_udp_timeout"
    said = check(daemon, "--host").stdout
    assert "vendor acme needs idle UDP flows to be kept for 10min" in said
    for name in (sysctl, f"{sysctl}_stream"):
        assert f"remedy: sysctl net.netfilter.{name.rsplit('.', 1)[1]}=600\n" in said
        lab.gateway.run(["sysctl", "-qw", f"{name}=600"])
    assert "idle" not in check(daemon, "--host").stdout


def test_flows_that_the_rules_keep_are_not_told(make_lab):
    _, daemon = begin(make_lab)
    assert "idle" not in check(daemon, "--host").stdout


def test_what_breaks_a_vendor_is_told_until_it_is_mended(make_lab):
    lab, daemon = begin(make_lab)
    lab.gateway.nft("table ip phones {\nct helper h {\ntype \"sip\" protocol udp;\n}\n}\n")
    assert "ct helper ip phones h rewrites SIP: vendor acme" in check(daemon, "--host").stdout
    lab.gateway.nft("delete table ip phones")
    assert "rewrites SIP" not in check(daemon, "--host").stdout

    lab.gateway.nft("table inet hers {\nchain f {\n"
                    "type filter hook forward priority 0; policy drop;\n}\n}\n")
    said = check(daemon, "--host").stdout
    assert "note: inet hers f drops by policy: vendor acme" in said
    assert "remedy: in that chain: meta mark & 0x00100000 == 0x00100000 accept\n" in said

    lab.gateway.run(["sysctl", "-qw", "net.ipv4.ip_forward=0"])
    r = check(daemon, "--host")
    assert r.returncode == 1 and "host: broken: this machine forwards no IPv4" in r.stdout


def test_ruleset_that_may_not_be_read_is_named(make_lab):
    _, daemon = begin(make_lab)
    r = daemon.node.run(["setpriv", "--bounding-set=-net_admin", f"{build_dir()}/src/allowsyncd",
                         "--check", "--host", "--root", daemon.root], check=False)
    assert ("host: note: not looked at: the ruleset: Operation not permitted (CAP_NET_ADMIN is "
            "needed)\n") in r.stdout


def test_broken_configuration_is_not_looked_beyond(make_lab):
    _, daemon = begin(make_lab, CONFIG + "nonsense\n")
    r = check(daemon, "--host")
    assert r.returncode == 78 and "host:" not in r.stdout


def test_host_is_for_check_only(make_lab):
    _, daemon = begin(make_lab)
    r = daemon.ctl("status", "--host")
    assert r.returncode == 64
