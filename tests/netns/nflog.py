# SPDX-License-Identifier: GPL-2.0-or-later
"""Listens to a group of NFLOG: what the kernel's `log group N` rules tell of."""
import collections
import ipaddress
import os
import select
import socket
import struct
import time

from netlink import NETLINK_NETFILTER, attributes, text

NFNL_SUBSYS_ULOG, PACKET, CONFIG = 4, 0, 1
NFULA_PAYLOAD, NFULA_PREFIX = 9, 10
NFULA_CFG_CMD, NFULA_CFG_MODE, NFULA_CFG_QTHRESH = 1, 2, 5
COMMAND_BIND, COPY_PACKET = 1, 2
NLM_F_REQUEST, NLM_F_ACK, NLMSG_ERROR = 1, 4, 2
PROTOCOLS = {6: "tcp", 17: "udp"}

# One packet: `service` is (protocol, destination, port), the port None where there is none.
Logged = collections.namedtuple("Logged", "prefix source service size")


def attribute(kind, value):
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def read_packet(prefix, p):
    if p[0] >> 4 == 4:
        head, protocol = (p[0] & 15) * 4, p[9]
        source, destination = (str(ipaddress.ip_address(p[i:i + 4])) for i in (12, 16))
    else:
        head, protocol = 40, p[6]
        source, destination = (str(ipaddress.ip_address(p[i:i + 16])) for i in (8, 24))
    name = PROTOCOLS.get(protocol)
    port = struct.unpack_from("!H", p, head + 2)[0] if name else None
    return Logged(prefix, source, (name or protocol, destination, port), len(p))


class Log:
    def __init__(self, node, group):
        self.socket = node.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self.socket.bind((0, 0))
        self.packets = []
        self._configure(group, attribute(NFULA_CFG_CMD, struct.pack("!B", COMMAND_BIND)))
        # Each by itself and at once: what the rule has logged can be read.
        self._configure(group, attribute(NFULA_CFG_QTHRESH, struct.pack("!I", 1)))
        self._configure(group, attribute(NFULA_CFG_MODE, struct.pack("!IBx", 0xFFFF, COPY_PACKET)))

    def _configure(self, group, attrs):
        data = struct.pack("!BBH", socket.AF_UNSPEC, 0, group) + attrs
        self.socket.send(struct.pack("=IHHII", 16 + len(data), NFNL_SUBSYS_ULOG << 8 | CONFIG,
                                     NLM_F_REQUEST | NLM_F_ACK, 0, 0) + data)
        answer = self.socket.recv(1 << 16)
        error = struct.unpack_from("=i", answer, 16)[0]
        if error:
            raise OSError(-error, os.strerror(-error))

    def read(self, timeout=0.0):
        """All packets so far, waiting at most that long for the next."""
        end = time.monotonic() + timeout
        while select.select([self.socket], [], [], max(0.0, end - time.monotonic()))[0]:
            data, pos = self.socket.recv(1 << 18), 0
            while pos + 16 <= len(data):
                size, kind = struct.unpack_from("=IH", data, pos)
                if kind == NFNL_SUBSYS_ULOG << 8 | PACKET:
                    a = attributes(data[pos + 20:pos + size])
                    self.packets.append(read_packet(text(a[NFULA_PREFIX][0]), a[NFULA_PAYLOAD][0]))
                pos += (size + 3) & ~3
            end = 0.0
        return self.packets

    def close(self):
        self.socket.close()
