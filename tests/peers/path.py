"""A path between a relay and its receivers, and somebody who sits on it: three network namespaces of the test's own.

    relay 10.77.1.2 -- 10.77.1.1 path 10.77.3.1 -- 10.77.3.2 receivers: all of 10.77.2.0/24

    with Path() as path:                        # the calling thread is where the relay is, and what it starts too
        path.receivers.run(MailHost, 25, host="10.77.2.10")
        path.redirect("tcp", 25)                # to who listens on the path (listener() there)
        path.let_through("tcp", 25)

A namespace has no name: it ends with the last thread, process or descriptor that is in it. Nothing leads out of the three.
"""

import concurrent.futures
import contextlib
import ctypes
import os
import select
import socket
import subprocess

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
IP_TRANSPARENT = 19
RECEIVERS = "10.77.2.0/24"


class Unable(Exception):
    """No namespaces can be made here."""


def checked(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class Namespace:
    def __init__(self):
        self.fd = in_thread(self.make)

    @staticmethod
    def make():
        checked(LIBC.unshare(CLONE_NEWNET))
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def enter(self):
        """The calling thread does, and what it starts from then on."""
        checked(LIBC.setns(self.fd, CLONE_NEWNET))

    def run(self, function, *arguments, **named):
        """In it, by a thread of its own; its value."""
        def inside():
            self.enter()
            return function(*arguments, **named)

        return in_thread(inside)

    def ip(self, *words):
        done = self.run(subprocess.run, ["ip", *words], capture_output=True, text=True)
        if done.returncode != 0:
            raise OSError(f"ip {' '.join(words)}: {done.stderr.strip()}")

    def connect(self, name, other, other_name):
        """A cable between two of them."""
        self.ip("link", "add", name, "type", "veth", "peer", "name", other_name)
        self.ip("link", "set", other_name, "netns", f"/proc/{os.getpid()}/fd/{other.fd}")


def in_thread(function):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def allow_forwarding():
    with open("/proc/sys/net/ipv4/ip_forward", "w") as file:
        file.write("1")


class Path:
    def __enter__(self):
        self.before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.relay, self.path, self.receivers = Namespace(), Namespace(), Namespace()
            self.lay()
        except OSError as why:
            raise Unable(str(why)) from why
        self.relay.enter()
        return self

    def lay(self):
        self.path.connect("near", self.relay, "eth0")
        self.path.connect("far", self.receivers, "eth0")
        for place, name, address in ((self.relay, "eth0", "10.77.1.2/24"), (self.path, "near", "10.77.1.1/24"),
                                     (self.path, "far", "10.77.3.1/24"), (self.receivers, "eth0", "10.77.3.2/24")):
            place.ip("address", "add", address, "dev", name)
            place.ip("link", "set", name, "up")
        for place in (self.relay, self.path, self.receivers):
            place.ip("link", "set", "lo", "up")
        self.relay.ip("route", "add", "default", "via", "10.77.1.1")
        self.receivers.ip("route", "add", "default", "via", "10.77.3.1")
        self.receivers.ip("route", "add", "local", RECEIVERS, "dev", "lo")
        self.path.ip("route", "add", RECEIVERS, "via", "10.77.3.2")
        self.path.ip("route", "add", "local", RECEIVERS, "dev", "lo", "table", "50")
        self.path.run(allow_forwarding)

    def redirect(self, protocol, port):
        """What the relay sends there ends on the path, whatever receiver it is for."""
        self.path.ip("rule", "add", "pref", "10", "iif", "near", "ipproto", protocol, "dport", str(port), "lookup", "50")

    def let_through(self, protocol, port):
        self.path.ip("rule", "del", "pref", "10", "iif", "near", "ipproto", protocol, "dport", str(port), "lookup", "50")

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            checked(LIBC.setns(self.before, CLONE_NEWNET))
        os.close(self.before)
        for place in (self.relay, self.path, self.receivers):
            os.close(place.fd)


def transparent(kind, address, port):
    """A socket on the path that gets what is redirected there, and answers as whoever it was for."""
    s = socket.socket(type=kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.SOL_IP, IP_TRANSPARENT, 1)
    s.bind((address, port))
    if kind == socket.SOCK_STREAM:
        s.listen(64)
    return s


# ---- between two, byte by byte ----


class Passing:
    """Passes on what both say; `heard`: all that the client has said, as it was on the wire."""

    def __init__(self):
        self.heard = bytearray()

    def of_client(self, data, answer):
        """What the server is to get instead; `answer(bytes)` speaks in its place."""
        return data

    def of_server(self, data):
        return data

    def talk(self, client, address, port):
        with socket.create_connection((address, port), timeout=20) as server:
            while True:
                for ready in select.select([client, server], [], [], 60)[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    if ready is client:
                        self.heard += data
                        server.sendall(self.of_client(data, client.sendall))
                    else:
                        client.sendall(self.of_server(data))


class Stripping(Passing):
    """STARTTLS becomes something that nobody knows."""

    def of_server(self, data):
        return data.replace(b"STARTTLS", b"XXXXXXXX")


class Refusing(Passing):
    def __init__(self, reply):
        super().__init__()
        self.reply = reply

    def of_client(self, data, answer):
        if not data.upper().startswith(b"STARTTLS"):
            return data
        answer(self.reply)
        return b""


class Amid(Passing):
    """Knows whether STARTTLS was said, and whether the client has begun the handshake."""

    def __init__(self):
        super().__init__()
        self.said = self.begun = False

    def of_client(self, data, answer):
        self.begun = self.begun or self.said
        self.said = self.said or data.upper().startswith(b"STARTTLS")
        return data


class Injecting(Amid):
    """Replies in clear text behind the 220, for what the client is going to say within TLS."""

    def of_server(self, data):
        return data + b"250 2.0.0 injected\r\n" * 4 if self.said and not self.begun else data


class Cutting(Amid):
    """Of the server's handshake the client gets the beginning."""

    def of_server(self, data):
        if self.begun:
            raise ConnectionAbortedError
        return data
