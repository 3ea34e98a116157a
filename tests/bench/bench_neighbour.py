#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the daemon does beside a neighbour that commits 1000 transactions a second: 1000 changes in
DNS, each from the answer being sent to its transaction being heard, and what it costs. The reference
is the same without the neighbour.

bench_neighbour.py BUILD    in mount and network namespaces of its own
"""
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

os.environ["ALLOWSYNCD_BUILD"] = sys.argv[1]
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/netns"))

import recipes  # noqa: E402
from ears import Ears, quantile  # noqa: E402
from lab import Lab  # noqa: E402
from spaces import isolate, wait_until  # noqa: E402
from varlink import Client  # noqa: E402

CHANGES, PACE_S, NEIGHBOUR_PER_S = 1000, 0.02, 1000
SERVER, NAME, TTL_S, A = "127.0.0.1", "a.example.com", 86400, 1
LATENCY_MAX_MS, CPU_MAX_PERCENT = 100, 25


class Dns:
    """Answers every question for A with the address that it is told, and for others with none."""

    def __init__(self, node):
        self.address, self.answered_s = "45.40.0.0", 0.0
        self.socket = node.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((SERVER, 53))
        threading.Thread(target=self._answer, daemon=True).start()

    def _answer(self):
        while True:
            query, client = self.socket.recvfrom(4096)
            end = query.index(b"\0", 12) + 5
            is_a = struct.unpack_from("!H", query, end - 4)[0] == A
            reply = query[:2] + struct.pack("!5H", 0x8180, 1, is_a, 0, 0) + query[12:end]
            if is_a:
                reply += struct.pack("!HHHIH", 0xC00C, A, 1, TTL_S, 4) \
                    + socket.inet_aton(self.address)
                self.answered_s = time.monotonic()
            self.socket.sendto(reply, client)


def cpu_s(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def changes(daemon, dns, ears):
    """(milliseconds of each change, share of a core in percent)"""
    client, samples, chance = Client(daemon.socket), [], random.Random(1)
    begun_s, begun_cpu_s = time.monotonic(), cpu_s(daemon.process.pid)
    for i in range(CHANGES):
        # Not in step with the neighbour.
        time.sleep(max(0.0, begun_s + (i + chance.random()) * PACE_S - time.monotonic()))
        third, fourth = divmod(i, 250)
        dns.address = f"45.{41 + int(dns.address.split('.')[1]) % 2}.{third}.{fourth + 1}"
        before = len(ears.read())
        client.call("Resolve", name=NAME)
        wait_until(lambda b=before: ears.of("allowsyncd", b), 30,
                   lambda: f"change {i}: {daemon.log()[-2000:]}", interval=0.001)
        samples += [(h.at_s - dns.answered_s) * 1e3 for h in ears.of("allowsyncd", before)]
    share = (cpu_s(daemon.process.pid) - begun_cpu_s) / (time.monotonic() - begun_s) * 100
    client.close()
    return samples, share


def main():
    isolate()
    lab = Lab(ruleset=recipes.table(f"s {recipes.ADDR4}"), cache=False)
    try:
        lab.gateway.nft("table inet neighbour { set s { type ipv4_addr; }; }")
        daemon = lab.daemon(recipes.resolver(server=SERVER) + recipes.vendors("acme")
                            + recipes.sets("s acme"))
        daemon.profile("acme", recipes.profile({"name": NAME}))
        dns = Dns(lab.gateway)
        daemon.start()
        wait_until(lambda: lab.elements("s"), 20, "the first answer")
        ears = Ears(lab.gateway)
        alone, alone_share = changes(daemon, dns, ears)
        neighbour = lab.gateway.popen([f"{sys.argv[1]}/tests/bench/bench_neighbour",
                                       str(NEIGHBOUR_PER_S)], stdout=subprocess.PIPE, text=True)
        wait_until(lambda: ears.of("bench_neighbour"), 10, "the neighbour")
        beside, share = changes(daemon, dns, ears)
        neighbour.send_signal(signal.SIGTERM)
        made, rate = neighbour.stdout.readline().split()
    finally:
        lab.close()
    print(f"neighbour.changes {len(beside)} changes alone {len(alone)}"
          f" {len(beside) / len(alone):.2f} # {CHANGES} in DNS, beside {made} transactions of the"
          f" neighbour, {rate} a second")
    for q in (50, 99):
        value, least = quantile(beside, q), quantile(alone, q)
        print(f"neighbour.p{q} {value:.3f} ms alone {least:.3f} {value / least:.2f}"
              f" # from the answer to the commit, at most {LATENCY_MAX_MS} ms")
    print(f"neighbour.cpu {share:.1f} % alone {alone_share:.1f} {share / max(alone_share, 0.1):.2f}"
          f" # of a core, at most {CPU_MAX_PERCENT} %")
    return len(beside) != CHANGES or len(alone) != CHANGES


if __name__ == "__main__":
    sys.exit(main())
