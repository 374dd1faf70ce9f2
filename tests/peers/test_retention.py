"""What the store keeps, and for how long: segments, old events, mail that is held; and its end when nothing can be recorded."""

import os
import signal
import socket
import sqlite3
import threading
import time

from conftest import slack, wait_for


class Slow:
    """A server that answers the RCPT of each message only when it is told to."""

    def __init__(self, port, reply):
        self.reply, self.go, self.asked = reply, threading.Event(), threading.Semaphore(0)
        self.listener = socket.create_server(("127.0.0.1", port), backlog=50)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

    def talk(self, connection):
        with connection, connection.makefile("rwb") as f:
            def say(text):
                f.write(text + b"\r\n")
                f.flush()

            say(b"220 mx.dest.test")
            for line in f:
                verb = line[:4].upper()
                if verb == b"RCPT":
                    self.asked.release()
                    self.go.wait(60)
                    say(self.reply)
                elif verb == b"DATA":
                    say(b"354 go on")
                    while f.readline() not in (b".\r\n", b""):
                        pass
                    say(b"250 2.0.0 taken")
                elif verb == b"QUIT":
                    say(b"221 bye")
                    return
                else:
                    say(b"250 2.0.0 OK")

    def close(self):
        self.go.set()
        self.listener.close()


def spool_bytes(relay):
    return sum(p.stat().st_size for p in (relay.path / "state" / "spool").glob("*.seg"))


def test_little_waiting_mail_keeps_few_segments_and_a_damaged_record_keeps_none(relay_factory, dns, sink_factory):
    """4 MB that wait between what has been delivered: at most 64 MB of segments."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    dns.add("slow.test", "ANY", "SERVFAIL")
    relay = relay_factory().start()
    sink_factory(records=relay.records)
    text = "x" * 76 + "\r\n"
    waiting = []
    with relay.client() as client:
        client.ehlo()
        for i in range(520):
            to = "bob@slow.test" if i % 26 == 0 else "bob@dest.test"
            client.mail("hello@club.test")
            client.rcpt(to)
            code, reply = client.data(f"From: <hello@club.test>\r\nSubject: number {i}\r\n\r\n" + text * 2600)
            assert code == 250, reply
            if to == "bob@slow.test":
                waiting.append(reply.decode().split()[-1])
    wait_for(lambda: len(relay.queue()) == len(waiting), 60, 0.2)
    database = sqlite3.connect(f"file:{relay.path}/state/state.db?mode=ro", uri=True)
    place = database.execute("SELECT segment, offset, length FROM message ORDER BY id LIMIT 1").fetchone()
    path = relay.path / "state" / "spool" / f"{place[0]:08d}.seg"
    if path.exists():  # a byte of its body is another one now
        with open(path, "r+b") as f:
            f.seek(place[1] + place[2] // 2)
            f.write(b"\xff")
    wait_for(lambda: spool_bytes(relay) <= 64 * 1024 * 1024, 30, 0.2)
    assert spool_bytes(relay) <= 64 * 1024 * 1024
    assert len(relay.queue()) == len(waiting)  # nobody is missing
    dns.zone.pop(("slow.test", "ANY"))
    dns.mail("slow.test", "mx.dest.test=127.0.0.1")
    relay.stop()  # what DNS has said is forgotten
    relay.start()
    relay.command("queue", "retry", "--all")
    wait_for(lambda: len(relay.queue("--held")) == len(relay.queue()), 30, 0.2)
    held = relay.queue("--held")
    assert len(held) == 1 and "damaged" in held[0]["last_reply"], held
    assert sum("delivered" in relay.kinds(id) for id in waiting) == len(waiting) - 1


def test_old_events_go_while_mail_comes_in_as_fast_as_ever(relay_factory):
    """Two million events, of which 20,000 are older than a week; SEALPOST_EVENTS=90000000 as with 100 mails a second."""
    relay = relay_factory()
    now = int(time.time() * 1000)
    week = 7 * 24 * 3600 * 1000
    kept = int(os.environ.get("SEALPOST_EVENTS", "2000000")) - 20_000
    database = sqlite3.connect(relay.path / "state" / "state.db")
    database.execute("PRAGMA synchronous = OFF")
    for count, start, step in ((20_000, now - week - 7_200_000, 100), (kept, now - week + 3_600_000, (week - 7_200_000) // kept)):
        for done in range(0, count, 500_000):  # a commit each, so that its log stays small
            database.execute(
                "WITH RECURSIVE n(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?2) "
                "INSERT INTO event(at, kind, message, recipient, code, enhanced, reply, remote) "
                "SELECT ?3 + i * ?4, 'delivered', (?3 + i * ?4) << 16, 'somebody' || i || '@dest.test', 250, '2.0.0', "
                "'2.0.0 OK', 'mx.dest.test[192.0.2.1]:25' FROM n", (done, min(count, done + 500_000), start, step))
            database.commit()
    database.close()
    with open(relay.path / "state" / "state.db", "rb") as file:
        os.fsync(file)  # the disk is not to be busy with what the test has written
    relay.start()
    took = []
    with relay.client() as client:
        client.ehlo()
        while len(took) < 400:
            began = time.monotonic()
            client.sendmail("hello@club.test", ["bob@nowhere.test"], "From: <hello@club.test>\r\nSubject: x\r\n\r\nx\r\n")
            took.append(time.monotonic() - began)
            time.sleep(0.02)
    took.sort()
    print(f"250: median {took[200] * 1000:.1f} ms, longest {took[-1] * 1000:.1f} ms")
    database = sqlite3.connect(f"file:{relay.path}/state/state.db?mode=ro", uri=True)
    old = "SELECT count(*) FROM (SELECT at FROM event ORDER BY id LIMIT 30000) WHERE at < ?"
    wait_for(lambda: database.execute(old, (now - week,)).fetchone()[0] == 0, 30, 0.2)
    assert database.execute("SELECT count(*) FROM event WHERE at < ?", (now - 60_000,)).fetchone()[0] >= kept
    assert took[-1] < slack(0.25), took[-5:]


def test_a_wrong_clock_ends_no_history_and_keeps_none(relay_factory):
    """Set back by nine days, a clock dates all that has happened in the future; that stays, and what is old goes around it."""
    relay = relay_factory()
    now, day = int(time.time() * 1000), 24 * 3600 * 1000
    with sqlite3.connect(relay.path / "state" / "state.db") as database:
        database.execute("DELETE FROM event")
        for count, at in ((500, now - 9 * day), (3000, now + 9 * day), (2500, now - 8 * day), (100, now - day)):
            database.execute(
                "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1) "
                "INSERT INTO event(at, kind, message, recipient, code, enhanced, reply, remote) "
                "SELECT ?2 + i, 'delivered', 0, 'somebody@dest.test', 250, '2.0.0', '', '' FROM n", (count, at))
    relay.start()
    database = sqlite3.connect(f"file:{relay.path}/state/state.db?mode=ro", uri=True)

    def counts():
        return [database.execute("SELECT count(*) FROM event WHERE recipient = 'somebody@dest.test' AND at BETWEEN ? AND ?",
                                 (now + first * day, now + last * day)).fetchone()[0] for first, last in ((-10, -7), (-2, 0), (8, 10))]

    wait_for(lambda: counts()[0] == 0, 20, 0.2)
    time.sleep(1)
    assert counts() == [0, 100, 3000]


def test_what_is_held_while_it_is_under_way_stays_held(relay_factory, dns, delivery_port):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory().start()
    server = Slow(delivery_port, b"451 4.3.0 later")
    try:
        id = relay.send()
        assert server.asked.acquire(timeout=20)
        relay.command("queue", "hold", id)
        server.go.set()
        relay.wait_kind(id, "deferred")
        assert [row["id"] for row in relay.queue("--held")] == [id]
        relay.command("queue", "release", id)
        assert server.asked.acquire(timeout=20)  # it goes on
    finally:
        server.close()


def test_the_relay_ends_in_time_when_nothing_can_be_recorded(relay_factory, dns, delivery_port):
    """Somebody keeps the database from every commit, as a full disk does."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory().start()
    server = Slow(delivery_port, b"250 2.1.5 OK")
    ids = [relay.send() for _ in range(3)]
    assert server.asked.acquire(timeout=20)
    other = sqlite3.connect(relay.path / "state" / "state.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        server.go.set()
        wait_for(lambda: "delivery_paused" in relay.log(), 20)
        line = next(line for line in relay.log().splitlines() if "delivery_paused" in line)
        assert "locked" in line, line  # the reason
        began = time.monotonic()
        relay.process.send_signal(signal.SIGTERM)
        assert relay.process.wait(timeout=50) == 0
        assert time.monotonic() - began < 45  # the unit allows a minute
        relay.process = None
    finally:
        other.execute("ROLLBACK")
        other.close()
    log = relay.log()
    assert "unrecorded id=" in log and "delivered again after the start" in log, log[-2000:]
    relay.start()
    for id in ids:  # nothing is lost
        relay.wait_kind(id, "delivered")
    server.close()
