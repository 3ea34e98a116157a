# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab itself: what the other tests take for granted."""
import os
import struct

from lab import DNS4, DNS6
from netlink import Monitor
from spaces import dns_query, wait_until


def answers(response):
    return struct.unpack_from("!H", response, 6)[0]


def test_sets_decide_what_the_device_reaches(lab):
    targets = [("tcp", "45.9.9.1", 443), ("udp", "45.9.9.1", 123), ("tcp", "2a00:1::9", 443),
               ("udp", "2a00:1::9", 123)]
    assert not any(lab.device.probe(targets).values())
    lab.gateway.nft("add element inet filter allow4 { 45.9.9.1 }\n"
                    "add element inet filter allow6 { 2a00:1::9 }\n")
    assert all(lab.device.probe(targets).values())
    lab.gateway.nft("flush set inet filter allow4\nflush set inet filter allow6\n"
                    "add element inet filter svc4 { 45.9.9.1 . tcp . 443 }\n")
    assert lab.device.probe(targets) == dict(zip(targets, [True, False, False, False]))


def test_records_change_live_and_show_through_the_cache(lab):
    name = "whitelist.ixon.cloud"
    lab.dns.set(name, "A", ["45.9.9.1", "45.9.9.2"], ttl=3600)
    for server in (DNS4, DNS6):
        assert answers(dns_query(lab.internet, server, name)) == 2
    assert answers(dns_query(lab.gateway, "127.0.0.1", name)) == 2
    assert answers(dns_query(lab.device, "10.91.0.1", name)) == 2
    lab.dns.add(name, "A", "45.9.9.3")
    assert answers(dns_query(lab.internet, DNS4, name)) == 3
    assert answers(dns_query(lab.gateway, "127.0.0.1", name)) == 2, "the cache does not cache"
    lab.cache.flush(name)
    assert answers(dns_query(lab.gateway, "127.0.0.1", name)) == 3


def test_paused_cache_is_silent_and_stopped_cache_refuses(lab):
    lab.cache.pause()
    assert dns_query(lab.gateway, "127.0.0.1", "localhost", timeout=0.3) is None
    lab.cache.resume()
    assert wait_until(lambda: dns_query(lab.gateway, "127.0.0.1", "localhost"))
    lab.cache.stop()
    assert dns_query(lab.gateway, "127.0.0.1", "localhost", timeout=0.3) is None
    lab.cache.start()


def test_monitor_sees_one_generation_a_transaction(lab):
    m = lab.monitor()
    assert isinstance(m, Monitor)
    lab.gateway.nft("add element inet filter allow4 { 45.9.9.1, 45.9.9.2 }\n"
                    "add element inet filter allow6 { 2a00:1::9 }\n")
    lab.gateway.nft("delete element inet filter allow4 { 45.9.9.2 }\n")
    first, second = wait_until(lambda: len(m.changes()) >= 2 and m.changes())
    assert sorted(first.added) == [("filter", "allow4", bytes([45, 9, 9, 1])),
                                   ("filter", "allow4", bytes([45, 9, 9, 2])),
                                   ("filter", "allow6", bytes.fromhex("2a000001" + 22 * "0" + "09"))]
    assert second.removed == [("filter", "allow4", bytes([45, 9, 9, 2]))] and not second.added
    assert first.program == "nft" and second.number == first.number + 1


def test_elements_come_as_nft_writes_them(lab):
    lab.gateway.nft('add element inet filter svc4 { 45.9.9.1 . tcp . 443 comment "x" }\n')
    lab.gateway.nft("add element inet filter allow4 { 45.9.9.1 }\n")
    assert lab.elements("svc4")["45.9.9.1 . tcp . 443"]["comment"] == "x"
    assert list(lab.elements("allow4")) == ["45.9.9.1"]


def test_two_labs_side_by_side_do_not_touch(make_lab):
    one, two = make_lab(), make_lab()
    one.gateway.nft("add element inet filter allow4 { 45.9.9.1 }\n")
    assert one.device.reaches("45.9.9.1") and not two.device.reaches("45.9.9.1")


def test_journal_is_private_and_read_back(journal):
    import servers
    start = servers.now()
    stream, _ = journal.stream("someone")
    with stream:
        stream.sendall(b"<4>a line\n")
    entry = wait_until(lambda: journal.entries(start, SYSLOG_IDENTIFIER="someone"))[0]
    assert (entry["MESSAGE"], entry["PRIORITY"]) == ("a line", "4")


def test_closed_lab_leaves_nothing(make_lab):
    lab = make_lab()
    pids = [p.pid for n in lab.nodes for p in n.processes]
    names = [n.name for n in lab.nodes]
    lab.close()
    assert len(pids) == 3 and not [p for p in pids if os.path.exists(f"/proc/{p}")]
    assert not set(names) & set(os.listdir("/run/netns"))
