# SPDX-License-Identifier: GPL-2.0-or-later
"""The router lab: a device, a gateway that runs the daemon, and an internet.

    device ---lan--- gateway ---wan--- internet
    10.91.0.2        10.91.0.1         45.0.0.0/8, 2a00:1::/48 and the vendors' own prefixes, all
    fd91::2          fd91::1           local there, with echo servers; knot at 45.53.0.53

The gateway drops what its sets do not allow. unbound on it caches what knot says. Also used by
packaging/quickstart.
"""
import glob
import itertools
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from netlink import Monitor  # noqa: E402
from servers import Authority, Cache  # noqa: E402
from spaces import Node, run, wait_until  # noqa: E402

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DNS4, DNS6 = "45.53.0.53", "2a00:1::53"
INTERNET4 = ["45.0.0.0/8", "35.0.0.0/8", "54.0.0.0/8", "199.7.160.0/19"]
INTERNET6 = ["2a00:1::/48"]
PORTS = [80, 123, 443, 3197, 3199, 5060, 8443, 8883, 8884, 18991]
ZONES = ["ixon.cloud", "cloudtrax.com", "etherios.com", "etherios.co.uk", "idigi.com",
         "idigi.co.uk", "ntp.org", "ray.life", "amazonaws.com", "google.com", "twilio.com",
         "example.com", "example.net", "example.org"]

RULESET = """
table inet filter {
	set allow4 { type ipv4_addr; }
	set allow6 { type ipv6_addr; }
	set svc4 { type ipv4_addr . inet_proto . inet_service; }
	set svc6 { type ipv6_addr . inet_proto . inet_service; }
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state established,related accept
		ip daddr @allow4 accept
		ip6 daddr @allow6 accept
		ip daddr . meta l4proto . th dport @svc4 accept
		ip6 daddr . meta l4proto . th dport @svc6 accept
		meta l4proto tcp reject with tcp reset
		reject
	}
}
"""


def build_dir(plain=False):
    """The build under test: with sanitizers unless a test says otherwise."""
    if plain:
        return os.environ.get("ALLOWSYNCD_BUILD_PLAIN", f"{SOURCE}/build/gcc")
    return os.environ.get("ALLOWSYNCD_BUILD", f"{SOURCE}/build/asan")


def faketime_library():
    found = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
    return found[0] if found else None


def elements_of(listing):
    """{key: {"comment": ..., "timeout": ...}} of `nft -j list set`, keys as nft writes them."""
    import json

    def key(value):
        if isinstance(value, dict) and "concat" in value:
            return " . ".join(key(v) for v in value["concat"])
        if isinstance(value, dict) and "prefix" in value:
            return f"{value['prefix']['addr']}/{value['prefix']['len']}"
        if isinstance(value, dict) and "range" in value:
            return "-".join(str(v) for v in value["range"])
        return str(value)

    out = {}
    for item in json.loads(listing)["nftables"]:
        for e in item.get("set", {}).get("elem", []):
            full = isinstance(e, dict) and "elem" in e
            out[key(e["elem"]["val"] if full else e)] = e["elem"] if full else {}
    return out


class Daemon:
    """allowsyncd on a node: configuration below a root of its own, notify socket, journal."""

    def __init__(self, lab, node, config, plain=False, fake_time=False, wrapper=(), env=None,
                 arguments=(), rate=1):
        self.lab, self.node, self.plain, self.wrapper = lab, node, plain, list(wrapper)
        self.directory = tempfile.mkdtemp(prefix="daemon.", dir=lab.directory)
        self.root = f"{self.directory}/root"
        self.socket = f"{self.directory}/control.sock"
        self.env, self.arguments = dict(env or {}), list(arguments)
        self.fake_time = f"{self.directory}/time" if fake_time else None
        self.offset, self.rate = 0, rate  # fake_time: its clocks run so many times as fast
        self.process, self.status, self.ready = None, "", 0
        os.makedirs(f"{self.root}/etc/allowsyncd")
        shutil.copytree(f"{SOURCE}/conf/vendors", f"{self.root}/usr/share/allowsyncd/vendors")
        self.configure(config)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(f"{self.directory}/notify")
        self.notify.setblocking(False)
        # A manager reads all the time: sd_notify() waits where nobody does.
        self.reading, self.closed = threading.Lock(), False
        self.reader = threading.Thread(target=self._keep_reading, daemon=True)
        self.reader.start()

    def _keep_reading(self):
        while not self.closed:
            if select.select([self.notify], [], [], 0.2)[0]:
                self.read_notify()

    def close(self):
        self.closed = True
        self.reader.join()
        self.notify.close()

    # --- configuration

    def configure(self, text):
        self.write("etc/allowsyncd/allowsyncd.conf", text)

    def write(self, path, text):
        path = f"{self.root}/{path}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".new", "w", encoding="utf-8") as f:
            f.write(text)
        os.rename(path + ".new", path)

    def profile(self, vendor, text):
        self.write(f"etc/allowsyncd/vendors/{vendor}.conf", text)

    # --- life

    def start(self, wait=True, timeout=20.0):
        self.started = time.time()
        self.read_notify()
        self.status, self.ready = "", 0  # nothing of an earlier life
        env = dict(os.environ, NOTIFY_SOCKET=f"{self.directory}/notify", **self.env)
        for tool in ("ASAN", "UBSAN"):
            options = env.get(f"{tool}_OPTIONS", "")
            env[f"{tool}_OPTIONS"] = f"{options}:log_path={self.directory}/sanitizer".strip(":")
        command = [f"{build_dir(self.plain)}/src/allowsyncd", "--root", self.root,
                   "--socket", self.socket] + self.arguments
        # Preloads go to the program alone, through env(1): neither nsenter nor a shell runs so.
        words = ["env"]
        if self.fake_time:
            libraries = [faketime_library()]
            if not self.plain:
                # Behind: else both wait for each other with gcc 14 (Debian 13).
                libraries.append(run(["gcc", "-print-file-name=libasan.so"]).stdout.strip())
                env["ASAN_OPTIONS"] += ":verify_asan_link_order=0"
            words += [f"LD_PRELOAD={' '.join(libraries)}", "FAKETIME_NO_CACHE=1",
                      f"FAKETIME_TIMESTAMP_FILE={self.fake_time}"]
            self._write_time()
        journal = self.lab.journal
        if journal:
            stderr, env["JOURNAL_STREAM"] = journal.stream("allowsyncd")
        else:
            stderr = open(f"{self.directory}/stderr", "ab")
            env.pop("JOURNAL_STREAM", None)
        with stderr:
            self.process = self.node.popen(words + self.wrapper + command, env=env, stderr=stderr,
                                           stdout=subprocess.DEVNULL)
        if wait:
            self.wait_ready(timeout)
        return self

    def read_notify(self):
        with self.reading:
            while True:
                try:
                    message = self.notify.recv(65536).decode()
                except BlockingIOError:
                    return
                for line in message.splitlines():
                    if line == "READY=1":
                        self.ready += 1
                    elif line.startswith("STATUS="):
                        self.status = line[7:]

    def wait_ready(self, timeout=20.0):
        def ready():
            self.read_notify()
            if self.process.poll() is not None:
                raise AssertionError(f"allowsyncd ended with {self.process.returncode}\n{self.log()}")
            return self.ready

        return wait_until(ready, timeout, lambda: f"READY=1\n{self.log()}")

    def stop(self, sig=signal.SIGTERM):
        """Ends it; the status. What a sanitizer had to say is an error."""
        status = self.node.end(self.process, sig, 30)
        self.check_sanitizers()
        return status

    def kill(self):
        return self.node.end(self.process, signal.SIGKILL)

    def check_sanitizers(self):
        for path in glob.glob(f"{self.directory}/sanitizer.*"):
            with open(path, encoding="utf-8", errors="replace") as f:
                text = f.read()
            os.unlink(path)
            if text.strip():
                raise AssertionError(text)

    def reload(self):
        """SIGHUP, until READY=1 comes again."""
        self.read_notify()
        before = self.ready
        self.process.send_signal(signal.SIGHUP)

        def again():
            self.read_notify()
            return self.ready > before

        wait_until(again, 20, lambda: f"READY=1 after SIGHUP\n{self.log()}")

    # --- time

    def _write_time(self):
        with open(self.fake_time + ".new", "w", encoding="ascii") as f:
            f.write(f"{self.offset:+d}" + (f" x{self.rate}" if self.rate != 1 else "") + "\n")
        os.rename(self.fake_time + ".new", self.fake_time)

    def jump(self, seconds):
        """The daemon's clocks go forward. Stopping and continuing interrupts its wait, so that it
        looks at the clock."""
        self.offset += seconds
        self._write_time()
        self.process.send_signal(signal.SIGSTOP)
        self.process.send_signal(signal.SIGCONT)

    # --- what can be seen of it

    def ctl(self, *words, check=False):
        """allowsyncctl against this daemon: a CompletedProcess, output in stdout. Of one that hangs
        it is waited for three minutes: the other tests are to have their turn."""
        return self.node.run([f"{build_dir(self.plain)}/src/allowsyncctl", "--socket", self.socket]
                             + list(words), check=check, timeout=180)

    def entries(self, **fields):
        """Its journal entries since its last start."""
        return self.lab.journal.entries(self.started, **fields)

    def events(self, kind):
        return self.entries(ALLOWSYNC_EVENT=kind)

    def log(self):
        if self.lab.journal:
            return "\n".join(e.get("MESSAGE", "") for e in self.lab.journal.entries(self.started)
                             if isinstance(e.get("MESSAGE", ""), str))
        with open(f"{self.directory}/stderr", encoding="utf-8", errors="replace") as f:
            return f.read()

    def resident_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            return int(next(line for line in f if line.startswith("VmRSS")).split()[1])


class Lab:
    numbers = itertools.count(1)

    def __init__(self, records=None, zones=(), ruleset=RULESET, cache=True, ports=tuple(PORTS),
                 journal=None, device_dns=True, names=None):
        n = next(Lab.numbers)
        self.journal = journal
        self.directory = tempfile.mkdtemp(prefix=f"lab{n}.", dir="/run/lab")
        self.daemons, self.monitors, self.nodes = [], [], []
        self.dns = self.cache = None
        try:
            device, gateway, internet = names or (f"device{n}", f"gateway{n}", f"internet{n}")
            self.device = self._node(device)
            self.gateway = self._node(gateway)
            self.internet = self._node(internet)
            self._wire()
            self.gateway.nft(ruleset)
            echo = self.internet.popen(
                ["/usr/bin/python3", os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                                  "spaces.py")] + [str(p) for p in ports],
                stdout=subprocess.PIPE, text=True)
            self.dns = Authority(self.internet, f"{self.directory}/knot", [DNS4, DNS6],
                                 list(ZONES) + list(zones), records)
            if cache:
                listen = ["127.0.0.1", "::1"] + (["10.91.0.1", "fd91::1"] if device_dns else [])
                self.cache = Cache(self.gateway, f"{self.directory}/unbound", listen, DNS4,
                                   self.dns.zones)
            if echo.stdout.readline().strip() != "ready":
                raise AssertionError("the echo servers do not start")
        except BaseException:
            self.close()
            raise

    def _node(self, name):
        node = Node(name)
        self.nodes.append(node)
        return node

    def _wire(self):
        d, g, i = self.device, self.gateway, self.internet
        d.ip(f"link add lan type veth peer name lan netns {g.name}")
        i.ip(f"link add wan type veth peer name wan netns {g.name}")
        g.ip("addr add 10.91.0.1/24 dev lan", "addr add fd91::1/64 dev lan nodad", "link set lan up",
             "addr add 10.92.0.1/24 dev wan", "addr add fd92::1/64 dev wan nodad", "link set wan up")
        d.ip("addr add 10.91.0.2/24 dev lan", "addr add fd91::2/64 dev lan nodad", "link set lan up")
        i.ip("addr add 10.92.0.2/24 dev wan", "addr add fd92::2/64 dev wan nodad", "link set wan up")
        d.ip("route add default via 10.91.0.1", "route add default via fd91::1")
        g.ip("route add default via 10.92.0.2", "route add default via fd92::2")
        i.ip("route add 10.91.0.0/24 via 10.92.0.1", "route add fd91::/64 via fd92::1",
             *(f"route add local {p} dev lo" for p in INTERNET4 + INTERNET6))
        # UDP from an address that only a route makes local.
        i.sysctl("net.ipv6.ip_nonlocal_bind=1")
        g.sysctl("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")

    def another_device(self):
        """A second one, behind an interface of the gateway's of its own: 10.93.0.2 and fd93::2."""
        other, g = self._node(f"other-{self.device.name}"), self.gateway
        other.ip(f"link add lan2 type veth peer name lan2 netns {g.name}",
                 "addr add 10.93.0.2/24 dev lan2", "addr add fd93::2/64 dev lan2 nodad",
                 "link set lan2 up")
        g.ip("addr add 10.93.0.1/24 dev lan2", "addr add fd93::1/64 dev lan2 nodad",
             "link set lan2 up")
        other.ip("route add default via 10.93.0.1", "route add default via fd93::1")
        self.internet.ip("route add 10.93.0.0/24 via 10.92.0.1", "route add fd93::/64 via fd92::1")
        return other

    def daemon(self, config, **kw):
        """A daemon on the gateway, not started."""
        d = Daemon(self, self.gateway, config, **kw)
        self.daemons.append(d)
        return d

    def monitor(self):
        m = Monitor(self.gateway)
        self.monitors.append(m)
        return m

    def elements(self, name, table="filter", family="inet"):
        r = self.gateway.run(["nft", "-j", "list", "set", family, table, name])
        return elements_of(r.stdout)

    def close(self):
        """Ends everything. Complaints of the daemons' sanitizers are errors."""
        complaint = None
        for d in self.daemons:
            try:
                if d.process and d.process.poll() is None:
                    d.stop()
                d.check_sanitizers()
            except AssertionError as e:
                complaint = complaint or e
            d.close()
        for m in self.monitors:
            m.close()
        for node in self.nodes:
            node.close()
        shutil.rmtree(self.directory, ignore_errors=True)
        if complaint:
            raise complaint
