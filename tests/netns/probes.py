# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections tried by the hundred through the gateway of a lab, out of a device or into it: TCP
with an echo, UDP with an echo, ICMP echo, and packets of other protocols. Each ends as

    "reached"     the other side answered
    "prohibited"  the gateway refused it by an ICMP error that no host sends, as REFUSE does
    "reset"       TCP: the gateway refused it so, as no host does: all ports are open
    "E..."        any other error

That none of these comes is never meant: such silence is a failure at once.

Every connection has a source port of its own for as long as the lab lives, and before each hundred
the gateway forgets its flows: none is taken for a part of an earlier one that was allowed.

As a program it answers the packets of PROTOCOLS, on every address of its node.
"""
import collections
import errno
import re
import select
import socket
import struct
import subprocess
import time

import spaces
from lab import DNS4
from netlink import forget_flows

# `address` is the remote end, `port` is 0 where proto has none. The direction is "out" of the
# device, "in" to it, the same of another device: "other-out", "other-in"; or from the one to the
# other: "to-other", "from-other", `address` being that of whom it is for.
Probe = collections.namedtuple("Probe", "direction proto address port")

ECHO, ECHO6, TIMESTAMP = "icmp/echo-request", "icmpv6/echo-request", "icmp/timestamp-request"
DEVICE, OTHER = {4: "10.91.0.2", 6: "fd91::2"}, {4: "10.93.0.2", 6: "fd93::2"}
INTO = {"in": DEVICE, "other-in": OTHER}
# The last rule of an admin's chain, and how it is heard: origin, type and code of the error.
REFUSE = "counter reject with icmpx admin-prohibited"
PROHIBITED = {4: (2, 3, 13), 6: (3, 1, 1)}
RECVERR = {4: (socket.IPPROTO_IP, 11), 6: (socket.IPPROTO_IPV6, 25)}
AT_ONCE, SILENCE_S, FIRST_PORT, LAST_PORT, ECHO_PORT = 200, 30.0, 1024, 65535, 7
# Long enough for an ICMP error to quote what the kernel wants to see of it.
HELLO, ANSWER = b"are you there", b"I am"
# Without ports, nor anybody who answers them.
PROTOCOLS = {"gre": 47, "esp": 50}
# type, its answer's, and what follows the sequence number
ICMP = {ECHO: (8, 0, HELLO), ECHO6: (128, 129, HELLO), TIMESTAMP: (13, 14, bytes(12))}

# On whatever port it is asked, the echo server answers. DNS is left to its server.
ALL_PORTS = f"""
table inet all_ports {{
	chain prerouting {{
		type nat hook prerouting priority dstnat;
		ip daddr {DNS4} return
		meta l4proto {{ tcp, udp }} redirect to :{ECHO_PORT}
	}}
}}
"""


def version(address):
    return 6 if ":" in address else 4


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


class Flow:
    """One probe under way, as a socket that does not block."""

    def __init__(self, probe, number):
        self.probe, self.number, self.sent = probe, number, False
        self.version = version(probe.address)
        family = {4: socket.AF_INET, 6: socket.AF_INET6}[self.version]
        kind, protocol, port = {
            "tcp": (socket.SOCK_STREAM, 0, number), "udp": (socket.SOCK_DGRAM, 0, number),
            ECHO: (socket.SOCK_DGRAM, socket.IPPROTO_ICMP, number),
            ECHO6: (socket.SOCK_DGRAM, socket.IPPROTO_ICMPV6, number),
            TIMESTAMP: (socket.SOCK_RAW, socket.IPPROTO_ICMP, 0),
            **{name: (socket.SOCK_RAW, p, 0) for name, p in PROTOCOLS.items()}}[probe.proto]
        self.socket = socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)
        # The error waits in a queue. By itself it gets lost where it comes during connect().
        self.socket.setsockopt(*RECVERR[self.version], 1)
        if kind == socket.SOCK_STREAM:
            # It ends with a reset: nothing of it is on its way when the next one begins.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        into = INTO.get(probe.direction)
        self.socket.bind((probe.address if into else "", port))
        self.begun = self.socket.connect_ex(
            (into[self.version] if into else probe.address, probe.port))

    def start(self):
        """The outcome, when it is known at once."""
        if self.begun not in (0, errno.EINPROGRESS):
            return self.failed(self.begun)
        return None if self.probe.proto == "tcp" else self.send()

    def send(self):
        self.sent = True
        try:
            self.socket.send(self.message())
        except OSError as e:
            return self.failed(e.errno)
        return None

    def message(self):
        if self.probe.proto in PROTOCOLS:
            return bytes(8) + HELLO
        if self.probe.proto not in ICMP:
            return HELLO
        kind, _, rest = ICMP[self.probe.proto]
        head = struct.pack("!BBHHH", kind, 0, 0, self.number, 1)
        if self.probe.proto == TIMESTAMP:  # of the others it is the kernel's to make
            head = struct.pack("!BBHHH", kind, 0, checksum(head + rest), self.number, 1)
        return head + rest

    def events(self):
        return select.EPOLLIN if self.sent else select.EPOLLOUT

    def handle(self, events):
        """The outcome; None: not yet."""
        if events & select.EPOLLERR:
            return self.failed(self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        if not self.sent:
            return self.send()
        try:
            data = self.socket.recv(2048)
        except BlockingIOError:
            return None
        except OSError as e:
            return self.failed(e.errno)
        if self.probe.proto in ICMP or self.probe.proto in PROTOCOLS:
            return "reached" if self.answers(data) else None
        return "reached" if data == HELLO else f"other data: {data!r}"

    def answers(self, data):
        """A raw socket hears all that comes from its peer, in IPv4 with the head of the packet."""
        if self.version == 4 and self.probe.proto not in (ECHO, ECHO6):
            data = data[(data[0] & 15) * 4:]
        if self.probe.proto in PROTOCOLS:
            return data == ANSWER
        if self.probe.proto == TIMESTAMP and struct.unpack("!H", data[4:6])[0] != self.number:
            return False
        return data[0] == ICMP[self.probe.proto][1]

    def failed(self, error):
        try:
            _, ((_, _, told),), _, _ = self.socket.recvmsg(0, 256, socket.MSG_ERRQUEUE)
        except (OSError, ValueError):
            if self.probe.proto == "tcp" and error == errno.ECONNREFUSED:
                return "reset"
            return errno.errorcode.get(error, f"error {error}")
        told = struct.unpack("=IBBB", told[:7])
        return "prohibited" if told[1:] == PROHIBITED[self.version] else f"ICMP error {told}"

    def close(self):
        self.socket.close()


class Prober:
    """In a lab with ports=(ECHO_PORT,), whose gateway refuses what it does not let pass. No
    connection leaves from one of `ports`, those that are asked: the way back of another could look
    like it. `other` is lab.another_device()."""

    def __init__(self, lab, ports, other):
        self.lab, self.ports, self.numbers = lab, ports, {}
        self.nodes = {"out": lab.device, "in": lab.internet,
                      "other-out": other, "other-in": lab.internet,
                      "to-other": lab.device, "from-other": other}
        for node in (lab.device, other, lab.internet):
            node.sysctl("net.ipv4.ping_group_range=0 0")
            node.nft(ALL_PORTS)
        # Every packet that is refused gets its error, however many there are.
        lab.gateway.sysctl("net.ipv4.icmp_ratemask=0", "net.ipv6.icmp.ratemask=2")
        for node in (lab.device, other):
            self.run(node, spaces.__file__, str(ECHO_PORT))
        for node in (lab.device, other, lab.internet):
            self.run(node, __file__)

    @staticmethod
    def run(node, *program):
        p = node.popen(["/usr/bin/python3", *program], stdout=subprocess.PIPE, text=True)
        assert p.stdout.readline() == "ready\n"

    def number(self, probe):
        number = self.numbers.get(probe[:2], FIRST_PORT)
        while number in self.ports:
            number += 1
        assert number <= LAST_PORT, "out of fresh ports"
        self.numbers[probe[:2]] = number + 1
        return number

    def outcomes(self, probes):
        """{probe: outcome}"""
        found = {}
        for direction, node in self.nodes.items():
            mine = sorted(p for p in probes if p.direction == direction)
            for i in range(0, len(mine), AT_ONCE):
                forget_flows(self.lab.gateway)
                node.enter(lambda some=mine[i:i + AT_ONCE]: found.update(self.at_once(some)))
        return found

    def at_once(self, probes):
        """In a node's namespace."""
        found, flows, poll = {}, {}, select.epoll()
        end = time.monotonic() + SILENCE_S
        for probe in probes:
            flow = Flow(probe, self.number(probe))
            outcome = flow.start()
            if outcome:
                found[probe] = outcome
                flow.close()
                continue
            flows[flow.socket.fileno()] = flow
            poll.register(flow.socket, flow.events())
        while flows and (left := end - time.monotonic()) > 0:
            for fd, events in poll.poll(left):
                flow = flows[fd]
                outcome = flow.handle(events)
                if not outcome:
                    poll.modify(fd, flow.events())
                    continue
                found[flow.probe] = outcome
                flow.close()
                del flows[fd]
        poll.close()
        assert not flows, ("neither answered nor refused: "
                           f"{sorted(f.probe for f in flows.values())[:8]}")
        return found

    def counted(self, chain):
        """Packets that the one rule of a chain that counts has counted. chain: "inet filter x"."""
        listed = self.lab.gateway.run(["nft", "list", "chain", *chain.split()]).stdout
        [packets] = re.findall(r"counter packets (\d+)", listed)
        return int(packets)


def answer_protocols():
    """Never returns. An answer leaves from the address that was asked."""
    poll, sockets = select.epoll(), {}
    for family, level, wanted in ((socket.AF_INET, socket.IPPROTO_IP, spaces.PKTINFO), (
            socket.AF_INET6, socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO)):
        for protocol in PROTOCOLS.values():
            s = socket.socket(family, socket.SOCK_RAW, protocol)
            s.setsockopt(level, wanted, 1)
            sockets[s.fileno()] = s
            poll.register(s, select.EPOLLIN)
    print("ready", flush=True)
    while True:
        for fd, _ in poll.poll():
            s = sockets[fd]
            data, ancillary, _, peer = s.recvmsg(2048, 256)
            if data.endswith(HELLO):
                s.sendmsg([ANSWER], spaces.from_the_asked(ancillary), 0, peer)


if __name__ == "__main__":
    answer_protocols()
