"""What an operator asks in trouble: where mail waits, what is being tried, how to hold back or end what goes to one place."""

import contextlib
import os
import sqlite3
import socket
import threading

import pytest
from conftest import wait_for

QUICK = 'stream "quick" { class = "security" retry = {1} }\nstream "slow" { class = "notification" retry = {600} }'


def send(relay, to, stream="slow"):
    return relay.send(to, f"From: <hello@club.test>\r\nSubject: test\r\nSealpost-Stream: {stream}\r\n\r\nhello\r\n")


@contextlib.contextmanager
def talker(host, port, greeting=b"220 hi\r\n", answer=None):
    """A server that says one thing on each connection, and then only what `answer` makes of a line."""
    server = socket.create_server((host, port))
    held = []

    def serve(connection):
        with contextlib.suppress(OSError):
            connection.sendall(greeting)
            for line in connection.makefile("rb"):
                said = answer(line) if answer else b""
                connection.sendall(said)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                held.append(connection)
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield held
    finally:
        server.close()
        for connection in held:
            connection.close()


def busy(line):
    return b"250 ok\r\n" if line.upper().startswith((b"EHLO", b"HELO", b"RSET")) else b"451 4.2.0 later\r\n"


@pytest.mark.memory
def test_deferred_mail_is_seen_by_destination_and_chosen_by_it(relay_factory, dns, delivery_port):
    """Kind: views of the queue that forget what is not due."""
    relay = relay_factory(QUICK).start()
    dns.mail("a.test", "mx.a.test=127.0.0.3")
    dns.mail("b.test", "mx.a.test=127.0.0.3")
    dns.add("nowhere.test", "MX", "SERVFAIL")
    dns.zone[("nowhere.test", "MX")] = ["SERVFAIL"]
    place = f"mx.a.test:{delivery_port}"
    with talker("127.0.0.3", delivery_port, answer=busy):
        ids = [send(relay, to) for to in ("x@a.test", "y@a.test", "z@b.test")]
        unknown = send(relay, "n@nowhere.test")
        for id in [*ids, unknown]:
            relay.wait_kind(id, "deferred")
        rows = {r["destination"]: r for r in relay.json("queue", "list", "--by", "destination")}
        assert set(rows) == {place, "nowhere.test"}, rows
        assert (rows[place]["waiting"], rows[place]["deferred"], rows[place]["domains"]) == (0, 3, 2), rows
        assert rows["nowhere.test"]["deferred"] == 1 and rows[place]["next_try"] > rows[place]["oldest"], rows
        text = relay.command("queue", "list", "--by", "destination")
        assert text.splitlines()[0].split() == ["DESTINATION", "WAITING", "DEFERRED", "HELD", "OLDEST", "NEXT", "TRY", "WHY"]
        assert text.splitlines()[1].split()[:3] == [place, "0", "3"] and text.endswith("4 recipients, 2 destinations\n"), text
        for name in (place, "mx.a.test", "a.test", "b.test"):
            assert relay.json("destination", "show", name)["deferred"] == 3
            assert len(relay.queue("--destination", name)) == 3, name
        assert {r.get("destination") for r in relay.queue()} == {place, None}
        assert "3 recipients changed" in relay.command("queue", "hold", "--destination", "mx.a.test")
        assert relay.json("queue", "list", "--by", "destination")[0]["held"] == 3
        assert len(relay.queue("--destination", "mx.a.test", "--held")) == 3
        relay.command("queue", "release", "--destination", "mx.a.test")
        assert "1 recipient changed" in relay.command("queue", "delete", "--destination", "nowhere.test")
        for verb in ("list", "retry", "hold", "delete"):  # nobody means that: it is no success
            done = relay.command("queue", verb, "--destination", "toomany", check=False)
            assert done.returncode == 1 and 'no destination "toomany"' in done.stderr and done.stdout == "", (verb, done)
        done = relay.command("trace", "<m1@club.test>", check=False)
        assert done.returncode == 2 and "events --message-id" in done.stderr, done
        assert len(relay.queue()) == 3


@pytest.mark.memory
def test_what_is_being_tried_is_said_with_host_and_stage(relay_factory, dns, delivery_port):
    """Kind: mail under way that looks like mail that waits."""
    relay = relay_factory(QUICK).start()
    dns.mail("hang.test", "mx.hang.test=127.0.0.4")
    dns.mail("mute.test", "mx.mute.test=127.0.0.5")
    with talker("127.0.0.4", delivery_port, answer=lambda line: b"250 ok\r\n" if line[:4] in (b"EHLO", b"MAIL") else b""), \
            talker("127.0.0.5", delivery_port, greeting=b""):
        id = send(relay, "x@hang.test")
        mute = send(relay, "x@mute.test")
        row = wait_for(lambda: [r for r in relay.queue("--id", id) if r.get("trying", {}).get("stage") == "RCPT"])[0]
        assert row["trying"]["host"] == "mx.hang.test" and row["trying"]["ip"] == "127.0.0.4", row
        text = relay.command("queue", "show", id)
        assert "x@hang.test is being tried at mx.hang.test[127.0.0.4] since " in text and "s (RCPT)" in text, text
        assert " trying " in text
        assert f"{id} at mx.hang.test[127.0.0.4] since " in relay.command("destination", "show", "mx.hang.test")
        assert "is being tried at mx.hang.test[127.0.0.4] since " in relay.command("trace", id)
        wait_for(lambda: "mx.mute.test[127.0.0.5] since " in relay.command("queue", "show", mute))
        assert "(greeting)" in relay.command("queue", "show", mute)
        relay.command("queue", "delete", "--all")


def test_mail_is_chosen_by_its_senders_domain(relay_factory, dns, delivery_port):
    """As what a domain whose records are missing has sent: by @DOMAIN, which is no part of another's name."""
    relay = relay_factory(QUICK).start()
    dns.mail("a.test", "mx.a.test=127.0.0.3")
    with talker("127.0.0.3", delivery_port, answer=busy):
        id = send(relay, "x@a.test")
        relay.wait_kind(id, "deferred")
        assert [row["id"] for row in relay.queue("--sender", "@CLUB.test")] == [id]
        for other in ("@lub.test", "club.test", "@test", "@%", "@"):
            assert relay.queue("--sender", other) == [], other
        assert "1 recipient changed" in relay.command("queue", "hold", "--sender", "@club.test")
        assert len(relay.queue("--held", "--sender", "@club.test")) == 1
        assert "1 recipient changed" in relay.command("queue", "release", "--sender", "@club.test")


def test_a_rest_says_what_was_and_what_it_costs(relay_factory, dns, delivery_port):
    """Kind: a command that changes more, or less, than it says."""
    relay = relay_factory(QUICK).start()
    dns.mail("a.test", "mx.a.test=127.0.0.3")
    dns.mail("both.test", "mx.b.test=127.0.0.6", "mx.a.test=127.0.0.3")
    with talker("127.0.0.3", delivery_port, answer=busy), talker("127.0.0.6", delivery_port, answer=busy):
        for to in ("x@a.test", "y@both.test"):
            relay.wait_kind(send(relay, to), "deferred")
        both = f"mx.a.test,mx.b.test:{delivery_port}"
        done = relay.command("destination", "rest", "mx.a.test", check=False)
        assert done.returncode == 2 and "means more than one destination" in done.stderr and both in done.stderr, done
        relay.command("queue", "release", "--all", check=False)
        name = f"mx.a.test:{delivery_port}"
        text = relay.command("destination", "rest", name, "--for", "1h", "--why", "they asked")
        assert text.startswith(f"{name} rests for 1h\n") and f"its hosts also get mail for: {both}" in text, text
        assert "0 recipients that wait there expire before it ends" in text, text
        text = relay.command("destination", "rest", name, "--for", "7d")
        assert "it had a rest of 3" in text and "by an operator: they asked" in text and "1 recipients that" in text, text
        assert "is tried again" in relay.command("destination", "resume", name)
        assert "had no rest" in relay.command("destination", "resume", name)
        kinds = [e["reply"] for e in relay.json("events", "--kind", "destination_resumed")]
        assert len(kinds) == 1, kinds
        done = relay.command("destination", "rest", "mx.c.test", check=False)
        assert done.returncode == 1 and "did you mean" not in done.stderr and "full name" in done.stderr, done.stderr
        ahead = f"mx.c.test:{delivery_port}"
        assert "it rests from the first on" in relay.command("destination", "rest", f"MX.C.test:{delivery_port}", "--for", "10m")
        dns.mail("c.test", "mx.c.test=127.0.0.7")
        id = send(relay, "x@c.test")
        wait_for(lambda: relay.json("destination", "show", ahead)["waiting"] == 1)
        assert f'waits: destination "{ahead}" rests for ' in relay.command("trace", id)


@pytest.mark.memory
def test_mail_that_is_ended_ends_its_connection_and_is_not_deferred_later(relay_factory, dns, delivery_port):
    """Kind: an outcome of what is gone."""
    relay = relay_factory(QUICK).start()
    dns.mail("hang.test", "mx.hang.test=127.0.0.4")
    ended = []

    def hang(line):
        return b"250 ok\r\n" if line[:4] in (b"EHLO", b"MAIL") else b""

    with talker("127.0.0.4", delivery_port, answer=hang) as held:
        one = send(relay, "x@hang.test")
        other = send(relay, ["y@hang.test", "z@hang.test"])
        for id in (one, other):
            wait_for(lambda: [r for r in relay.queue("--id", id) if r.get("trying", {}).get("stage") == "RCPT"])
        assert "1 recipient changed" in relay.command("queue", "delete", "--recipient", "y@hang.test")
        assert "1 recipient changed" in relay.command("queue", "delete", one)
        wait_for(lambda: relay.json("destination", "show", "hang.test")["busy"] == 1)
        assert relay.queue("--recipient", "z@hang.test")[0]["trying"]["stage"] == "RCPT"  # it goes on for the other
        assert relay.json("destination", "show", "hang.test")["failures"] == 0
        assert "1 recipient changed" in relay.command("queue", "bounce", "--destination", "hang.test", "--why", "wrong list")
        ended = relay.wait_kind(other, "bounced")
        assert ended[0]["reply"] == "Returned by the operator of this relay: wrong list" and ended[0]["code"] == 554, ended
        wait_for(lambda: relay.json("destination", "show", "hang.test")["busy"] == 0)
        assert held
    lines = [line for line in relay.log().splitlines() if " deferred " in line and "hang.test" in line]
    assert not lines, lines


def test_returned_mail_is_told_to_its_sender(relay_factory, sink_factory, dns, delivery_port):
    relay = relay_factory(QUICK).start()
    dns.mail("club.test", "mx.club.test=127.0.0.1")
    dns.mail("busy.test", "mx.busy.test=127.0.0.3")
    sink = sink_factory(records=relay.records)
    with talker("127.0.0.3", delivery_port, answer=busy):
        ids = [send(relay, to) for to in ("x@busy.test", "y@busy.test")]
        for id in ids:
            relay.wait_kind(id, "deferred")
        relay.command("queue", "hold", ids[1])
        assert relay.command("queue", "bounce", check=False).returncode == 2
        relay.command("queue", "bounce", "--destination", "mx.busy.test")
        for id in ids:
            assert relay.wait_kind(id, "bounced")[0]["reply"] == "Returned by the operator of this relay"
        told = [raw for about, raw in sink.wait(2)]
        assert all(b"Returned by the operator" in raw and b"Action: failed" in raw for raw in told), told
    assert relay.queue() == []


def test_a_retry_says_what_an_operator_keeps_at_rest(relay_factory, dns, delivery_port):
    relay = relay_factory(QUICK).start()
    dns.mail("a.test", "mx.a.test=127.0.0.3")
    with talker("127.0.0.3", delivery_port, answer=busy):
        id = send(relay, "x@a.test")
        relay.wait_kind(id, "deferred")
        relay.command("destination", "rest", "mx.a.test", "--why", "they asked")
        text = relay.command("queue", "retry", id)
        assert f'x@a.test waits: destination "mx.a.test:{delivery_port}" rests for ' in text and "they asked" in text, text
        text = relay.command("queue", "retry", "--all")
        assert f'destination "mx.a.test:{delivery_port}" rests, by an operator: its mail waits on\n' in text, text


def test_a_test_message_says_what_it_waits_for(relay_factory, dns, delivery_port):
    """Kind: a command that is silent while it waits."""
    relay = relay_factory(QUICK).start()
    name = f"mx.rest.test:{delivery_port}"
    dns.mail("rest.test", "mx.rest.test=127.0.0.8")
    relay.command("destination", "rest", name, "--for", "8s", "--why", "moving")
    with talker("127.0.0.8", delivery_port, answer=busy):
        done = relay.command("send-test", "x@rest.test", check=False)
    assert f'destination "{name}" rests for ' in done.stderr and "by an operator: moving" in done.stderr, done.stderr
    assert done.stderr.count(f'destination "{name}" rests for ') == 2 and "451 4.2.0" in done.stdout, done
    told = wait_for(lambda: relay.json("events", "--kind", "destination_resumed"))
    assert told[0]["recipient"] == name and told[0]["reply"].startswith("the operator's rest is over; it was: moving"), told
    rows = [line for line in relay.command("events", "--kind", "destination_rests").splitlines() if "moving" in line]
    assert "0000000000000" not in rows[0] and " 0 " not in rows[0], rows
    assert relay.json("events", "--kind", "destination_rests")[0]["id"] == "0000000000000"


def test_what_a_stranger_gives_mail_is_no_user(relay_factory):
    """Kind: an argument that stands under the name of a credential; a name of somebody else's stream."""
    relay = relay_factory('stream "mine" { class = "security" }\nstream "theirs" { class = "security" }').start()
    relay.command("user", "add", "one", "--domain", "club.test", "--streams", "mine")
    with socket.create_connection(("127.0.0.1", relay.submission)) as client:
        file = client.makefile("rwb")
        for line in (b"EHLO x\r\n", b"MAIL FROM:<evil user=app@club.test>\r\n", b"QUIT\r\n"):
            file.write(line)
        file.flush()
        file.read()
    line = wait_for(lambda: [x for x in relay.log().splitlines() if " refused " in x or "refused what=" in x])[0]
    assert "argument=" in line and " user=" not in line.split("argument=")[0], line
    secret = relay.json("user", "rotate", "one")["secret"]
    with relay.client(user="one", secret=secret) as client:
        client.ehlo_or_helo_if_needed()
        client.mail("hello@club.test")
        client.rcpt("x@dest.test")
        code, text = client.data(b"From: <hello@club.test>\r\nSealpost-Stream: other\r\n\r\nx\r\n")
        assert code == 550 and b"known: mine" in text and b"theirs" not in text, text


def test_a_wrong_word_is_answered_with_the_whole_table(relay_factory):
    relay = relay_factory('alert { on = {"destination_rest"} }')
    done = relay.command("config", "check", check=False)
    for word in ("locked", "identity_refused", "flood", "certificate", "key", "route", "admin", "destination_rests", "connections_full",
                 "share_used_up", "disk_full", "dnssec", "suppression_paused", "process_ended", "webhook_disabled", "mail_paused"):
        assert word in done.stderr + done.stdout, done
    assert 'did you mean "destination_rests"?' in done.stderr + done.stdout


def test_help_is_a_command(relay_factory):
    relay = relay_factory()
    assert relay.command("help") == relay.command("--help")
    assert relay.command("help", "queue", "list") == relay.command("queue", "list", "--help")
    assert relay.command("help", "queue", "lits", check=False).returncode == 2


@pytest.mark.memory
def test_a_reload_is_a_command_with_an_answer_and_the_settings_shown_are_in_force(relay_factory):
    """Kind: what is shown is not what is in force; a result that stands in the log alone."""
    relay = relay_factory()
    done = relay.command("reload", check=False)
    assert done.returncode == 3 and "no relay is running" in done.stderr, done
    assert relay.command("status", check=False).returncode == 3
    relay.start()
    good = relay.config.read_text()
    assert relay.command("reload") == "reloaded\n"
    assert relay.command("config", "show").count("log = ") == 1 and "refused" not in relay.json("status")

    relay.config.write_text(good + 'log = "debug"\n')
    done = relay.command("config", "show", check=False)
    assert 'log = "info"' in done.stdout and "'sealpost reload' puts it into force" in done.stderr, done
    relay.command("reload")
    done = relay.command("config", "show", check=False)
    assert 'log = "debug"' in done.stdout and done.stderr == "", done

    relay.config.write_text(good.replace("shards = 2", "shards = 3"))
    done = relay.command("reload", check=False)
    assert done.returncode == 1 and "cannot be changed by a reload" in done.stderr and str(relay.config) in done.stderr, done
    done = relay.command("config", "show", check=False)
    assert "shards = 2" in done.stdout and "the last reload was refused" in done.stderr, done
    assert "shards" in relay.json("status")["refused"]

    relay.config.write_text(good + 'lgo = "debug"\n')
    done = relay.command("reload", check=False)
    line = len(good.splitlines()) + 1
    assert done.returncode == 1 and f"{relay.config}:{line}: " in done.stderr, done
    done = relay.command("config", "show", check=False)
    assert done.returncode == 0 and "shards = 2" in done.stdout and f"{relay.config}:{line}: " in done.stderr, done
    text = relay.command("status")
    assert f"{relay.config}:{line}: " in text and "are in force" in text, text
    wait_for(lambda: [x for x in relay.log().splitlines() if "reload_refused" in x and f"{relay.config}:{line}: " in x])
    relay.config.write_text(good)
    relay.command("reload")
    assert "refused" not in relay.json("status")


def processor_s(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_how_things_are_costs_little_where_there_are_many_domains(relay_factory):
    """Kind: a question whose cost grows with what is kept, asked again and again by what watches the relay. To decode 3,000 keys
    takes over a second of a thread that mail waits for."""
    relay = relay_factory()
    [path] = (relay.path / "state" / "keys").glob("club.test.*.pem")
    selector = path.name[len("club.test."):-len(".pem")]
    with contextlib.closing(sqlite3.connect(relay.path / "state" / "state.db")) as db, db:
        columns = [row[1] for row in db.execute("PRAGMA table_info(signing_key)")]
        others = ", ".join(c for c in columns if c != "domain")
        for i in range(3000):
            os.link(path, path.with_name(f"d{i}.test.{selector}.pem"))
            db.execute(f"INSERT INTO signing_key(domain, {others}) SELECT ?, {others} FROM signing_key WHERE domain = 'club.test' AND "
                       "state = 'active'", (f"d{i}.test",))
    relay.start()
    path.with_name(f"d7.test.{selector}.pem").unlink()
    before = processor_s(relay.process.pid)
    for _ in range(10):
        assert [row["domain"] for row in relay.json("status")["unsigned"]] == ["d7.test"]
    assert processor_s(relay.process.pid) - before < 5


def test_a_change_of_what_is_not_in_the_queue_says_where_to_look(relay, sink):
    """A message that has been delivered, and a destination that a relay that has been started anew does not know yet."""
    id = relay.send()
    sink.wait(1)
    wait_for(lambda: relay.json("queue", "list") == [])
    for verb in ("retry", "hold", "release", "bounce", "delete"):
        done = relay.command("queue", verb, id, check=False)
        assert done.returncode == 1 and f"see 'sealpost trace {id}'" in done.stderr and done.stderr.count("\n") == 1, (verb, done)
    done = relay.command("queue", "retry", "--destination", "mx.nowhere.test:25", check=False)
    assert done.returncode == 1 and "is known just now" in done.stderr and "--domain" in done.stderr and done.stderr.count("\n") == 1, done
