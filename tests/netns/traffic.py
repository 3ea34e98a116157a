#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a device sends without a pause while its gateway's ruleset changes, and what is lost of it.

Established flows are one UDP and one TCP flow in each family that go on all the time. New flows are
UDP packets and TCP connections whose source port no other one has, so that none is taken for a part
of an earlier flow. Packets that nothing allows are sent as well. Each kind goes to an address of its
own.

Counted on the wire, where the device sends and where the internet receives, and back: a repeated TCP
segment does not hide the loss of the first, and a socket that is full does not look like one. Beside
it, the echoes of numbered packets are counted end to end. A round begins when the established flows
have their echoes of the one before: no queue grows, however slow the machine is.
"""
import collections
import json
import os
import selectors
import socket
import struct
import subprocess
import sys
import time

from spaces import wait_until

PORT, WRONG_PORT = 443, 80
# Of the device: of its established flows, of the new ones, and how far from these are the denied ones.
OWN_PORT, FIRST_PORT, LAST_PORT, DENIED_FURTHER = 1023, 1024, 32000, 31000
ESTABLISHED = {"4": "45.3.0.1", "6": "2a00:1::1"}
NEW = {"4": "45.3.0.2", "6": "2a00:1::2"}
DENIED = {"4": "45.3.0.3", "6": "2a00:1::3"}  # beside the others, and allowed nowhere
ALLOWED = [*ESTABLISHED.values(), *NEW.values()]
PACE_S, STALL_S, STRAGGLERS_S = 0.004, 1.0, 5.0


def kinds():
    """(counter, expression) in the order in which a packet is looked at."""
    for version, ip in (("4", "ip"), ("6", "ip6")):
        yield f"denied{version}", f"{ip} daddr {DENIED[version]}"
        yield f"denied{version}", f"{ip} daddr {NEW[version]} udp dport {WRONG_PORT}"
        yield f"new_udp{version}", f"{ip} daddr {NEW[version]} meta l4proto udp"
        yield f"new_tcp{version}", f"{ip} daddr {NEW[version]} tcp flags & (syn | ack) == syn"
        yield f"established_udp{version}", f"{ip} daddr {ESTABLISHED[version]} meta l4proto udp"
        # What follows in a connection that has passed as new is established, too.
        yield (f"established_tcp{version}",
               f"{ip} daddr {{ {ESTABLISHED[version]}, {NEW[version]} }} meta l4proto tcp")
        allowed = f"{ESTABLISHED[version]}, {NEW[version]}"
        yield f"established_back{version}", f"{ip} saddr {{ {allowed} }} meta l4proto {{ tcp, udp }}"


def counting():
    """A table that counts both what comes in and what goes out."""
    text = "table inet traffic {\n"
    names = list(dict.fromkeys(name for name, _ in kinds()))
    for hook in ("input", "output"):
        text += "".join(f"\tcounter {hook}_{name} {{ }}\n" for name in names)
        text += f"\tchain {hook} {{\n\t\ttype filter hook {hook} priority 0;\n"
        text += "".join(f"\t\t{match} counter name {hook}_{name} accept\n"
                        for name, match in kinds())
        text += "\t}\n"
    return text + "}\n"


class Traffic:
    """In a lab, from where it is made until end()."""

    def __init__(self, lab):
        self.lab, self.result = lab, None
        for node in (lab.device, lab.internet):
            node.nft(counting())
        self.process = lab.device.popen(["/usr/bin/python3", os.path.abspath(__file__)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n", "the established flows do not begin"

    @staticmethod
    def _counters(node):
        r = node.run(["nft", "-j", "list", "counters", "table", "inet", "traffic"])
        return {c["counter"]["name"]: c["counter"]["packets"]
                for c in json.loads(r.stdout)["nftables"] if "counter" in c}

    def counts(self):
        """{kind: (sent, arrived)}"""
        device, internet = self._counters(self.lab.device), self._counters(self.lab.internet)
        result = {}
        for name in dict.fromkeys(name for name, _ in kinds()):
            source, sink = (internet, device) if "back" in name else (device, internet)
            result[name] = source[f"output_{name}"], sink[f"input_{name}"]
        return result

    def sent(self, what):
        """The least of what was sent of each kind whose name begins so."""
        return min(sent for name, (sent, _) in self.counts().items() if name.startswith(what))

    def end(self):
        """(counts(), {kind: (sent, echoed)} end to end), when nothing is on its way any more."""
        if self.result is None:
            self.process.stdin.close()
            line = self.process.stdout.readline()
            assert self.process.wait(60) == 0 and line, "the traffic ended early"
            self.lab.device.end(self.process)
            self.result = self._settled(), {k: tuple(v) for k, v in json.loads(line).items()}
        return self.result

    def _settled(self):
        """Two looks in a row that agree are of one moment. What is still missing then may come."""
        until, before = time.monotonic() + STRAGGLERS_S, None
        while True:
            counts = self.counts()
            if counts == before and (not any(lost(counts, "established").values())
                                     or time.monotonic() > until):
                return counts
            before = counts


class Sender:
    """The program in the device."""

    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.sent, self.echoed = collections.Counter(), collections.Counter()
        self.established, self.number, self.stopped = {}, 0, False

    def open(self, proto, version, port):
        s = socket.socket(socket.AF_INET if version == "4" else socket.AF_INET6,
                          socket.SOCK_DGRAM if proto == "udp" else socket.SOCK_STREAM)
        if version == "6":
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if proto == "tcp":
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.bind(("", port))
        return s

    def begin(self):
        for version, address in ESTABLISHED.items():
            for proto in ("udp", "tcp"):
                s = self.open(proto, version, OWN_PORT)
                s.settimeout(STRAGGLERS_S)
                s.connect((address, PORT))
                s.send(struct.pack("!Q", 0))
                assert s.recv(8) == struct.pack("!Q", 0)
                s.setblocking(False)
                kind = f"established_{proto}{version}"
                self.established[kind] = s
                self.selector.register(s, selectors.EVENT_READ, (kind, None))
        self.selector.register(sys.stdin, selectors.EVENT_READ, ("stop", None))

    def begin_new(self, proto, version):
        kind, data = f"new_{proto}{version}", struct.pack("!Q", self.number)
        s = self.open(proto, version, FIRST_PORT + self.number)
        s.setblocking(False)
        s.connect_ex((NEW[version], PORT))
        if proto == "udp":
            s.send(data)
        self.selector.register(s, selectors.EVENT_READ if proto == "udp" else selectors.EVENT_WRITE,
                               (kind, data))
        self.sent[kind] += 1

    def round(self):
        self.number += 1
        assert FIRST_PORT + self.number < LAST_PORT, "out of fresh ports"
        for kind, s in self.established.items():
            s.send(struct.pack("!Q", self.number))
            self.sent[kind] += 1
        for version in NEW:
            for proto in ("udp", "tcp"):
                self.begin_new(proto, version)
            # Each from a port of its own: one that got through would let the next ones follow it.
            for address, port in ((DENIED[version], PORT), (NEW[version], WRONG_PORT)):
                with self.open("udp", version, FIRST_PORT + DENIED_FURTHER + self.number) as s:
                    s.sendto(b"denied", (address, port))
        begun = time.monotonic()
        self.handle(lambda: self.behind(self.established), begun + STALL_S)
        self.handle(lambda: True, begun + PACE_S)

    def behind(self, flows):
        return any(self.echoed[kind] < self.sent[kind] for kind in flows)

    def handle(self, goes_on, until):
        """What comes in, while goes_on() and it is not later than that."""
        while goes_on() and (left := until - time.monotonic()) > 0:
            for key, _ in self.selector.select(left):
                kind, data = key.data
                if kind == "stop":
                    self.selector.unregister(key.fileobj)
                    self.stopped = True
                elif data is None:
                    self.echoed[kind] += len(key.fileobj.recv(65536)) // 8
                else:
                    self.handle_new(key.fileobj, key.events, kind, data)

    def handle_new(self, s, events, kind, data):
        try:
            if events == selectors.EVENT_WRITE:
                s.send(data)
                self.selector.modify(s, selectors.EVENT_READ, (kind, data))
                return
            self.echoed[kind] += s.recv(16) == data
        except OSError:
            pass
        self.selector.unregister(s)
        s.close()

    def run(self):
        self.begin()
        print("ready", flush=True)
        while not self.stopped:
            self.round()
        self.handle(lambda: self.behind(self.sent), time.monotonic() + STRAGGLERS_S)
        print(json.dumps({k: (n, self.echoed[k]) for k, n in self.sent.items()}), flush=True)


def lost(counts, what):
    return {name: sent - came for name, (sent, came) in counts.items() if name.startswith(what)}


def table(counts):
    """For people to read."""
    return "".join(f"{name:20} {sent:7} sent {came:7} arrived {sent - came:6} lost\n"
                   for name, (sent, came) in sorted(counts.items()))


def wait_sent(traffic, what, count):
    wait_until(lambda: traffic.sent(what) >= count, 60, lambda: f"{count} of {what} sent")


if __name__ == "__main__":
    Sender().run()
