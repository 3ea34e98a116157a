#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A DNS server that misbehaves to order.

usage: faultdns.py [--log FILE] [--default KIND] ADDRESS[#PORT]...

The first label of a question is the kind of answer it gets ("servfail.example.test"), arguments
behind hyphens ("slow-300", "many-500"). Any other name gets the default kind, "ok". Standard input
takes orders, each confirmed by a line "ok": `set NAME KIND` (for NAME, or for `*`: every name, before
its first label is looked at), `set NAME A|AAAA KIND` (for one type), `clear`. Each question is a JSON
line in the log: t (monotonic seconds), server, name, type, id, port (the client's), tcp, edns (the size
that the client takes, 0 without EDNS).

Kinds; addresses are 45.x.y.i and 2a00:1::x:i, the same for a name whenever it is asked:
  ok  ttl-N  ttltop (the top bit set)  unequal (TTLs 1, 60 and 3600 in one set)  many-N  rotate-N (N of
  them, others each time, TTL 1)  rotate-N-TTL  nth-I (only the I-th)  upper (owner in upper case)
  dup (each address twice)
  alias-N (a CNAME into the N-th other domain)
  chain-N (CNAMEs, TTLs 100, 99, ...)  backwards-N (the same, last record first)  cnameloop  selfloop
  cut-N (chain without an end, nobody recursed)  cnamenx  cnamenodata  twocnames
  oddcname-N (to a name with this byte)
  nodata  nodata-TTL  nodatabare (no SOA)  nx  nx-TTL  nxbare  referral  servfail  refused  notimp  formerr  formerrbare
  v4only  v6servfail  v6silent (A fine, AAAA not)
  stranger (with another name's address first)  strangeronly  private (10.0.0.1)  mixed (10.0.0.1 too)
  silent  slow-MS  lost-N (silent N times, then fine)  garbage  short  question (QR clear)  cutrr
  badlen (an address of 5 bytes)  wrongid  wrongname  wrongtype  wrongport  forged (wrong id and wrong
  name first, then right)  late-MS (a forgery at once, the truth later)
  noedns (answers as if there were none)  ednsformerr  ednsbare  ednsnotimp  ednsbadvers  ednssilent
  (to questions with EDNS; fine without)
  tc (truncated, whole over TCP)  tccut (so, in a record)  tcclose  tchang  tcshort (over TCP: closed,
  silent, cut)
"""
import argparse
import copy
import hashlib
import ipaddress
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time

from dnslib import AAAA, CNAME, EDNS0, NS, QTYPE, RCODE, RD, RR, SOA, A, DNSRecord

UDP_MAX = 1232
TTL = 5
NEGATIVE_TTL = 2
RECURSED, AUTHORITATIVE = (0, 1), (1, 0)  # AA, RA


def address(name, kind="A", i=1):
    """The i-th address of a name: what tests may expect."""
    h = hashlib.sha256(name.lower().rstrip(".").encode()).digest()
    if kind == "A":
        return f"45.{h[0]}.{h[1] & 0xFC | i >> 8}.{i & 255}"
    return f"2a00:1::{h[0] << 8 | h[1]:x}:{i:x}"


def mapped(value):
    """In IPv6, in hexadecimal: dnslib reads no other form."""
    return str(ipaddress.IPv6Address(f"::ffff:{value}"))


class Answer:
    """What is sent: packets, maybe after a while."""

    def __init__(self, query, tcp):
        self.query, self.tcp = query, tcp
        self.reply = query.reply()
        self.name = str(query.q.qname)
        self.type = QTYPE[query.q.qtype]
        # What the client takes over UDP, by EDNS; 0 without.
        self.edns = next((r.rclass for r in query.ar if r.rtype == QTYPE.OPT), 0)
        if self.edns:
            self.reply.add_ar(EDNS0(udp_len=UDP_MAX))
        self.before = []  # packets sent at once, ahead of the reply
        self.delay = 0.0
        self.silent = False
        self.other_port = False
        self.truncate = False  # over UDP
        self.close = False  # the TCP connection, afterwards
        self.change = lambda data: data  # of the bytes, at the end
        self.says(RECURSED)

    def says(self, who):
        self.reply.header.aa, self.reply.header.ra = who

    def add(self, i=1, owner=None, ttl=TTL, value=None):
        owner = owner or self.name
        if self.type == "A":
            data = A(value or address(self.name, "A", i))
        elif self.type == "AAAA":
            data = AAAA(value and mapped(value) or address(self.name, "AAAA", i))
        else:
            return
        self.reply.add_answer(RR(owner, QTYPE.reverse[self.type], ttl=ttl, rdata=data))

    def cname(self, owner, to, ttl=TTL):
        self.reply.add_answer(RR(owner, QTYPE.CNAME, ttl=ttl, rdata=CNAME(to)))

    def soa(self, zone=None, ttl=NEGATIVE_TTL):
        zone = zone or self.name.split(".", 1)[1] or "."
        data = SOA("ns.invalid", "h.invalid", (1, 60, 60, 60, ttl))
        self.reply.add_auth(RR(zone, QTYPE.SOA, ttl=max(ttl, 60), rdata=data))

    def rcode(self, name):
        self.reply.header.rcode = getattr(RCODE, name)

    def forgery(self, **wrong):
        """A packet that no client may take."""
        # Of its own down to the question, which a reply shares with the query.
        fake = copy.deepcopy(self.query).reply()
        fake.add_answer(RR(self.name, QTYPE.A, ttl=TTL, rdata=A("45.66.66.66")))
        fake.header.id ^= wrong.get("id", 0)
        fake.q.qname = wrong.get("name", fake.q.qname)
        return fake.pack()


def chain(a, n, backwards=False):
    names = [a.name] + [f"c{i}.{a.name}" for i in range(1, n + 1)]
    for i, (owner, to) in enumerate(zip(names, names[1:])):
        a.cname(owner, to, 100 - i)
    a.add(owner=names[-1])
    if backwards:
        a.reply.rr.reverse()


class Faults:
    """From a question to its answer; one for all sockets."""

    def __init__(self, default="ok"):
        self.default = default
        self.orders = {}
        self.counts = {}
        self.lock = threading.Lock()

    def order(self, line):
        words = line.split()
        with self.lock:
            if words[:1] == ["clear"]:
                self.orders.clear()
            elif words[:1] == ["set"] and len(words) in (3, 4):
                kind = words.pop()
                self.find(kind)
                self.orders[words[1].lower().rstrip("."), (words + [None])[2]] = kind
            else:
                raise ValueError(f"not an order: {line!r}")

    def find(self, kind):
        """The method and its arguments, or ValueError."""
        word, *numbers = kind.split("-")
        method = getattr(self, "kind_" + word, None)
        if not method or not all(re.fullmatch(r"\d+", n) for n in numbers):
            raise ValueError(f"no such kind: {kind}")
        return method, [int(n) for n in numbers]

    def kind_of(self, name, kind_of_record):
        name = name.lower().rstrip(".")
        with self.lock:
            for n in (name, "*"):
                for t in (kind_of_record, None):
                    if (n, t) in self.orders:
                        return self.orders[n, t]
        first = name.split(".")[0]
        try:
            self.find(first)
        except ValueError:
            return self.default
        return first

    def answer(self, query, tcp):
        a = Answer(query, tcp)
        method, numbers = self.find(self.kind_of(a.name, a.type))
        method(a, *numbers)
        return a

    def count(self, a):
        with self.lock:
            key = (a.name.lower(), a.type)
            self.counts[key] = self.counts.get(key, 0) + 1
            return self.counts[key]

    # --- right ones, of all sorts ---

    def kind_ok(self, a):
        a.add()

    def kind_ttl(self, a, ttl):
        a.add(ttl=ttl)

    def kind_ttltop(self, a):
        a.add(ttl=0x80000005)

    def kind_unequal(self, a):
        for i, ttl in enumerate((1, 60, 3600), 1):
            a.add(i, ttl=ttl)

    def kind_many(self, a, n):
        for i in range(1, n + 1):
            a.add(i, ttl=60)

    def kind_rotate(self, a, n, ttl=1):
        turn = self.count(a)
        for i in range(n):
            a.add((turn * n + i) % 1000 + 1, ttl=ttl)

    def kind_nth(self, a, i):
        a.add(i)

    def kind_upper(self, a):
        a.add(owner=a.name.upper())

    def kind_dup(self, a):
        for i in (1, 2, 1, 2):
            a.add(i)

    # --- chains ---

    def kind_alias(self, a, n):
        a.cname(a.name, f"pool.domain{n}.example.")
        a.add(n, owner=f"pool.domain{n}.example.")

    def kind_chain(self, a, n):
        chain(a, n)

    def kind_backwards(self, a, n):
        chain(a, n, backwards=True)

    def kind_cnameloop(self, a):
        a.cname(a.name, "b." + a.name)
        a.cname("b." + a.name, a.name)

    def kind_selfloop(self, a):
        a.cname(a.name, a.name)

    def kind_cut(self, a, n):
        chain(a, n)
        a.reply.rr.pop()
        a.says(AUTHORITATIVE)

    def kind_cnamenx(self, a):
        a.cname(a.name, "gone.example.org")
        a.rcode("NXDOMAIN")
        a.soa("example.org")

    def kind_cnamenodata(self, a):
        a.cname(a.name, "empty.example.org")
        a.soa("example.org")

    def kind_twocnames(self, a):
        a.cname(a.name, "one." + a.name)
        a.cname(a.name, "two." + a.name)
        a.add(owner="one." + a.name)

    def kind_oddcname(self, a, byte=ord("\n")):
        odd = "ab.example.org"
        a.cname(a.name, odd)
        a.add(owner=odd)
        a.change = lambda data: data.replace(b"\2ab", b"\2a" + bytes([byte]))

    # --- none ---

    def kind_nodata(self, a, ttl=NEGATIVE_TTL):
        a.soa(ttl=ttl)

    def kind_nodatabare(self, a):
        pass

    def kind_nx(self, a, ttl=NEGATIVE_TTL):
        a.rcode("NXDOMAIN")
        a.soa(ttl=ttl)

    def kind_nxbare(self, a):
        a.rcode("NXDOMAIN")

    def kind_referral(self, a):
        a.says((0, 0))
        a.reply.add_auth(RR("test", QTYPE.NS, ttl=60, rdata=NS("ns.test")))

    def kind_servfail(self, a):
        a.rcode("SERVFAIL")

    def kind_refused(self, a):
        a.rcode("REFUSED")

    def kind_notimp(self, a):
        a.rcode("NOTIMP")

    def kind_formerr(self, a):
        a.rcode("FORMERR")

    def kind_formerrbare(self, a):
        a.rcode("FORMERR")
        a.change = lambda data: data[:4] + bytes(8)

    def kind_v4only(self, a):
        (self.kind_ok if a.type == "A" else self.kind_nodata)(a)

    def kind_v6servfail(self, a):
        (self.kind_ok if a.type == "A" else self.kind_servfail)(a)

    def kind_v6silent(self, a):
        (self.kind_ok if a.type == "A" else self.kind_silent)(a)

    # --- lies ---

    def kind_stranger(self, a):
        self.kind_strangeronly(a)
        a.add()

    def kind_strangeronly(self, a):
        a.add(owner="stranger.example.org", value="45.66.66.66")

    def kind_private(self, a):
        a.add(value="10.0.0.1")

    def kind_mixed(self, a):
        a.add()
        a.add(value="10.0.0.1")

    def kind_wrongid(self, a):
        a.silent = True
        a.before = [a.forgery(id=0x5555)]

    def kind_wrongname(self, a):
        a.silent = True
        a.before = [a.forgery(name="other.example.org")]

    def kind_wrongtype(self, a):
        a.add()
        a.reply.q.qtype = QTYPE.TXT

    def kind_wrongport(self, a):
        a.add()
        a.other_port = True

    def kind_forged(self, a):
        a.before = [a.forgery(id=0x5555), a.forgery(name="other.example.org")]
        a.add()

    def kind_late(self, a, ms):
        self.kind_forged(a)
        a.delay = ms / 1000

    # --- broken or none at all ---

    def kind_silent(self, a):
        a.silent = True

    def kind_slow(self, a, ms):
        a.add()
        a.delay = ms / 1000

    def kind_lost(self, a, n):
        a.silent = self.count(a) <= n
        a.add()

    def kind_garbage(self, a):
        a.change = lambda data: data[:2] + os.urandom(60)

    def kind_short(self, a):
        a.change = lambda data: data[:7]

    def kind_question(self, a):
        a.add()
        a.reply.header.qr = 0

    def kind_cutrr(self, a):
        a.reply.ar.clear()
        a.add()
        a.change = lambda data: data[:-3]

    def kind_badlen(self, a):
        a.reply.add_answer(RR(a.name, a.query.q.qtype, ttl=TTL, rdata=RD(b"\x2d\0\0\1\0")))

    # --- EDNS ---

    def kind_noedns(self, a):
        a.add()
        a.reply.ar.clear()

    def refuse_edns(self, a, kind):
        a.reply.ar.clear()
        (kind if a.edns else self.kind_ok)(a)

    def kind_ednsformerr(self, a):
        self.refuse_edns(a, self.kind_formerr)

    def kind_ednsbare(self, a):
        self.refuse_edns(a, self.kind_formerrbare)

    def kind_ednsnotimp(self, a):
        self.refuse_edns(a, self.kind_notimp)

    def kind_ednssilent(self, a):
        self.refuse_edns(a, self.kind_silent)

    def kind_ednsbadvers(self, a):
        self.refuse_edns(a, lambda a: a.reply.add_ar(EDNS0(udp_len=UDP_MAX, ext_rcode=1)))

    # --- TCP ---

    def kind_tc(self, a):
        a.add()
        a.truncate = True

    def kind_tccut(self, a):
        """Where the room ends, be it in a record."""
        self.kind_tc(a)
        if not a.tcp:
            a.change = lambda data: data[:6] + b"\0\1" + data[8:] + b"\xc0\x0c\0"

    def kind_tcclose(self, a):
        self.kind_tc(a)
        a.silent = a.close = a.tcp

    def kind_tchang(self, a):
        self.kind_tc(a)
        a.silent = a.tcp

    def kind_tcshort(self, a):
        self.kind_tc(a)
        a.close = a.tcp
        if a.tcp:
            a.change = lambda data: data[:20]


class Server:
    """One address, UDP and TCP."""

    def __init__(self, where, faults, log):
        addr, _, port = where.partition("#")
        self.where, self.faults, self.log = where, faults, log
        family = socket.AF_INET6 if ":" in addr else socket.AF_INET
        self.udp = socket.socket(family, socket.SOCK_DGRAM)
        self.udp.bind((addr, int(port or 53)))
        self.other = socket.socket(family, socket.SOCK_DGRAM)
        self.other.bind((addr, 0))
        self.tcp = socket.socket(family, socket.SOCK_STREAM)
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.tcp.bind((addr, int(port or 53)))
        self.tcp.listen(64)
        for loop in (self.loop_udp, self.loop_tcp):
            threading.Thread(target=loop, daemon=True).start()

    def read(self, data, client, tcp):
        try:
            query = DNSRecord.parse(data)
            a = self.faults.answer(query, tcp)
        except Exception as e:  # pylint: disable=broad-except
            print(f"faultdns: {client}: {e!r}", file=sys.stderr, flush=True)
            return None
        self.log({"t": time.monotonic(), "server": self.where, "name": a.name.rstrip("."),
                  "type": a.type, "id": query.header.id, "port": client[1], "tcp": tcp,
                  "edns": a.edns})
        return a

    def pack(self, a):
        data = a.reply.pack()
        if not a.tcp and (a.truncate or len(data) > min(max(a.edns, 512), UDP_MAX)):
            empty = a.query.reply()
            empty.header.tc = 1
            data = empty.pack()
        return a.change(data)

    def loop_udp(self):
        while True:
            data, client = self.udp.recvfrom(4096)
            a = self.read(data, client, False)
            if not a:
                continue
            for packet in a.before:
                self.udp.sendto(packet, client)
            if a.silent:
                continue
            out, packet = self.other if a.other_port else self.udp, self.pack(a)
            if a.delay:
                threading.Timer(a.delay, out.sendto, (packet, client)).start()
            else:
                out.sendto(packet, client)

    def loop_tcp(self):
        while True:
            c, client = self.tcp.accept()
            threading.Thread(target=self.serve_tcp, args=(c, client), daemon=True).start()

    def serve_tcp(self, c, client):
        with c:
            try:
                while len(size := c.recv(2, socket.MSG_WAITALL)) == 2:
                    data = c.recv(struct.unpack("!H", size)[0], socket.MSG_WAITALL)
                    a = self.read(data, client, True)
                    if not a:
                        return
                    time.sleep(a.delay)
                    if not a.silent:
                        whole = a.reply.pack()
                        c.sendall(struct.pack("!H", len(whole)) + self.pack(a))
                    if a.close:
                        return
            except OSError:
                pass


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--log")
    p.add_argument("--default", default="ok")
    p.add_argument("where", nargs="+")
    o = p.parse_args()
    file = open(o.log, "a", encoding="utf-8") if o.log else None
    lock = threading.Lock()

    def log(entry):
        if file:
            with lock:
                file.write(json.dumps(entry) + "\n")
                file.flush()

    faults = Faults(o.default)
    faults.find(o.default)
    servers = [Server(w, faults, log) for w in o.where]
    print("ready", len(servers), flush=True)
    for line in sys.stdin:
        try:
            faults.order(line)
            print("ok", flush=True)
        except ValueError as e:
            print(e, flush=True)


class FaultDns:
    """The server as a process in a node of a lab; ends with close()."""

    def __init__(self, node, directory, *where, default="ok"):
        self.node, self.log = node, os.path.join(directory, "faultdns.log")
        self.process = node.popen(
            ["/usr/bin/python3", os.path.abspath(__file__), "--log", self.log, "--default", default,
             *where], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if not self.process.stdout.readline().startswith("ready"):
            raise RuntimeError("faultdns did not start")

    def _order(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        if (said := self.process.stdout.readline().strip()) != "ok":
            raise ValueError(said or "faultdns has ended")

    def set(self, name, kind, record=None):
        self._order(" ".join(["set", name] + ([record] if record else []) + [kind]))

    def clear(self):
        self._order("clear")

    def questions(self, name=None, kind=None):
        """What was asked, in order."""
        try:
            with open(self.log, encoding="utf-8") as f:
                all_ = [json.loads(line) for line in f]
        except FileNotFoundError:
            return []
        return [q for q in all_ if (not name or q["name"].lower() == name) and
                (not kind or q["type"] == kind)]

    def close(self):
        self.process.stdin.close()
        self.node.end(self.process)


if __name__ == "__main__":
    main()
