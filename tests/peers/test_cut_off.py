"""A server cuts off the mail of one tenant, and of no other: by its recipients, its sender or what it says. The kind of fault is a
failure over one tenant's message that holds up the mail of all others to the same server."""

import threading
import time

import pytest

from apart import STREAMS, Sender, tenants
from conftest import slack, wait_for
from receivers import Receiver


class Picky(Receiver):
    """Cuts off whatever is eve's: `at` says when. Others' mail it takes."""

    def __init__(self, address, port, at):
        self.at, self.cut = at, 0
        super().__init__(address, port)

    async def talk(self, reader, writer):
        def say(text):
            writer.write(text.encode() + b"\r\n")

        say("220 ready ESMTP")
        while True:
            line = (await reader.readuntil(b"\n")).decode("latin1").strip()
            verb = line.upper().split(":")[0].split()[0] if line else ""
            if verb == "QUIT":
                say("221 2.0.0 bye")
                return
            if verb in ("MAIL", "RCPT") and "eve" in line and self.at == verb:
                self.cut += 1
                say("421 4.7.0 You have sent too much")
                return
            if verb == "DATA":
                say("354 go on")
                message = b""
                while not message.endswith(b"\r\n.\r\n"):
                    message += await reader.readuntil(b"\n")
                    if b"Subject: eve" in message and (self.at == "body" or message.endswith(b"\r\n.\r\n")):
                        self.cut += 1
                        writer.transport.abort()
                        return
                subject = [h[8:].strip() for h in message.decode("latin1").split("\r\n\r\n")[0].split("\r\n") if h.startswith("Subject:")]
                self.messages.append((time.monotonic(), [], subject[0]))
                say("250 2.0.0 taken")
            elif verb == "EHLO":
                say("250-receiver\r\n250-8BITMIME\r\n250 SIZE 50000000")
            else:
                say("250 2.0.0 ok")


@pytest.mark.parametrize("at", ["MAIL", "RCPT", "body", "dot"])
@pytest.mark.parametrize("one_by_one", [False, True])
def test_others_mail_to_the_same_server_goes_on(relay_factory, dns, delivery_port, at, one_by_one):
    server = Picky("127.0.0.7", delivery_port, at)
    dns.mail("shared.test", "mx.shared.test=127.0.0.7")
    relay = relay_factory(STREAMS)
    senders = tenants(relay, "eve", "bob")
    over = threading.Event()

    def flood():
        for n in range(1500):
            if over.wait(0.02 if one_by_one else 0.002):
                return
            senders["eve"].send(f"eve{n}@shared.test", f"eve {n}", "news", "eve@eve.test")

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        wait_for(lambda: server.cut >= 5, 60)  # hers rests for 5 s after each that is cut at MAIL
        took = []
        for n in range(12):
            stream = ("news", "code")[n % 2]
            began = senders["bob"].send(f"bob{n}@shared.test", f"bob {n}", stream, "hello@bob.test")
            wait_for(lambda: f"bob {n}" in server.subjects(), 40)
            took.append(time.monotonic() - began)
            time.sleep(0.3)
        assert sorted(took)[-2] < slack(1.5) and max(took) < slack(3), took
        rests = [e["reply"] for e in relay.json("events", "--kind", "destination_rests", "--limit", "1000")]
    finally:  # a server that has ended refuses connections and cuts those off that it had: asked for before
        over.set()
        thread.join()
        server.stop()
    assert all("mail of tenant eve only: " in why for why in rests), rests


class Careful(Receiver):
    """Ends the connection when a recipient is of no domain of its own."""

    def __init__(self, address, port, says):
        self.says, self.cut = says, 0
        super().__init__(address, port)

    async def talk(self, reader, writer):
        def say(text):
            writer.write(text.encode() + b"\r\n")

        say("220 ready ESMTP")
        while True:
            line = (await reader.readuntil(b"\n")).decode("latin1").strip()
            verb = line.upper().split(":")[0].split()[0] if line else ""
            if verb == "RCPT" and "@victim.test" not in line:
                self.cut += 1
                if self.says:
                    say(self.says)
                return
            if verb == "DATA":
                say("354 go on")
                message = await reader.readuntil(b"\r\n.\r\n")
                subject = [h[8:].strip() for h in message.decode("latin1").split("\r\n") if h.startswith("Subject:")]
                self.messages.append((time.monotonic(), [], subject[0]))
                say("250 2.0.0 taken")
            elif verb == "EHLO":
                say("250-receiver\r\n250 8BITMIME")
            else:
                say("250 2.0.0 ok")


@pytest.mark.parametrize("says", ["", "421 4.7.0 go away"], ids=["hangs up", "421"])
@pytest.mark.parametrize("two", [False, True], ids=["one tenant", "two tenants"])
def test_a_foreign_zone_that_names_a_host_holds_up_none_of_its_mail(relay_factory, dns, delivery_port, says, two):
    """Whoever has a domain can have its MX name another one's host, which ends the connection over mail for it."""
    server = Careful("127.0.0.7", delivery_port, says)
    dns.mail("victim.test", "mx.victim.test=127.0.0.7")
    for n in range(40):
        dns.add(f"evil{n}.test", "MX", "10 mx.victim.test.")
    relay = relay_factory(STREAMS)
    senders = tenants(relay, "eve", "bob") if two else {"hello": Sender(relay.start())}
    own = {name: f"hello@{name}.test" if two else "hello@club.test" for name in senders}
    try:
        for name, sender in senders.items():
            sender.send("known@victim.test", f"known {name}", "news", own[name])
        wait_for(lambda: len(server.messages) == len(senders), 20)
        took = []
        for n in range(24):
            for name, sender in senders.items():
                sender.send(f"{name}@evil{n}.test", "evil", "code", own[name])
            if n % 12 == 11:  # behind the others, of the same class
                wait_for(lambda: server.cut >= 10 * (n // 12 + 1), 20)
                for name, sender in senders.items():
                    began = sender.send("user@victim.test", f"code {n} {name}", "code", own[name])
                    wait_for(lambda: f"code {n} {name}" in server.subjects(), 20)
                    took.append(time.monotonic() - began)
        assert max(took) < 2, took
    finally:
        server.stop()
