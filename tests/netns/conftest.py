# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures. Each pytest process is isolated once, at its start; each test makes labs in there."""
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import lab as lab_module  # noqa: E402
import servers  # noqa: E402
import spaces  # noqa: E402


def pytest_configure(config):
    # Under xdist the controller runs no test; its workers come here, too.
    if os.environ.get("PYTEST_XDIST_WORKER") or not getattr(config.option, "numprocesses", None):
        if os.geteuid() != 0:
            raise pytest.UsageError("these tests need root")
        spaces.isolate()


@pytest.fixture(scope="session", autouse=True)
def machine():
    """These tests are root's: what they share with the machine stays as it was."""
    before = os.stat("/dev/null").st_mode
    yield
    assert os.stat("/dev/null").st_mode == before, "a test changed the mode of /dev/null"


@pytest.fixture(scope="session")
def journal():
    j = servers.Journal()
    yield j
    j.close()


@pytest.fixture
def make_lab(journal):
    """make_lab(**arguments of Lab) -> a lab that ends with the test."""
    labs = []

    def make(**kw):
        labs.append(lab_module.Lab(journal=journal, **kw))
        return labs[-1]

    yield make
    failures = []
    for one in labs:
        try:
            one.close()
        except AssertionError as e:
            failures.append(e)
    if failures:
        raise failures[0]


@pytest.fixture
def lab(make_lab):
    return make_lab()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what its daemons logged."""
    outcome = yield
    report = outcome.get_result()
    if report.when != "call" or not report.failed:
        return
    for value in item.funcargs.values():
        for one in [value] if isinstance(value, lab_module.Lab) else []:
            for d in one.daemons:
                try:
                    report.sections.append(("allowsyncd", d.log()[-6000:]))
                except (OSError, AssertionError):
                    pass
