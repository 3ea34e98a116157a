# SPDX-License-Identifier: GPL-2.0-or-later
"""DNS answers that point inside, or nowhere: not used, said once, and nothing leaves because of them."""
import recipes
from recipes import ADDR4, ADDR6, becomes, name_of, resolve, status
from test_commit import NAME, OTHER, begin, give


def acme(daemon):
    return recipes.ctl_json(daemon, "vendors")[0]


def in_part(names, rule):
    """The note of a vendor."""
    return f"{names}: addresses that DNS gives are not used ({rule}), so that what it gives no longer stays"


def refused(daemon):
    return [e["MESSAGE"] for e in daemon.events("answer-refused")]


def test_private_answer_is_not_used_and_takes_nothing_away(make_lab):
    lab, daemon = begin(make_lab, f"s {ADDR4}")
    give(lab, daemon, "45.1.0.1", "45.1.0.2")
    give(lab, daemon, "10.1.2.3")
    give(lab, daemon, "10.1.2.3")
    assert set(lab.elements("s")) == {"45.1.0.1", "45.1.0.2"}
    assert refused(daemon) == [
        f"acme: {NAME} answered 10.1.2.3 (private): not used, 2 addresses kept. If it is meant: "
        "allow-private = 10.1.2.3 in [vendor acme]"]
    assert not daemon.events("name-failing"), "one entry is enough"
    assert name_of(daemon, NAME)["state"] == "stopped"
    assert name_of(daemon, NAME)["ipv4"]["outcome"] == "screened"
    assert daemon.ctl("status").returncode == 1
    give(lab, daemon, "45.1.0.3")
    assert set(lab.elements("s")) == {"45.1.0.3"}
    assert len(refused(daemon)) == 2 and "only addresses again that are used" in refused(daemon)[1]
    assert daemon.ctl("status").returncode == 0


def test_what_is_left_of_an_answer_enters_and_nothing_leaves(make_lab):
    lab, daemon = begin(make_lab, f"s {ADDR4}", f"six {ADDR6}")
    give(lab, daemon, "45.1.0.1", "2a00:1::1")
    give(lab, daemon, "45.1.0.2", "127.0.0.1", "169.254.1.1", "2a00:1::2", "fd00::1", "::ffff:45.1.0.9")
    assert set(lab.elements("s")) == {"45.1.0.1", "45.1.0.2"}
    assert set(lab.elements("six")) == {"2a00:1::1", "2a00:1::2"}
    v4, v6 = sorted(refused(daemon), key=lambda m: "::" in m)
    assert "answered 127.0.0.1 (loopback) and 1 more like that: not used, the other 1 of this answer is" in v4
    assert "(an IPv4 address in IPv6) and 1 more" in v6 and "If it is meant" not in v6
    assert acme(daemon)["notes"] == [in_part(NAME, "loopback")] and acme(daemon)["state"] == "ok"
    # A whole answer decides again; there is one for each family.
    give(lab, daemon, "45.1.0.2", "2a00:1::2", "fd00::1")
    assert set(lab.elements("s")) == {"45.1.0.2"}
    assert acme(daemon)["notes"] == [in_part(NAME, "private")]
    give(lab, daemon, "45.1.0.2", "2a00:1::2")
    assert set(lab.elements("s")) == {"45.1.0.2"} and set(lab.elements("six")) == {"2a00:1::2"}
    assert daemon.ctl("status").returncode == 0 and not acme(daemon)["notes"]


def test_the_vendors_note_is_of_the_names_that_resolve_and_calls_the_first(make_lab):
    lab, daemon = begin(make_lab, f"s {ADDR4}", profile=recipes.profile({"name": [NAME, OTHER]}))
    give(lab, daemon, "45.1.0.1", "169.254.1.1")
    give(lab, daemon, "45.2.0.1", "10.1.2.3", name=OTHER)
    assert acme(daemon)["notes"] == [in_part(f"{NAME} and others", "link-local")]
    assert in_part(f"{NAME} and others", "link-local") in daemon.ctl("vendors").stdout
    # Of whose answer nothing is used, that is a problem.
    give(lab, daemon, "10.1.2.3", name=OTHER)
    assert acme(daemon)["notes"] == [in_part(NAME, "link-local")]
    assert acme(daemon)["problems"] == [f"{OTHER}: screened (private), its 1 address kept"]
    give(lab, daemon, "45.1.0.1")
    assert not acme(daemon)["notes"]


def test_that_nothing_is_left_of_an_answer_is_told_also_where_a_part_was_refused_before(make_lab):
    lab, daemon = begin(make_lab, f"s {ADDR4}")
    give(lab, daemon, "10.1.2.3", "45.1.0.1")
    for _ in range(2):
        give(lab, daemon, "10.1.2.3")
    assert set(lab.elements("s")) == {"45.1.0.1"} and name_of(daemon, NAME)["state"] == "stopped"
    assert len(refused(daemon)) == 1, "the same rule is no news"
    (entry,) = daemon.events("name-failing")
    assert "screened: private from" in entry["MESSAGE"] and "keeping its 1 address" in entry["MESSAGE"]
    before = len(daemon.events("name-recovered"))
    give(lab, daemon, "10.1.2.3", "45.1.0.1")
    assert len(daemon.events("name-recovered")) == before + 1 and len(refused(daemon)) == 1


def test_a_resolver_that_blocks_the_name_is_called_so(make_lab):
    lab, daemon = begin(make_lab, f"s {ADDR4}")
    give(lab, daemon, "45.1.0.1")
    give(lab, daemon, "0.0.0.0")
    assert set(lab.elements("s")) == {"45.1.0.1"}
    assert refused(daemon) == [f"acme: {NAME} answered 0.0.0.0: the resolver blocks this name; "
                               "its 1 address is kept"]
    assert acme(daemon)["problems"] == [f"{NAME}: screened (the resolver blocks it), its 1 address kept"]
    assert "addresses are not used (the resolver blocks it)" in daemon.ctl("show", NAME).stdout
    # The same, whatever the address that it gives instead; told again only after it was over.
    give(lab, daemon, "127.0.0.1")
    assert len(refused(daemon)) == 1
    give(lab, daemon, "45.1.0.1", "2a00:1::1")
    give(lab, daemon, "45.1.0.1", "::")
    assert refused(daemon)[2] == f"acme: {NAME} answered ::: the resolver blocks this name; its 1 address is kept"


def test_a_name_that_never_gave_anything_else_is_no_degradation(make_lab):
    lab, daemon = begin(make_lab, f"s {ADDR4}")
    give(lab, daemon, "192.168.1.1")
    assert not lab.elements("s") and len(refused(daemon)) == 1
    assert daemon.ctl("status").returncode == 0
    assert name_of(daemon, NAME)["state"] == "never"


def test_what_the_admin_allows_is_used_at_once_after_a_reload(make_lab):
    lab, daemon = begin(make_lab, f"s {ADDR4}")
    give(lab, daemon, "10.1.2.3", "10.2.0.1")
    assert not lab.elements("s")
    daemon.configure(recipes.resolver() + recipes.vendors("acme") + "allow-private = 10.1.0.0/16\n"
                     + recipes.sets("s acme"))
    daemon.reload()
    becomes(lambda: set(lab.elements("s")) == {"10.1.2.3"}, "asked again, and used")
    give(lab, daemon, "10.1.2.3")
    assert set(lab.elements("s")) == {"10.1.2.3"} and status(daemon)["state"] == "healthy"
    # What is not allowed any more leaves at once.
    daemon.configure(recipes.resolver() + recipes.vendors("acme") + recipes.sets("s acme"))
    daemon.reload()
    assert not lab.elements("s") and not name_of(daemon, NAME)["ipv4"]["addresses"]
    give(lab, daemon, "10.1.2.3", "45.1.0.1")
    assert set(lab.elements("s")) == {"45.1.0.1"}


def test_a_refused_answer_is_asked_for_again_in_minutes_but_at_once_after_a_reload(make_lab):
    lab, daemon = begin(make_lab, f"s {ADDR4}")
    for _ in range(8):
        give(lab, daemon, "10.1.2.3")
    v4 = name_of(daemon, NAME)["ipv4"]
    assert v4["failures"] >= 8 and v4["next"] - v4["asked"] > 200, "nobody mends that in a second"
    daemon.configure(recipes.resolver() + recipes.vendors("acme") + "allow-private = 10.1.2.3\n"
                     + recipes.sets("s acme"))
    daemon.reload()
    becomes(lambda: set(lab.elements("s")) == {"10.1.2.3"}, "not after minutes")


def begin_two(make_lab, allow="10.1.0.0/16", **more):
    """Two vendors with the same name: the first one may have what is private, the second may not."""
    lab = make_lab(ruleset=recipes.table(f"s {ADDR4}", f"t {ADDR4}"), cache=False)
    daemon = lab.daemon(two(allow))
    daemon.profile("acme", recipes.profile({"name": NAME}))
    daemon.profile("other", recipes.profile({"name": NAME, **more}))
    daemon.start()
    return lab, daemon


def two(allow):
    return (recipes.resolver() + recipes.vendors("acme") + (allow and f"allow-private = {allow}\n")
            + recipes.vendors("other") + recipes.sets("s acme", "t other"))


def test_what_one_vendor_may_have_is_no_gift_to_another_with_the_same_name(make_lab):
    lab, daemon = begin_two(make_lab)
    for _ in range(2):
        give(lab, daemon, "10.1.0.3", "45.1.0.1")
    assert set(lab.elements("s")) == {"10.1.0.3", "45.1.0.1"}
    assert set(lab.elements("t")) == {"45.1.0.1"}
    (said,) = daemon.events("answer-refused")
    assert said["MESSAGE"] == (
        f"other: {NAME} has 10.1.0.3 (private): not used for other/e0, only for others that have this "
        "name. If it is meant: allow-private = 10.1.0.3 in [vendor other]")
    assert said["ALLOWSYNC_VENDOR"] == "other" and said["ALLOWSYNC_ENDPOINT"] == "e0"
    assert daemon.ctl("why", "10.1.0.3").stdout.count("other") == 0
    seen = {a["address"]: a.get("not_for") for a in name_of(daemon, NAME)["ipv4"]["addresses"]}
    assert seen == {"10.1.0.3": ["other/e0 (private)"], "45.1.0.1": None}
    assert "not for other/e0 (private)" in daemon.ctl("show", NAME).stdout
    # Nor by a reload, nor when the set is filled anew.
    daemon.reload()
    recipes.delete_set(lab, "t")
    becomes(lambda: not recipes.set_of(daemon, "t")["elements"], "gone")
    recipes.add_set(lab, f"t {ADDR4}")
    becomes(lambda: set(lab.elements("t")) == {"45.1.0.1"}, "filled again")
    assert len(refused(daemon)) == 1
    give(lab, daemon, "45.1.0.1")
    assert set(lab.elements("s")) == set(lab.elements("t")) == {"45.1.0.1"}
    give(lab, daemon, "45.1.0.1")
    assert refused(daemon)[1:] == [f"other: {NAME} has only addresses again that are used for other/e0"]
    give(lab, daemon, "10.1.0.3", "45.1.0.1")
    assert len(refused(daemon)) == 3, "and the next time is told again"


def test_what_is_not_for_an_endpoint_is_told_and_shown_once_for_each_family(make_lab):
    """However many sets it is in, and whoever else has that name."""
    lab = make_lab(ruleset=recipes.table(f"s {ADDR4}", f"t {ADDR4}", f"six {ADDR6}"), cache=False)
    daemon = lab.daemon(recipes.resolver() + recipes.vendors("acme")
                        + "allow-private = 10.0.0.0/8, fd00::/8\n" + recipes.vendors("one", "two")
                        + recipes.sets("s acme, one, two", "t one, two", "six acme, one, two"))
    for vendor, more in (("acme", {}), ("one", {"expect": "45.1.0.0/16, 10.0.0.0/8, 2a00:1::/32"}),
                         ("two", {})):
        daemon.profile(vendor, recipes.profile({"name": NAME, **more}))
    daemon.start()
    for _ in range(2):
        give(lab, daemon, "10.1.0.3", "45.1.0.1", "fd00::1", "2a00:1::1")
    why = ["one/e0 (private)", "two/e0 (private)"]
    assert sorted(m.split(": not used for")[0] for m in refused(daemon)) == [
        f"{v}: {NAME} has {a} (private)" for v in ("one", "two") for a in ("10.1.0.3", "fd00::1")]
    shown = name_of(daemon, NAME)
    assert [a.get("not_for") for a in shown["ipv4"]["addresses"]] == [why, None]
    assert [a.get("not_for") for a in shown["ipv6"]["addresses"]] == [None, why]
    # In one family it is over, in the other one of them has another reason.
    for _ in range(2):
        give(lab, daemon, "45.1.0.1", "45.2.0.1", "fd00::1", "2a00:1::1")
    assert refused(daemon)[4:] == [
        f"one: {NAME} has 45.2.0.1 (not in expect): not used for one/e0, only for others that have this "
        "name. If it is meant: expect = 45.2.0.1 in [endpoint e0] of vendors/one.conf.d/*.conf",
        f"two: {NAME} has only addresses again that are used for two/e0"]
    assert [a.get("not_for") for a in name_of(daemon, NAME)["ipv4"]["addresses"]] == [
        None, ["one/e0 (not in expect)"]]
    assert [a.get("not_for") for a in name_of(daemon, NAME)["ipv6"]["addresses"]] == [None, why]


def test_what_is_not_expected_is_refused_and_told_with_what_to_write(make_lab):
    lab, daemon = begin(make_lab, f"s {ADDR4}", profile=recipes.profile(
        {"name": NAME, "expect": "45.1.0.0/16, 10.0.0.0/8"}))
    for _ in range(2):
        give(lab, daemon, "45.1.0.1", "45.2.0.1", "10.0.0.1")
    assert set(lab.elements("s")) == {"45.1.0.1"}
    (said,) = refused(daemon)
    assert "answered 10.0.0.1 (private) and 1 more like that" in said, "to expect it does not allow it"
    give(lab, daemon, "45.2.0.1")
    assert refused(daemon)[1] == (
        f"acme: {NAME} answered 45.2.0.1 (not in expect): not used, 1 address kept. If it is meant: "
        "expect = 45.2.0.1 in [endpoint e0] of vendors/acme.conf.d/*.conf")
    # The admin writes just that; then takes the whole list back.
    daemon.write("etc/allowsyncd/vendors/acme.conf.d/mine.conf", "[endpoint e0]\nexpect = 45.2.0.1\n")
    daemon.reload()
    becomes(lambda: set(lab.elements("s")) == {"45.2.0.1"}, "asked again, and used")
    give(lab, daemon, "45.3.0.1")
    assert set(lab.elements("s")) == {"45.2.0.1"}
    daemon.write("etc/allowsyncd/vendors/acme.conf.d/mine.conf", "[endpoint e0]\nexpect =\n")
    daemon.reload()
    becomes(lambda: set(lab.elements("s")) == {"45.3.0.1"}, "asked again, and used")


def test_what_one_endpoint_expects_binds_no_other_with_the_same_name(make_lab):
    lab, daemon = begin_two(make_lab, allow="", expect="45.1.0.0/16")
    give(lab, daemon, "45.1.0.1", "45.2.0.1", "45.3.0.1")
    assert set(lab.elements("s")) == {"45.1.0.1", "45.2.0.1", "45.3.0.1"}
    assert set(lab.elements("t")) == {"45.1.0.1"}
    assert refused(daemon) == [
        f"other: {NAME} has 45.2.0.1 (not in expect) and 1 more like that: not used for other/e0, only "
        "for others that have this name. If it is meant: expect = 45.2.0.1 in [endpoint e0] of "
        "vendors/other.conf.d/*.conf"]
    assert daemon.ctl("status").returncode == 0


def test_static_addresses_are_the_admins_own_matter(make_lab):
    lab, daemon = begin(make_lab, f"s {ADDR4}", profile=recipes.profile({"address": "10.7.7.7"}))
    resolve(daemon)
    assert set(lab.elements("s")) == {"10.7.7.7"} and not refused(daemon)


def test_the_gateways_own_networks_are_no_place_for_a_public_name(make_lab):
    """Its addresses, and the prefixes behind it; not the provider's, where its default route goes."""
    lab, daemon = begin(make_lab, f"s {ADDR4}")
    lab.gateway.ip("addr add 46.7.7.1/24 dev lan", "addr add 46.8.8.1/24 dev wan")

    def is_refused():
        give(lab, daemon, "46.7.6.9", "46.7.7.9", "46.8.8.1", "46.8.8.9")
        return refused(daemon)

    becomes(is_refused, "heard within a moment: until then an answer may still be used, and is")
    assert "answered 46.7.7.9 (this router's own network)" in refused(daemon)[0]
    assert {"46.7.6.9", "46.8.8.9"} <= set(lab.elements("s"))
    lab.gateway.ip("addr del 46.7.7.1/24 dev lan", "addr del 46.8.8.1/24 dev wan")
    becomes(lambda: {"46.7.7.9", "46.8.8.1"} <= set(lab.elements("s")), "asked again, and used")


def removed(daemon, element):
    return [e["ALLOWSYNC_REASON"] for e in daemon.events("changed")
            if element in e.get("ALLOWSYNC_REMOVED", "")]


def test_what_becomes_the_gateways_own_leaves_at_once_and_is_asked_for_when_it_is_no_longer(make_lab):
    lab, daemon = begin(make_lab, f"s {ADDR4}")
    lab.dns.set(NAME, "A", ["45.1.0.1", "46.7.7.9"], 3600)
    resolve(daemon)
    assert set(lab.elements("s")) == {"45.1.0.1", "46.7.7.9"}
    lab.gateway.ip("addr add 46.7.7.1/24 dev lan")
    becomes(lambda: set(lab.elements("s")) == {"45.1.0.1"}, "gone, long before its TTL is over")
    assert removed(daemon, "46.7.7.9") == ["screened"]
    becomes(lambda: refused(daemon), "asked again, and told why")
    assert len(refused(daemon)) == 1 and "46.7.7.9 (this router's own network)" in refused(daemon)[0]
    assert "screened" in daemon.ctl("why", "46.7.7.9").stdout
    lab.gateway.ip("addr del 46.7.7.1/24 dev lan")
    becomes(lambda: set(lab.elements("s")) == {"45.1.0.1", "46.7.7.9"}, "asked again, and used")
    becomes(lambda: len(refused(daemon)) == 2, "and told")


def test_what_becomes_the_gateways_own_stays_for_whom_it_is_meant(make_lab):
    lab, daemon = begin_two(make_lab, allow="46.7.7.0/24")
    lab.dns.set(NAME, "A", ["46.7.7.9"], 3600)
    resolve(daemon)
    assert set(lab.elements("s")) == set(lab.elements("t")) == {"46.7.7.9"}
    monitor = lab.monitor()
    lab.gateway.ip("addr add 46.7.7.1/24 dev lan")
    becomes(lambda: not lab.elements("t"), "gone")
    assert removed(daemon, "46.7.7.9") == ["screened"]
    (shown,) = name_of(daemon, NAME)["ipv4"]["addresses"]
    assert shown["not_for"] == ["other/e0 (this router's own network)"]
    lab.gateway.ip("addr del 46.7.7.1/24 dev lan")
    becomes(lambda: set(lab.elements("t")) == {"46.7.7.9"}, "back, without DNS")
    assert {k[1] for g in monitor.changes() for k in g.added + g.removed} == {"t"}


def test_a_reload_that_expects_less_takes_the_rest_out_at_once(make_lab):
    lab, daemon = begin_two(make_lab, allow="", expect="45.1.0.0/16, 45.2.0.0/16")
    lab.dns.set(NAME, "A", ["45.1.0.1", "45.2.0.1"], 3600)
    resolve(daemon)
    assert set(lab.elements("t")) == {"45.1.0.1", "45.2.0.1"}
    daemon.write("etc/allowsyncd/vendors/other.conf.d/less.conf",
                 "[endpoint e0]\nexpect =\nexpect = 45.1.0.0/16\n")
    daemon.reload()
    assert set(lab.elements("t")) == {"45.1.0.1"} and set(lab.elements("s")) == {"45.1.0.1", "45.2.0.1"}
    resolve(daemon)
    assert len(refused(daemon)) == 1
    daemon.write("etc/allowsyncd/vendors/other.conf.d/less.conf", "[endpoint e0]\nexpect =\n")
    daemon.reload()
    assert set(lab.elements("t")) == {"45.1.0.1", "45.2.0.1"}, "known, so at once"
    resolve(daemon)
    assert len(refused(daemon)) == 2


def test_where_the_gateway_is_itself_is_known_before_the_first_answer_is_used(make_lab):
    """However many routes there are to be read."""
    lab = make_lab(ruleset=recipes.table(f"s {ADDR4}"), cache=False)
    lab.gateway.ip("addr add 46.7.7.1/24 dev lan")
    lab.gateway.run(["ip", "-batch", "-"], check=True, input="".join(
        f"route add unreachable 100.{64 + i // 256}.{i % 256}.0/28\n" for i in range(8192)))
    lab.dns.set(NAME, "A", ["45.1.0.1", "46.7.7.9"], 3600)
    daemon = lab.daemon(recipes.resolver() + recipes.vendors("acme") + recipes.sets("s acme"))
    daemon.profile("acme", recipes.profile({"name": NAME}))
    daemon.start()
    becomes(lambda: lab.elements("s"), "the answer is used")
    resolve(daemon)
    assert set(lab.elements("s")) == {"45.1.0.1"} and refused(daemon)
    assert not removed(daemon, "46.7.7.9"), "it never stood there"
