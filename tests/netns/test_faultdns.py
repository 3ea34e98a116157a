# SPDX-License-Identifier: GPL-2.0-or-later
"""The faulty DNS server is faulty in just the ways it says."""
import json
import socket
import struct

import pytest
from dnslib import EDNS0, QTYPE, DNSRecord

from faultdns import FaultDns, address
from spaces import Node, dns_query

SERVER = "45.0.0.53"


@pytest.fixture(scope="module")
def node():
    n = Node("faultdns")
    n.ip(f"addr add {SERVER}/32 dev lo", "addr add 2a00:1::53/128 dev lo nodad")
    yield n
    n.close()


@pytest.fixture
def dns(node, tmp_path):
    d = FaultDns(node, str(tmp_path), SERVER, "2a00:1::53#5353")
    yield d
    d.close()


def ask(node, name, kind="A", server=SERVER, port=53, timeout=1.0):
    data = dns_query(node, server, name, getattr(QTYPE, kind), port, timeout)
    return data and DNSRecord.parse(data)


def ask_tcp(node, name):
    s = node.connect(SERVER, 53)
    with s:
        q = DNSRecord.question(name).pack()
        s.sendall(struct.pack("!H", len(q)) + q)
        size = s.recv(2, socket.MSG_WAITALL)
        return s.recv(struct.unpack("!H", size)[0], socket.MSG_WAITALL) if size else b""


def records(reply):
    return [(str(r.rname).rstrip("."), QTYPE[r.rtype], r.ttl, str(r.rdata)) for r in reply.rr]


def test_a_name_has_its_addresses(node, dns):
    name = "www.example.test"
    assert records(ask(node, name)) == [(name, "A", 5, address(name))]
    assert records(ask(node, name, "AAAA")) == [(name, "AAAA", 5, address(name, "AAAA"))]
    over_v6 = ask(node, name, server="2a00:1::53", port=5353)
    assert records(over_v6) == [(name, "A", 5, address(name))]


@pytest.mark.parametrize("kind, rcode, count, authority", [
    ("nodata", 0, 0, 1), ("nodatabare", 0, 0, 0), ("nx", 3, 0, 1), ("nxbare", 3, 0, 0),
    ("servfail", 2, 0, 0), ("refused", 5, 0, 0), ("notimp", 4, 0, 0), ("formerr", 1, 0, 0),
    ("referral", 0, 0, 1), ("many-25", 0, 25, 0), ("chain-3", 0, 4, 0), ("cut-3", 0, 3, 0),
    ("backwards-3", 0, 4, 0), ("cnamenx", 3, 1, 1), ("cnamenodata", 0, 1, 1),
    ("cnameloop", 0, 2, 0), ("selfloop", 0, 1, 0), ("twocnames", 0, 3, 0), ("dup", 0, 4, 0),
    ("stranger", 0, 2, 0), ("strangeronly", 0, 1, 0), ("mixed", 0, 2, 0), ("unequal", 0, 3, 0),
    ("upper", 0, 1, 0), ("v4only", 0, 1, 0), ("badlen", 0, 1, 0), ("wrongtype", 0, 1, 0),
])
def test_kinds_answer_as_they_say(node, dns, kind, rcode, count, authority):
    data = dns_query(node, SERVER, f"{kind}.example.test")
    flags, questions, *counts = struct.unpack_from("!5H", data, 2)
    assert flags & 0x800F == 0x8000 | rcode and questions == 1
    assert counts == [count, authority, 0]


@pytest.mark.parametrize("kind", ["silent", "wrongport"])
def test_kinds_that_say_nothing(node, dns, kind):
    assert dns_query(node, SERVER, f"{kind}.example.test", timeout=0.1) is None
    assert len(dns.questions(f"{kind}.example.test")) == 1


def test_bytes_of_the_broken_kinds(node, dns):
    assert len(dns_query(node, SERVER, "short.example.test")) == 7
    assert len(dns_query(node, SERVER, "garbage.example.test")) == 62
    assert len(dns_query(node, SERVER, "formerrbare.example.test")) == 12
    assert dns_query(node, SERVER, "question.example.test")[2] & 0x80 == 0
    assert dns_query(node, SERVER, "tccut.example.test")[-3:] == b"\xc0\x0c\0"
    assert b"\2a\n" in dns_query(node, SERVER, "oddcname.example.test")
    assert ask(node, "forged.example.test").header.id == 4711 ^ 0x5555
    assert ask(node, "wrongid.example.test").header.id == 4711 ^ 0x5555
    assert str(ask(node, "wrongname.example.test").q.qname) == "other.example.org."
    top = dns_query(node, SERVER, "ttltop.example.test")
    assert struct.unpack_from("!I", top, len(top) - 10)[0] == 0x80000005


def exchange(node, query):
    s = node.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with s:
        s.connect((SERVER, 53))
        s.settimeout(5)
        s.send(query.pack())
        return DNSRecord.parse(s.recv(4096))


@pytest.mark.parametrize("kind, rcode, size", [
    ("ok", 0, 1232), ("noedns", 0, None), ("ednsformerr", 1, None), ("ednsnotimp", 4, None),
    ("ednsbadvers", 0, 1232),
])
def test_questions_with_edns_are_answered_as_the_kind_says(node, dns, kind, rcode, size):
    name = f"{kind}.example.test"
    query = DNSRecord.question(name)
    query.add_ar(EDNS0(udp_len=4096))
    reply = exchange(node, query)
    assert reply.header.rcode == rcode
    assert [r.rclass for r in reply.ar] == ([size] if size else [])
    if kind == "ednsbadvers":
        assert reply.ar[0].edns_rcode == 1 and not reply.rr
    assert records(ask(node, name)) == [(name, "A", 5, address(name))], "without"
    assert [q["edns"] for q in dns.questions(name)] == [4096, 0]


def test_size_of_answers_is_what_the_client_takes(node, dns):
    name = "many-60.example.test"
    assert ask(node, name).header.tc
    for size, truncated in ((512, True), (1232, False), (4096, False)):
        query = DNSRecord.question(name)
        query.add_ar(EDNS0(udp_len=size))
        assert bool(exchange(node, query).header.tc) == truncated


def test_forgeries_come_before_the_right_answer(node, dns):
    s = node.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with s:
        s.connect((SERVER, 53))
        s.settimeout(5)
        query = DNSRecord.question("forged.example.test")
        s.send(query.pack())
        first, second, third = (DNSRecord.parse(s.recv(512)) for _ in range(3))
    assert first.header.id != query.header.id and first.q == query.q
    assert second.header.id == query.header.id and second.q != query.q
    assert third.header.id == query.header.id and third.q == query.q
    assert records(third)[0][3] == address("forged.example.test") != records(first)[0][3]


def test_truncated_answers_are_whole_over_tcp(node, dns):
    for name, count in (("many-500.example.test", 500), ("tc.example.test", 1)):
        reply = ask(node, name)
        assert reply.header.tc and not reply.rr
        assert len(DNSRecord.parse(ask_tcp(node, name)).rr) == count
    assert ask_tcp(node, "tcclose.example.test") == b""
    assert len(ask_tcp(node, "tcshort.example.test")) == 20
    assert [q["tcp"] for q in dns.questions("tc.example.test")] == [False, True]


def test_rotation_and_loss_depend_on_how_often_was_asked(node, dns):
    first, second = (records(ask(node, "rotate-3.example.test")) for _ in range(2))
    assert len(first) == 3 and not set(first) & set(second)
    assert ask(node, "lost-1.example.test", timeout=0.1) is None
    assert ask(node, "lost-1.example.test")


def test_orders_go_before_first_labels(node, dns):
    name = "whitelist.example.test"
    dns.set(name, "servfail")
    assert ask(node, name).header.rcode == 2
    dns.set(name, "nx", record="AAAA")
    assert [ask(node, name, k).header.rcode for k in ("A", "AAAA")] == [2, 3]
    dns.set("*", "refused")
    assert ask(node, "ok.example.test").header.rcode == 5
    assert ask(node, name).header.rcode == 2
    dns.clear()
    assert ask(node, name).header.rcode == 0
    with pytest.raises(ValueError):
        dns.set(name, "no-such-kind")


def test_each_question_is_in_the_log(node, dns):
    ask(node, "one.example.test")
    ask(node, "Two.example.test", "AAAA")
    with open(dns.log, encoding="utf-8") as f:
        one, two = map(json.loads, f)
    assert (one["name"], one["type"], one["tcp"], one["server"]) == (
        "one.example.test", "A", False, SERVER)
    assert two["name"] == "Two.example.test" and two["t"] >= one["t"] and two["id"] == 4711
    assert dns.questions("two.example.test", "AAAA") == [two]
