# SPDX-License-Identifier: GPL-2.0-or-later
"""The resolvers that people run, each as it comes but for where it asks: all of it at one server.

Those that tests/unpack-packages has laid out are not installed. They run in a root of their own: this
machine's, with their files over it.
"""
import os
import shutil

from lab import SOURCE
from spaces import _check, dns_query, libc, run, wait_until

UNPACKED = f"{SOURCE}/build/resolvers"
ROOT = "/run/lab/resolvers"
MS_BIND, MS_REC = 0x1000, 0x4000

UNBOUND_CONF = """
server:
  interface: 127.0.0.1
  username: ""
  chroot: ""
  directory: {dir}
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  module-config: "iterator"
forward-zone:
  name: "."
  forward-addr: {upstream}
"""
NAMED_CONF = """
options {{
	directory "{dir}";
	listen-on {{ 127.0.0.1; }};
	listen-on-v6 {{ none; }};
	pid-file none;
	dnssec-validation no;
	forward only;
	forwarders {{ {upstream}; }};
	max-records-per-type 0;
}};
controls {{ }};
"""
KRESD_CONF = """
net.listen('127.0.0.1', 53, {{ kind = 'dns' }})
trust_anchors.remove('.')
policy.add(policy.all(policy.STUB('{upstream}')))
"""
RESOLVED_CONF = """
[Resolve]
DNS={upstream}
Domains=~.
FallbackDNS=
DNSSEC=no
LLMNR=no
MulticastDNS=no
"""
RESOLVED_USER = {"passwd": "systemd-resolve:x:997:997::/:/usr/sbin/nologin\n",
                 "group": "systemd-resolve:x:997:\n"}


class Resolver:
    """A resolver on a node, which answers at `address`; it ends with the node."""

    address = "127.0.0.1"

    def __init__(self, node, directory, upstream):
        self.node, self.directory = node, directory
        os.makedirs(directory)
        self.log = open(f"{directory}/log", "ab")
        self.process = self.node.popen(["chroot", root()] + self.prepare(upstream),
                                       stdout=self.log, stderr=self.log)
        wait_until(lambda: dns_query(node, self.address, "example.com", 6, 53, 0.3), 20,
                   lambda: f"{type(self).__name__}: {self.said()}")

    def said(self):
        with open(f"{self.directory}/log", encoding="utf-8", errors="replace") as f:
            return f.read()[-2000:]

    def prepare(self, upstream):
        """Writes its configuration, and gives its command line."""
        raise NotImplementedError

    def write(self, text, path, **words):
        with open(path, "w", encoding="ascii") as f:
            f.write(text.format(dir=self.directory, **words))
        return path


class Unbound(Resolver):
    def prepare(self, upstream):
        return ["unbound", "-d", "-c", self.write(UNBOUND_CONF, f"{self.directory}/conf",
                                                  upstream=upstream)]


class Named(Resolver):
    def prepare(self, upstream):
        return ["named", "-g", "-c", self.write(NAMED_CONF, f"{self.directory}/conf",
                                                upstream=upstream)]


class Kresd(Resolver):
    def prepare(self, upstream):
        return ["kresd", "-n", "-c", self.write(KRESD_CONF, f"{self.directory}/conf",
                                                upstream=upstream), self.directory]


class Dnsmasq(Resolver):
    def prepare(self, upstream):
        return ["dnsmasq", "-k", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root",
                "--pid-file=", "--listen-address=127.0.0.1", "--bind-interfaces",
                f"--server={upstream}", "--log-facility=-"]


class Resolved(Resolver):
    address = "127.0.0.53"

    def prepare(self, upstream):
        for file, line in RESOLVED_USER.items():
            with open(f"{ROOT}/etc/{file}", "r+", encoding="utf-8") as f:
                if "systemd-resolve:" not in f.read():
                    f.write(line)
        self.write(RESOLVED_CONF, f"{ROOT}/etc/systemd/resolved.conf", upstream=upstream)
        return ["/usr/lib/systemd/systemd-resolved"]


ALL = [Unbound, Named, Kresd, Dnsmasq, Resolved]
PROGRAMS = {Named: "usr/sbin/named", Kresd: "usr/sbin/kresd", Dnsmasq: "usr/sbin/dnsmasq",
            Resolved: "usr/lib/systemd/systemd-resolved", Unbound: "usr/sbin/unbound"}


def is_here(resolver):
    return any(os.path.exists(f"{r}/{PROGRAMS[resolver]}") for r in (UNPACKED, ""))


def root():
    """The root they run in, made once a process; it goes with this process's mount namespace."""
    if os.path.ismount(ROOT):
        return ROOT
    above = f"{ROOT}.above"
    os.makedirs(ROOT)
    os.makedirs(above)
    _check(libc.mount(b"tmpfs", above.encode(), b"tmpfs", 0, b"mode=755"), "tmpfs")
    os.mkdir(f"{above}/work")
    # A copy: an overlay takes nothing that stands below its own lower side.
    if os.path.isdir(UNPACKED):
        run(["cp", "-a", UNPACKED, f"{above}/up"])
    os.makedirs(f"{above}/up", exist_ok=True)
    options = f"lowerdir=/,upperdir={above}/up,workdir={above}/work"
    _check(libc.mount(b"overlay", ROOT.encode(), b"overlay", 0, options.encode()), "overlay")
    for d in ("/dev", "/proc", "/sys", "/run/lab"):
        os.makedirs(ROOT + d, exist_ok=True)
        _check(libc.mount(d.encode(), (ROOT + d).encode(), None, MS_BIND | MS_REC, None), d)
    return ROOT
