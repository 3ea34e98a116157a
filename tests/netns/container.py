# SPDX-License-Identifier: GPL-2.0-or-later
"""A real systemd as the first process of a container, over an overlay of this machine's own /."""
import json
import os
import shutil
import signal
import subprocess
import tempfile

from lab import SOURCE, build_dir
from spaces import Node, libc, run, wait_until, _check

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Unavailable(Exception):
    """This machine cannot have such a container; says why."""


def cgroup_trees():
    """Where each container needs a group of its own: the unified tree, and systemd's of old."""
    hybrid = [p for p in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd") if os.path.isdir(p)]
    return hybrid or ["/sys/fs/cgroup"]


class Container:
    numbers = 0

    def __init__(self, install=True):
        if not shutil.which("systemd-nspawn"):
            raise Unavailable("systemd-nspawn is not installed")
        Container.numbers += 1
        # Control groups are the machine's: another run has the same process numbers, in its namespace.
        self.name = f"allowsync-{os.urandom(4).hex()}"
        self.directory = tempfile.mkdtemp(prefix="container.", dir="/run/lab")
        self.root = f"{self.directory}/root"
        self.node, self.nspawn, self.leader, self.groups = None, None, None, []
        try:
            self._overlay()
            if install:
                self._install()
            self.node = Node(f"container{Container.numbers}")
            self._boot()
        except BaseException:
            self.close()
            raise

    def _overlay(self):
        _check(libc.mount(b"tmpfs", self.directory.encode(), b"tmpfs", 0, b"mode=755"), "tmpfs")
        for d in ("up", "work", "root"):
            os.mkdir(f"{self.directory}/{d}")
        options = f"lowerdir=/,upperdir={self.directory}/up,workdir={self.directory}/work"
        if libc.mount(b"overlay", self.root.encode(), b"overlay", 0, options.encode()) != 0:
            raise Unavailable("no overlay of / can be mounted")
        # A machine of its own: another identity, and no policy that keeps services from starting.
        for f in ("etc/machine-id", "var/lib/dbus/machine-id", "usr/sbin/policy-rc.d"):
            if os.path.lexists(f"{self.root}/{f}"):
                os.unlink(f"{self.root}/{f}")
        open(f"{self.root}/etc/machine-id", "wb").close()

    def _install(self):
        """As `meson install` does it; the build without sanitizers, as users have it."""
        run(["meson", "install", "-C", build_dir(plain=True), "--no-rebuild", "--quiet",
             "--destdir", self.root])
        run(["systemd-sysusers", f"--root={self.root}"])
        os.makedirs(f"{self.root}/etc/allowsyncd", exist_ok=True)

    def _boot(self):
        for tree in cgroup_trees():
            group = f"{tree}/{self.name}"
            try:
                os.mkdir(group)
            except OSError as e:
                raise Unavailable(f"no control group: {e}") from e
            self.groups.append(group)

        def enter():
            libc.prctl(1, signal.SIGKILL)
            for group in self.groups:
                with open(f"{group}/cgroup.procs", "w", encoding="ascii") as f:
                    f.write("0")

        self.console = open(f"{self.directory}/console", "ab")
        parent = os.path.dirname(SOURCE)
        # With the namespace's path alone, 252 does not leave the container CAP_NET_ADMIN.
        self.nspawn = subprocess.Popen(
            ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit",
             f"--machine={self.name}", f"--directory={self.root}",
             f"--network-namespace-path=/run/netns/{self.node.name}", "--link-journal=no",
             # The container has a /tmp of its own, and the tree may stand below ours, at some depth.
             *([f"--tmpfs={parent}"] if parent.startswith("/tmp/") else []),
             f"--overlay={SOURCE}::{SOURCE}",
             "--capability=CAP_NET_ADMIN,CAP_NET_RAW", "systemd.unit=basic.target"],
            stdin=subprocess.DEVNULL, stdout=self.console, stderr=self.console, preexec_fn=enter,
            start_new_session=True,
            env=dict(os.environ, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY="1"))
        self.leader = wait_until(self._find_leader, 30, "the container's first process")
        wait_until(lambda: self.run("systemctl", "is-system-running", check=False).stdout.strip()
                   in ("running", "degraded"), 60, "the container's systemd")

    def _find_leader(self):
        if self.nspawn.poll() is not None:
            with open(f"{self.directory}/console", encoding="utf-8", errors="replace") as f:
                raise Unavailable(f"systemd-nspawn ended: {f.read()[-500:]}")
        for task in os.listdir(f"/proc/{self.nspawn.pid}/task"):
            with open(f"/proc/{self.nspawn.pid}/task/{task}/children", encoding="ascii") as f:
                for pid in f.read().split():
                    try:
                        with open(f"/proc/{pid}/comm", encoding="ascii") as c:
                            if c.read().strip() == "systemd":
                                return int(pid)
                    except OSError:
                        pass
        return None

    def run(self, *cmd, check=True, **kw):
        return run(["nsenter", "-t", str(self.leader), "-m", "-u", "-i", "-n", "-p", "-C", "env",
                    "-i", f"PATH={PATH}", "LANG=C.UTF-8", "HOME=/root", "SYSTEMD_PAGER=cat",
                    "SYSTEMD_COLORS=0"] + list(cmd), check=check, **kw)

    def write(self, path, text):
        path = f"{self.root}/{path}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        # Into the overlay itself: what the container sees at once.
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)

    def show(self, *properties, unit="allowsyncd.service"):
        r = self.run("systemctl", "show", unit, *(f"--property={p}" for p in properties))
        return dict(line.split("=", 1) for line in r.stdout.splitlines() if "=" in line)

    def entries(self, *match):
        r = self.run("journalctl", "--sync", check=False)
        r = self.run("journalctl", "-o", "json", "--all", "--no-pager", "-q", *match,
                     stderr=subprocess.DEVNULL, check=False)
        return [json.loads(line) for line in r.stdout.splitlines() if line.startswith("{")]

    def close(self):
        if self.leader:
            # All the others die with it: the power is cut.
            os.kill(self.leader, signal.SIGKILL)
        if self.nspawn and self.nspawn.poll() is None:
            self.nspawn.kill()
            self.nspawn.wait()
        if self.node:
            self.node.close()
        for group in self.groups:
            def remove(group=group):
                for d, _, _ in os.walk(group, topdown=False):
                    try:
                        os.rmdir(d)
                    except OSError:
                        return False
                return True

            wait_until(remove, 10, f"{group} empty")
        libc.umount2(self.root.encode(), 2)
        libc.umount2(self.directory.encode(), 2)
        if os.path.isdir(self.directory):
            shutil.rmtree(self.directory, ignore_errors=True)
