# SPDX-License-Identifier: GPL-2.0-or-later
"""The README's commands do what it says, on a machine that has only this source tree."""
import ast
import re

import pytest

from container import Container, Unavailable
from lab import SOURCE
from servers import Authority
from spaces import wait_until

# Run by tests of their own, or running now.
ELSEWHERE = {
    "packaging/quickstart": "test_quickstart.test_story_is_told_and_leaves_no_trace",
    "packaging/quickstart --install":
        "test_quickstart.test_install_puts_a_running_service_on_a_machine",
    "tests/run": None}
BUILD = ("meson setup", "ninja", "meson install")
LANGUAGES = {"sh", "nft", "ini"}
RECORDS = {"whitelist.ixon.cloud": {"A": ["45.9.9.1"], "AAAA": ["2a00:1::1"]},
           "cloud_ap.cloudtrax.com": {"A": ["45.9.8.1"]}}
FILLED = {"ixon4": "45.9.9.1", "ixon6": "2a00:1::1", "cloudtrax4": "45.9.8.1 . tcp"}
# What is to be seen in the output of those that show something; "": of those that may be silent.
SHOWN = {"allowsyncd --check": "", "systemctl reload allowsyncd": "",
         "allowsyncctl status": "healthy", "allowsyncctl sets": "inet filter cloudtrax4",
         "allowsyncctl names": "cloud_ap.cloudtrax.com",
         "allowsyncctl why whitelist.ixon.cloud": "45.9.9.1", "allowsyncctl diff": "",
         "journalctl -u allowsyncd -x": "whitelist.ixon.cloud +45.9.9.1"}


def blocks(language=None):
    """Those in this language, or [(language, text)...] of all."""
    with open(f"{SOURCE}/README.md", encoding="utf-8") as f:
        found = re.findall(r"^```(\w*)\n(.*?)^```", f.read(), re.M | re.S)
    return [text for name, text in found if name == language] if language else found


def commands():
    return [line for b in blocks("sh") for line in b.splitlines() if line and line[0] != "#"]


def test_every_block_is_in_a_language_that_is_tried():
    assert {name for name, _ in blocks()} == LANGUAGES
    assert set(SHOWN) <= set(commands())


def test_commands_of_other_tests_are_in_the_readme_and_tested():
    for command, where in ELSEWHERE.items():
        assert command in commands()
        if where:
            module, function = where.split(".")
            with open(f"{SOURCE}/tests/netns/{module}.py", encoding="utf-8") as f:
                tree = ast.parse(f.read())
            assert function in [n.name for n in tree.body if isinstance(n, ast.FunctionDef)]


def elements(machine, name):
    return machine.node.run(["nft", "list", "set", "inet", "filter", name]).stdout


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
                                ["ixon.cloud", "cloudtrax.com"], RECORDS)
        ruleset = "".join(blocks("nft"))
        machine.node.nft(ruleset)
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
            assert r.returncode == 0, f"{command}: {r.returncode}\n{r.stdout}"
            assert SHOWN.get(command, "") in r.stdout, f"{command}\n{r.stdout}"
            if command == "systemctl reload allowsyncd":
                for name, element in FILLED.items():
                    wait_until(lambda n=name, e=element: e in elements(machine, n), 20, name)
                # That rules use the sets is seen a moment later.
                wait_until(lambda: machine.run("allowsyncctl", "status", check=False).returncode == 0,
                           20, lambda: machine.run("allowsyncctl", "status", check=False).stdout)
        for pattern in re.findall(r'include "(.*)"', ruleset):
            wait_until(lambda p=pattern: machine.run("sh", "-c", f"ls {p}", check=False).returncode
                       == 0, 20, f"{pattern} has been written")
    finally:
        machine.close()
