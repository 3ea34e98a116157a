# SPDX-License-Identifier: GPL-2.0-or-later
"""What packaging/quickstart shows. Runs in private namespaces that packaging/quickstart makes."""
import os
import re
import signal
import subprocess
import sys
import textwrap
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(SOURCE, "tests", "netns"))

from lab import Lab, build_dir  # noqa: E402
from servers import Journal  # noqa: E402
from spaces import isolate, wait_until  # noqa: E402

VENDORS = ["ixon", "digi", "cloudtrax", "ray", "ringio"]
NAME = "whitelist.ixon.cloud"
TTL, LINGER = 4, 4

RULESET = """\
table inet filter {
	set ixon4    { type ipv4_addr . inet_proto . inet_service; }
	set ixon6    { type ipv6_addr . inet_proto . inet_service; }
	set vendors4 { type ipv4_addr . inet_proto . inet_service; }
	set ray4     { type ipv4_addr . inet_proto . inet_service; }

	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state established,related accept
		ip  daddr . meta l4proto . th dport @ixon4    accept
		ip6 daddr . meta l4proto . th dport @ixon6    accept
		ip  daddr . meta l4proto . th dport @vendors4 accept
		ip  daddr . meta l4proto . th dport @ray4     accept
		meta l4proto tcp reject with tcp reset
	}
}
"""

CONFIG = f"""\
[resolver]
server = 127.0.0.1
timeout = 1s
tries = 2
# Short, so that there is something to see. The default is between a minute and an hour.
refresh-min = 1s
linger = {LINGER}s

[vendor ixon]
[vendor digi]
[vendor cloudtrax]
[vendor ray]

[vendor ringio]
role = web-phone

[set ixon4]
family = inet
table = filter
set = ixon4
vendor = ixon

[set ixon6]
family = inet
table = filter
set = ixon6
vendor = ixon

[set vendors4]
family = inet
table = filter
set = vendors4
vendor = digi, cloudtrax, ringio

# Of Ray all but the ping, which a set of addresses with ports cannot hold.
[set ray4]
family = inet
table = filter
set = ray4
vendor = ray
endpoint = mqtt, hub, domains, ntp
"""


def expand(name, regions):
    """What {1..3}, {a|b} and {region} in a profile's name stand for."""
    m = re.search(r"\{([^}]*)\}", name)
    if not m:
        return [name]
    counted = re.fullmatch(r"(\d+)\.\.(\d+)", m[1])
    if counted:
        words = [str(i) for i in range(int(counted[1]), int(counted[2]) + 1)]
    elif m[1] == "region":
        words = regions
    elif "|" in m[1]:
        words = m[1].split("|")
    else:
        return []  # a variable, which is the admin's to set
    return [n for w in words for n in expand(name.replace(m[0], w, 1), regions)]


def vendor_names(vendor):
    """Every exact name of a profile."""
    names, regions = [], []
    with open(f"{SOURCE}/conf/vendors/{vendor}.conf", encoding="utf-8") as f:
        for line in f:
            m = re.match(r"(name|region)\s*=\s*(.*)", line)
            values = [v.strip() for v in m[2].split(",") if v.strip()] if m else []
            if m and m[1] == "region" and not regions:
                regions = values
            elif m and m[1] == "name":
                names += [n for v in values for n in expand(v, regions) if "*" not in n]
    return sorted(set(names))


def zone_records():
    """Each vendor's names at addresses of this demo's internet."""
    records = {}
    for v, vendor in enumerate(VENDORS):
        for n, name in enumerate(vendor_names(vendor)):
            records.setdefault(name, {"A": (TTL, [f"45.{10 + v}.{n}.1", f"45.{10 + v}.{n}.2"])})
    records[NAME] = {"A": (TTL, ["45.9.9.1", "45.9.9.2"]), "AAAA": (TTL, ["2a00:1::1"])}
    # One that is served out of somebody's pool.
    records["time.etherios.co.uk"] = {"CNAME": (60, ["0.idigi.pool.ntp.org."])}
    return records


class Story:
    def __init__(self):
        self.start = time.monotonic()

    def say(self, text):
        print(f"\n[{time.monotonic() - self.start:5.1f} s] {text}", flush=True)

    def show(self, text, command=""):
        if command:
            print(f"          # {command}", flush=True)
        print(textwrap.indent(text.rstrip(), " " * 10), flush=True)


def tell(story, lab, daemon):
    device = lab.device

    def attempt(address):
        ok = device.reaches(address, 443, "tcp", 1.0)
        story.show(f"device: TCP to {address} port 443: {'connected' if ok else 'refused'}")
        return ok

    def expect(value, what):
        if not value:
            raise AssertionError(what)

    def journal(since):
        """IXON's entries and those of no vendor; the others are counted."""
        others = 0
        for e in lab.journal.entries(since, SYSLOG_IDENTIFIER="allowsyncd"):
            if e.get("ALLOWSYNC_VENDOR", "ixon") == "ixon":
                story.show(str(e.get("MESSAGE")))
            else:
                others += 1
        if others:
            story.show(f"... and {others} entries of other vendors")

    story.say("A gateway forbids what its sets do not hold, and the sets are empty.")
    story.show(RULESET, "nft list ruleset")
    expect(not attempt("45.9.9.1"), "the empty set lets something through")

    story.say("The daemon starts, with five vendors and four sets in its configuration.")
    daemon.start()
    wait_until(lambda: all(device.probe([("tcp", a, 443) for a in ("45.9.9.1", "2a00:1::1")])
                           .values()) and lab.elements("vendors4"), 20)
    journal(daemon.started)
    expect(attempt("45.9.9.1") and attempt("45.9.9.2") and attempt("2a00:1::1"), "not connected")
    story.show(lab.gateway.run(["nft", "list", "set", "inet", "filter", "ixon4"]).stdout,
               "nft list set inet filter ixon4")

    story.say(f"IXON adds the server 45.9.9.3 to {NAME} (TTL {TTL} s). Nobody tells the gateway.")
    since, begin = time.time(), time.monotonic()
    expect(not attempt("45.9.9.3"), "allowed before DNS said so")
    lab.dns.add(NAME, "A", "45.9.9.3")
    wait_until(lambda: device.reaches("45.9.9.3"), TTL + 10)
    took = time.monotonic() - begin
    attempt("45.9.9.3")
    story.show(f"({took:.1f} s after the record was added)")
    journal(since)

    story.say(f"IXON removes the server 45.9.9.1. It may linger for {LINGER} s.")
    since, begin = time.time(), time.monotonic()
    lab.dns.remove(NAME, "A", "45.9.9.1")
    wait_until(lambda: not device.reaches("45.9.9.1"), TTL + LINGER + 10)
    took = time.monotonic() - begin
    attempt("45.9.9.1")
    story.show(f"({took:.1f} s after the record was removed)")
    journal(since)
    story.show(daemon.ctl("why", "45.9.9.1").stdout, "allowsyncctl why 45.9.9.1")
    story.show(daemon.ctl("why", "45.9.9.3").stdout, "allowsyncctl why 45.9.9.3")

    story.say("The resolver stops answering. What was allowed stays allowed.")
    since = time.time()
    before = lab.elements("ixon4")
    lab.cache.pause()
    wait_until(lambda: lab.journal.entries(since, ALLOWSYNC_EVENT="dns-silent"), 30)
    journal(since)
    attempt("45.9.9.3")
    expect(lab.elements("ixon4") == before, "the outage changed the set")
    story.show(daemon.ctl("status").stdout, "allowsyncctl")

    story.say("The resolver is back.")
    since = time.time()
    lab.cache.resume()
    daemon.ctl("resolve")
    wait_until(lambda: daemon.ctl("status").returncode == 0, 30)
    wait_until(lambda: lab.journal.entries(since, ALLOWSYNC_EVENT="dns-answers"), 30)
    journal(since)
    story.show(daemon.ctl("status").stdout, "allowsyncctl")


def keep(story, lab, daemon):
    """A shell on the gateway; without a terminal, until somebody ends it."""
    tools = f"{lab.directory}/bin"
    os.mkdir(tools)
    ctl = f"{build_dir()}/src/allowsyncctl"
    scripts = {
        "dns": f'zone=$(knotc -c {lab.dns.directory}/knot.conf zone-status | sed -n \'s/^\\[\\(.*\\)\\].*/\\1/p\''
               ' | while read -r z; do case "${2%.}." in "$z"|*".$z") echo "$z";; esac; done | tail -1)\n'
               'case $1 in add) op="zone-set $zone ${2%.}. ' f"{TTL}" ' A $3";; '
               'remove) op="zone-unset $zone ${2%.}. A $3";; '
               '*) echo "dns add|remove NAME ADDRESS" >&2; exit 64;; esac\n'
               'printf "zone-begin %s\\n%s\\nzone-commit %s\\n" "$zone" "$op" "$zone" | '
               f'knotc -c {lab.dns.directory}/knot.conf\n',
        "device": 'timeout 2 ip netns exec device bash -c "exec 3<>/dev/tcp/$1/${2:-443}" 2>/dev/null'
                  ' && echo connected || echo refused\n',
        "allowsyncctl": f'exec {ctl} --socket {daemon.socket} "$@"\n',
    }
    for name, text in scripts.items():
        with open(f"{tools}/{name}", "w", encoding="utf-8") as f:
            f.write("#!/bin/bash\n" + text)
        os.chmod(f"{tools}/{name}", 0o755)
    env = dict(os.environ, PATH=f"{tools}:{os.environ['PATH']}", PS1="gateway# ")
    story.say("It stays like this. On the gateway there are, beside everything else:")
    story.show(f"""allowsyncctl ...              asks the daemon; monitor, names, sets, diff, why ...
nft list ruleset
dns add|remove NAME ADDRESS   changes a vendor's zone
device ADDRESS [PORT]         tries to connect from the device
configuration                 {daemon.root}/etc/allowsyncd/allowsyncd.conf""")
    shell = lab.gateway.command(["bash", "--norc", "-i"])
    if sys.stdin.isatty():
        print("\nA shell on the gateway. exit ends everything.\n", flush=True)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        subprocess.run(shell, env=env, check=False)
        return
    # The first process of a pid namespace does not know what it is called outside.
    child = f"$(pgrep -P {os.environ['QUICKSTART_PID']})"
    print(f"\nNo terminal here. To go in:\nnsenter -t {child} -m -p env PATH={env['PATH']} "
          f"{' '.join(shell)}\nTo end it:\nkill {child}", flush=True)
    signal.pause()


def main():
    isolate()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    story = Story()
    story.say("Setting up: a device, a gateway with unbound, an internet with knot and servers.")
    records = zone_records()
    journal = Journal()
    lab = Lab(records=records, ruleset=RULESET, journal=journal,
              names=("device", "gateway", "internet"))
    try:
        daemon = lab.daemon(CONFIG)
        story.show(f"{len(records)} names of five vendors")
        tell(story, lab, daemon)
        if sys.argv[1:] == ["keep"]:
            keep(story, lab, daemon)
        status = daemon.stop()
        story.say(f"The daemon was stopped (status {status}). The sets stay as they were:")
        story.show(lab.gateway.run(["nft", "list", "set", "inet", "filter", "ixon4"]).stdout,
                   "nft list set inet filter ixon4")
        story.say("Done; nothing of it remains. More: packaging/quickstart --keep, README.md")
    finally:
        lab.close()
        journal.close()


if __name__ == "__main__":
    try:
        main()
    except AssertionError as error:
        print(f"\nquickstart: this should not have happened: {error}", file=sys.stderr)
        sys.exit(1)
