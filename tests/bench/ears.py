# SPDX-License-Identifier: GPL-2.0-or-later
"""What the benches in Python share: bench_ears as a process, and quantiles."""
import collections
import os
import subprocess
import sys

from spaces import wait_until

Heard = collections.namedtuple("Heard", "at_s elements program")


class Ears:
    """Hears every transaction in a node; times are those of time.monotonic()."""

    def __init__(self, node):
        self.node, self.heard, self.rest = node, [], b""
        self.process = node.popen([f"{sys.argv[1]}/tests/bench/bench_ears"], stdout=subprocess.PIPE)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.first = ""
        wait_until(lambda: self.read() is not None and self.first == "ready", 10, "ears")

    def read(self):
        """All that was heard so far, in order."""
        while data := self.process.stdout.read(1 << 16):
            *lines, self.rest = (self.rest + data).split(b"\n")
            for line in lines:
                if not self.first:
                    self.first = line.decode()
                    continue
                us, elements, program = line.decode().split(" ", 2)
                self.heard.append(Heard(int(us) / 1e6, int(elements), program))
        return self.heard

    def of(self, program, since=0):
        """Those of one program that changed elements."""
        return [h for h in self.read()[since:] if h.program == program and h.elements]

    def close(self):
        self.node.end(self.process, 9)


def quantile(samples, q):
    """The least sample that a share q of all does not exceed."""
    return sorted(samples)[max(0, -(-len(samples) * q // 100) - 1)]
