#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Resident memory of the real daemon: with the five vendors, and per name with 10 000 names.

bench_memory.py BUILD    in mount and network namespaces of its own
"""
import os
import sys

os.environ["ALLOWSYNCD_BUILD"] = sys.argv[1]
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/netns"))
sys.path.insert(0, os.path.join(ROOT, "packaging"))

import demo  # noqa: E402
from lab import Lab  # noqa: E402
from spaces import isolate, wait_until  # noqa: E402

NAMES, FIVE_VENDORS_MAX_KIB = 10000, 12 * 1024

RULESET = "table inet filter { set a4 { type ipv4_addr; }; set a6 { type ipv6_addr; }; }"
CONFIG = """
[resolver]
server = {server}
timeout = 500ms
tries = 1

[vendor many]

[set a4]
family = inet
table = filter
set = a4
vendor = many

[set a6]
family = inet
table = filter
set = a6
vendor = many
"""


def five_vendors():
    lab = Lab(records=demo.zone_records(), ruleset=demo.RULESET)
    try:
        daemon = lab.daemon(demo.CONFIG).start()
        wait_until(lambda: daemon.ctl("status").returncode == 0, 60, "a healthy daemon")
        return daemon.resident_kib()
    finally:
        lab.close()


def many(lab, server, names, elements):
    """KiB once every name has had an answer or a timeout, and the set its elements."""
    daemon = lab.daemon(CONFIG.format(server=server))
    text = "[profile]\ntitle = Many\n\n[endpoint all]\nallow = tcp/443\n"
    for first in range(0, names, 1000):
        text += f"name = n{{{first}..{min(first + 1000, names) - 1}}}.example.com\n"
    daemon.profile("many", text)
    daemon.start()
    daemon.ctl("resolve")
    wait_until(lambda: len(lab.elements("a4")) == elements, 120, "all elements")
    kib = daemon.resident_kib()
    daemon.ctl("release", check=True)
    daemon.stop()
    return kib


def main():
    isolate()
    kib = five_vendors()
    print(f"memory.five_vendors {kib} KiB {FIVE_VENDORS_MAX_KIB} {kib / FIVE_VENDORS_MAX_KIB:.2f}"
          "  # of the target, <= 1", flush=True)
    records = {f"n{i}.example.com": {"A": (3600, [f"45.{i // 250}.{i % 250}.1",
                                                  f"45.{i // 250}.{i % 250}.2"]),
                                     "AAAA": (3600, [f"2a00:1::{i:x}"])} for i in range(NAMES)}
    lab = Lab(records=records, ruleset=RULESET)
    try:
        one = many(lab, "127.0.0.1", 1, 2)
        silent = (many(lab, "127.0.0.9", NAMES, 0) - one) * 1024 / NAMES
        per_name = (many(lab, "127.0.0.1", NAMES, 2 * NAMES) - one) * 1024 / NAMES
    finally:
        lab.close()
    print(f"memory.per_name {per_name:.0f} B {silent:.0f} {per_name / silent:.2f}"
          f"  # {NAMES} names with three addresses each; of the same without an answer", flush=True)


if __name__ == "__main__":
    main()
