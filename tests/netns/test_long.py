# SPDX-License-Identifier: GPL-2.0-or-later
"""Six hours (LONG_HOURS) at forty times the speed of the clock, in an extended run; else some minutes:
names that rotate, fail and come back all the time. Memory and descriptors stay as they are."""
import os
import random
import time

import recipes
from faultdns import FaultDns
from recipes import ADDR4, ADDR6, becomes, resolve, status

FAULTS = "45.53.0.54"
RATE = 40
EXTENDED = os.environ.get("ALLOWSYNCD_EXTENDED")
HOURS = float(os.environ.get("LONG_HOURS") or (6 if EXTENDED else 0.1))
NAMES = [f"n{i}.example.com" for i in range(60)]
KINDS = ["rotate-3", "rotate-8", "many-5", "ttl-1", "ttl-30", "unequal", "ttl-0", "ok", "servfail",
         "refused", "silent", "nx", "nodata", "garbage", "short", "chain-4", "mixed", "tc", "lost-2",
         "v6silent", "private", "cnameloop", "slow-20"]
# Two hours fill the lingers and summaries of what rotates; after them a run differs by a hundredth.
SAMPLES, SETTLED, SETTLED_HOURS = 12, 4, 2
GROWTH_MAX = 1.08
MEMORY_MAX_KIB = 48 * 1024
IN_FLIGHT_MAX = 64  # each has a socket of its own
SEED = int(os.environ.get("TEST_SEED", "40"))


def descriptors(daemon):
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


def resting(daemon):
    """How many it has while no question is under way, and nobody is at the control socket."""
    counts = []
    for _ in range(300):
        counts.append(descriptors(daemon))
        time.sleep(0.001)  # it comes to rest meanwhile
    return min(counts)


def test_hours_at_forty_times_the_speed_leave_memory_and_descriptors_as_they_are(make_lab):
    lab = make_lab(ruleset=recipes.table(f"s {ADDR4}", f"six {ADDR6}"), cache=False)
    # By default a name rests for some seconds of ours: before the first order, and after the last.
    dns = FaultDns(lab.internet, lab.directory, FAULTS, default="ttl-120")
    # A second of the server's is 40 of the daemon's.
    daemon = lab.daemon(f"[resolver]\nserver = {FAULTS}\nrefresh-min = 1s\ntimeout = 30s\n"
                        "tries = 1\n" + recipes.vendors("acme") + recipes.sets("s acme", "six acme"),
                        plain=True, fake_time=True, rate=RATE)
    daemon.profile("acme", recipes.profile({"name": NAMES}))
    daemon.start(timeout=60)
    chance, samples = random.Random(SEED), []
    resolve(daemon)
    quiet = resting(daemon)
    begun, first = time.monotonic(), status(daemon)["now"]
    while len(samples) < SAMPLES:
        for _ in range(5):
            dns.set(chance.choice(NAMES), chance.choice(KINDS))
        daemon.ctl("names")
        time.sleep(0.2)  # what is measured is time that passes
        if time.monotonic() - begun > HOURS * 3600 / RATE * (len(samples) + 1) / SAMPLES:
            samples.append((daemon.resident_kib(), descriptors(daemon)))
    passed = (status(daemon)["now"] - first) / 3600
    asked = len(dns.questions())
    print(f"seed {SEED}: {passed:.1f} h, {asked} questions, {len(daemon.events('summary'))} summaries; "
          + ", ".join(f"{kib} KiB {fds} fds" for kib, fds in samples))
    assert passed >= HOURS * 0.95, "the clock went at that speed"
    assert asked > 4 * len(NAMES), "asked again and again"
    assert max(fds for _, fds in samples) <= quiet + IN_FLIGHT_MAX + 16, samples
    assert max(kib for kib, _ in samples) < MEMORY_MAX_KIB, samples
    if HOURS * SETTLED / SAMPLES >= SETTLED_HOURS:
        settled = max(kib for kib, _ in samples[:SETTLED])
        assert max(kib for kib, _ in samples[SETTLED:]) <= settled * GROWTH_MAX, samples
    dns.clear()
    becomes(lambda: resting(daemon) <= quiet, "the descriptors of the beginning", 60)
