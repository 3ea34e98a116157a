#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How long sets are empty after a reload of the admin's file: from the end of its transaction to the
end of the daemon's, both as heard by a third party. DNS is unplugged all the time.

The kernel lets nobody begin a transaction for a while after such a load: it waits for a grace period,
which is over at once or takes up to some 25 ms. What this costs anybody is the second reference: a
batch encoded beforehand, sent as soon as the load is heard.

bench_refill.py BUILD    in mount and network namespaces of its own
"""
import os
import sys
import time

os.environ["ALLOWSYNCD_BUILD"] = sys.argv[1]
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/netns"))

import recipes  # noqa: E402
from ears import Ears, quantile  # noqa: E402
from lab import Lab  # noqa: E402
from spaces import Node, isolate, wait_until  # noqa: E402

RELOADS, PER_NAME, TTL_S = 100, 400, 86400
PAUSE_S = 0.55
RULESET = recipes.table(f"s {recipes.ADDR4}")


def zone(count):
    """Names that have so many addresses together."""
    addresses = [f"45.20.{i // 250}.{i % 250 + 1}" for i in range(count)]
    return {f"n{i // PER_NAME}.example.com": {"A": (TTL_S, addresses[i:i + PER_NAME])}
            for i in range(0, count, PER_NAME)}


def reload_file(directory):
    path = f"{directory}/admin.nft"
    with open(path, "w", encoding="ascii") as f:
        f.write("flush ruleset\n" + RULESET)
    return path


def refills(count):
    """Milliseconds of each reload."""
    records = zone(count)
    lab = Lab(records=records, ruleset=RULESET, cache=False)
    try:
        daemon = lab.daemon(recipes.resolver() + recipes.vendors("acme") + recipes.sets("s acme"))
        daemon.profile("acme", recipes.profile({"name": list(records)}))
        daemon.start()
        wait_until(lambda: len(lab.elements("s")) == count, 60, "all elements")
        lab.dns.pause()
        path = reload_file(lab.directory)
        ears, samples = Ears(lab.gateway), []
        for _ in range(RELOADS):
            recipes.turn(daemon)
            before = len(ears.read())
            # More than 20 in 10 s would be somebody who undoes every repair: those are made to wait.
            time.sleep(PAUSE_S)
            lab.gateway.run(["nft", "-f", path])
            wait_until(lambda b=before: sum(h.elements for h in ears.of("allowsyncd", b)) >= count,
                       30, lambda: f"the refill: {ears.read()[-3:]}\n{daemon.log()[-2000:]}")
            admin, ours = ears.read()[before:]
            if (admin.program, ours.elements) != ("nft", count):
                raise AssertionError(f"not one reload and one refill: {admin} {ours}")
            samples.append((ours.at_s - admin.at_s) * 1e3)
        return samples
    finally:
        lab.close()


def raw_loads(count, reloaded):
    """Of a batch encoded beforehand, into an empty set, or as soon as a reload is heard."""
    node = Node("raw")
    try:
        path = reload_file("/run/lab")
        node.run(["nft", "-f", path])
        output = node.run([f"{sys.argv[1]}/tests/bench/bench_refill", str(count), str(RELOADS)]
                          + [path] * reloaded)
        return [float(line) for line in output.stdout.split()]
    finally:
        node.close()


def main():
    isolate()
    for count in (100, 10000):
        ours, loads, raw = refills(count), raw_loads(count, False), raw_loads(count, True)
        load = quantile(loads, 50)
        for label, of in (("", lambda x: quantile(x, 50)), (".mean", lambda x: sum(x) / len(x)),
                          (".p99", lambda x: quantile(x, 99))):
            value, least = of(ours), of(raw)
            print(f"refill.{count}{label} {value:.3f} ms raw-load {load:.3f} {value / load:.2f}"
                  " # ours/median of a load of as many elements by bytes")
            print(f"refill.{count}{label} {value:.3f} ms raw-refill {least:.3f} {value / least:.2f}"
                  " # ours/the same load sent as soon as a reload is heard", flush=True)


if __name__ == "__main__":
    main()
