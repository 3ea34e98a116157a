# SPDX-License-Identifier: GPL-2.0-or-later
"""The README's commands do what it says, on a machine that has only this source tree."""
import re

import pytest

from container import Container, Unavailable
from lab import SOURCE
from servers import Authority
from spaces import wait_until

# Run by tests of their own, or running now.
ELSEWHERE = {"packaging/quickstart": "test_quickstart.py",
             "packaging/quickstart --install": "test_quickstart.py", "tests/run": None}
# Statuses that are an answer, not a failure.
STATUS = {"allowsyncctl status": (0, 1, 2), "allowsyncctl diff": (0, 1)}
BUILD = ("meson setup", "ninja", "meson install")


def blocks(language):
    with open(f"{SOURCE}/README.md", encoding="utf-8") as f:
        return re.findall(rf"^```{language}\n(.*?)^```", f.read(), re.M | re.S)


def commands():
    return [line for b in blocks("sh") for line in b.splitlines() if line and line[0] != "#"]


def test_commands_of_other_tests_are_in_the_readme_and_tested():
    for command, where in ELSEWHERE.items():
        assert command in commands()
        if where:
            with open(f"{SOURCE}/tests/netns/{where}", encoding="utf-8") as f:
                assert "QUICKSTART" in f.read()


def test_every_other_command_works_in_the_order_given():
    try:
        machine = Container(install=False)
    except Unavailable as e:
        pytest.skip(str(e))
    try:
        # A tree of its own, so that `build` is new.
        machine.run("sh", "-c", f"mkdir /root/tree && cd {SOURCE} && tar -cf - --exclude=./build* "
                    "--exclude=./.git . | tar -C /root/tree -xf -")
        machine.dns = Authority(machine.node, f"{machine.directory}/knot", ["127.0.0.1"],
                                ["ixon.cloud", "cloudtrax.com"],
                                {"whitelist.ixon.cloud": {"A": ["45.9.9.1"], "AAAA": ["2a00:1::1"]},
                                 "cloud_ap.cloudtrax.com": {"A": ["45.9.8.1"]}})
        machine.node.nft("".join(blocks("nft")))
        rest = [c for c in commands() if c not in ELSEWHERE]
        assert [c for c in rest if c.startswith(BUILD)], "how to build is not in the README"
        for command in rest:
            if command.startswith(BUILD):
                # Cheaper than optimised; the flags that matter stay.
                machine.run("sh", "-c", f"cd /root/tree && CFLAGS='-O1 -g0' {command}")
                continue
            if command == "allowsyncd --check":
                # "Install it" ends here, "A first configuration" begins.
                machine.run("systemd-sysusers")
                machine.run("systemctl", "daemon-reload")
                machine.run("systemctl", "enable", "--now", "allowsyncd")
                machine.write("etc/allowsyncd/allowsyncd.conf", "".join(blocks("ini")))
            r = machine.run("sh", "-c", command, check=False)
            assert r.returncode in STATUS.get(command, (0,)), f"{command}: {r.returncode}\n{r.stdout}"
            assert r.stdout.strip() or command.startswith("systemctl") or "diff" in command, command
            if command == "systemctl reload allowsyncd":
                wait_until(lambda: "45.9.9.1" in machine.node.run(
                    ["nft", "list", "set", "inet", "filter", "ixon4"]).stdout, 20)
    finally:
        machine.close()
