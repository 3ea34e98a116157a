# SPDX-License-Identifier: GPL-2.0-or-later
"""What device groups are refused: read from the kernel's log, gathered, shown and told.

The rules log 20 packets at once and then 10 a second; where a test needs more to be logged, it has a
rule of its own beside them.
"""
import signal
import socket

import pytest

from nflog import Log
from recipes import becomes, ctl_json, resolve, status
from test_devices import (ALLOWED, HOSTS, MISSES, PASSES, all_are, begin, configure, group,
                          in_force, load, mac_of, outcomes)
import recipes

REPORT = "interface = lan\n"
ENFORCE = "interface = lan\nmode = enforce\n"
# As ours, but without a limit.
FLOOD = """
table inet flood {
	chain forward {
		type filter hook forward priority -20;
		iifname "lan" udp dport >= 1024 log prefix "%s" group 4747 snaplen 128
	}
}
"""
OURS = "allowsync machines report: "


def refused(daemon, *words):
    return ctl_json(daemon, "refused", *words)


def services(flows):
    """{(protocol, destination, port): count}"""
    return {(*f["service"].split("/")[:1], f["destination"], int(f["service"].split("/")[1])):
            f["count"] for f in flows}


def count_of(daemon):
    (devices,) = status(daemon)["devices"]
    return devices["count"]


def send(lab, count, first=1024):
    """So many datagrams, each to a port of its own."""
    def work():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for i in range(count):
                s.sendto(b"x", ("45.1.0.3", first + i))

    lab.device.enter(work)


@pytest.mark.parametrize("keys, mode, outcome", [(REPORT, "report", "passed"),
                                                 (ENFORCE, "enforce", "refused")])
def test_each_destination_and_service_is_shown_and_told_once(make_lab, keys, mode, outcome):
    lab, daemon, other = begin(make_lab, keys, PASSES)
    assert refused(daemon) == []
    outcomes(lab.device, ALLOWED + MISSES)
    outcomes(other, MISSES)
    becomes(lambda: len(refused(daemon)) == len(MISSES), "all are read")
    for _ in range(3):
        outcomes(lab.device, MISSES[2:3])
    becomes(lambda: services(refused(daemon))[MISSES[2]] == 4, "and those that come after")
    flows = refused(daemon)
    assert services(flows) == {t: 4 if t == MISSES[2] else 1 for t in MISSES}
    assert {f["device"] for f in flows} == {"10.91.0.2", "fd91::2"}
    assert {(f["devices"], f["mode"], f["mac"], f["interface"], f["towards"]) for f in flows} == {
        ("machines", mode, mac_of(lab), "lan", "wan")}
    # The newest first.
    assert flows[0]["destination"] == MISSES[2][1]
    said = daemon.events("refused")
    assert sorted((e["ALLOWSYNC_SERVICE"], e["ALLOWSYNC_DESTINATION"]) for e in said) == sorted(
        (f"{p}/{port}", a) for p, a, port in MISSES)
    assert {(e["ALLOWSYNC_DEVICES"], e["ALLOWSYNC_DEVICE"], e["ALLOWSYNC_MAC"],
             e["ALLOWSYNC_COUNT"], e["ALLOWSYNC_REASON"], e["PRIORITY"]) for e in said} == {
        ("machines", d, mac_of(lab), "1", mode, "5") for d in ("10.91.0.2", "fd91::2")}
    # Of one device, however it is named.
    assert {f["device"] for f in refused(daemon, "fd91::2")} == {"fd91::2"}
    assert refused(daemon, mac_of(lab).upper()) == refused(daemon, "machines") == flows
    assert refused(daemon, "10.93.0.2") == refused(daemon, "02:00:00:00:00:01") == []
    text = daemon.ctl("refused", "10.91.0.2").stdout
    assert "45.1.0.3" in text and "tcp/443" in text and f" {outcome}\n" in text, text
    r = daemon.ctl("refused", "phones")
    assert r.returncode == 1 and "neither an address, a MAC address nor a device group" in r.stdout
    (devices,) = status(daemon)["devices"]
    assert devices == {"name": "machines", "mode": mode, "log_group": 4747,
                       "hour": len(MISSES) + 3, "count": len(MISSES) + 3}
    assert f"machines ({mode}): {len(MISSES) + 3} packets not allowed" in daemon.ctl("status").stdout


def test_net_admin_is_all_the_power_that_it_takes(make_lab):
    caps = "-all,+net_admin"
    lab, daemon, _ = begin(make_lab, REPORT, PASSES, wrapper=[
        "setpriv", f"--bounding-set={caps}", f"--inh-caps={caps}"])
    with open(f"/proc/{daemon.process.pid}/status", encoding="ascii") as f:
        (effective,) = [line.split()[1] for line in f if line.startswith("CapEff:")]
    assert int(effective, 16) == 1 << 12
    outcomes(lab.device, MISSES)
    becomes(lambda: services(refused(daemon)) == {t: 1 for t in MISSES}, "all are read")


def test_sum_comes_after_an_hour_by_itself(make_lab):
    lab, daemon, _ = begin(make_lab, REPORT, PASSES, fake_time=True)
    outcomes(lab.device, MISSES[:1])
    becomes(lambda: len(daemon.events("refused")) == 1, "the first is told")
    for _ in range(3):
        outcomes(lab.device, MISSES[:1])
    becomes(lambda: count_of(daemon) == 4, "all are read")
    daemon.jump(3500)
    recipes.turn(daemon)
    assert daemon.events("refused-sum") == []
    daemon.jump(200)
    becomes(lambda: len(daemon.events("refused-sum")) == 1, "the sum")
    (said,) = daemon.events("refused-sum")
    assert said["ALLOWSYNC_COUNT"] == "3", said
    (devices,) = status(daemon)["devices"]
    assert devices["count"] == 4 and devices["hour"] == 0
    # A day later the device is as good as new.
    daemon.jump(24 * 3600)
    becomes(lambda: refused(daemon) == [], "forgotten")


def test_groups_are_told_apart(make_lab):
    lab, daemon, other = begin(make_lab, ENFORCE, PASSES,
                               more=group("interface = lan2\nlog-group = 9\n", name="phones"))
    outcomes(lab.device, MISSES[:2])
    outcomes(other, MISSES[:3])
    becomes(lambda: len(refused(daemon)) == 5, "all are read")
    assert {(f["devices"], f["mode"], f["device"][:5]) for f in refused(daemon, "phones")} == {
        ("phones", "report", "10.93")}
    assert len(refused(daemon, "phones")) == 3 and len(refused(daemon, "machines")) == 2
    assert [(d["name"], d["count"]) for d in status(daemon)["devices"]] == [
        ("machines", 2), ("phones", 3)]
    assert {e["ALLOWSYNC_DEVICES"] for e in daemon.events("refused")} == {"machines", "phones"}


def test_what_came_after_the_first_is_summed_up(make_lab):
    lab, daemon, _ = begin(make_lab, REPORT, PASSES)
    outcomes(lab.device, MISSES[:1])
    becomes(lambda: count_of(daemon) == 1, "the first is read")
    for _ in range(5):
        outcomes(lab.device, MISSES[:1])
    becomes(lambda: count_of(daemon) == 6, "all are read")
    assert [e["ALLOWSYNC_COUNT"] for e in daemon.events("refused")] == ["1"]
    assert daemon.events("refused-sum") == []
    assert daemon.ctl("reload").returncode == 0
    (said,) = daemon.events("refused-sum")
    assert said["ALLOWSYNC_COUNT"] == "5" and said["ALLOWSYNC_DEVICES"] == "machines"
    assert f"10.91.0.2 to {MISSES[0][1]} tcp/{MISSES[0][2]} (5)" in said["MESSAGE"]
    # What was known stays known.
    outcomes(lab.device, MISSES[:1])
    becomes(lambda: count_of(daemon) == 7, "another one")
    assert services(refused(daemon)) == {MISSES[0]: 7}
    assert len(daemon.events("refused")) == 1
    assert daemon.stop() == 0
    assert [e["ALLOWSYNC_COUNT"] for e in daemon.events("refused-sum")][1:] == ["1"]


def test_pings_and_denied_endpoints_are_shown_as_what_they_are(make_lab):
    lab, daemon, _ = begin(make_lab, ENFORCE, PASSES, vendor="deny = tunnel\n")
    becomes(lambda: lab.elements("v_acme.tunnel.deny4", table="allowsync"), "the denial")
    lab.device.run(["ping", "-c1", "-W5", "45.1.0.3"], check=False)
    lab.device.run(["ping", "-c1", "-W5", "2a00:1::9"], check=False)
    outcomes(lab.device, [("tcp", "45.1.0.8", 18991)])
    want = {("45.1.0.3", "icmp/echo-request", "enforce"), ("45.1.0.8", "tcp/18991", "deny"),
            ("2a00:1::9", "icmpv6/echo-request", "enforce")}
    becomes(lambda: {(f["destination"], f["service"], f["mode"]) for f in refused(daemon)} == want,
            "each is shown")


def test_an_address_that_left_is_said_to_have_been_the_vendors(make_lab):
    lab, daemon, _ = begin(make_lab, ENFORCE, PASSES)
    lab.dns.set(HOSTS["a"], "A", ["45.1.0.4"], 60)
    resolve(daemon, HOSTS["a"])
    becomes(lambda: "45.1.0.1 . tcp . 443" not in lab.elements("v_acme4", table="allowsync"), "left")
    outcomes(lab.device, [("tcp", "45.1.0.1", 443), ("tcp", "45.1.0.3", 443)])
    becomes(lambda: len(refused(daemon)) == 2, "both are read")
    left = {f["destination"]: f.get("left") for f in refused(daemon)}
    assert left["45.1.0.3"] is None
    assert (left["45.1.0.1"]["vendor"], left["45.1.0.1"]["name"], left["45.1.0.1"]["reason"]) == (
        "acme", HOSTS["a"], "linger")
    said = {e["ALLOWSYNC_DESTINATION"]: e for e in daemon.events("refused")}
    assert said["45.1.0.1"]["ALLOWSYNC_NAME"] == HOSTS["a"]
    assert f"{HOSTS['a']} of acme had it until" in said["45.1.0.1"]["MESSAGE"]
    assert "ALLOWSYNC_NAME" not in said["45.1.0.3"]
    assert f"; {HOSTS['a']} of acme had it until" in daemon.ctl("refused").stdout
    # It is back: then it was refused for something else.
    lab.dns.set(HOSTS["a"], "A", ["45.1.0.1"], 60)
    resolve(daemon, HOSTS["a"])
    assert all("left" not in f for f in refused(daemon))


def test_a_scan_of_many_ports_floods_neither_journal_nor_memory(make_lab):
    lab, daemon, _ = begin(make_lab, REPORT, PASSES)
    lab.gateway.nft(FLOOD % OURS)
    for first in range(1024, 17024, 1000):
        send(lab, 1000, first)
        becomes(lambda: status(daemon)["refused"]["lost"] or count_of(daemon) >= first - 24,
                "what was sent is read")
    # Behind all of them.
    outcomes(lab.device, [("udp", "45.1.0.5", 8884)])
    becomes(lambda: refused(daemon)[0]["destination"] == "45.1.0.5", "all are read")
    assert status(daemon)["refused"]["forgotten"] > 0
    (devices,) = status(daemon)["devices"]
    assert status(daemon)["refused"]["flows"] == 4096 == len(refused(daemon, "10.91.0.2"))
    assert daemon.ctl("reload").returncode == 0
    told, sums = daemon.events("refused"), daemon.events("refused-sum")
    # 20 at once, then 2 a minute.
    assert 20 <= len(told) <= 30
    assert len(sums) == 1 and "and 4088 more" in sums[0]["MESSAGE"], sums
    assert sum(int(e["ALLOWSYNC_COUNT"]) for e in told + sums) == devices["count"]


def test_group_that_another_program_reads_is_said_and_tried_again(make_lab):
    lab, daemon, _ = begin(make_lab, REPORT, PASSES)
    log = Log(lab.gateway, 9)
    daemon.configure(recipes.resolver() + "[vendor acme]\n" + group(REPORT + "log-group = 9\n"))
    assert daemon.ctl("reload").returncode == 0
    becomes(lambda: in_force(lab, daemon), "loaded")
    what = "devices machines: what they are refused is not seen (NFLOG group 9: another program reads it)"
    becomes(lambda: [d["what"] for d in status(daemon)["degraded"]] == [what], "and nothing else")
    (said,) = daemon.events("log-failed")
    assert said["PRIORITY"] == "4" and "NFLOG group 9: another program reads it" in said["MESSAGE"]
    assert "machines (report): what is not allowed is not seen" in daemon.ctl("status").stdout
    # The one that it had is free again.
    Log(lab.gateway, 4747).close()
    # Again, and not said again.
    assert daemon.ctl("reload").returncode == 0
    assert len(daemon.events("log-failed")) == 1
    log.close()
    # By itself: nobody asks it meanwhile.
    becomes(lambda: len(daemon.events("log-recovered")) == 1, "it is had")
    assert status(daemon)["degraded"] == []
    load(lab, daemon)
    outcomes(lab.device, MISSES)
    becomes(lambda: services(refused(daemon)) == {t: 1 for t in MISSES}, "and read")


def test_what_comes_too_fast_is_lost_and_the_rest_is_read(make_lab):
    lab, daemon, _ = begin(make_lab, REPORT, PASSES)
    lab.gateway.nft(FLOOD % OURS)
    daemon.process.send_signal(signal.SIGSTOP)
    send(lab, 30000)
    daemon.process.send_signal(signal.SIGCONT)
    becomes(lambda: status(daemon)["refused"]["lost"] > 0, "it is counted")
    before = count_of(daemon)
    assert 0 < before < 30000
    outcomes(lab.device, [("udp", "45.1.0.5", 5060)])
    becomes(lambda: any(f["destination"] == "45.1.0.5" for f in refused(daemon)), "it goes on")


def test_what_others_rules_log_there_is_counted_apart(make_lab):
    lab, daemon, _ = begin(make_lab, REPORT, PASSES)
    for table, prefix in enumerate(["other: ", "allowsync phones report: "]):
        lab.gateway.nft((FLOOD % prefix).replace("inet flood", f"inet flood{table}"))
    outcomes(lab.device, [("udp", "45.1.0.5", 8884)])
    becomes(lambda: status(daemon)["refused"]["strange"] == 2, "both are")
    assert refused(daemon) == [] and count_of(daemon) == 0


def test_groups_change_with_a_reload(make_lab):
    lab, daemon, _ = begin(make_lab, REPORT, PASSES)
    outcomes(lab.device, MISSES[:2])
    becomes(lambda: len(refused(daemon)) == 2, "both are read")
    daemon.configure(recipes.resolver() + "[vendor acme]\n" + group(REPORT, name="phones"))
    assert daemon.ctl("reload").returncode == 0
    assert refused(daemon) == []
    load(lab, daemon)
    outcomes(lab.device, MISSES[:2])
    becomes(lambda: {f["devices"] for f in refused(daemon)} == {"phones"}, "the new one")
    daemon.configure(recipes.resolver() + "[vendor acme]\n")
    assert daemon.ctl("reload").returncode == 0
    assert refused(daemon) == [] and status(daemon)["devices"] == []
    Log(lab.gateway, 4747).close()
    daemon.configure(recipes.resolver() + "[vendor acme]\n" + group(REPORT))
    assert daemon.ctl("reload").returncode == 0
    load(lab, daemon)
    outcomes(lab.device, MISSES[:1])
    becomes(lambda: services(refused(daemon)) == {MISSES[0]: 1}, "and back")


def test_enforcement_is_told_anew(make_lab):
    lab, daemon, _ = begin(make_lab, REPORT, PASSES)
    outcomes(lab.device, MISSES[:1])
    becomes(lambda: len(daemon.events("refused")) == 1, "told")
    configure(lab, daemon, ENFORCE)
    outcomes(lab.device, MISSES[:1])
    becomes(lambda: [f["mode"] for f in refused(daemon)] == ["enforce", "report"], "both are there")
    assert [e["ALLOWSYNC_REASON"] for e in daemon.events("refused")] == ["report", "enforce"]
