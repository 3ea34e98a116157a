# SPDX-License-Identifier: GPL-2.0-or-later
"""What users of other software for this job suffered from, as far as resolving is concerned: each
complaint has a test here that says what it was, or is in ELSEWHERE."""
import ast
import os

import pytest
import recipes
from faultdns import FaultDns, address
from recipes import ADDR4, becomes, ctl_json, name_of, resolve, status

FAULTS = "45.53.0.54"
A, B = "a.example.com", "b.example.com"

ELSEWHERE = {
    # What was resolved leaves while the resolver is away.
    "pfSense filterdns purges on failure": "test_router.test_outage_of_the_resolver_changes_nothing",
    "two names with one address: the second add failed the start":
        "test_router.test_two_names_share_an_element",
    "antrea#6229": "test_time.test_the_default_linger_is_the_largest_ttl_between_a_minute_and_an_hour",
    "NethServer/nethsecurity#880":
        "test_fuse.test_elements_are_renewed_while_the_daemon_lives_and_gone_after_it",
    "NethServer/nethsecurity#1373": "test_watch.test_one_element_taken_out_is_put_back",
    "AdGuardHome#6233": "test_watch.test_an_emptied_set_is_refilled_at_once_and_says_by_whom",
    "mosdns#902": "test_fuse.test_elements_that_ended_while_it_was_stopped_are_back_when_it_goes_on",
    "smartdns#2454": "test_fuse.test_elements_are_renewed_while_the_daemon_lives_and_gone_after_it",
    "smartdns#1510": "test_watch.test_a_reload_of_the_admins_file_is_refilled_without_dns",
    "cs-firewall-bouncer#182": "test_commit.test_a_deleted_table_is_found_again_and_refilled",
    "pbr#155": "test_reload_gap.test_no_packet_is_lost_by_reloads_that_include_the_elements",
    "pbr#158": "test_verbs.test_reload_purges_what_left_in_one_transaction",
    "agent-glovebox#5460": "test_screen.test_private_answer_is_not_used_and_takes_nothing_away",
    "firehol#17": "test_saved.test_restart_without_dns_keeps_what_the_last_run_knew",
    "cilium#31803": "test_kinds.test_every_kind_of_set_holds_what_it_should_all_its_life",
}


@pytest.mark.parametrize("complaint", ELSEWHERE)
def test_what_is_tested_elsewhere_is_there(complaint):
    module, function = ELSEWHERE[complaint].split(".")
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), module + ".py")
    with open(path, encoding="utf-8") as f:
        tree = ast.parse(f.read())
    assert function in [n.name for n in tree.body if isinstance(n, ast.FunctionDef)]


@pytest.fixture
def begin(make_lab):
    """begin(names of vendor acme, resolver keys) -> lab, dns, daemon, which is not started yet."""
    made = []

    def make(*names, default="ttl-60", fake_time=False, server=FAULTS, **keys):
        lab = make_lab(ruleset=recipes.table(f"s {ADDR4}", f"other {ADDR4}"), cache=False)
        made.append(FaultDns(lab.internet, lab.directory, FAULTS, default=default))
        text = f"[resolver]\nserver = {server}\n" if server else "[resolver]\n"
        for key, value in {"timeout": "200ms", "tries": "1", **keys}.items():
            text += f"{key.replace('_', '-')} = {value}\n"
        daemon = lab.daemon(text + recipes.vendors("acme") + recipes.sets("s acme"),
                            fake_time=fake_time)
        daemon.profile("acme", recipes.profile({"name": list(names)}))
        return lab, made[-1], daemon

    yield make
    for dns in made:
        dns.close()


def test_a_name_that_never_resolves_is_shown(begin):
    """opnsense/core#3737: unresolved names were silently ignored."""
    _, dns, daemon = begin(A, B)
    dns.set(B, "nx")
    daemon.start()
    resolve(daemon)
    assert name_of(daemon, B)["state"] == "never"
    assert B in daemon.ctl("status").stdout and B in daemon.ctl("names").stdout
    assert status(daemon)["state"] == "healthy", "a note, no trouble"


@pytest.mark.parametrize("kind", ["nx", "servfail", "silent", "garbage"])
def test_a_name_in_trouble_keeps_no_other_from_its_set(begin, kind):
    """One NXDOMAIN aborted all of a start script."""
    lab, dns, daemon = begin(B, A)
    dns.set(B, kind)
    daemon.start()
    becomes(lambda: list(lab.elements("s")) == [address(A)], "the other one's address")


def test_a_name_that_is_known_feeds_a_set_that_comes_later(begin):
    """pfSense/FreeBSD-ports#714: a second alias with a known name was never filled."""
    lab, dns, daemon = begin(A)
    daemon.start()
    resolve(daemon)
    dns.set("*", "silent")
    daemon.profile("late", recipes.profile({"name": A}))
    text = f"[resolver]\nserver = {FAULTS}\ntimeout = 200ms\ntries = 1\n"
    daemon.configure(text + recipes.vendors("acme", "late") + recipes.sets("s acme", "other late"))
    daemon.reload()
    assert list(lab.elements("other")) == [address(A)], "without a word of DNS"


def test_a_pool_that_shows_eight_at_a_time_is_there_as_a_whole(begin):
    """cilium#5310, #28427: S3 answers 8 of a very large set."""
    lab, _, daemon = begin(A, default="rotate-8", linger="1h", refresh_min="1s")
    daemon.start()
    for _ in range(5):
        resolve(daemon)
    assert len(lab.elements("s")) > 16, "what was given before, stays"
    assert {a["address"] for a in name_of(daemon, A)["ipv4"]["addresses"]} == set(lab.elements("s"))


def test_an_address_outlives_the_shorter_ttl_of_another(begin):
    """antrea#6722: one TTL for the whole answer evicted early."""
    lab, dns, daemon = begin(A, default="unequal", fake_time=True)
    daemon.start()
    resolve(daemon)
    three = {address(A, "A", i) for i in (1, 2, 3)}
    assert set(lab.elements("s")) == three
    dns.set("*", "silent")
    daemon.jump(2)
    becomes(lambda: name_of(daemon, A)["ipv4"]["outcome"] == "timeout", "asked again in vain")
    daemon.jump(7200)
    recipes.turn(daemon)
    assert set(lab.elements("s")) == three


def test_names_are_asked_as_they_are_written(begin):
    """opnsense#3861: the search domain was appended."""
    lab, dns, daemon = begin(A, B, server=None)
    path = f"{lab.directory}/resolv.conf"
    with open(path, "w", encoding="ascii") as f:
        f.write(f"search lan.example\noptions ndots:5\nnameserver {FAULTS}\n")
    daemon.arguments += ["--resolv-conf", path]
    dns.set(B, "nx")
    daemon.start()
    resolve(daemon)
    assert list(lab.elements("s")) == [address(A)]
    # In whichever letters: newer c-ares asks in random ones (0x20).
    assert {q["name"].rstrip(".").lower() for q in dns.questions()} == {A, B}


def test_when_a_name_was_and_will_be_asked_is_shown(begin):
    """banIP#26316: "when is it refreshed?" had no answer."""
    _, _, daemon = begin(A, default="ttl-600")
    daemon.start()
    resolve(daemon)
    becomes(lambda: "next" in name_of(daemon, A)["ipv4"], "answered")
    v4 = name_of(daemon, A)["ipv4"]
    assert 599 <= v4["next"] - v4["answered"] <= 601
    assert all("next" in n["ipv4"] for n in ctl_json(daemon, "names"))


def test_a_bound_on_the_refresh_is_kept_whatever_the_ttl(begin):
    """Adyen asks for a new look at least every 60 s."""
    _, dns, daemon = begin(A, default="ttl-3600", fake_time=True, refresh_max="60s")
    daemon.start()
    resolve(daemon)
    for _ in range(3):
        before = len(dns.questions(A, "A"))
        daemon.jump(58)
        recipes.turn(daemon)
        assert len(dns.questions(A, "A")) == before
        daemon.jump(3)
        becomes(lambda n=before: len(dns.questions(A, "A")) == n + 1, "asked when the minute is over")
        becomes(lambda: "next" in name_of(daemon, A)["ipv4"], "answered")
