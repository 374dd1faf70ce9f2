"""Say how far a long run of pytest is, into the file named by SEALPOST_PROGRESS: which files have begun, what has failed."""

import os
import time

import pytest

STEP_S = 10  # a line at least this often while tests end


class Progress:
    def __init__(self, path, lane):
        self.path, self.lane = path, lane
        self.total = self.ended = self.failed = 0
        self.last = time.monotonic()
        self.files = []

    def say(self, text):
        with open(self.path, "a") as file:
            file.write(f"   {self.lane}: {text}\n")

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node, ids):
        self.total = len(ids)

    def pytest_collection_finish(self, session):
        self.total = len(session.items) or self.total

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.failed += 1
            self.say(f"FAILED {report.nodeid} ({report.when})")
        if report.when == "teardown":
            self.ended += 1
            file = os.path.basename(report.nodeid.split("::")[0])
            if file not in self.files:
                self.files.append(file)
            if time.monotonic() - self.last >= STEP_S:
                self.say(f"{self.ended} of {self.total} tests, {self.failed} failed; now in {', '.join(self.files)}")
                self.last, self.files = time.monotonic(), []


def pytest_configure(config):
    path = os.environ.get("SEALPOST_PROGRESS")
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Progress(path, os.environ.get("SEALPOST_LANE", "peers")))
