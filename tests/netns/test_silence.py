# SPDX-License-Identifier: GPL-2.0-or-later
"""Names that nobody answers for, more of them than the resolver has slots."""
import recipes
from faultdns import FaultDns, address
from recipes import ADDR4, status
from spaces import wait_until

FAULTS = "45.53.0.54"
GOOD = "ttl-1.example.com"
SILENT = [f"silent.n{i}.example.com" for i in range(350)]


def asked(dns):
    return len(dns.questions(GOOD, "A"))


def test_350_silent_names_do_not_keep_one_of_ttl_1_from_being_asked(make_lab):
    lab = make_lab(ruleset=recipes.table(f"s {ADDR4}"), cache=False)
    dns = FaultDns(lab.internet, lab.directory, FAULTS)
    try:
        daemon = lab.daemon(recipes.resolver(server=FAULTS) + recipes.vendors("acme")
                            + recipes.sets("s acme"))
        # The last to be asked at the start.
        daemon.profile("acme", recipes.profile({"name": [*SILENT, GOOD]}))
        daemon.start()
        wait_until(lambda: address(GOOD) in lab.elements("s"), 20)
        # Each TTL and a little, not once in half a minute.
        wait_until(lambda: asked(dns) >= 6, 20)
        before = status(daemon)["resolver"]
        assert before["failed"] > 0
        daemon.ctl("reload", check=True)
        after = status(daemon)["resolver"]
        assert all(after[k] >= before[k] for k in ("lookups", "failed", "queries", "tcp"))
        so_far = asked(dns)
        wait_until(lambda: asked(dns) >= so_far + 6, 20)
    finally:
        dns.close()
