# SPDX-License-Identifier: GPL-2.0-or-later
"""Real servers for a lab: knot (authoritative, changed live), unbound (the cache), journald."""
import json
import os
import signal
import subprocess
import time

from spaces import die_with_parent, dns_query, run, wait_until

RECORD_TTL = 5

KNOT_CONF = """
server:
  rundir: {dir}
  user: root:root
  listen: [ {listen} ]
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
  udp-max-payload: 1232
log:
  - target: stderr
    any: warning
database:
  storage: {dir}/db
template:
  - id: default
    storage: {dir}
    file: "%s.zone"
    journal-content: none
    zonefile-sync: -1
    zonefile-load: whole
zone:
"""

UNBOUND_CONF = """
server:
{interfaces}
  username: ""
  chroot: ""
  directory: {dir}
  pidfile: ""
  use-syslog: no
  logfile: ""
  do-daemonize: no
  do-not-query-localhost: no
  module-config: "iterator"
  access-control: 0.0.0.0/0 allow
  access-control: ::0/0 allow
  num-threads: 1
  cache-min-ttl: 0
  cache-max-negative-ttl: 2
  infra-host-ttl: 1
  qname-minimisation: no
  target-fetch-policy: "0 0 0 0 0"
remote-control:
  control-enable: yes
  control-interface: {dir}/control
  control-use-cert: no
{stubs}
"""


def absolute(name):
    return name.rstrip(".").lower() + "."


class Authority:
    """knot. `records`: {name: {type: [values]}} or {name: {type: (ttl, [values])}}."""

    def __init__(self, node, directory, addresses, zones, records=None, port=53):
        self.node, self.directory, self.addresses, self.port = node, directory, addresses, port
        self.zones = sorted((absolute(z) for z in zones), key=len, reverse=True)
        self.records = {}
        os.makedirs(f"{directory}/db")
        for name, types in (records or {}).items():
            for kind, value in types.items():
                ttl, values = value if isinstance(value, tuple) else (RECORD_TTL, value)
                self.records.setdefault(absolute(name), {})[kind] = (ttl, list(values))
        for zone in self.zones:
            with open(f"{directory}/{zone}zone", "w", encoding="ascii") as f:
                f.write(f"$ORIGIN {zone}\n$TTL 2\n@ SOA ns hostmaster 1 60 60 600 2\n@ NS ns\n"
                        f"ns 3600 A {addresses[0]}\n")
                for name, types in self.records.items():
                    if self.zone_of(name) == zone:
                        for kind, (ttl, values) in types.items():
                            f.writelines(f"{name} {ttl} {kind} {v}\n" for v in values)
        listen = ", ".join(f"{a}@{port}" for a in addresses)
        with open(f"{directory}/knot.conf", "w", encoding="ascii") as f:
            f.write(KNOT_CONF.format(dir=directory, listen=listen))
            f.writelines(f"  - domain: {z}\n" for z in self.zones)
        self.process = None
        self.start()

    def zone_of(self, name):
        for zone in self.zones:
            if name == zone or name.endswith("." + zone):
                return zone
        raise KeyError(f"no zone for {name}")

    def start(self):
        self.log = open(f"{self.directory}/log", "ab")
        self.process = self.node.popen(["knotd", "-c", f"{self.directory}/knot.conf"],
                                       stdout=self.log, stderr=self.log)
        for a in self.addresses:
            wait_until(lambda a=a: dns_query(self.node, a, self.zones[0], 6, self.port, 0.3),
                       15, f"knot on {a}")

    def set(self, name, kind, values, ttl=RECORD_TTL):
        """The whole RRset of a name; no values: none."""
        self.edit([(name, kind, values, ttl)])

    def add(self, name, kind, *values):
        ttl, old = self.records.get(absolute(name), {}).get(kind, (RECORD_TTL, []))
        self.set(name, kind, old + [v for v in values if v not in old], ttl)

    def remove(self, name, kind, *values):
        ttl, old = self.records[absolute(name)][kind]
        self.set(name, kind, [v for v in old if v not in values], ttl)

    def edit(self, changes):
        """[(name, type, values, ttl)...], one transaction a zone."""
        batch = {}
        for name, kind, values, ttl in changes:
            name = absolute(name)
            zone = self.zone_of(name)
            lines = batch.setdefault(zone, [])
            types = self.records.setdefault(name, {})
            if types.pop(kind, (0, []))[1]:
                lines.append(f"zone-unset {zone} {name} {kind}")
            lines += [f"zone-set {zone} {name} {ttl} {kind} {v}" for v in values]
            if values:
                types[kind] = (ttl, list(values))
        script = ""
        for zone, lines in batch.items():
            script += "\n".join([f"zone-begin {zone}"] + lines + [f"zone-commit {zone}"]) + "\n"
        r = run(["knotc", "-c", f"{self.directory}/knot.conf"], input=script)
        if "error" in r.stdout:
            raise AssertionError(f"knotc: {r.stdout}")

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)


class Cache:
    """unbound, which asks `upstream` for these zones."""

    def __init__(self, node, directory, addresses, upstream, zones):
        self.node, self.directory, self.addresses = node, directory, addresses
        os.makedirs(directory)
        with open(f"{directory}/unbound.conf", "w", encoding="ascii") as f:
            f.write(UNBOUND_CONF.format(
                dir=directory,
                stubs="".join(f"stub-zone:\n  name: {z}\n  stub-addr: {upstream}\n" for z in zones),
                interfaces="\n".join(f"  interface: {a}" for a in addresses)))
        self.process = None
        self.start()

    def start(self):
        self.log = open(f"{self.directory}/log", "ab")
        self.process = self.node.popen(["unbound", "-d", "-c", f"{self.directory}/unbound.conf"],
                                       stdout=self.log, stderr=self.log)
        wait_until(lambda: dns_query(self.node, self.addresses[0], "localhost", 1, 53, 0.3), 15,
                   "unbound")

    def stop(self):
        """Queries are refused by the kernel from now on."""
        self.node.end(self.process, signal.SIGKILL)

    def pause(self):
        """Queries get no answer from now on."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def control(self, *words):
        return run(["unbound-control", "-c", f"{self.directory}/unbound.conf"] + list(words)).stdout

    def flush(self, name=None):
        return self.control("flush_zone", ".") if name is None else self.control("flush", name)


JOURNALD_CONF = """
[Journal]
Storage=volatile
RateLimitIntervalSec=0
RateLimitBurst=0
ForwardToSyslog=no
ForwardToWall=no
ForwardToKMsg=no
ForwardToConsole=no
ReadKMsg=no
Audit=no
RuntimeMaxUse=64M
"""


class Journal:
    """A journald of our own in the private /run; one for all labs of a process."""

    def __init__(self):
        os.makedirs("/run/systemd/journald.conf.d")
        os.makedirs("/run/log/journal")
        with open("/run/systemd/journald.conf.d/lab.conf", "w", encoding="ascii") as f:
            f.write(JOURNALD_CONF)
        self.log = open("/run/lab/journald.log", "ab")
        self.process = subprocess.Popen(["/lib/systemd/systemd-journald"], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log,
                                        preexec_fn=die_with_parent)
        wait_until(lambda: all(os.path.exists(f"/run/systemd/journal/{s}") for s in (
            "socket", "stdout", "io.systemd.journal")), 10, "journald")

    def stream(self, identifier):
        """What the service manager gives a service for stderr, and its JOURNAL_STREAM."""
        import socket

        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.connect("/run/systemd/journal/stdout")
        s.sendall(f"{identifier}\n\n6\n1\n0\n0\n0\n".encode())
        st = os.fstat(s.fileno())
        return s, f"{st.st_dev}:{st.st_ino}"

    def entries(self, since=0.0, **fields):
        """Entries received from `since` (wall clock) on, as dicts, that have these fields' values."""
        run(["journalctl", "--sync"], check=False)
        r = run(["journalctl", "-D", "/run/log/journal", "-o", "json", "--all", "--no-pager", "-q",
                 f"--since=@{since:.6f}"] + [f"{k}={v}" for k, v in fields.items()],
                stderr=subprocess.DEVNULL, check=False)
        return [json.loads(line) for line in r.stdout.splitlines() if line.startswith("{")]

    def close(self):
        self.process.terminate()
        self.process.wait(10)


def now():
    return time.time()
