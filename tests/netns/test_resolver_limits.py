# SPDX-License-Identifier: GPL-2.0-or-later
"""How many questions a DNS server has to bear at a time and a second, counted where it stands."""
import json
import time

import recipes
from faultdns import FaultDns, address
from recipes import ADDR4, becomes

SERVER = "45.53.0.54"
NAMES = [f"n{i}.example.com" for i in range(100)]
QUESTIONS = 2 * len(NAMES)


def start(make_lab, default, **keys):
    lab = make_lab(ruleset=recipes.table(f"s {ADDR4}"), cache=False)
    dns = FaultDns(lab.internet, lab.directory, SERVER, default=default)
    daemon = lab.daemon(f"[resolver]\nserver = {SERVER}\n"
                        + "".join(f"{k.replace('_', '-')} = {v}\n" for k, v in keys.items())
                        + recipes.vendors("acme") + recipes.sets("s acme"))
    daemon.profile("acme", recipes.profile({"name": NAMES}))
    began = time.monotonic()
    daemon.start()
    return lab, dns, daemon, began


def all_are_there(lab):
    return set(lab.elements("s")) == {address(n) for n in NAMES}


def test_a_burst_of_names_is_spread_over_the_rate_and_none_is_lost(make_lab):
    rate = 50
    lab, dns, _, began = start(make_lab, "ttl-3600", max_rate=rate)
    becomes(lambda: all_are_there(lab), "all names", 30)
    becomes(lambda: len(dns.questions()) == QUESTIONS, "both families", 30)
    asked = sorted(q["t"] for q in dns.questions())
    # None is early: the n-th question comes after (n - burst) / rate at the earliest.
    for n, t in enumerate(asked, 1):
        assert t - began >= (n - rate / 10) / rate - 0.002, n
    dns.close()


def test_no_more_are_under_way_than_the_window_has(make_lab):
    lab, dns, daemon, _ = start(make_lab, "slow-100", max_in_flight=5)
    becomes(lambda: all_are_there(lab), "all names", 30)
    asked = sorted(q["t"] for q in dns.questions())[:QUESTIONS]
    # The sixth is asked when the first has its answer, which took 100 ms.
    for first, sixth in zip(asked, asked[5:]):
        assert sixth - first >= 0.09
    assert recipes.status(daemon)["resolver"]["failed"] == 0
    dns.close()


WAYS = f"""
table inet ways {{
	counter meant {{ }}
	counter other {{ }}
	chain out {{
		type filter hook output priority 0;
		ip daddr {SERVER} ip saddr 10.92.0.7 udp dport 5353 counter name meant return
		ip daddr {SERVER} counter name other
	}}
}}
"""


def packets(lab, counter):
    listed = lab.gateway.run(["nft", "-j", "list", "counter", "inet", "ways", counter]).stdout
    return next(o["counter"]["packets"] for o in json.loads(listed)["nftables"] if "counter" in o)


def test_questions_go_from_the_source_to_the_servers_port(make_lab):
    lab = make_lab(ruleset=recipes.table(f"s {ADDR4}") + WAYS, cache=False)
    lab.gateway.ip("addr add 10.92.0.7/24 dev wan")
    dns = FaultDns(lab.internet, lab.directory, f"{SERVER}#5353", default="ttl-3600")
    daemon = lab.daemon(f"[resolver]\nserver = {SERVER}:5353\nsource = 10.92.0.7\n"
                        + recipes.vendors("acme") + recipes.sets("s acme"))
    daemon.profile("acme", recipes.profile({"name": NAMES}))
    daemon.start()
    becomes(lambda: all_are_there(lab), "all names", 30)
    becomes(lambda: len(dns.questions()) == QUESTIONS, "both families", 30)
    assert packets(lab, "meant") == QUESTIONS and packets(lab, "other") == 0
    dns.close()
