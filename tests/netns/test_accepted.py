# SPDX-License-Identifier: GPL-2.0-or-later
"""Broken files at a start: the configuration that was accepted last runs instead."""
import os
import shutil

import pytest

import recipes
from recipes import ADDR4, becomes, resolve, status

EX_CONFIG = 78
NAME, OTHER = "a.example.com", "b.example.com"
ACME = recipes.profile({"endpoint": "servers", "name": NAME})
CONFIG = recipes.resolver() + recipes.vendors("acme") + recipes.sets("s acme")
PROFILE = "etc/allowsyncd/vendors/acme.conf"


def begin(make_lab, config=CONFIG):
    """A daemon that ran once, and was stopped."""
    lab = make_lab(ruleset=recipes.table(f"s {ADDR4}"), cache=False)
    lab.dns.edit([(NAME, "A", ["45.1.0.1"], 60), (OTHER, "A", ["45.1.0.2"], 60)])
    daemon = lab.daemon(config)
    daemon.profile("acme", ACME)
    daemon.write("etc/allowsyncd/vendors/acme.conf.d/more.conf",
                 f"[endpoint more]\nname = {OTHER}\nallow = tcp/443\n")
    resolve(daemon.start())
    daemon.stop()
    assert set(lab.elements("s")) == {"45.1.0.1", "45.1.0.2"}
    return lab, daemon


def copies(daemon):
    return f"{daemon.root}/var/lib/allowsyncd/accepted"


def digest(daemon):
    with open(f"{copies(daemon)}/current", encoding="ascii") as f:
        return f.read().strip()


BREAKS = {
    "a slip": lambda d: d.configure(CONFIG + "nonsense\n"),
    "the main file is gone": lambda d: os.unlink(f"{d.root}/etc/allowsyncd/allowsyncd.conf"),
    "a profile is gone": lambda d: os.unlink(f"{d.root}/{PROFILE}"),
    "a broken profile": lambda d: d.write(PROFILE, "[profil]\n"),
    "a directory in its place": lambda d: (os.unlink(f"{d.root}/{PROFILE}"),
                                           os.mkdir(f"{d.root}/{PROFILE}")),
}


@pytest.mark.parametrize("what", BREAKS)
def test_configuration_accepted_last_runs_in_place_of_broken_files(make_lab, what):
    lab, daemon = begin(make_lab)
    accepted = digest(daemon)
    BREAKS[what](daemon)
    # Not only kept: what DNS says goes on being followed, of the profile's drop-in too.
    lab.dns.edit([(NAME, "A", ["45.1.0.3"], 60), (OTHER, "A", ["45.1.0.4"], 60)])
    resolve(daemon.start())
    becomes(lambda: set(lab.elements("s")) == {"45.1.0.3", "45.1.0.4"}, "the new addresses")
    (told,) = daemon.events("config-instead")
    assert told["PRIORITY"] == "3" and accepted in told["MESSAGE"]
    assert any(e["PRIORITY"] == "3" for e in daemon.events("config-diag"))
    shown = status(daemon)
    assert shown["config"]["digest"] == accepted and shown["state"] == "degraded"
    assert any("accepted last runs instead" in d["what"] for d in shown["degraded"])


def test_reload_with_mended_files_ends_it(make_lab):
    lab, daemon = begin(make_lab)
    accepted = digest(daemon)
    daemon.configure(CONFIG + "nonsense\n")
    resolve(daemon.start())
    r = daemon.ctl("reload")
    assert r.returncode == 78 and status(daemon)["config"]["digest"] == accepted
    daemon.configure(CONFIG + "[mark]\nvalue = 0x2\n")
    assert daemon.ctl("reload").returncode == 0
    shown = status(daemon)
    assert shown["state"] == "healthy" and shown["config"]["digest"] == digest(daemon) != accepted
    # One copy is kept, and it is that of what was accepted last.
    assert sorted(os.listdir(copies(daemon))) == sorted([digest(daemon), "current"])
    assert "45.1.0.1" in lab.elements("s")


def test_what_a_refused_reload_brought_is_never_kept(make_lab):
    _, daemon = begin(make_lab)
    accepted = digest(daemon)
    daemon.start()
    daemon.configure(CONFIG + "nonsense\n")
    assert daemon.ctl("reload").returncode == 78
    daemon.stop()
    assert digest(daemon) == accepted
    daemon.start()
    assert status(daemon)["config"]["digest"] == accepted


def damage_a_file(daemon):
    with open(f"{copies(daemon)}/{digest(daemon)}/{PROFILE}", "a", encoding="ascii") as f:
        f.write(f"[endpoint evil]\nname = {OTHER}\nallow = tcp/22\n")


DAMAGES = {
    "a file with more in it": damage_a_file,
    "a file more": lambda d: shutil.copy(
        f"{d.root}/etc/allowsyncd/vendors/acme.conf.d/more.conf",
        f"{copies(d)}/{digest(d)}/etc/allowsyncd/vendors/acme.conf.d/other.conf"),
    "no copy": lambda d: shutil.rmtree(f"{copies(d)}/{digest(d)}"),
    "no digest": lambda d: d.write("var/lib/allowsyncd/accepted/current", "../../../etc\n"),
    "two lines": lambda d: d.write("var/lib/allowsyncd/accepted/current", digest(d) + "\n\n"),
    "nothing": lambda d: d.write("var/lib/allowsyncd/accepted/current", ""),
    "endless": lambda d: d.write("var/lib/allowsyncd/accepted/current", "0" * 100000),
}


@pytest.mark.parametrize("how", DAMAGES)
def test_damaged_copy_is_not_run_and_said_to_be_so(make_lab, how):
    lab, daemon = begin(make_lab)
    DAMAGES[how](daemon)
    daemon.configure(CONFIG + "nonsense\n")
    daemon.start(wait=False)
    assert daemon.process.wait(20) == EX_CONFIG
    (told,) = daemon.events("config-broken")
    assert "the copy kept of the last one" in told["MESSAGE"]
    assert set(lab.elements("s")) == {"45.1.0.1", "45.1.0.2"}


def test_release_without_a_daemon_goes_by_the_copy(make_lab):
    lab, daemon = begin(make_lab)
    daemon.configure("nonsense\n")
    r = daemon.ctl("release", "--root", daemon.root)
    assert r.returncode == 0, r.stdout
    assert not lab.elements("s")


def test_copy_that_cannot_be_kept_is_told_and_nothing_else_fails(make_lab):
    lab, daemon = begin(make_lab)
    shutil.rmtree(copies(daemon))
    daemon.write("var/lib/allowsyncd/accepted", "a file\n")
    resolve(daemon.start())
    assert any("no copy of the configuration could be kept" in e["MESSAGE"]
               for e in daemon.entries(PRIORITY="4"))
    assert set(lab.elements("s")) == {"45.1.0.1", "45.1.0.2"}
