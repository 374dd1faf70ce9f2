"""A return path of a domain's own: what is said at MAIL names the message and the recipient, and nothing else changes."""

import asyncio
import json
import re
import threading

import pytest

from conftest import wait_for
from mailhost import MailHost

CONFIG = '''throttle = "off"
domain "club.test" { return_path = "bounce.club.test" }
stream "soon" { class = "security"  retry = {1, 1, 1} }
'''
TOKEN = re.compile(r"b-[a-z2-7]{32}@bounce\.club\.test")


class Receiver:
    """Defers "later@" twice, refuses "gone@"; `said`: (MAIL FROM, RCPT TO) in order."""

    def __init__(self, port):
        self.said, self.deferred = [], 0
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()
        self.thread = threading.Thread(target=self.run, args=(port, ready), daemon=True)
        self.thread.start()
        assert ready.wait(10)

    def run(self, port, ready):
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(asyncio.start_server(self.serve, "127.0.0.1", port))
        self.loop.call_soon(ready.set)
        self.loop.run_forever()

    def answer(self, recipient):
        if recipient.startswith("gone@"):
            return "550 5.1.1 No such user"
        if recipient.startswith("later@") and self.deferred < 2:
            self.deferred += 1
            return "450 4.7.1 Greylisted, come again"
        return "250 2.1.5 ok"

    async def serve(self, reader, writer):
        try:
            await self.talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def talk(self, reader, writer):
        sender = ""
        writer.write(b"220 receiver ESMTP\r\n")
        while line := (await reader.readline()).decode("latin1").strip():
            verb, answer = line.split(":")[0].split()[0].upper(), "250 2.0.0 ok"
            if verb == "MAIL":
                sender = line.split("<")[1].split(">")[0]
            elif verb == "RCPT":
                recipient = line.split("<")[1].split(">")[0]
                self.said.append((sender, recipient))
                answer = self.answer(recipient)
            elif verb == "DATA":
                writer.write(b"354 go on\r\n")
                await reader.readuntil(b"\r\n.\r\n")
            writer.write(answer.encode() + b"\r\n")

    def of(self, recipient):
        return [sender for sender, to in self.said if to == recipient]

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()


@pytest.fixture
def receiver(delivery_port):
    receiver = Receiver(delivery_port)
    yield receiver
    receiver.stop()


@pytest.fixture
def relay(relay_factory, dns, receiver):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    dns.mail("club.test", "mx.dest.test=127.0.0.1")
    return relay_factory(CONFIG).start()


@pytest.mark.memory
def test_each_recipient_has_a_sender_of_its_own_which_says_whose_it_is(relay, receiver):
    id = relay.send(["a@dest.test", "b@dest.test"])
    wait_for(lambda: relay.kinds(id).count("delivered") == 2)
    (a,), (b,) = receiver.of("a@dest.test"), receiver.of("b@dest.test")
    assert TOKEN.fullmatch(a) and TOKEN.fullmatch(b) and a != b
    assert [relay.json("returns", "whose", sender) for sender in (a, b.upper())] == \
        [{"id": id, "recipient": 1}, {"id": id, "recipient": 2}]
    forged = a.replace(a[20], "a" if a[20] != "a" else "b", 1)
    assert relay.command("returns", "whose", forged, check=False).returncode != 0
    relay.command("unsubscribe", "rotate")
    assert relay.json("returns", "whose", a)["id"] == id


def test_it_is_the_same_at_each_try_and_the_report_goes_to_who_has_sent(relay, receiver):
    id = relay.send(["later@dest.test", "gone@dest.test"],
                    "From: <hello@club.test>\r\nSubject: x\r\nSealpost-Stream: soon\r\n\r\nhello\r\n")
    wait_for(lambda: {"delivered", "bounced"} <= set(relay.kinds(id)), 60)
    tries = receiver.of("later@dest.test")
    assert len(tries) == 3 and len(set(tries)) == 1 and TOKEN.fullmatch(tries[0])
    wait_for(lambda: receiver.of("hello@club.test"), 60)
    assert receiver.of("hello@club.test") == [""]  # the report, by the null sender


def test_success_is_told_here_and_only_failures_are_asked_for(relay_factory, dns, delivery_port):
    """The hop's report of success would come to the return path, where it means nothing: who has asked for it heard of neither."""
    def offers_dsn(line, _):
        return "250-mailhost\r\n250 DSN" if line.startswith("EHLO") else None

    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    dns.mail("club.test", "mx.dest.test=127.0.0.1")
    relay, host = relay_factory(CONFIG), MailHost(delivery_port, offers_dsn)
    try:
        relay.start()
        with relay.client() as client:
            client.mail("hello@club.test")
            for recipient, notify in (("a@dest.test", " NOTIFY=SUCCESS,DELAY"), ("b@dest.test", " NOTIFY=NEVER"), ("c@dest.test", "")):
                assert client.docmd(f"RCPT TO:<{recipient}>{notify}")[0] == 250
            assert client.data("From: <hello@club.test>\r\nSubject: x\r\n\r\nhello\r\n")[0] == 250
        (report,) = wait_for(lambda: host.reached("hello@club.test"), 60)
        assert b"Action: relayed" in report.data and report.data.count(b"Final-Recipient:") == 1 and b"a@dest.test" in report.data
        lines = {line for m in host.messages for line in m.connection.lines}
        said = {line.split("<")[1].split(">")[0]: line.partition(">")[2] for line in lines if line.startswith("RCPT")}
        assert said["a@dest.test"].startswith(" NOTIFY=FAILURE") and "SUCCESS" not in said["a@dest.test"], said
        assert said["b@dest.test"].startswith(" NOTIFY=NEVER") and "NOTIFY" not in said["c@dest.test"], said
        assert all("RET=HDRS" in line for line in lines if line.startswith("MAIL FROM:<b-"))
    finally:
        host.stop()


def test_send_test_goes_by_the_return_path_and_is_judged_by_it(relay, receiver):
    """What is tried is what applications get: the same envelope, and the verdict is about that one."""
    text = relay.command("send-test", "a@dest.test", "--from", "hello@club.test")
    (sender,) = receiver.of("a@dest.test")
    assert TOKEN.fullmatch(sender) and f"C: MAIL FROM:<{sender}>" in text, text
    id = re.search(r"Accepted as (\S+)", text)[1]
    assert relay.json("returns", "whose", sender)["id"] == id
    verdict = text.split("A receiver would say ")[1]  # nothing is published for the return path: SPF knows nobody there
    assert "SPF" in verdict and not re.search(r"SPF[^;:]* pass", verdict), verdict


def test_the_null_sender_stays_as_it_is(relay, receiver):
    id = relay.send(sender="", message="From: <hello@club.test>\r\nSubject: x\r\n\r\nhello\r\n")
    relay.wait_kind(id, "delivered")
    assert receiver.of("bob@dest.test") == [""]


def test_what_came_back_shows_the_address(relay, receiver):
    relay.wait_kind(relay.send(), "delivered")
    (sender,) = receiver.of("bob@dest.test")
    bounce = f"Return-Path: <>\nDelivered-To: all@bounce.club.test\nFrom: MAILER-DAEMON@dest.test\nTo: {sender}\nSubject: failed\n\n" \
        "<bob@dest.test>: 550 5.1.1 No such user\n"
    (row,) = json.loads(relay.command("--json", "returns", "show", "-", input=bounce))
    assert (row["return_path"], row["recipients"][0]["address"]) == (sender, "bob@dest.test")


def test_its_records_are_planned_with_the_domain(relay):
    rows = {(r["role"], r["name"], r["type"]): r for r in relay.json("dns", "club.test")["records"]}
    assert rows["spf", "bounce.club.test", "TXT"]["need"] == "required"
    assert rows["return-path", "bounce.club.test", "MX"]["value"].endswith("mx.dest.test")


def test_it_must_lie_below_the_domain(relay, tmp_path):
    for wrong in ("bounce.shop.test", "club.test", "xclub.test"):
        (tmp_path / "wrong.conf").write_text(relay.config.read_text().replace('"bounce.club.test"', f'"{wrong}"'))
        done = relay.command("-c", str(tmp_path / "wrong.conf"), "config", "check", config=False, check=False)
        assert done.returncode == 1 and "return_path" in done.stderr and "bounce.club.test" in done.stderr, done.stderr
