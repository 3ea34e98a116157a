# SPDX-License-Identifier: GPL-2.0-or-later
"""Speaks to nf_tables without nft: for what nft has no words for, and where nft does not live."""
import os
import select
import socket
import struct

from netlink import NETLINK_NETFILTER, NEWSET, NEWSETELEM, DELSETELEM, attributes

NEWTABLE, DELTABLE, GETSETELEM = 0, 2, 13
BATCH_BEGIN, BATCH_END, NLMSG_ERROR, NLMSG_DONE = 0x10, 0x11, 2, 3
REQUEST, DUMP, CREATE = 0x1, 0x300, 0x400
TABLE_OWNER, TABLE_PERSIST = 2, 4
NESTED, NFPROTO_INET, SUBSYSTEM = 0x8000, 1, 10
IPV4_ADDR = 7  # nft's number for that type
SO_SNDBUFFORCE = 32


def attribute(kind, value):
    if isinstance(value, str):
        value = value.encode() + b"\0"
    elif isinstance(value, int):
        value = struct.pack("!I", value)
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def nest(kind, *values):
    return attribute(kind | NESTED, b"".join(values))


# Changes: (message type, flags, attributes).

def new_table(name, flags=0):
    return NEWTABLE, CREATE, attribute(1, name) + attribute(2, flags)


def delete_table(name):
    return DELTABLE, 0, attribute(1, name)


def new_set(table, name, statement=None):
    """Of IPv4 addresses, each with such a statement."""
    more = nest(17, attribute(1, statement)) if statement else b""
    return NEWSET, CREATE, (attribute(1, table) + attribute(2, name) + attribute(3, 0)
                            + attribute(4, IPV4_ADDR) + attribute(5, 4) + attribute(10, 1) + more)


def _elements(table, name, keys):
    return attribute(1, table) + attribute(2, name) + nest(
        3, *(nest(1, nest(1, attribute(1, k))) for k in keys))


def add_elements(table, name, *keys):
    return NEWSETELEM, CREATE, _elements(table, name, keys)


def delete_elements(table, name, *keys):
    return DELSETELEM, 0, _elements(table, name, keys)


def add_box(table, name, first, last):
    """An interval of concatenated keys."""
    return NEWSETELEM, CREATE, attribute(1, table) + attribute(2, name) + nest(
        3, nest(1, nest(1, attribute(1, first)), nest(10, attribute(1, last))))


def comment_of(userdata):
    """Of an element's userdata: what nft shows as its comment, or None."""
    while len(userdata) >= 2:
        kind, size = userdata[0], userdata[1]
        if kind == 0:
            return userdata[2:2 + size].rstrip(b"\0").decode()
        userdata = userdata[2 + size:]
    return None


class RawNft:
    """A socket of this process: tables that it owns are gone when it is closed."""

    def __init__(self, node):
        self.socket = node.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self.socket.bind((0, 0))
        self.socket.settimeout(10)

    def batch(self, *changes):
        """One transaction, to be sent later."""
        head = struct.pack("!BBH", 0, 0, SUBSYSTEM)
        batch = self._message(BATCH_BEGIN, 0, head)
        for kind, flags, payload in changes:
            batch += self._message(SUBSYSTEM << 8 | kind, flags,
                                   struct.pack("!BBH", NFPROTO_INET, 0, 0) + payload)
        return batch + self._message(BATCH_END, 0, head)

    def change(self, *changes):
        """One transaction. OSError: nothing of it was done."""
        self.send(self.batch(*changes))

    def send(self, batch):
        self.socket.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 2 * len(batch) + (1 << 17))
        self.socket.send(batch)
        # Nothing but errors is answered, and all of them are there when send() is back.
        if select.select([self.socket], [], [], 0)[0]:
            self._raise(self.socket.recv(1 << 16)[16:])

    def elements(self, name, table="filter"):
        """{key bytes: comment} as it stands in the kernel. Whoever reads while others write may
        see a mixture, and looks again."""
        self.socket.send(self._message(SUBSYSTEM << 8 | GETSETELEM, DUMP,
                                       struct.pack("!BBH", NFPROTO_INET, 0, 0)
                                       + attribute(1, table) + attribute(2, name)))
        found = {}
        while True:
            data, pos = self.socket.recv(1 << 16), 0
            while pos + 16 <= len(data):
                size, kind = struct.unpack_from("=IH", data, pos)
                payload = data[pos + 16:pos + size]
                pos += (size + 3) & ~3
                if kind in (NLMSG_DONE, NLMSG_ERROR):
                    self._raise(payload)
                    return found
                for each in attributes(payload[4:]).get(3, []):
                    for e in attributes(each).get(1, []):
                        e = attributes(e)
                        found[attributes(e[1][0])[1][0]] = comment_of(e[6][0]) if 6 in e else None

    @staticmethod
    def _message(kind, flags, payload):
        return struct.pack("=IHHII", 16 + len(payload), kind, REQUEST | flags, 0, 0) + payload

    @staticmethod
    def _raise(answer):
        error = -struct.unpack_from("=i", answer)[0]
        if error:
            raise OSError(error, os.strerror(error))

    def close(self):
        self.socket.close()
