# SPDX-License-Identifier: GPL-2.0-or-later
"""What somebody who sees none of its queries must guess of them: the source port, and the id."""
import collections
import math

import recipes
from lazydns import LazyDns
from recipes import ADDR4, becomes

SERVER, ADDRESS = "45.53.0.54", "45.1.0.1"
NAMES = 10000
QUERIES = 2 * NAMES  # A and AAAA
IDS = 1 << 16
BUCKETS = 64
P_MIN = 0.0001


def chi_square(values, size):
    """Of values from 0 to size - 1, over equal buckets."""
    found = collections.Counter(v * BUCKETS // size for v in values)
    total = 0.0
    for b in range(BUCKETS):
        width = -(-(b + 1) * size // BUCKETS) - -(-b * size // BUCKETS)
        expected = len(values) * width / size
        total += (found[b] - expected) ** 2 / expected
    return total


def p_value(x, freedom=BUCKETS - 1):
    """How often chance alone gives this much or more; exact, for an odd number of degrees."""
    term, total = 1.0, 0.0
    for j in range(1, freedom - 1, 2):
        total += term
        term *= x / (j + 2)
    return math.erfc(math.sqrt(x / 2)) + math.sqrt(2 * x / math.pi) * math.exp(-x / 2) * total


def port_range(node):
    def read():
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as f:
            return [int(n) for n in f.read().split()]

    return node.enter(read)


def sample(lab, ports):
    """Source ports (from 0) and ids of a daemon's first queries."""
    first, last = ports
    dns = LazyDns(lab.internet, SERVER, ADDRESS, hold=40, quiet_s=0.05)
    daemon = lab.daemon(recipes.resolver(server=SERVER, timeout="60s", tries=1)
                        + recipes.vendors("acme") + recipes.sets("s acme"))
    daemon.profile("acme", recipes.profile({"name": [
        f"n{{{i}..{i + 999}}}.example.com" for i in range(0, NAMES, 1000)]}))
    try:
        daemon.start()
        becomes(lambda: dns.shared or len(dns.queries) >= QUERIES, "all names are asked for", 120)
        assert not dns.shared, "a port serves two queries at once"
        assert dns.most_in_flight >= 8, "one query at a time shows nothing"
        asked = dns.queries[:QUERIES]
        assert len({(q.name, q.type) for q in asked}) == QUERIES, "a question came twice"
        assert all(first <= q.port <= last for q in asked)
        return [q.port - first for q in asked], [q.id for q in asked]
    finally:
        daemon.stop()
        dns.close()


def is_random(what, values, size, tell):
    """Whether as many differ as of random numbers, and chi-square finds them spread evenly."""
    distinct, expected = len(set(values)), size * (1 - math.exp(-len(values) / size))
    x = chi_square(values, size)
    p = p_value(x)
    tell(what, f"{distinct} of {size} distinct, {expected:.0f} expected; "
         f"chi-square {x:.1f} over {BUCKETS} buckets, p {p:.4f}")
    return abs(distinct - expected) <= 0.03 * expected and p > P_MIN


def test_p_values_are_those_of_the_tables():
    assert abs(p_value(82.529) - 0.05) < 0.0001
    assert abs(p_value(92.010) - 0.01) < 0.0001
    assert abs(p_value(62.335) - 0.5) < 0.0001


def test_every_query_has_a_port_and_an_id_that_chance_chose(make_lab, record_property):
    lab = make_lab(ruleset=recipes.table(f"s {ADDR4}"), cache=False)
    ports = port_range(lab.gateway)
    size = ports[1] - ports[0] + 1
    # Chance has one good sample in five thousand look bad; not two in a row.
    for _ in range(2):
        taken, ids = sample(lab, ports)
        good = [is_random("ports", taken, size, record_property),
                is_random("ids", ids, IDS, record_property)]
        if all(good):
            return
    raise AssertionError("neither of two samples looks random")
