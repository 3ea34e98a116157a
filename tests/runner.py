# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds, runs every suite, counts. Called by tests/run."""
import argparse
import concurrent.futures
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NETNS = os.path.join(SOURCE, "tests", "netns")
C_SUITES = ["unit", "sim", "fuzz"]
SUITES = C_SUITES + ["lint", "netns", "service"]
EXTENDED = ["bench"]
BUILDS = {
    "gcc": ({"CC": "gcc"}, []),
    "clang": ({"CC": "clang"}, []),
    "asan": ({"CC": "gcc"}, ["-Db_sanitize=address,undefined", "-Db_lundef=false"]),
}
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
}
PYTEST_SECONDS = 1200
FUZZED, FUZZ_SECONDS = ["answer"], 3600  # in an extended run; FUZZ_SECONDS in the environment too
TAIL_LINES = 60


class Count:
    passed = failed = skipped = 0

    def add(self, name, outcome, detail=""):
        setattr(self, outcome, getattr(self, outcome) + 1)
        if outcome == "skipped":
            print(f"SKIPPED {name}: {detail}", flush=True)
        elif outcome == "failed":
            print(f"FAILED {name}", flush=True)
            for line in detail.rstrip().splitlines()[-TAIL_LINES:]:
                print(f"    {line}", flush=True)


def say(text):
    print(f"== {text}", flush=True)


def run(cmd, timeout, env=None, cwd=SOURCE):
    """Status (None: timed out) and output. What it started ends with it."""
    p = subprocess.Popen(cmd, cwd=cwd, env=dict(os.environ, **(env or {})), text=True,
                         errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, start_new_session=True)
    try:
        out, _ = p.communicate(timeout=timeout)
        return p.returncode, out
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, signal.SIGKILL)
        out, _ = p.communicate()
        return None, out


def build_dir(build):
    return os.path.join(SOURCE, "build", build)


def make(build, count, targets=()):
    env, options = BUILDS[build]
    where = build_dir(build)
    start = time.monotonic()
    if not os.path.exists(os.path.join(where, "build.ninja")):
        shutil.rmtree(where, ignore_errors=True)
        status, out = run(["meson", "setup", where, SOURCE] + options, 120, env)
        if status != 0:
            count.add(f"build {build}", "failed", out)
            return False
    status, out = run(["ninja", "-C", where, *targets], 300)
    if status != 0:
        first = out.find("FAILED: ")
        count.add(f"build {build}", "failed", out[first:first + 4000] if first >= 0 else out)
        return False
    say(f"built {build} in {time.monotonic() - start:.0f} s")
    return True


def tap(name, status, out, count):
    """One program's TAP. A plan that is not kept, or a status that no test explains, is one failure."""
    plan, seen, failed, notes = None, 0, 0, []
    for line in out.splitlines():
        m = re.match(r"(not )?ok\b\s*\d*\s*(?:- )?(.*)", line)
        if re.match(r"1\.\.\d+", line):
            plan = int(line[3:].split()[0])
        elif m:
            seen += 1
            case, _, directive = m[2].partition("# ")
            label = f"{name} {case.strip()}"
            if directive.upper().startswith("SKIP"):
                count.add(label, "skipped", directive[4:].strip() or "no reason given")
            elif m[1]:
                failed += 1
                count.add(label, "failed", "\n".join(notes))
            else:
                count.add(label, "passed")
            notes = []
        else:
            notes.append(line)
    if status is None:
        count.add(name, "failed", "timed out\n" + out)
    elif plan is None or plan != seen:
        count.add(name, "failed", f"{seen} results of {plan} planned, status {status}\n" + out)
    elif status != 0 and not failed:
        count.add(name, "failed", f"status {status}\n" + out)
    return seen


def c_tests(build):
    status, out = run(["meson", "introspect", "--tests", build_dir(build)], 60)
    if status != 0:
        return []
    tests = []
    for t in json.loads(out):
        suites = [s.split(":")[-1] for s in t["suite"]]
        suite = next((s for s in suites if s in C_SUITES), None)
        if suite:
            tests.append(dict(t, suite=suite))
    return tests


def run_c(build, selected, extended, count):
    tests = [t for t in c_tests(build) if selected(t["suite"], t["name"])]

    def one(t):
        env = dict(t["env"], **(SANITIZERS if build == "asan" else {}),
                   ALLOWSYNCD_EXTENDED="1" if extended else "")
        seconds = (t["timeout"] or 60) * (2 if build == "asan" else 1) * (20 if extended else 1)
        return run(t["cmd"], seconds, env, t["workdir"] or build_dir(build))

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for t, (status, out) in zip(tests, pool.map(one, tests)):
            name = f"{build} {t['suite']}/{t['name']}"
            if t["protocol"] == "tap":
                tap(name, status, out, count)
            elif status == 77:
                count.add(name, "skipped", out.strip().splitlines()[-1] if out.strip() else "")
            else:
                count.add(name, "passed" if status == 0 else "failed", out)
    return len(tests)


def lint_checks():
    _, out = run([os.path.join(SOURCE, "tests/lint/lint"), "--list"], 60)
    return out.split()


def run_lint(selected, count):
    chosen = [c for c in lint_checks() if selected("lint", c)]
    if chosen:
        status, out = run([os.path.join(SOURCE, "tests/lint/lint"), build_dir("gcc")] + chosen, 300)
        tap("lint", status, out, count)
    return len(chosen)


def netns_files(suite):
    files = [f for f in sorted(os.listdir(NETNS)) if re.fullmatch(r"test_\w+\.py", f)]
    return [f for f in files if (f == "test_systemd.py") == (suite == "service")]


def run_pytest(suite, words, extended, count):
    """pytest in namespaces of its own: whatever a test leaves running ends with the first process.
    `words`: files or tests; none: all."""
    files = netns_files(suite)
    named = [f for f in files if f[:-3] in words or f in words]
    tests = [w for w in words if w.startswith("test_") and w + ".py" not in files and w not in files]
    cmd = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
           "--propagation", "private", "/usr/bin/python3", "-m", "pytest", "-q", "-rN",
           "-p", "no:cacheprovider", "--color=no"]
    if subprocess.run(["/usr/bin/python3", "-c", "import xdist"], stderr=subprocess.DEVNULL,
                      check=False).returncode == 0 and suite == "netns":
        cmd += ["-n", "4", "--dist", "load"]
    if tests:
        # -k takes parts of names, of files as well.
        cmd += ["-k", " or ".join(tests + [f[:-3] for f in named])]
        named = []
    with tempfile.TemporaryDirectory(prefix="allowsyncd-tests.") as d:
        xml = os.path.join(d, "junit.xml")
        cmd += [f"--junitxml={xml}"] + [os.path.join(NETNS, f) for f in (named or files)]
        env = dict(SANITIZERS, ALLOWSYNCD_BUILD=build_dir("asan"),
                   ALLOWSYNCD_BUILD_PLAIN=build_dir("gcc"), PYTHONDONTWRITEBYTECODE="1",
                   ALLOWSYNCD_EXTENDED="1" if extended else "")
        status, out = run(cmd, PYTEST_SECONDS * (3 if extended else 1), env)
        cases = failed = 0
        if os.path.exists(xml):
            for case in ElementTree.parse(xml).getroot().iter("testcase"):
                name = f"{suite} {case.get('classname')}::{case.get('name')}"
                bad = case.find("failure") if case.find("failure") is not None else case.find("error")
                skip = case.find("skipped")
                cases += 1
                for p in case.iter("property"):
                    print(f"{name}: {p.get('name')}: {p.get('value')}", flush=True)
                if bad is not None:
                    failed += 1
                    logs = "\n".join(e.text or "" for tag in ("system-out", "system-err")
                                     for e in case.findall(tag))
                    count.add(name, "failed", (logs + "\n" if logs else "")
                              + (bad.text or bad.get("message") or ""))
                elif skip is not None:
                    count.add(name, "skipped", skip.get("message") or "no reason given")
                else:
                    count.add(name, "passed")
        if status is None:
            count.add(f"{suite} (pytest)", "failed", "timed out\n" + out)
        elif (status != 0 and not failed) or not cases:
            count.add(f"{suite} (pytest)", "failed", f"status {status}, {cases} tests\n{out}")
        return cases


def run_fuzz(count):
    """libFuzzer, from the corpus; what it finds is left beside the build."""
    for target in FUZZED:
        seconds = int(os.environ.get("FUZZ_SECONDS", FUZZ_SECONDS))
        status, out = run([os.path.join(SOURCE, "tests/fuzz/run"), target, str(seconds)],
                          seconds + 300, {"FUZZ_OUT": build_dir("fuzz")})
        say(f"fuzz: {target} for {seconds} s, "
            + (re.findall(r"Done \d+ runs", out) or ["not to its end"])[-1])
        count.add(f"fuzz {target} for {seconds} s", "passed" if status == 0 else "failed", out)


def run_bench(count):
    status, out = run([os.path.join(SOURCE, "tests/bench/run")], 900)
    print(out, end="")
    count.add("bench", "passed" if status == 0 else "failed", out)
    return 1


def python_names(*suites):
    """What a word may be that means tests of pytest, in these suites."""
    names = set(suites)
    for f in [f for s in suites for f in netns_files(s)]:
        with open(os.path.join(NETNS, f), encoding="utf-8") as h:
            names |= {f, f[:-3], *re.findall(r"^def (test_\w+)", h.read(), re.M)}
    return names


def list_tests(extended):
    build = next((b for b in BUILDS if os.path.exists(build_dir(b))), None)
    if build is None:
        make("gcc", Count())
        build = "gcc"
    for suite in C_SUITES:
        print(suite)
        for t in c_tests(build):
            if t["suite"] == suite:
                print(f"  {t['name']}")
    print("lint")
    print("".join(f"  {c}\n" for c in lint_checks()), end="")
    for suite in ("netns", "service"):
        print(suite)
        for f in netns_files(suite):
            with open(os.path.join(NETNS, f), encoding="utf-8") as h:
                for test in re.findall(r"^def (test_\w+)", h.read(), re.M):
                    print(f"  {f[:-3]}::{test}")
    print(f"fuzz {' '.join(FUZZED)} for an hour, bench (only with --extended)")


def main():
    ap = argparse.ArgumentParser(prog="tests/run", description="Builds and runs the tests. The last "
                                 "line is `N passed, N failed`, the status 1 when one failed.")
    ap.add_argument("what", nargs="*", metavar="SUITE|TEST",
                    help=f"{' '.join(SUITES + EXTENDED)}, or a test's name; default: all suites")
    ap.add_argument("--list", action="store_true", help="print suites and tests")
    ap.add_argument("--extended", action="store_true", help="also the benchmarks and longer runs")
    args = ap.parse_args()
    if args.list:
        list_tests(args.extended)
        return 0

    what = args.what or SUITES + (EXTENDED if args.extended else [])
    found = dict.fromkeys(what, 0)

    def selected(suite, name):
        names = {suite, name, f"{suite}/{name}", f"test_{name}", f"{suite}_{name}"}
        for w in what:
            if w in names:
                found[w] += 1
        return any(w in names for w in what)

    start = time.monotonic()
    count = Count()
    only_c = all(w in C_SUITES for w in what)
    only_py = all(w in python_names("netns", "service") for w in what)
    only_lint = all(w in ["lint"] + lint_checks() for w in what)
    builds = ["gcc", "asan"] if only_py else ["gcc"] if only_lint else list(BUILDS)
    programs = ["src/allowsyncd", "src/allowsyncctl", "tests/netns/forger",
                "tests/netns/shared_channel"] if only_py else []
    built = [b for b in builds if make(b, count, programs)]
    for b in built if not only_py and not only_lint else []:
        n = run_c(b, selected, args.extended, count)
        for s in C_SUITES:
            if s in what and not any(t["suite"] == s for t in c_tests(b)):
                count.add(f"{b} {s}", "failed", "the suite has no test")
        say(f"{b}: {n} programs")
    if "gcc" in built and not only_c and run_lint(selected, count):
        say("lint done")
    words = [w for w in what if w not in SUITES + EXTENDED]
    for suite in ("netns", "service"):
        mine = [w for w in words if w in python_names(suite)]
        if suite in what or mine:
            if not {"gcc", "asan"} <= set(built):
                count.add(suite, "failed", "not run: a build is missing")
                continue
            n = run_pytest(suite, [] if suite in what else mine, args.extended, count)
            for w in mine:
                found[w] += 1
            say(f"{suite}: {n} tests")
    if "fuzz" in what and args.extended:
        run_fuzz(count)
    if "bench" in what:
        run_bench(count)
    for w in words:
        if not found[w]:
            count.add(w, "failed", "no suite or test has this name (see --list)")
    say(f"{time.monotonic() - start:.0f} s")
    if count.skipped:
        say(f"{count.skipped} skipped, each named above")
    print(f"{count.passed} passed, {count.failed} failed")
    return 1 if count.failed else 0


if __name__ == "__main__":
    sys.exit(main())
