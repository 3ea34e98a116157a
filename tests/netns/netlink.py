# SPDX-License-Identifier: GPL-2.0-or-later
"""Listens to nf_tables' notifications: which transaction changed which elements. And makes a node
forget its flows."""
import collections
import select
import socket
import struct
import time

NETLINK_NETFILTER, NFNLGRP_NFTABLES = 12, 7
SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, SO_RCVBUFFORCE = 270, 1, 33
NFNL_SUBSYS_NFTABLES = 10
CT_DELETE, NLM_F_REQUEST, NLM_F_ACK = 1 << 8 | 2, 1, 4
NEWSET, DELSET, NEWSETELEM, DELSETELEM, NEWGEN = 9, 11, 12, 14, 15
NEWRULE, DELRULE = 6, 8

# One transaction: its number, who made it, its element changes as (table, set, key bytes), and its
# sets and rules as (made, table, set or chain). Without the sets that are a part of one rule.
Generation = collections.namedtuple("Generation",
                                    "number portid program added removed sets other rules")


def attributes(data):
    out, pos = {}, 0
    while pos + 4 <= len(data):
        size, kind = struct.unpack_from("=HH", data, pos)
        if size < 4:
            break
        out.setdefault(kind & 0x3FFF, []).append(data[pos + 4:pos + size])
        pos += (size + 3) & ~3
    return out


def text(value):
    return value.split(b"\0")[0].decode()


def keys(elements):
    """Of NFTA_SET_ELEM_LIST_ELEMENTS: the key of each element, as bytes."""
    for e in attributes(elements).get(1, []):
        key = attributes(e).get(1)
        if key:
            yield attributes(key[0])[1][0]


def is_of_a_rule(attributes_of_set):
    return text(attributes_of_set[2][0]).startswith("__")


class Monitor:
    def __init__(self, node):
        self.socket = node.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self.socket.bind((0, 0))
        self.socket.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, NFNLGRP_NFTABLES)
        self.generations = []
        self._begin()

    def _begin(self):
        self.added, self.removed, self.sets, self.other, self.rules = [], [], [], 0, []

    def _message(self, kind, portid, data):
        if kind >> 8 != NFNL_SUBSYS_NFTABLES:
            return
        kind, a = kind & 0xFF, attributes(data[4:])
        if kind == NEWGEN:
            self.generations.append(Generation(struct.unpack("!I", a[1][0])[0], portid,
                                               text(a[3][0]) if 3 in a else "", self.added,
                                               self.removed, self.sets, self.other, self.rules))
            self._begin()
        elif kind in (NEWSETELEM, DELSETELEM, NEWSET, DELSET) and is_of_a_rule(a):
            self.other += 1
        elif kind in (NEWSETELEM, DELSETELEM):
            where = (text(a[1][0]), text(a[2][0]))
            into = self.added if kind == NEWSETELEM else self.removed
            into += [where + (k,) for k in keys(a[3][0])]
        elif kind in (NEWSET, DELSET):
            self.sets.append((kind == NEWSET, text(a[1][0]), text(a[2][0])))
        else:
            self.other += 1
            if kind in (NEWRULE, DELRULE):
                self.rules.append((kind == NEWRULE, text(a[1][0]), text(a[2][0])))

    def read(self, timeout=0.0):
        """Takes in what has come, waiting at most that long for the first of it; all generations
        seen so far."""
        end = time.monotonic() + timeout
        while select.select([self.socket], [], [], max(0.0, end - time.monotonic()))[0]:
            data = self.socket.recv(1 << 18)
            pos = 0
            while pos + 16 <= len(data):
                size, kind, _, _, portid = struct.unpack_from("=IHHII", data, pos)
                self._message(kind, portid, data[pos + 16:pos + size])
                pos += (size + 3) & ~3
            end = 0.0
        return self.generations

    def changes(self):
        """The generations that changed elements."""
        return [g for g in self.read() if g.added or g.removed]

    def close(self):
        self.socket.close()


def forget_flows(node):
    """All that conntrack knows there: the next packet of whatever is a new one."""
    with node.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as s:
        s.sendto(struct.pack("=IHHII4x", 20, CT_DELETE, NLM_F_REQUEST | NLM_F_ACK, 1, 0), (0, 0))
        assert struct.unpack_from("=i", s.recv(4096), 16) == (0,)
