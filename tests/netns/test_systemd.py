# SPDX-License-Identifier: GPL-2.0-or-later
"""The installed service under a real systemd, in its sandbox, as its own user."""
import re

import pytest

from container import Container, Unavailable
from servers import Authority
from spaces import wait_until

NAME = "whitelist.ixon.cloud"
CONFIG = """
[resolver]
server = 127.0.0.1
refresh-min = 1s
linger = 1s

[vendor ixon]

[set v4]
family = inet
table = filter
set = ixon4
vendor = ixon
"""
RULESET = """
table inet filter {
	set ixon4 { type ipv4_addr . inet_proto . inet_service; }
}
"""
SERVICE = "allowsyncd.service"


@pytest.fixture(scope="module")
def machine():
    try:
        c = Container()
    except Unavailable as e:
        pytest.skip(str(e))
    c.node.nft(RULESET)
    c.dns = Authority(c.node, f"{c.directory}/knot", ["127.0.0.1"], ["ixon.cloud"],
                      {NAME: {"A": (2, ["45.9.9.1"])}})
    yield c
    c.close()


@pytest.fixture
def service(machine):
    """Started with the good configuration and no drop-ins; filled."""
    machine.run("rm", "-rf", "/run/systemd/system/allowsyncd.service.d")
    machine.run("systemctl", "daemon-reload")
    machine.write("etc/allowsyncd/allowsyncd.conf", CONFIG)
    machine.dns.set(NAME, "A", ["45.9.9.1"], 2)
    machine.run("systemctl", "restart", SERVICE)
    wait_until(lambda: elements(machine) == {"45.9.9.1"}, 15, "the set is filled")
    yield machine
    machine.run("systemctl", "stop", SERVICE, check=False)
    machine.run("systemctl", "reset-failed", SERVICE, check=False)


def elements(machine):
    from lab import elements_of
    r = machine.node.run(["nft", "-j", "list", "set", "inet", "filter", "ixon4"])
    return {k.split(" . ")[0] for k in elements_of(r.stdout)}


def main_pid(machine):
    return int(machine.show("MainPID")["MainPID"])


def test_start_is_ready_and_says_so(service):
    shown = service.show("ActiveState", "SubState", "StatusText", "Type", "NRestarts", "WatchdogUSec")
    assert (shown["ActiveState"], shown["SubState"], shown["Type"]) == ("active", "running", "notify")
    assert shown["StatusText"] and shown["WatchdogUSec"] == "30s"
    assert shown["NRestarts"] == "0"


def test_has_net_admin_and_no_other_power(service):
    inside = service.run("systemctl", "show", "-p", "MainPID", "--value", SERVICE).stdout.strip()
    status = service.run("cat", f"/proc/{inside}/status").stdout
    values = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    only_net_admin = 1 << 12
    for caps in ("CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(values[caps], 16) == only_net_admin, caps
    assert values["NoNewPrivs"] == "1" and values["Seccomp"] == "2"
    uid = service.run("id", "-u", "allowsyncd").stdout.strip()
    assert set(values["Uid"].split()) == {uid} and uid != "0"


# What no privilege is needed for, and the daemon never does.
TRIES = """#!/usr/bin/python3
import ctypes, mmap, os
tries = {"nice": lambda: os.setpriority(os.PRIO_PROCESS, 0, 5),
         "code": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC),
         "namespace": lambda: 1 / (not ctypes.CDLL(None).unshare(0x10000000))}
for name, what in tries.items():
    try:
        what()
    except (OSError, ZeroDivisionError):
        name += ": refused"
    print(name, flush=True)
"""


def test_the_sandbox_refuses_what_anybody_may(service):
    service.write("usr/local/bin/tries", TRIES)
    service.run("chmod", "755", "/usr/local/bin/tries")
    free = service.run("setpriv", "--reuid=allowsyncd", "--clear-groups", "tries").stdout.split("\n")
    assert free == ["nice", "code", "namespace", ""]
    service.run("mkdir", "-p", "/run/systemd/system/allowsyncd.service.d")
    service.run("sh", "-c", "printf '[Service]\\nExecStartPost=sh -c \"tries "
                ">/run/allowsyncd/tries\"\\n' >/run/systemd/system/allowsyncd.service.d/tries.conf")
    service.run("systemctl", "daemon-reload")
    service.run("systemctl", "restart", SERVICE)
    boxed = service.run("cat", "/run/allowsyncd/tries").stdout.split("\n")
    assert boxed == [f"{name}: refused" for name in free[:-1]] + [""]


def test_control_socket_is_for_the_group(service):
    r = service.run("stat", "-c", "%U %G %a", "/run/allowsyncd/control.sock")
    assert r.stdout.split() == ["allowsyncd", "allowsync", "660"]
    assert service.run("allowsyncctl", "status", check=False).returncode in (0, 1, 2)
    # Someone of the group may look, and may not change anything; others may not even look.
    look = ["setpriv", "--reuid=nobody", "--clear-groups", "--regid=allowsync", "allowsyncctl"]
    assert service.run(*look, "status", check=False).returncode in (0, 1, 2)
    refused = service.run(*look, "reload", check=False)
    assert refused.returncode not in (0, 1, 2), refused.stdout
    other = ["setpriv", "--reuid=nobody", "--clear-groups", "--regid=nogroup", "allowsyncctl"]
    assert service.run(*other, "status", check=False).returncode not in (0, 1, 2)


def test_reload_is_done_when_it_returns(service):
    before = main_pid(service)
    service.write("etc/allowsyncd/allowsyncd.conf", CONFIG.replace("[vendor ixon]\n", """
[vendor ixon]
[vendor acme]
""").replace("vendor = ixon", "vendor = ixon, acme"))
    service.write("etc/allowsyncd/vendors/acme.conf",
                  "[profile]\ntitle = Acme\n[endpoint x]\naddress = 45.7.7.7\nallow = tcp/443\n")
    service.run("systemctl", "reload", SERVICE)
    assert elements(service) == {"45.9.9.1", "45.7.7.7"}
    service.write("etc/allowsyncd/allowsyncd.conf", CONFIG)
    service.run("systemctl", "reload", SERVICE)
    assert elements(service) == {"45.9.9.1"}
    assert main_pid(service) == before


def test_rules_know_the_kernels_timeouts_from_within_the_sandbox(service):
    """Where /proc/sys is hidden."""
    service.write("etc/allowsyncd/allowsyncd.conf", CONFIG + "[vendor calls]\n")
    service.write("etc/allowsyncd/vendors/calls.conf",
                  "[profile]\ntitle = Calls\nudp-timeout-min = 10min\n"
                  "[endpoint x]\naddress = 45.7.7.7\nallow = udp/5060\n")
    service.run("systemctl", "reload", SERVICE)
    rules = service.run("allowsyncctl", "rules").stdout
    # nft 1.1 counts in minutes.
    assert re.search(r"policy = { unreplied : (600|10m), replied : (600|10m) }", rules), rules


def test_reload_of_a_broken_configuration_fails_and_keeps_the_old(service):
    service.write("etc/allowsyncd/allowsyncd.conf", CONFIG + "\n[set v4]\nfamly = inet\n")
    r = service.run("systemctl", "reload", SERVICE, check=False)
    assert r.returncode != 0
    assert service.show("ActiveState")["ActiveState"] == "active"
    assert elements(service) == {"45.9.9.1"}
    service.dns.set(NAME, "A", ["45.9.9.1", "45.9.9.2"], 2)
    wait_until(lambda: elements(service) == {"45.9.9.1", "45.9.9.2"}, 15, "the old one still runs")
    refused = service.entries("-u", SERVICE, "ALLOWSYNC_EVENT=reload-refused")
    assert refused and refused[-1]["_SYSTEMD_UNIT"] == SERVICE


def test_stuck_daemon_is_restarted_by_the_watchdog(service):
    service.run("mkdir", "-p", "/run/systemd/system/allowsyncd.service.d")
    service.run("sh", "-c", "printf '[Service]\\nWatchdogSec=2\\n' "
                ">/run/systemd/system/allowsyncd.service.d/watchdog.conf")
    service.run("systemctl", "daemon-reload")
    service.run("systemctl", "restart", SERVICE)
    before = main_pid(service)
    # A daemon that works outlives several of its intervals...
    beats = [service.show("WatchdogTimestampMonotonic")["WatchdogTimestampMonotonic"]]

    def another():
        beat = service.show("WatchdogTimestampMonotonic")["WatchdogTimestampMonotonic"]
        if beat != beats[-1]:
            beats.append(beat)
        return len(beats) > 4

    wait_until(another, 20, "the watchdog is fed")
    assert main_pid(service) == before
    # ... and one that does not is ended and started anew.
    service.run("kill", "-STOP", str(before))
    wait_until(lambda: main_pid(service) not in (0, before)
               and service.show("ActiveState")["ActiveState"] == "active", 30, "restarted")
    assert service.show("NRestarts")["NRestarts"] == "1"
    wait_until(lambda: elements(service) == {"45.9.9.1"}, 10)


def test_killed_daemon_is_restarted(service):
    before = main_pid(service)
    service.run("kill", "-KILL", str(before))
    wait_until(lambda: main_pid(service) not in (0, before)
               and service.show("ActiveState")["ActiveState"] == "active", 20, "restarted")
    assert elements(service) == {"45.9.9.1"}


def test_stop_leaves_the_sets(service):
    service.run("systemctl", "stop", SERVICE)
    shown = service.show("ActiveState", "Result", "ExecMainStatus")
    assert shown == {"ActiveState": "inactive", "Result": "success", "ExecMainStatus": "0"}
    assert elements(service) == {"45.9.9.1"}


def test_broken_configuration_at_start_ends_for_good(service):
    service.run("systemctl", "stop", SERVICE)
    service.write("etc/allowsyncd/allowsyncd.conf", CONFIG + "nonsense\n")
    # Without a copy of one that was accepted.
    service.run("rm", "-r", "/var/lib/allowsyncd/accepted")
    assert service.run("systemctl", "start", SERVICE, check=False).returncode != 0
    shown = service.show("ActiveState", "ExecMainStatus", "NRestarts")
    assert shown == {"ActiveState": "failed", "ExecMainStatus": "78", "NRestarts": "0"}
    assert elements(service) == {"45.9.9.1"}


def test_broken_configuration_at_start_runs_the_one_accepted_last(service):
    service.run("systemctl", "stop", SERVICE)
    service.write("etc/allowsyncd/allowsyncd.conf", CONFIG + "nonsense\n")
    service.dns.set(NAME, "A", ["45.9.9.2"], 2)
    service.run("systemctl", "start", SERVICE)
    wait_until(lambda: elements(service) == {"45.9.9.2"}, 15, "followed all the same")
    assert service.entries("-u", SERVICE, "ALLOWSYNC_EVENT=config-instead")


def test_journal_entries_are_native_and_explained(service):
    change = [e for e in service.entries("-u", SERVICE, "ALLOWSYNC_EVENT=changed")
              if e.get("ALLOWSYNC_NAME") == NAME]
    assert change and change[-1]["ALLOWSYNC_SET"] == "inet filter ixon4"
    service.run("journalctl", "--update-catalog")
    explained = service.run("journalctl", "-x", "-n", "1", "ALLOWSYNC_EVENT=changed",
                            f"ALLOWSYNC_NAME={NAME}")
    assert "Defined-By: allowsyncd" in explained.stdout
    assert "@" not in explained.stdout
    for line in ("Set: inet filter ixon4", f"Vendor, name: ixon, {NAME}"):
        assert line in explained.stdout, explained.stdout


def test_starts_without_a_network(service):
    """Nothing answers, and there is no link but loopback: ready all the same, sets as they were."""
    assert "network" not in " ".join(service.show("After", "Requires", "Wants").values())
    service.run("systemctl", "stop", SERVICE)
    # Longer than a start may take: what is asked first is still under way then.
    service.write("etc/allowsyncd/allowsyncd.conf",
                  CONFIG.replace("server = 127.0.0.1", "server = 127.0.0.1\ntimeout = 60s\ntries = 2"))
    service.dns.pause()
    try:
        service.run("systemctl", "start", SERVICE)
        assert service.show("ActiveState")["ActiveState"] == "active"
        assert elements(service) == {"45.9.9.1"}
    finally:
        service.dns.resume()


def test_rules_are_loaded_from_within_the_sandbox(service):
    """And in a pid namespace of its own the daemon knows what its child did."""
    service.write("etc/allowsyncd/allowsyncd.conf", CONFIG.split("[set")[0])
    service.run("systemctl", "reload", SERVICE)

    def chain():
        return service.node.run(["nft", "list", "chain", "inet", "allowsync", "v_mark"],
                                check=False).stdout

    wait_until(lambda: "@v_ixon4 " in chain(), 15, "the rules are in force")
    before = chain()
    service.node.nft("flush chain inet allowsync v_mark")
    wait_until(lambda: chain() == before, 15, "put back")

    def said():
        return [e["MESSAGE"] for e in service.entries("-u", SERVICE, "ALLOWSYNC_EVENT=ruleset-changed")
                if "rules of table inet allowsync" in e["MESSAGE"]]

    wait_until(lambda: len(said()) == 1, 15, said)
    assert not service.entries("-u", SERVICE, "ALLOWSYNC_EVENT=rules-failed")
    service.write("etc/allowsyncd/allowsyncd.conf", CONFIG)
    service.run("systemctl", "reload", SERVICE)
    wait_until(lambda: "v_mark {" not in chain(), 15, "removed")


def test_rules_stand_again_before_there_is_a_network(service):
    """As they stood last, by a service that needs neither the daemon nor DNS; nor /var to be written."""
    early = "allowsyncd-early.service"
    order = service.show("Before", "Wants", "After", unit=early)
    assert {"network-pre.target", SERVICE} <= set(order["Before"].split())
    assert "network-pre.target" in order["Wants"].split()
    assert "nftables.service" in order["After"].split(), "it empties the ruleset"
    service.write("etc/allowsyncd/allowsyncd.conf",
                  CONFIG.split("[set")[0] + "[devices d]\ninterface = lan\ntowards = wan\n"
                  "vendor = ixon\nmode = enforce\n")
    service.run("systemctl", "reload", SERVICE)

    def table():
        return service.node.run(["nft", "list", "table", "inet", "allowsync"], check=False).stdout

    wait_until(lambda: service.run("test", "-s", "/var/lib/allowsyncd/rules.nft",
                                   check=False).returncode == 0, 15, "the rules are kept")
    elements_file = "/var/lib/allowsyncd/elements.d/inet-allowsync-v_ixon4.nft"
    wait_until(lambda: service.run("grep", "-q", "45.9.9.1", elements_file,
                                   check=False).returncode == 0, 15, "and the elements")
    service.run("systemctl", "stop", SERVICE)
    service.node.nft("delete table inet allowsync")
    service.run("systemctl", "start", early)
    assert "goto v_group.d" in table() and "45.9.9.1" in table()
    # And when there is nothing to stand, there is nothing to fail.
    service.run("systemctl", "stop", early)
    service.run("rm", "/var/lib/allowsyncd/rules.nft")
    service.node.nft("delete table inet allowsync")
    service.run("systemctl", "start", early)
    assert "chain" not in table() and service.show("ActiveState", unit=early)["ActiveState"] == "inactive"
