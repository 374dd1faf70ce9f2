"""A relay with two sinks, both sides' ledgers, and the comparison of all accounts: for tests/crash/run and tests/soak."""

import collections
import json
import mmap
import pathlib
import random
import sqlite3
import struct
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench"))
import bench  # noqa: E402

POINTS = ["nowhere", "segment create", "segment write", "segment sync", "segment unlink", "directory sync", "log write",
          "commit", "checkpoint write", "checkpoint sync", "remote 250"]
ACTIONS = ["nothing", "kill before", "kill after", "EIO", "ENOSPC", "kill amid"]
FIELDS = ["pid", "clock_ms", "point", "action", "countdown", "times"]
IN_FLIGHT = 20  # recipients of one domain between the remote 250 and our commit: the connections a site may have
SIZES = "2000:12,30000:3,300000:1"


class Control:
    """The page of control.h."""

    def __init__(self, path):
        path.write_bytes(bytes(8 * (len(FIELDS) + len(POINTS))))
        with open(path, "r+b") as file:
            self.page = mmap.mmap(file.fileno(), 0)
        self.path = path

    def set(self, **values):
        for name, value in values.items():
            struct.pack_into("q", self.page, 8 * FIELDS.index(name), value)

    def arm(self, point, action, countdown, times=1):
        self.set(action=ACTIONS.index(action), countdown=countdown, times=times)
        self.set(point=POINTS.index(point))

    def disarm(self):
        self.set(point=0, action=0, times=0)


class Ledger:
    """Both sides' lines, read as they grow."""

    def __init__(self, path):
        self.submitted, self.arrived_at = path / "submitted", [path / "arrived1", path / "arrived2"]
        for file in [self.submitted, *self.arrived_at]:
            file.touch()
        self.places = collections.Counter()
        self.acknowledged = {}               # token -> (id, recipients)
        self.arrivals = collections.Counter()  # (token, recipient)
        self.unheard = self.refused = 0

    def lines(self, path):
        with open(path, "rb") as file:
            file.seek(self.places[path])
            data = file.read()
        data = data[:data.rfind(b"\n") + 1]
        self.places[path] += len(data)
        return data.decode().splitlines()

    def read(self):
        """What has come since the last time: the tokens acknowledged, and how many arrivals were repetitions."""
        fresh, again = [], 0
        for line in self.lines(self.submitted):
            token, code, word, *recipients = line.split()
            if code == "250":
                self.acknowledged[token] = (word, recipients)
                fresh.append(token)
            self.unheard += code == "0"
            self.refused += code not in ("0", "250")
        for path in self.arrived_at:
            for line in self.lines(path):
                token, recipient = line.split()
                self.arrivals[token, recipient] += 1
                again += self.arrivals[token, recipient] > 1
        return fresh, again


class Broken(Exception):
    pass


class Harness:
    def __init__(self, path, seed):
        self.path, self.random = path, random.Random(seed)
        self.control, self.ledger = Control(path / "control"), Ledger(path)
        self.trace = path / "trace"
        certificate, key = bench.certificate(path)
        port = bench.free_port()
        self.sinks = [bench.Sink(path, certificate, key, "--ledger", ledger, "--control", self.control.path, *more,
                                 address=f"127.0.0.{i + 1}", port=port)
                      for i, (ledger, more) in enumerate(zip(self.ledger.arrived_at, [(), ("--defer", 9)]))]
        (path / "relay").mkdir()
        self.sealpost = bench.Sealpost(path / "relay", port, 'throttle = "observe"\n', smart_host=False)
        self.relay = self.sealpost.relay
        # Mail of class "security": tried again after 15 seconds, given up after half an hour.
        with open(self.relay.config, "a") as config:
            config.write('stream "login" { class = "security" }\n')
        self.relay.command("user", "delete", "app")
        self.relay.secret = self.relay.json("user", "add", "app", "--domain", "club.test", "--stream", "login")["secret"]
        self.state = self.relay.path / "state"
        for i in (1, 2):
            self.sealpost.dns.mail(f"d{i}.test", f"mx.d{i}.test=127.0.0.{i}")
        shim = bench.BUILD / "tests/crash/libcrash-shim.so"
        self.relay.environment = {"LD_PRELOAD": str(shim), "CRASH_CONTROL": str(self.control.path)}
        self.slowest_start = self.repeated = self.most_repeated = self.quarantined = 0
        self.excused, self.clock_ms = set(), 0
        self.lives = 1  # how often it was killed, at most, between two comparisons

    def close(self):
        if self.relay.process:
            self.relay.kill()
        self.sealpost.dns.stop()
        for sink in self.sinks:
            sink.stop()

    # ---- the relay's life ----

    def start(self, traced=False):
        self.relay.environment.pop("CRASH_TRACE", None)
        if traced:
            self.relay.environment["CRASH_TRACE"] = str(self.trace)
        began = time.monotonic()
        self.relay.start()
        self.slowest_start = max(self.slowest_start, time.monotonic() - began)

    def is_dead(self):
        return self.relay.process.poll() is not None

    def load(self, label, seconds=0.6, connections=10, messages=100000):
        options = ["--connections", connections, "--messages", messages, "--seconds", seconds, "--persist", "--label", label,
                   "--size", SIZES, "--recipients", 2, "--domains", 2, "--ledger", self.ledger.submitted]
        return subprocess.Popen(bench.load_arguments(self.relay.submission, self.relay.secret, *options),
                                stdout=subprocess.DEVNULL)

    def count(self, which):
        """How many recipients are that."""
        with sqlite3.connect(f"file:{self.state}/state.db?mode=ro", uri=True, timeout=10) as db:
            return db.execute(f"SELECT count(*) FROM recipient WHERE {which}").fetchone()[0]

    def waiting(self, which="true"):
        return self.count(f"state = 0 AND {which}")

    def await_second_tries(self):
        """Who was deferred once is tried again by itself after 15 seconds, and not a day later."""
        end = time.monotonic() + 25
        while self.waiting("tries < 2"):
            if time.monotonic() > end:
                raise Broken(f"not tried again in time: {self.relay.queue('--limit', '2')}")
            time.sleep(0.2)

    def drain(self):
        """Until nobody waits. Who was deferred is told to try at once."""
        end, told = time.monotonic() + 60, 0
        while True:
            if self.is_dead():
                raise Broken(f"the relay has ended by itself: {self.relay.process.returncode}; {self.doing}")
            waiting = self.waiting()
            if waiting == 0:
                return self.count("state = 1")
            if time.monotonic() > end:
                raise Broken(f"{waiting} recipients still wait after a minute: {self.relay.queue('--limit', '2')}")
            if time.monotonic() > told + 0.3:
                self.relay.command("queue", "retry", "--all", check=False)
                told = time.monotonic()
            time.sleep(0.05)

    # ---- the comparison ----

    def check(self, what, held):
        fresh, again = self.ledger.read()
        killed = not what.startswith(("EIO", "ENOSPC", "clock"))
        self.repeated += again
        self.most_repeated = max(self.most_repeated, again)
        if again > (self.lives * 2 * IN_FLIGHT if killed else 0):
            raise Broken(f"{again} repetitions after: {what}")
        ids = {self.number_of(self.ledger.acknowledged[token][0]): token for token in fresh}
        for id, token in ids.items():
            for recipient in self.ledger.acknowledged[token][1]:
                if self.ledger.arrivals[token, recipient] == 0 and id not in self.excused:
                    raise Broken(f"{token} to {recipient}, acknowledged as {id}, is lost")
        with sqlite3.connect(f"file:{self.state}/state.db?mode=ro", uri=True, timeout=10) as db:
            self.check_store(db, ids, held)
        if held:
            self.relay.command("queue", "delete", "--all")
            self.quarantined += 1
        return again

    @staticmethod
    def number_of(text):
        """An id as people see it: 13 digits of 5 bits."""
        number = 0
        for letter in text:
            number = number << 5 | "0123456789abcdefghjkmnpqrstvwxyz".index(letter)
        return number

    def check_store(self, db, ids, held):
        def one(sql, *values):
            return db.execute(sql, values).fetchone()[0]

        if one("PRAGMA integrity_check") != "ok":
            raise Broken("the database is damaged")
        if one("SELECT count(*) FROM message m WHERE NOT EXISTS "
               "(SELECT 1 FROM recipient WHERE message = m.id AND state IN (0, 1))"):
            raise Broken("a settled message is still there")
        if one("SELECT count(*) FROM recipient WHERE message NOT IN (SELECT id FROM message)"):
            raise Broken("a recipient without a message")
        damaged = {row[0] for row in db.execute("SELECT DISTINCT message FROM recipient WHERE state = 1")}
        if not damaged <= self.excused or held != one("SELECT count(*) FROM recipient WHERE state = 1"):
            raise Broken(f"held without a reason: {damaged - self.excused}")
        ended = collections.Counter(row[0] for row in db.execute(
            "SELECT message FROM event WHERE kind IN ('delivered', 'bounced', 'expired') AND message IN (SELECT value FROM "
            "json_each(?))", (json.dumps(list(ids)),)))
        for id, token in ids.items():
            if id not in self.excused and ended[id] != len(self.ledger.acknowledged[token][1]):
                raise Broken(f"{token} ({id}) has {ended[id]} ends for {len(self.ledger.acknowledged[token][1])} recipients")
        files = {int(p.stem) for p in (self.state / "spool").glob("*.seg")}
        missing = {row[0] for row in db.execute("SELECT segment FROM message")} - files
        if missing or len(files) > 1 + len(damaged):
            raise Broken(f"segments after {what}: {sorted(files)}, missing {sorted(missing)}")
