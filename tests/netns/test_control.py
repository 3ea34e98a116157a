# SPDX-License-Identifier: GPL-2.0-or-later
"""The control socket and allowsyncctl against the real daemon: what it says is what its interface
says, who may do what, what the exit statuses mean."""
import json
import os
import signal
import subprocess

import pytest
from lab import build_dir
from recipes import ADDR4, PORTS4, becomes, profile, resolve, resolver, sets, table, vendors
from varlink import Client, Error

RECORDS = [("a.example.com", "CNAME", ["pool.example.com."], 60),
           ("pool.example.com", "A", ["45.9.9.1", "45.9.9.2"], 60),
           ("b.example.com", "A", ["45.9.9.3"], 60)]
ACME = profile({"endpoint": "servers", "name": ["a.example.com", "b.example.com"]},
               {"endpoint": "net", "address": ["45.8.8.8", "45.8.0.0/24"],
                "allow": ["tcp/443", "udp/53"]},
               {"endpoint": "silent", "name": "never.example.com"}, title="Acme, Inc.")
TABLE = table(f"one {ADDR4}", f"two {PORTS4}")
CONFIG = resolver(linger="0") + vendors("acme") + sets("one acme", "two acme")


@pytest.fixture
def acme(make_lab):
    """(lab, daemon): everything that a reply can have, somewhere."""
    lab = make_lab(cache=False, ruleset=TABLE)
    lab.dns.edit(RECORDS)
    daemon = lab.daemon(CONFIG)
    daemon.profile("acme", ACME)
    daemon.start()
    resolve(daemon)
    return lab, daemon


def elements(lab, name):
    return set(lab.elements(name))


def nobody(daemon, *words):
    """allowsyncctl as a user who may open the socket, and has no other right."""
    os.chmod(daemon.socket, 0o666)
    for path in (daemon.lab.directory, daemon.directory):
        os.chmod(path, 0o755)
    return subprocess.run(["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups",
                           f"{build_dir()}/src/allowsyncctl", "--socket", daemon.socket, *words],
                          capture_output=True, text=True, timeout=60, check=False)


def test_every_reply_is_what_the_interface_says(acme):
    lab, daemon = acme
    lab.gateway.nft("add element inet filter one { 1.2.3.4 }")
    client = Client(daemon.socket)
    info = client.call("org.varlink.service.GetInfo")
    assert "io.allowsync" in info["interfaces"]
    client.list("Diff")  # so that the foreign element is seen
    status = client.call("GetStatus")["status"]
    assert status["state"] == "degraded" and len(status["degraded"]) == 2  # the prefix, twice
    assert status["sets"]["foreign"] == 1
    assert [v["vendor"]["name"] for v in client.list("ListVendors")] == ["acme"]
    names = [n["name"] for n in client.list("ListNames")]
    assert [n["name"] for n in names] == ["a.example.com", "b.example.com", "never.example.com"]
    assert [n["state"] for n in names] == ["ok", "ok", "never"]
    assert names[0]["ipv4"]["chain"].endswith("pool.example.com")
    assert client.call("ShowName", name="A.Example.COM.")["name"]["name"] == "a.example.com"
    assert [s["set"]["set"] for s in client.list("ListSets")] == \
        ["inet filter one", "inet filter two"]
    why = client.call("Why", destination="45.9.9.1", service="tcp/443")
    assert why["allowed"] and len(why["elements"]) == 2
    assert not client.call("Why", destination="45.8.0.7")["allowed"]
    assert client.call("Why", destination="45.8.0.7")["uncovered"][0]["range"] == "45.8.0.0/24"
    assert client.call("Why", destination="a.example.com")["addresses"] == ["45.9.9.1", "45.9.9.2"]
    assert client.call("Resolve", name="b.example.com")["name"]["name"] == "b.example.com"
    assert client.call("Resolve")["failing"] == ["never.example.com"]
    assert client.call("Reload")["digest"] == status["config"]["digest"]
    assert client.call("Release", target="acme")["removed"] == 9
    assert client.call("GetStatus")["status"]["paused"] == ["vendor acme"]
    assert client.call("Why", destination="45.9.9.1")["left"][0]["reason"] == "release"
    client.close()


def test_every_fault_is_an_error_of_the_interface(acme):
    _, daemon = acme
    client = Client(daemon.socket)
    for method, parameters, error in [
            ("Nonsense", {}, "org.varlink.service.MethodNotFound"),
            ("GetStatus", {"x": 1}, "org.varlink.service.InvalidParameter"),
            ("ShowName", {}, "org.varlink.service.InvalidParameter"),
            ("ShowName", {"name": 1}, "org.varlink.service.InvalidParameter"),
            ("ShowName", {"name": "no name"}, "org.varlink.service.InvalidParameter"),
            ("ShowName", {"name": "c.example.com"}, "io.allowsync.NoSuchName"),
            ("Why", {"destination": ""}, "org.varlink.service.InvalidParameter"),
            ("Why", {"destination": "c.example.com"}, "io.allowsync.NoSuchName"),
            ("Why", {"destination": "45.9.9.1", "service": "x"},
             "org.varlink.service.InvalidParameter"),
            ("Why", {"destination": "45.9.9.1", "source": "x"},
             "org.varlink.service.InvalidParameter"),
            ("Resolve", {"name": "c.example.com"}, "io.allowsync.NoSuchName"),
            ("Release", {"target": "c"}, "io.allowsync.NoSuchTarget"),
            ("Release", {"target": ""}, "io.allowsync.NoSuchTarget"),
            ("Monitor", {}, "org.varlink.service.ExpectedMore"),
            ("ListNames", {}, "org.varlink.service.ExpectedMore")]:
        client.send(method, **parameters)
        with pytest.raises(Error) as e:
            client.receive(method)
        assert e.value.name == error, (method, parameters)
    daemon.configure(CONFIG + "[nonsense]\n")
    with pytest.raises(Error) as e:
        client.call("Reload")
    assert e.value.name == "io.allowsync.ReloadFailed" and len(e.value.parameters["diags"]) == 1
    client.close()


def differs(lab, daemon):
    """What diff says when the question lies there before the daemon wakes up. It may have mended the
    set by then."""
    becomes(lambda: "45.9.9.1" in lab.elements("one"), "in step")
    daemon.process.send_signal(signal.SIGSTOP)
    lab.gateway.nft("delete element inet filter one { 45.9.9.1 }")
    p = lab.gateway.popen([f"{build_dir()}/src/allowsyncctl", "--socket", daemon.socket, "diff"],
                          stdout=subprocess.PIPE, text=True)
    with open(f"/proc/{p.pid}/stat", encoding="ascii") as f:
        becomes(lambda: f.seek(0) == 0 and f.read().rsplit(")", 1)[1].split()[0] == "S", "it waits")
    daemon.process.send_signal(signal.SIGCONT)
    return p.wait(20), p.stdout.read()


def test_exit_statuses_are_those_of_the_manual(acme):
    lab, daemon = acme

    def status(*words):
        r = daemon.ctl(*words)
        return r.returncode, r.stdout

    assert status("status")[0] == 1  # the prefix is left out
    assert status()[1].startswith("DEGRADED")
    assert status("why", "45.9.9.1")[0] == 0
    assert status("why", "45.9.9.1", "tcp/443")[0] == 0
    assert status("why", "10.0.0.1", "45.9.9.1", "tcp/443")[0] == 0
    assert status("why", "45.9.9.9")[0] == 1
    assert status("why", "c.example.com")[0] == 1
    assert status("why")[0] == 64
    assert status("diff") == (0, "")
    becomes(lambda: differs(lab, daemon) == (1, "add element inet filter one { 45.9.9.1 }\n"),
            "it answers before it mends")
    assert status("resolve", "a.example.com")[0] == 0
    assert status("resolve")[0] == 1  # one has never resolved
    assert status("show", "a.example.com")[0] == 0
    assert status("nonsense")[0] == 64
    assert status("show")[0] == 64
    assert status("status", "x")[0] == 64
    assert status("--json=x")[0] == 64
    assert status("release", "nonsense")[0] == 1
    daemon.configure(CONFIG + "[vendor digi]\n[mark]\nload = no\n")
    assert status("reload")[0] == 0
    assert status("status")[0] == 2
    assert status("status")[1].startswith("INEFFECTIVE: no [set] takes, and no rule marks, digi")
    daemon.configure(CONFIG + "nonsense\n")
    assert status("reload")[0] == 78
    daemon.configure(resolver() + vendors("acme") + sets("one acme"))
    daemon.profile("acme", profile({"name": "b.example.com"}))
    assert status("reload")[0] == 0
    assert status("status")[0] == 0
    assert status("status")[1].startswith("healthy\n")
    daemon.stop()
    for words in (["status"], [], ["names"], ["diff"], ["reload"], ["why", "45.9.9.1"]):
        assert status(*words)[0] == 3


def test_healthy_again_when_what_was_released_is_reloaded(acme):
    lab, daemon = acme
    daemon.profile("acme", profile({"name": ["a.example.com", "b.example.com"]}))
    daemon.ctl("reload", check=True)
    resolve(daemon)
    assert daemon.ctl("status").returncode == 0
    before = elements(lab, "one")
    lab.gateway.nft("add element inet filter one { 1.2.3.4 }")
    assert daemon.ctl("release", "two").stdout.startswith("3 elements removed; two stays released")
    assert elements(lab, "two") == set() and elements(lab, "one") == before | {"1.2.3.4"}
    assert daemon.ctl("status").returncode == 1
    daemon.ctl("release", check=True)
    assert elements(lab, "one") == {"1.2.3.4"}
    daemon.ctl("reload", check=True)
    assert elements(lab, "one") == before | {"1.2.3.4"}
    assert daemon.ctl("status").returncode == 0


def test_release_works_without_a_daemon(acme):
    lab, daemon = acme
    lab.gateway.nft("add element inet filter one { 1.2.3.4 }")
    daemon.stop()
    held = elements(lab, "two")
    assert held
    daemon.ctl("--root", daemon.root, "release", "inet filter one", check=True)
    assert elements(lab, "one") == {"1.2.3.4"} and elements(lab, "two") == held
    daemon.ctl("--root", daemon.root, "release", check=True)
    assert elements(lab, "one") == {"1.2.3.4"} and elements(lab, "two") == set()


def test_who_may_look_may_not_change_unless_named(acme):
    lab, daemon = acme
    held = elements(lab, "one")
    assert nobody(daemon, "names").returncode == 0
    for words in (["reload"], ["release"], ["release", "one"]):
        r = nobody(daemon, *words)
        assert r.returncode == 77 and "permission denied" in r.stderr
    assert elements(lab, "one") == held
    daemon.configure("[control]\nadmins = nobody\n" + CONFIG)
    daemon.ctl("reload", check=True)
    assert nobody(daemon, "reload").returncode == 0
    assert nobody(daemon, "release", "one").returncode == 0
    assert elements(lab, "one") == set()


def test_costly_calls_of_everybody_have_a_pause_between(acme):
    _, daemon = acme
    nobody(daemon, "names")  # opens the way to the socket
    os.seteuid(65534)
    try:
        client = Client(daemon.socket)
    finally:
        os.seteuid(0)
    client.send("Diff", more=True)
    client.send("Diff", more=True)  # taken at once after the first
    client.send("GetStatus")
    assert client.receive("Diff") == ({"add": [], "delete": []}, False)
    with pytest.raises(Error) as e:
        client.receive("Diff")
    assert e.value.name == "io.allowsync.TooBusy"
    client.receive("GetStatus")  # costs little
    assert daemon.ctl("diff").returncode == 0  # root needs no pause
    client.close()


def test_whoever_may_not_open_the_socket_is_told_so(acme):
    _, daemon = acme
    nobody(daemon, "status")
    os.chmod(daemon.socket, 0o660)
    r = subprocess.run(["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups",
                        f"{build_dir()}/src/allowsyncctl", "--socket", daemon.socket],
                       capture_output=True, text=True, check=False)
    assert r.returncode == 77 and "group allowsync" in r.stderr


def test_monitor_shows_what_the_journal_has(acme):
    lab, daemon = acme
    client = Client(daemon.socket)
    client.send("Monitor", more=True)
    assert client.receive("Monitor") == ({}, True)
    lab.dns.edit([("b.example.com", "A", ["45.9.9.4"], 60)])
    resolve(daemon, "b.example.com")
    added, removed = {}, {}
    while len(added) < 2 or len(removed) < 2:
        event = client.receive("Monitor")[0]["event"]
        assert event["kind"] == "changed" and event["name"] == "b.example.com"
        for into, key in ((added, "added"), (removed, "removed")):
            if event[key]:
                into[event["set"]] = event[key]
    assert added == {"inet filter one": ["45.9.9.4"], "inet filter two": ["45.9.9.4 . tcp . 443"]}
    assert removed == {"inet filter one": ["45.9.9.3"],
                       "inet filter two": ["45.9.9.3 . tcp . 443"]}
    client.close()
    why = daemon.ctl("why", "45.9.9.3")
    assert why.returncode == 1
    assert "Left today" in why.stdout and "acme/servers b.example.com" in why.stdout


def test_a_reload_in_the_middle_of_a_list_is_no_harm(acme):
    _, daemon = acme
    many = [f"n{i}.example.com" for i in range(3000)]
    daemon.profile("acme", profile(*({"name": many[i:i + 10]} for i in range(0, 3000, 10))))
    daemon.ctl("reload", check=True)
    client = Client(daemon.socket)
    client.send("ListNames", more=True)
    first, _ = client.receive("ListNames")  # nearly 2 MB: the rest waits for us to read
    daemon.profile("acme", profile({"name": many[2990:]}))
    daemon.ctl("reload", check=True)
    names, continues = [first["name"]["name"]], True
    while continues:
        reply, continues = client.receive("ListNames")
        names.append(reply["name"]["name"])
    assert names == sorted(names) and len(set(names)) == len(names)
    assert set(many[2990:]) <= set(names) and len(names) < 3000
    client.close()


def test_a_waiting_resolve_ends_with_a_reload(acme):
    lab, daemon = acme
    lab.dns.pause()
    try:
        client = Client(daemon.socket)
        client.send("Resolve")
        becomes(lambda: json.loads(daemon.ctl("--json=short").stdout)["resolver"]["in_flight"],
                "questions under way")
        daemon.ctl("reload", check=True)
        client.receive("Resolve")
        client.close()
    finally:
        lab.dns.resume()


def test_a_client_that_leaves_its_resolve_or_monitor_is_forgotten(acme):
    lab, daemon = acme
    lab.dns.pause()
    try:
        for method, more in (("Resolve", False), ("Monitor", True)):
            for _ in range(20):
                client = Client(daemon.socket)
                client.send(method, more=more)
                client.close()
    finally:
        lab.dns.resume()
    resolve(daemon)
    assert daemon.ctl("status").returncode == 1
    assert daemon.stop() == 0


def test_json_is_one_object_a_line_or_readable(acme):
    _, daemon = acme
    short = daemon.ctl("--json=short", "names").stdout
    assert [json.loads(line)["name"] for line in short.splitlines()] == \
        ["a.example.com", "b.example.com", "never.example.com"]
    pretty = daemon.ctl("--json=pretty", "show", "a.example.com").stdout
    assert json.loads(pretty)["state"] == "ok" and pretty.count("\n") > 10
    assert daemon.ctl("-j", "show", "a.example.com").stdout.count("\n") == 1  # no terminal


def test_a_second_daemon_does_not_take_the_socket(acme):
    _, daemon = acme
    second = subprocess.Popen(
        daemon.node.command([f"{build_dir()}/src/allowsyncd", "--root", daemon.root, "--socket",
                             daemon.socket, "--stderr"]), stderr=subprocess.PIPE, text=True)
    try:
        for line in second.stderr:
            if "control socket" in line:
                break
        else:
            raise AssertionError("it says nothing")
        assert json.loads(daemon.ctl("--json=short").stdout)["pid"] == daemon.process.pid
    finally:
        second.terminate()
        second.wait(20)
    assert daemon.ctl("names").returncode == 0  # and has not removed it
