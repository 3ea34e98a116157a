# SPDX-License-Identifier: GPL-2.0-or-later
"""A DNS server that keeps queries waiting, and notes from which port each one came."""
import collections
import socket
import struct
import threading

Query = collections.namedtuple("Query", "port id name type question client")

TYPE_A, TTL = 1, 86400
FOREVER = 1 << 30


def parse(data, client):
    (ident,) = struct.unpack_from("!H", data)
    labels, at = [], 12
    while data[at]:
        labels.append(data[at + 1:at + 1 + data[at]].decode())
        at += 1 + data[at]
    (kind,) = struct.unpack_from("!H", data, at + 1)
    return Query(client[1], ident, ".".join(labels), kind, data[12:at + 5], client)


class LazyDns:
    """Answers A with one address, anything else with no data. The last `hold` queries stay without
    an answer, until nothing has come for `quiet_s`; without that until answer() is called.

    queries         all that came, in order
    most_in_flight  how many were unanswered at once
    shared          those that came while another one from the same port was unanswered
    """

    def __init__(self, node, address, gives, hold=FOREVER, quiet_s=None):
        self.gives = socket.inet_aton(gives)
        self.hold, self.quiet_s = hold, quiet_s
        self.queries, self.shared, self.most_in_flight = [], [], 0
        self.waiting, self.ports = collections.deque(), collections.Counter()
        self.lock, self.closed = threading.Lock(), False
        self.socket = node.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.bind((address, 53))
        self.socket.settimeout(quiet_s or 0.1)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while not self.closed:
            try:
                data, client = self.socket.recvfrom(512)
            except socket.timeout:
                if self.quiet_s:
                    self.answer()
                continue
            except OSError:
                continue  # of ICMP
            with self.lock:
                self._take(parse(data, client))

    def _take(self, query):
        self.queries.append(query)
        if self.ports[query.port]:
            self.shared.append(query)
        self.ports[query.port] += 1
        self.waiting.append(query)
        self.most_in_flight = max(self.most_in_flight, len(self.waiting))
        while len(self.waiting) > self.hold:
            self._answer_one()

    def answer(self):
        """All that wait now."""
        with self.lock:
            while self.waiting:
                self._answer_one()

    def _answer_one(self):
        query = self.waiting.popleft()
        is_a = query.type == TYPE_A
        header = struct.pack("!6H", query.id, 0x8180, 1, is_a, 0, 0)
        record = struct.pack("!3HIH4s", 0xC00C, TYPE_A, 1, TTL, 4, self.gives) if is_a else b""
        # Before it is sent: from then on the client may use the port again.
        self.ports[query.port] -= 1
        self.socket.sendto(header + query.question + record, query.client)

    def close(self):
        self.closed = True
        self.thread.join()
        self.socket.close()
