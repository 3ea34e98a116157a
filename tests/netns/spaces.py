# SPDX-License-Identifier: GPL-2.0-or-later
"""Private namespaces, the processes in them, and small helpers: what every lab is made of."""
import ctypes
import errno
import os
import select
import signal
import socket
import struct
import subprocess
import threading
import time

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_REC, MS_PRIVATE, PR_SET_PDEATHSIG = 0x4000, 1 << 18, 1
PKTINFO = 8  # IP_PKTINFO
libc = ctypes.CDLL(None, use_errno=True)


def _check(result, what):
    if result != 0:
        e = ctypes.get_errno()
        raise OSError(e, f"{what}: {os.strerror(e)}")


def isolate():
    """This thread and its children get a mount namespace with an empty /run, and an empty network
    namespace. Labs side by side do not see each other, and nothing remains of them."""
    _check(libc.unshare(CLONE_NEWNS | CLONE_NEWNET), "unshare")
    _check(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None), "mount private")
    _check(libc.mount(b"tmpfs", b"/run", b"tmpfs", 0, b"mode=755"), "mount /run")
    os.makedirs("/run/netns")
    os.makedirs("/run/lab")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def wait_until(predicate, timeout=10.0, what="", interval=0.02):
    """The first true value of predicate(). Looks again and again: nothing here rests on how long
    something takes, only on its coming at all before the timeout."""
    end = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            text = what() if callable(what) else what or getattr(predicate, "__name__", "condition")
            raise AssertionError(f"not within {timeout} s: {text} (last: {value!r})")
        time.sleep(interval)


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def run(cmd, **kw):
    """Runs, gives the output; a bad status raises with it."""
    check = kw.pop("check", True)
    r = subprocess.run(cmd, text=True, errors="replace", stdout=subprocess.PIPE,
                       stderr=kw.pop("stderr", subprocess.STDOUT), **kw)
    if check and r.returncode:
        raise AssertionError(f"{' '.join(map(str, cmd))}: status {r.returncode}\n{r.stdout}")
    return r


class Node:
    """A network namespace under a name of `ip netns`."""

    def __init__(self, name):
        self.name = name
        self.processes = []
        run(["ip", "netns", "add", name])
        self.sysctl("net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0")
        self.ip("link set lo up")

    def command(self, cmd):
        # Not `ip netns exec`: that makes a mount namespace of its own each time.
        return ["nsenter", f"--net=/run/netns/{self.name}"] + list(cmd)

    def run(self, cmd, **kw):
        return run(self.command(cmd), **kw)

    def popen(self, cmd, **kw):
        """A process that ends with the node."""
        kw.setdefault("stdin", subprocess.DEVNULL)
        p = subprocess.Popen(self.command(cmd), preexec_fn=die_with_parent, **kw)
        self.processes.append(p)
        return p

    def end(self, p, sig=signal.SIGTERM, timeout=10):
        """Ends a process of popen() and gives its status."""
        if p.poll() is None:
            # First: later it would reach a leak check at exit, which waits for ever then.
            p.send_signal(signal.SIGCONT)
            p.send_signal(sig)
        try:
            status = p.wait(timeout)
        except subprocess.TimeoutExpired:
            p.kill()
            status = p.wait()
        if p in self.processes:
            self.processes.remove(p)
        return status

    def ip(self, *lines):
        run(["ip", "-n", self.name, "-batch", "-"], input="\n".join(lines) + "\n")

    def sysctl(self, *settings):
        def write():
            for s in settings:
                key, value = s.split("=")
                with open("/proc/sys/" + key.replace(".", "/"), "w", encoding="ascii") as f:
                    f.write(value)

        self.enter(write)

    def enter(self, fn):
        """fn() in a thread in this namespace: sockets that it opens stay there for good."""
        result = {}

        def work():
            try:
                with open(f"/run/netns/{self.name}", "rb") as f:
                    _check(libc.setns(f.fileno(), CLONE_NEWNET), "setns")
                result["value"] = fn()
            except BaseException as e:  # pylint: disable=broad-except
                result["error"] = e

        t = threading.Thread(target=work)
        t.start()
        t.join()
        if "error" in result:
            raise result["error"]
        return result["value"]

    def socket(self, family, kind, proto=0):
        return self.enter(lambda: socket.socket(family, kind, proto))

    def connect(self, address, port, timeout=3.0):
        """An open TCP connection to an echo server."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        s = self.socket(family, socket.SOCK_STREAM)
        s.settimeout(timeout)
        s.connect((address, port))
        return s

    def probe(self, targets, timeout=2.0):
        """[("tcp"|"udp", address, port)...] -> {target: reached}, all at once. Reached: an echo
        came back; whether a refusal or silence answers instead makes no difference."""
        return self.enter(lambda: _probe(targets, timeout))

    def reaches(self, address, port=443, proto="tcp", timeout=1.0):
        return self.probe([(proto, address, port)], timeout)[(proto, address, port)]

    def nft(self, text):
        self.run(["nft", "-f", "-"], input=text)

    def close(self):
        for p in list(self.processes):
            self.end(p, signal.SIGKILL)
        run(["ip", "netns", "del", self.name], check=False)


def _probe(targets, timeout):
    result = {t: False for t in targets}
    poll, waiting = select.poll(), {}
    for t in result:
        proto, address, port = t
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        s = socket.socket(family, socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM)
        s.setblocking(False)
        error = s.connect_ex((address, port))
        if error not in (0, errno.EINPROGRESS):
            s.close()
            continue
        waiting[s.fileno()] = (s, t)
        poll.register(s, select.POLLOUT)
    end = time.monotonic() + timeout
    while waiting and time.monotonic() < end:
        for fd, events in poll.poll(max(0, end - time.monotonic()) * 1000):
            s, t = waiting[fd]
            try:
                if events & select.POLLOUT and not events & (select.POLLERR | select.POLLHUP):
                    s.send(b"hi")
                    poll.modify(s, select.POLLIN)
                    continue
                result[t] = s.recv(16) == b"hi"
            except BlockingIOError:
                continue
            except OSError:
                pass
            poll.unregister(s)
            del waiting[fd]
            s.close()
    for s, _ in waiting.values():
        s.close()
    return result


def dns_query(node, server, name, qtype=1, port=53, timeout=1.0):
    """The response's bytes over UDP, or None. Only to see that a server is there."""
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    s = node.socket(family, socket.SOCK_DGRAM)
    labels = b"".join(bytes([len(x)]) + x.encode() for x in name.strip(".").split(".") if x)
    try:
        s.settimeout(timeout)
        s.connect((server, port))
        s.send(struct.pack("!6H", 4711, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, qtype, 1))
        return s.recv(4096)
    except OSError:
        return None
    finally:
        s.close()


def echo_servers(ports):
    """Answers on every local address and these ports, TCP and UDP, v4 and v6, and never returns. A
    UDP answer leaves from the address that was asked."""
    import selectors

    sel = selectors.DefaultSelector()
    for port in ports:
        for family in (socket.AF_INET, socket.AF_INET6):
            tcp = socket.socket(family, socket.SOCK_STREAM)
            udp = socket.socket(family, socket.SOCK_DGRAM)
            for s in (tcp, udp):
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                s.bind(("", port))
                s.setblocking(False)
            if family == socket.AF_INET6:
                udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            else:
                udp.setsockopt(socket.IPPROTO_IP, PKTINFO, 1)
            tcp.listen(256)
            sel.register(tcp, selectors.EVENT_READ, "accept")
            sel.register(udp, selectors.EVENT_READ, "udp")
    print("ready", flush=True)
    while True:
        for key, _ in sel.select():
            s = key.fileobj
            try:
                if key.data == "accept":
                    sel.register(s.accept()[0], selectors.EVENT_READ, "tcp")
                elif key.data == "tcp":
                    data = s.recv(65536)
                    if not data:
                        raise ConnectionError
                    s.sendall(data)
                else:
                    _echo_udp(s)
            except OSError:
                if key.data == "tcp":
                    sel.unregister(s)
                    s.close()


def from_the_asked(ancillary):
    """What makes an answer leave from the address that the request came to."""
    for level, kind, value in ancillary:
        if (level, kind) == (socket.IPPROTO_IP, PKTINFO):
            return [(level, kind, struct.pack("=I4s4s", 0, value[8:12], b"\0" * 4))]
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
            return [(level, kind, value[:16] + struct.pack("=I", 0))]
    return []


def _echo_udp(s):
    data, ancillary, _, peer = s.recvmsg(65536, 256)
    s.sendmsg([data], from_the_asked(ancillary), 0, peer)


if __name__ == "__main__":
    import sys

    echo_servers([int(p) for p in sys.argv[1:]])
