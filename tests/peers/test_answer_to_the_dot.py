"""Servers that answer a message at the wrong time, twice, in pieces, or hang up around it.

The kind: an answer that is not the one to the final dot is taken for it. Then a message that the server has taken goes once more, or one
that it has not taken goes never.
"""

import socket
import ssl
import threading
import time
from dataclasses import dataclass, field

import pytest

from conftest import wait_for
from test_forgiving import tls  # noqa: F401 (fixture)

pytestmark = pytest.mark.memory

SOON = 'throttle = "off"\nstream "t" { class = "security"  retry = {1, 1, 1} }\n'
SMALL, LARGE = 200, 3_000_000
CLOSE = None


@dataclass
class Script:
    """On its first connection: what is said right behind 354, and to the final dot. A number is a wait in seconds, CLOSE hangs up."""

    early: list = field(default_factory=list)
    to_the_dot: list = field(default_factory=lambda: ["250 2.0.0 taken\r\n"])
    takes: bool = True  # what it has read to the dot
    size: int = SMALL
    copies: int = 1  # that its recipient is to have in the end
    end: str = "delivered"
    deferred: bool = False  # before that; None: that depends on what comes first
    rcpts: int = 1
    pipelining: bool = False


CASES = {
    "later, and takes it": Script(early=["451 4.2.0 early\r\n"], deferred=None),
    "later, in the same packet": Script(early=["+451 4.2.0 early\r\n"], deferred=True),
    "later, in pieces": Script(early=["4", 0.02, "51 4.2.", 0.02, "0 early\r", 0.02, "\n"], deferred=None),
    "later, a while after": Script(early=[0.2, "451 4.2.0 early\r\n"], deferred=None),
    "goes, and takes it": Script(early=[0.05, "421 4.3.2 early\r\n"], deferred=None),
    "later and taken in one packet": Script(to_the_dot=["451 4.2.0 early\r\n250 2.0.0 taken\r\n"]),
    "later, then taken": Script(to_the_dot=["451 4.2.0 early\r\n", 0.3, "250 2.0.0 taken\r\n"]),
    "goes, then taken": Script(to_the_dot=["421 4.3.2 early\r\n", 0.3, "250 2.0.0 taken\r\n"]),
    "wants more, then taken": Script(to_the_dot=["354 more\r\n", 0.1, "250 2.0.0 taken\r\n"]),
    "later, and not taken": Script(to_the_dot=["451 4.2.0 later\r\n"], takes=False, deferred=True),
    "later, and hangs up": Script(to_the_dot=["451 4.2.0 later\r\n", CLOSE], takes=False, deferred=True),
    "goes, and hangs up": Script(to_the_dot=["421 4.3.2 later\r\n", CLOSE], takes=False, deferred=True),
    "later, and no to the dot": Script(to_the_dot=["451 4.2.0 early\r\n", 0.1, "554 5.7.1 no\r\n"], takes=False, copies=0, end="bounced"),
    "yes, and hangs up": Script(to_the_dot=["250 2.0.0 taken\r\n", CLOSE]),
    "yes and goodbye in one packet": Script(to_the_dot=["250 2.0.0 taken\r\n421 4.3.2 bye\r\n", CLOSE]),
    "yes in pieces": Script(to_the_dot=["250-2.0", 0.02, ".0 ta", 0.02, "ken\r\n25", 0.02, "0 2.0.0 yes\r\n"]),
    "yes, and nonsense behind it": Script(to_the_dot=["250 2.0.0 taken\r\n500 5.5.2 what\r\n"]),
    "hangs up before it answers": Script(to_the_dot=[CLOSE], takes=False, deferred=True),
    "hangs up within its answer": Script(to_the_dot=["250-2.0.0 ta", CLOSE], takes=False, deferred=True),
    "early yes, and yes": Script(early=["+250 2.0.0 early\r\n"]),
    "early yes, and no": Script(early=["+250 2.0.0 early\r\n"], to_the_dot=["554 5.7.1 no\r\n"], takes=False, copies=0, end="bounced"),
    "early yes, and later": Script(early=["+250 2.0.0 early\r\n"], to_the_dot=["451 4.2.0 later\r\n"], takes=False, deferred=True),
    "early yes, and no more": Script(early=["+250 2.0.0 early\r\n"], to_the_dot=[]),
    "early yes, and hangs up": Script(early=["+250 2.0.0 early\r\n"], to_the_dot=[CLOSE], takes=False, deferred=True),
    "too large": Script(early=[0.1, "552 5.3.4 too large\r\n"], to_the_dot=[CLOSE], takes=False, size=LARGE, copies=0, end="bounced"),
    "disk full": Script(early=[0.1, "452 4.3.1 full\r\n"], to_the_dot=[CLOSE], takes=False, size=LARGE, deferred=True),
    "large, and early yes": Script(early=["+250 2.0.0 early\r\n"], size=LARGE),
    "several, each deferred": Script(to_the_dot=["451 4.2.0 later\r\n"], takes=False, deferred=True, rcpts=3, pipelining=True),
    "several, and takes it": Script(to_the_dot=["451 4.2.0 early\r\n", 0.1, "250 2.0.0 taken\r\n"], rcpts=3, pipelining=True),
}


class Receiver:
    def __init__(self, host, port, script, context):
        self.script, self.context, self.taken, self.connections = script, context, [], 0
        self.socket = socket.create_server((host, port), backlog=16)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.talk, args=(client, self.script if self.connections == 1 else Script()), daemon=True).start()

    def talk(self, client, script):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.serve(client, script)
        except (OSError, ssl.SSLError):
            pass
        finally:
            client.close()

    def say(self, client, parts):
        for part in parts:
            if part is CLOSE:
                raise ConnectionAbortedError
            if isinstance(part, float):
                time.sleep(part)
            else:
                client.sendall(part.encode())

    def begin(self, client, early):
        """354, and what is said too early, with "+" in one packet with it; the message comes meanwhile."""
        together = bool(early) and str(early[0]).startswith("+")
        self.say(client, ["354 go\r\n" + (early[0][1:] if together else ""), *early[together:]])

    def serve(self, client, script):
        offers = ["PIPELINING"] if self.script.pipelining else []
        offers += ["STARTTLS"] if self.context else []
        stream = client.makefile("rb")
        client.sendall(b"220 receiver\r\n")
        rcpts = 0
        while line := stream.readline().decode().strip():
            word = line.split(" ")[0].upper()
            rcpts = 0 if word == "MAIL" else rcpts + (word == "RCPT")
            if word == "EHLO":
                names = ["receiver", *offers]
                self.say(client, ["".join(f"250{'-' if i + 1 < len(names) else ' '}{name}\r\n" for i, name in enumerate(names))])
            elif word == "STARTTLS":
                client.sendall(b"220 go\r\n")
                client = self.context.wrap_socket(client, server_side=True)
                stream, offers = client.makefile("rb"), offers[:-1]
            elif word == "DATA":
                self.begin(client, script.early)
                self.take(client, stream, script, rcpts)
            else:
                client.sendall(b"221 bye\r\n" if word == "QUIT" else b"250 ok\r\n")
            if word == "QUIT":
                return

    def take(self, client, stream, script, rcpts):
        size = 0
        while (line := stream.readline()) != b".\r\n":
            if not line:
                raise ConnectionAbortedError
            size += len(line)
        if script.takes:
            self.taken += [size] * rcpts
        self.say(client, script.to_the_dot)


def send(relay, number, script):
    to = [f"r{i}@d{number}.test" for i in range(script.rcpts)]
    return relay.send(to=to, message=f"From: <hello@club.test>\r\nTo: <{to[0]}>\r\nSealpost-Stream: t\r\nSubject: x\r\n\r\n"
                      + ("x" * 70 + "\r\n") * (script.size // 72))


@pytest.mark.parametrize("secure", [False, True])
def test_what_is_taken_goes_once_and_what_is_not_is_not_lost(relay_factory, dns, delivery_port, tls, secure):  # noqa: F811
    relay = relay_factory(SOON).start()
    receivers, ids = {}, {}
    try:
        for number, (name, script) in enumerate(CASES.items(), 1):
            dns.mail(f"d{number}.test", f"mx.d{number}.test=127.22.{number}.1")
            receivers[name] = Receiver(f"127.22.{number}.1", delivery_port, script, tls[0] if secure else None)
            ids[name] = send(relay, number, script)
        def late():
            return {name: relay.trace(ids[name]) for name, script in CASES.items() if relay.kinds(ids[name]).count(script.end) < script.rcpts}

        began = time.monotonic()
        while late() and time.monotonic() < began + 40:
            time.sleep(0.2)
        assert not late(), late()
        time.sleep(2)  # what would come once more comes after one
        for name, script in CASES.items():
            kinds = relay.kinds(ids[name])
            assert len(receivers[name].taken) == script.copies * script.rcpts, (name, receivers[name].taken, relay.trace(ids[name]))
            assert kinds.count(script.end) == script.rcpts, (name, relay.trace(ids[name]))
            assert all(size > script.size * 0.9 for size in receivers[name].taken), (name, receivers[name].taken)
            assert script.deferred in (None, "deferred" in kinds), (name, relay.trace(ids[name]))
    finally:
        for receiver in receivers.values():
            receiver.socket.close()
