"""The database takes its time, as on a full disk: only those wait who asked for what is in it, and what changes meanwhile still counts."""

import mmap
import pathlib
import re
import sqlite3
import subprocess
import time

import conftest
import pytest
from conftest import slack, wait_for
from mailhost import MailHost
from slow_store import SlowStore

pytestmark = pytest.mark.usefixtures("authorities")

# Who reads a message as it waits, or anything when `any` is set, is kept for so many ms with what it has read. Which threads they
# were is written down.
ANY, MS, COUNT, THREADS, THREADS_MAX = 0, 1, 2, 3, 200
KEEP_READERS = f"""
    if ((page[{ANY}] || strstr(sql, " FROM message WHERE id = ?")) && sqlite3_db_readonly(sqlite3_db_handle(s), "main") == 1) {{
        page[{THREADS} + page[{COUNT}]++ % {THREADS_MAX}] = (int)syscall(SYS_gettid);
        nap(page[{MS}]);
    }}
"""


class SlowReaders(SlowStore):
    def __init__(self, path):
        super().__init__(path, after=KEEP_READERS)

    def set(self, ms, any=False):
        self[ANY], self[MS] = int(any), ms

    def count(self):
        return self[COUNT]

    def threads(self):
        return {self[THREADS + i] for i in range(min(self.count(), THREADS_MAX))}


@pytest.fixture
def slow(tmp_path):
    return SlowReaders(tmp_path)


@pytest.fixture
def relay(slow, relay_factory, dns):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory("shards = 1")
    relay.environment = slow.environment
    return relay.start()


def waiting(relay, to=("bob@dest.test",)):
    """Mail that nobody has taken yet; its destination rests. A command about it makes the relay forget what it has in memory of it."""
    ids = [relay.send(one) for one in to]
    relay.wait_kind(ids[0], "deferred")
    return ids


def longest_reply(relay, until):
    """In ms, while `until` is not so."""
    worst = 0
    with relay.client() as client:
        while not until():
            begun = time.monotonic()
            assert client.noop()[0] == 250
            worst = max(worst, time.monotonic() - begun)
            time.sleep(0.005)
    return worst * 1000


def filters_of(relay, thread):
    status = pathlib.Path(f"/proc/{relay.process.pid}/task/{thread}/status").read_text()
    return int(re.search(r"^Seccomp_filters:\s+(\d+)", status, re.M)[1])


def test_nobody_waits_for_mail_that_is_read(relay, slow, dns, sink_factory):
    """Sessions are answered and other mail is delivered, on the one loop there is, while mail is read, each for most of a second."""
    dns.mail("other.test", "mx.other.test=127.0.0.3")
    ids = waiting(relay, [f"r{i}@dest.test" for i in range(6)])
    sink, other = sink_factory(records=relay.records), sink_factory(host="127.0.0.3")
    slow.set(700)
    relay.command("queue", "retry", "--all")
    took = []
    for i in range(5):
        before = slow.count()
        wait_for(lambda: slow.count() > before)
        begun = time.monotonic()
        relay.send("bob@other.test")
        other.wait(i + 1)
        took.append(time.monotonic() - begun)
    assert sorted(took)[2] < 0.5, took  # they do not wait for what is being read
    worst = longest_reply(relay, lambda: len(sink.messages()) == 6)
    assert worst < 350, f"{worst} ms"
    for id in ids:
        relay.wait_kind(id, "delivered")
    filters = {filters_of(relay, thread) - filters_of(relay, relay.process.pid) for thread in slow.threads()}
    assert filters == {1} or conftest.SEALPOST != conftest.RELEASE, filters  # the store's own threads


def test_nobody_who_is_served_waits_for_any_read(relay, slow, sink_factory):
    """Each row that is read takes a while, whatever it is: logins, recipients, acceptance and delivery of what comes do not notice."""
    sink = sink_factory()
    relay.send()
    sink.wait(1)
    before = slow.count()
    busy = min(slack(1), 3)  # then it takes longer still, so that who waits for it is told from who does not
    slow.set(int(400 * busy), any=True)
    search = subprocess.Popen([relay.program, "-c", relay.config, "events"], stdout=subprocess.DEVNULL)
    wait_for(lambda: slow.count() > before)
    took = []
    for i in range(5):
        begun = time.monotonic()
        relay.send(f"r{i}@dest.test")
        sink.wait(i + 2)
        took.append(time.monotonic() - begun)
    assert sorted(took)[2] < 0.8 * busy, took  # a login, a recipient and a domain would be three reads
    until = time.monotonic() + 3  # key rotation and the queue have their ticks meanwhile
    assert longest_reply(relay, lambda: time.monotonic() > until) < 350 * busy
    slow.set(0)
    search.wait(60)
    assert relay.process.pid not in slow.threads()  # the main loop, which wakes the queue


@pytest.mark.parametrize("command", [("queue", "delete"), ("queue", "hold"), ("suppress", "add", "bob@dest.test")])
def test_what_changes_while_it_is_read_counts(relay, slow, sink_factory, command):
    """It was read before somebody ended it, held it, or did not want it; that is seen before it goes."""
    id, other = waiting(relay, ["bob@dest.test", "amy@dest.test"])
    sink = sink_factory()
    slow.set(1000)
    before = slow.count()
    relay.command("queue", "retry", id)
    wait_for(lambda: slow.count() > before)
    relay.command(*command, *([id] if command[0] == "queue" else []))
    slow.set(0)
    relay.command("queue", "retry", other)
    relay.wait_kind(other, "delivered")
    time.sleep(1.5)
    assert [about["to"] for about, _ in sink.messages()] == [["amy@dest.test"]]
    if command[1] == "hold":
        relay.command("queue", "release", id)
        relay.wait_kind(id, "delivered")
    elif command[1] == "add":
        relay.wait_kind(id, "suppressed")
    else:
        assert "delivered" not in relay.kinds(id)


class Hasty(MailHost):
    """It ends a connection that is silent for so long."""

    silence = 60

    def talk(self, client, connection):
        client.settimeout(self.silence)
        super().talk(client, connection)


@pytest.mark.memory
@pytest.mark.parametrize("silence,connections", [(0.4, 2), (60, 1)])
def test_a_connection_is_idle_while_its_next_message_is_read(relay, slow, delivery_port, silence, connections):
    """Its server may end it meanwhile: then the message goes on another one, and that is no try of it."""
    id, = waiting(relay)
    before = relay.kinds(id)
    server = Hasty(delivery_port)
    server.silence = silence
    try:
        relay.wait_kind(relay.send("first@dest.test"), "delivered")
        slow.set(900)
        relay.command("queue", "retry", id)
        relay.wait_kind(id, "delivered")
    finally:
        server.stop()
    assert [k for k in relay.kinds(id) if k != "retried"][len(before):] == ["delivered"], relay.kinds(id)
    assert [m.recipients for m in server.messages] == [["first@dest.test"], ["bob@dest.test"]]
    assert len(server.connections) == connections


@pytest.mark.memory
def test_the_end_comes_while_mail_is_read(relay, slow, sink_factory):
    """Whatever is being read is sent after the next start, once."""
    ids = waiting(relay, [f"r{i}@dest.test" for i in range(5)])
    slow.set(1000)
    before = slow.count()
    relay.command("queue", "retry", "--all")
    wait_for(lambda: slow.count() > before)
    begun = time.monotonic()
    relay.stop()
    assert time.monotonic() - begun < 15
    sink = sink_factory()
    slow.set(0)
    relay.start()
    for id in ids:
        relay.wait_kind(id, "delivered")
    assert len(sink.messages()) == 5


def move_record(relay, to):
    """As when its segment was cleared: the row says where the record is now. `to` None: it is nowhere."""
    with sqlite3.connect(relay.path / "state" / "state.db", timeout=20) as db:
        (segment,), = db.execute("SELECT segment FROM message").fetchall()
        path = relay.path / "state" / "spool" / f"{segment:08d}.seg"
        if to is None:
            path.rename(path.with_suffix(".away"))
        else:
            path.rename(path.with_name(f"{to:08d}.seg"))
            db.execute("UPDATE message SET segment = ?", (to,))
    db.close()


BIG = "".join(f"{i:070d}\r\n" for i in range(20000))  # its copy is made on the pool


@pytest.mark.memory
@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("moved,ms,silence,kind", [(900000, 0, 60, "delivered"), (900000, 300, 60, "delivered"), (None, 300, 60, "held"),
                                                   (900000, 1500, 0.5, "deferred")])
def test_a_record_that_is_moved_before_it_is_sent_is_found(relay, slow, delivery_port, large, moved, ms, silence, kind):
    """The row was read, then the record went elsewhere: the row is read again, and nobody waits for that but its connection."""
    busy = min(slack(1), 3)  # then the store is slower too, so that who waits for it is still told from who does not

    def answer(line, connection):
        if line.upper().startswith("EHLO") and len(server.connections) == 1:
            move_record(relay, moved)
            slow.set(int(ms * busy))

    def outcomes():
        return [k for k in relay.kinds(id)[2:] if k != "retried"]

    id = relay.send(message=f"From: <hello@club.test>\r\nSubject: x\r\n\r\n{BIG if large else 'x'}\r\n")
    relay.wait_kind(id, "deferred")
    relay.stop()  # what is written to is open, and found wherever it is
    relay.start()
    server = Hasty(delivery_port, answer)
    server.silence = silence
    try:
        relay.command("queue", "retry", id)
        if ms:
            wait_for(lambda: slow.count() > 0)
            assert longest_reply(relay, outcomes) < 250 * busy
        wait_for(lambda: kind in outcomes())
        if kind == "deferred":
            slow.set(0)
            relay.command("queue", "retry", id)
            relay.wait_kind(id, "delivered")
    finally:
        server.stop()
    assert len(server.messages) == (kind != "held")
