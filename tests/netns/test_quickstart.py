# SPDX-License-Identifier: GPL-2.0-or-later
"""packaging/quickstart: tells its story, and leaves the machine as it was."""
import glob
import hashlib
import os
import re
import subprocess
import time

import pytest

from container import Container, Unavailable
from lab import SOURCE, build_dir
from spaces import Node, run, wait_until

QUICKSTART = f"{SOURCE}/packaging/quickstart"
SECONDS = 60
TAG = f"ALLOWSYNCD_TEST_TAG={os.getpid()}-{time.monotonic_ns()}"


def environment(**more):
    """With the build that is there: what is built is tested elsewhere."""
    key, value = TAG.split("=")
    return dict(os.environ, BUILD_DIR=build_dir(plain=True), ASAN_OPTIONS="", UBSAN_OPTIONS="",
                **{key: value}, **more)


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def processes():
    """Whatever runs with our tag in its environment. Labs of other tests run beside this one."""
    found = []
    for path in glob.glob("/proc/[0-9]*/environ"):
        try:
            with open(path, "rb") as f:
                if TAG.encode() in f.read():
                    found.append(path)
        except OSError:
            pass
    return found


def machine():
    """All of this machine that the quickstart could have touched."""
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        mounts = f.read()
    return {
        "ruleset": run(["nft", "list", "ruleset"]).stdout,
        "links": run(["ip", "-br", "link"]).stdout,
        "addresses": run(["ip", "-br", "addr"]).stdout,
        "routes": run(["ip", "route"]).stdout + run(["ip", "-6", "route"]).stdout,
        "namespaces": sorted(os.listdir("/run/netns")),
        "run": sorted(os.listdir("/run")),
        "mounts": mounts,
        "resolv.conf": (os.path.islink("/etc/resolv.conf"), digest("/etc/resolv.conf")
                        if os.path.exists("/etc/resolv.conf") else None),
        "etc": sorted(glob.glob("/etc/allowsyncd*") + glob.glob("/etc/knot/*")
                      + glob.glob("/etc/unbound/**", recursive=True)),
        "installed": sorted(f for d in ("usr/bin", "usr/sbin", "usr/share", "usr/lib/systemd/system",
                                        "usr/lib/sysusers.d", "var/lib", "var/cache")
                            for f in glob.glob(f"/{d}/allowsync*")),
        "boot": sorted(glob.glob("/etc/systemd/system/**", recursive=True) + glob.glob("/etc/rc?.d/*")),
        "policy": os.path.exists("/usr/sbin/policy-rc.d") and digest("/usr/sbin/policy-rc.d"),
        "processes": processes(),
    }


@pytest.fixture
def busy_machine():
    """A machine that has a ruleset and a namespace, so that there is something to leave alone."""
    node = Node("admins-own")
    run(["nft", "-f", "-"], input="table inet filter { set s { type ipv4_addr; elements = { 45.1.1.1 } }\n"
        "chain forward { type filter hook forward priority filter; policy drop; }\n}\n")
    yield
    run(["nft", "delete", "table", "inet", "filter"])
    node.close()


def test_story_is_told_and_leaves_no_trace(busy_machine, tmp_path):
    before, start = machine(), time.monotonic()
    r = run([QUICKSTART], env=environment(TMPDIR=str(tmp_path)), stdin=subprocess.DEVNULL, check=False)
    took = time.monotonic() - start
    assert r.returncode == 0, r.stdout
    assert machine() == before
    assert not os.listdir(tmp_path), "its log is gone as well"
    assert took < SECONDS, f"{took:.0f} s"
    story = re.sub(r"\s+", " ", r.stdout)
    for part in ("45.9.9.1 port 443: refused .* The daemon starts",
                 "started: vendors 5",
                 "45.9.9.1 port 443: connected .* IXON adds",
                 "45.9.9.3 port 443: refused .* 45.9.9.3 port 443: connected .* IXON removes",
                 r"IXON removes .* 45.9.9.1 port 443: refused .* whitelist.ixon.cloud -45.9.9.1",
                 "The resolver stops .* no DNS server answers .* 45.9.9.3 port 443: connected .* DEGRADED",
                 "The resolver is back.* DNS answers again.* healthy",
                 "The daemon was stopped.* 45.9.9.3"):
        assert re.search(part, story), f"{part} not in:\n{r.stdout}"


def test_keep_stays_until_it_is_ended_and_leaves_no_trace(busy_machine):
    before = machine()
    p = subprocess.Popen([QUICKSTART, "--keep"], env=environment(), text=True,
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True)
    try:
        output = []
        for line in p.stdout:
            output.append(line.strip())
            if line.startswith("kill "):
                break
        else:
            raise AssertionError("\n".join(output))
        enter, end = output[-3].removesuffix(" bash --norc -i"), output[-1]

        def inside(command):
            return run(["bash", "-c", f"{enter} bash -c '{command}'"], check=False).stdout

        assert "healthy" in inside("allowsyncctl status")
        assert "connected" in inside("device 45.9.9.3") and "refused" in inside("device 45.9.9.7")
        inside("dns add whitelist.ixon.cloud 45.9.9.7")
        wait_until(lambda: "connected" in inside("device 45.9.9.7"), 15)
        run(["bash", "-c", end])
        p.communicate(timeout=20)
        assert machine() == before
    finally:
        p.kill()
        p.wait()


def test_unknown_option_is_refused():
    r = run([QUICKSTART, "--nonsense"], env=environment(), check=False)
    assert r.returncode == 64 and "--install" in r.stdout


def test_install_puts_a_running_service_on_a_machine():
    try:
        machine_ = Container(install=False)
    except Unavailable as e:
        pytest.skip(str(e))
    try:
        assert machine_.run("systemctl", "cat", "allowsyncd", check=False).returncode != 0
        r = machine_.run("env", f"BUILD_DIR={build_dir(plain=True)}", QUICKSTART, "--install")
        assert "installed" in r.stdout
        shown = machine_.show("ActiveState", "UnitFileState")
        assert shown == {"ActiveState": "active", "UnitFileState": "enabled"}
        early = machine_.show("UnitFileState", unit="allowsyncd-early.service")
        assert early == {"UnitFileState": "enabled"}
        assert machine_.run("allowsyncctl", "status", check=False).returncode in (0, 1, 2)
        # Again, over a configuration that the admin has changed: kept.
        machine_.write("etc/allowsyncd/allowsyncd.conf", "# mine\n[vendor ixon]\n")
        machine_.run("env", f"BUILD_DIR={build_dir(plain=True)}", QUICKSTART, "--install")
        assert "# mine" in machine_.run("cat", "/etc/allowsyncd/allowsyncd.conf").stdout
        assert machine_.run("man", "-w", "allowsyncd", check=False).returncode == 0
        assert "allowsyncd" in machine_.run("journalctl", "--list-catalog").stdout
    finally:
        machine_.close()
