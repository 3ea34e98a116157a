# SPDX-License-Identifier: GPL-2.0-or-later
"""While the admin's file is loaded, with our elements in it, no packet that is allowed is lost."""
import os
import signal

import recipes
from recipes import ADDR6, PORTS4, becomes
from test_commit import give
from test_saved import has, including, load
from traffic import ALLOWED, NEW, PORT, Traffic, lost, table, wait_sent

DECLARATIONS = [f"p {PORTS4}", f"six {ADDR6}"]
# The last rule is no ornament: at the commit of a load the kernel removes the old chain before it
# puts the new one's policy in force, and lets pass in between what no rule decides. It does so where
# no daemon runs as well, about one packet a load of 100 000 a second.
CHAIN = f"""
table inet filter {{
	chain forward {{
		type filter hook forward priority filter; policy drop;
		ct state established,related accept
		ip daddr . meta l4proto . th dport @p accept
		ip6 daddr @six meta l4proto {{ tcp, udp }} th dport {PORT} accept
		drop
	}}
}}
"""
RELOADS = 600 if os.environ.get("ALLOWSYNCD_EXTENDED") else 30
SENT_MIN = 500


def begin(make_lab):
    """A router whose sets are filled, whose files are written and which has no DNS any more; and the
    traffic through it."""
    lab = make_lab(ruleset=recipes.table(*DECLARATIONS, used=False) + CHAIN, cache=False)
    daemon = lab.daemon(recipes.resolver() + recipes.vendors("acme")
                        + recipes.sets("p acme", "six acme"))
    daemon.profile("acme", recipes.profile({"name": "a.example.com", "allow": "tcp/443, udp/443"}))
    daemon.start()
    give(lab, daemon, *ALLOWED)
    has(daemon, "inet-filter-p.nft", *(f"{a} . {proto} . {PORT}" for a in ALLOWED if "." in a
                                       for proto in ("tcp", "udp")))
    has(daemon, "inet-filter-six.nft", *(a for a in ALLOWED if ":" in a))
    lab.dns.pause()
    return lab, daemon, Traffic(lab)


def report(title, counts, echoes):
    print(f"{title}\n{table(counts)}"
          + "".join(f"{kind}: {echoed} of {sent} echoed\n" for kind, (sent, echoed) in echoes.items()))


def test_no_packet_is_lost_by_reloads_that_include_the_elements(make_lab, tmp_path):
    lab, daemon, traffic = begin(make_lab)
    ruleset = "flush ruleset\n" + including(daemon, *DECLARATIONS) + CHAIN
    reloads = 0
    while reloads < RELOADS or traffic.sent("") < SENT_MIN:
        load(lab, tmp_path, ruleset)
        reloads += 1
    counts, echoes = traffic.end()
    report(f"{reloads} reloads with elements", counts, echoes)
    assert min(sent for sent, _ in counts.values()) >= SENT_MIN
    assert not any(lost(counts, "established").values()), table(counts)
    assert not any(lost(counts, "new").values()), table(counts)
    assert all(sent == echoed for sent, echoed in echoes.values()), echoes
    # Neither a neighbour's address nor another port of an allowed one ever gets through.
    assert [counts[f"denied{v}"][1] for v in NEW] == [0, 0]


def test_reloads_without_the_elements_lose_new_flows_and_no_established_one(make_lab, tmp_path):
    """What the test above would see if the files were not there: until the daemon has refilled."""
    lab, daemon, traffic = begin(make_lab)
    before = {n: set(lab.elements(n)) for n in ("p", "six")}
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        for _ in range(3):
            load(lab, tmp_path, "flush ruleset\n" + recipes.table(*DECLARATIONS, used=False) + CHAIN)
            wait_sent(traffic, "", traffic.sent("") + 20)
    finally:
        daemon.process.send_signal(signal.SIGCONT)
    becomes(lambda: {n: set(lab.elements(n)) for n in before} == before, "all is back")
    counts, echoes = traffic.end()
    report("3 reloads without elements, the daemon stopped", counts, echoes)
    assert all(n >= 20 for n in lost(counts, "new").values()), table(counts)
    assert not any(lost(counts, "established").values()), table(counts)
    assert all(echoes[f"new_udp{v}"][1] < echoes[f"new_udp{v}"][0] for v in NEW)
    assert [counts[f"denied{v}"][1] for v in NEW] == [0, 0]
