"""Strangers at a port, from many addresses and as fast as they can, at little cost of their own: a program of its own.

python3 tests/peers/strangers.py PORT KIND SECONDS [ADDRESSES]

connect: connects, reads the greeting, is gone. hello: STARTTLS and the first record of a handshake, always the same one, for which the
server computes all of its part. noop: as many commands as the connection takes. It prints how many connections it has made."""

import json
import random
import selectors
import socket
import ssl
import struct
import sys
import time

AT_ONCE = 40
NOOPS = b"NOOP\r\n" * 10000


def hello():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        context.wrap_bio(incoming, outgoing).do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()


class Stranger:
    def __init__(self, port, kind, source):
        self.kind, self.step, self.began = kind, 0, time.monotonic()
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # no address is used up
        self.socket.bind((source, 0))
        self.socket.connect_ex(("127.0.0.1", port))

    def go_on(self, record):
        """Something has come; False: it is over."""
        try:
            if not (said := self.socket.recv(65536)):
                return False
            if self.kind == "connect":
                return False
            if self.kind == "noop":
                self.socket.send(b"EHLO stranger\r\n" * (self.step == 0) + NOOPS)
            elif self.step == 0:
                self.socket.send(b"EHLO stranger\r\n")
            elif self.step == 1:
                self.socket.send(b"STARTTLS\r\n")
            elif self.step == 2:
                self.socket.send(record)
            else:
                return False
            self.step += 1
            return bool(said)
        except BlockingIOError:
            return True
        except OSError:
            return False


def flood(port, kind, seconds, addresses):
    sources = [f"127.{n % 200 + 20}.{n // 200 % 250}.{n % 250 + 1}" for n in range(addresses)]
    waiting, record, made = selectors.DefaultSelector(), hello(), 0
    end = time.monotonic() + seconds
    while (now := time.monotonic()) < end:
        for _ in range(AT_ONCE - len(waiting.get_map())):
            one = Stranger(port, kind, random.choice(sources))
            waiting.register(one.socket, selectors.EVENT_READ, one)
            made += 1
        events = waiting.select(0.05)
        for key, _ in events:
            if not key.data.go_on(record):
                waiting.unregister(key.data.socket)
                key.data.socket.close()
        if not events:
            for key in [k for k in waiting.get_map().values() if now - k.data.began > 5]:
                waiting.unregister(key.data.socket)
                key.data.socket.close()
    return made


if __name__ == "__main__":
    port, kind, seconds, addresses = int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), int((sys.argv + ["200"])[4])
    print(json.dumps({"connections": flood(port, kind, seconds, addresses)}))
