"""Receivers that are odd, old or broken, and that Postfix delivers to all the same: so does the relay, at once and once each way.

Nothing is at risk in any of it: what a server has taken is told by 2yz to the end of data, and by nothing else.
"""

import os
import random
import socket
import ssl
import subprocess
import threading
import time

import pytest

from conftest import free_port, wait_for
from mailhost import authority
from postfix import Instance

pytestmark = pytest.mark.memory


class Odd:
    """`answer(line, connection)`: the reply to a line, None for the usual one, HANG_UP to close. The
    greeting answers "", the end of data ".". `flush`: what has come together with a line is lost."""

    HANG_UP = "HANG UP"

    def __init__(self, port, answer=None, offers=(), context=None, implicit=False, flush=False, end="\r\n", host="127.0.0.1"):
        self.answer, self.offers, self.context, self.implicit = answer or (lambda line, c: None), offers, context, implicit
        self.flush, self.end = flush, end
        self.connections, self.messages = [], []
        self.socket = socket.create_server((host, port), backlog=64)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            connection = {"number": len(self.connections) + 1, "lines": [], "mails": 0, "rcpts": 0, "tls": False, "rest": b"",
                          "secured": None}
            self.connections.append(connection)
            threading.Thread(target=self.talk, args=(client, connection), daemon=True).start()

    def talk(self, client, c):
        try:
            self.serve(client, c)
        except (OSError, ssl.SSLError):
            pass
        finally:
            client.close()
            if c["secured"]:
                c["secured"].close()

    def usual(self, line, c):
        word = line.upper()
        if word == "":
            return "220 odd ESMTP"
        if word.startswith("EHLO"):
            offers = list(self.offers) + (["STARTTLS"] if self.context and not c["tls"] else [])
            return self.end.join([f"250-{o}" for o in ["odd", *offers]] + ["250 HELP"])
        return {"DATA": "354 go", "QUIT": "221 bye", "STARTTLS": "220 go"}.get(word, "250 2.0.0 ok")

    def line(self, client, c):
        while b"\n" not in c["rest"]:
            got = client.recv(65536)
            if not got:
                raise ConnectionAbortedError
            c["rest"] += got
        line, _, c["rest"] = c["rest"].partition(b"\n")
        return line.decode("utf-8", "replace").rstrip("\r")

    def serve(self, client, c):
        def say(line):
            reply = self.answer(line, c)
            reply = self.usual(line, c) if reply is None else reply
            if reply == self.HANG_UP:
                raise ConnectionAbortedError
            client.sendall((reply + self.end).encode())
            return reply.splitlines()[-1]

        def secure():
            c["tls"], c["rest"] = True, b""
            c["secured"] = self.context.wrap_socket(client, server_side=True)
            return c["secured"]

        if self.implicit:
            client = secure()
        say("")
        while True:
            line = self.line(client, c)
            c["rest"] = b"" if self.flush else c["rest"]
            c["lines"].append(line)
            c["mails"] += line.startswith("MAIL")
            c["rcpts"] = 0 if line.startswith("MAIL") else c["rcpts"] + line.startswith("RCPT")
            reply = say(line)
            if line == "STARTTLS" and reply.startswith("220"):
                client = secure()
            elif line == "DATA" and reply.startswith("354"):
                data = []
                while (text := self.line(client, c)) != ".":
                    data.append(text)
                if say(".").startswith("2"):
                    self.messages.append("\r\n".join(data))
            elif line == "QUIT":
                return

    def said(self, word):
        return sum(line.upper().startswith(word) for c in list(self.connections) for line in list(c["lines"]))

    def stop(self):
        self.socket.close()


@pytest.fixture
def odd(delivery_port):
    made = []

    def make(answer=None, **options):
        server = Odd(options.pop("port", delivery_port), answer, **options)
        made.append(server)
        return server

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def each(relay, dns, odd):
    """Deliver to one odd server per case, each at an address of its own; `cases`: name -> what makes its server. The domains'
    names are made from the case's number."""

    def deliver(cases, recipients=1, messages=1):
        results = {}
        for number, (name, options) in enumerate(cases.items(), 1):
            address = f"127.7.{os.getpid() % 250}.{number}"
            dns.mail(f"d{number}.test", f"mx.d{number}.test={address}")
            server = odd(host=address, **options)
            to = [f"r{i}@d{number}.test" for i in range(recipients)]
            results[name] = (server, [relay.send(to=to) for _ in range(messages)])
        for name, (server, ids) in results.items():
            yield name, server, ids

    return deliver


def by_verb(**replies):
    """The same reply to each command of a verb; GREETING and END stand for those."""
    def answer(line, c):
        word = {"": "GREETING", ".": "END"}.get(line, line.split(" ")[0].upper())
        return replies.get(word)
    return answer


@pytest.fixture
def tls(tmp_path):
    """A server's context, and the file that a relay trusts."""
    issue = authority(tmp_path)
    certificate, key = issue("mx.dest.test")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, issue


# ---- EHLO is refused ----

def test_ehlo_refused_leads_to_helo(relay, each):
    refusals = ("500 what", "501 5.5.4 bad name", "502 5.5.1 not here", "503 5.5.1 not now", "504 no", "530 5.7.0 no",
                "550 5.7.1 no", "554 no", Odd.HANG_UP)
    for refusal, server, [id] in each({r: dict(answer=by_verb(EHLO=r)) for r in refusals}):
        relay.wait_kind(id, "delivered", 10)
        assert len(server.messages) == 1 and server.said("HELO") == 1, refusal
        assert len(server.connections) == (2 if refusal == Odd.HANG_UP else 1), refusal


def test_a_host_that_hangs_up_at_every_hello_is_left_after_both(relay, dns, odd):
    server = odd(by_verb(EHLO=Odd.HANG_UP, HELO=Odd.HANG_UP))
    event = relay.wait_kind(relay.send(), "deferred", 10)[0]
    assert "while at HELO" in event["reply"]
    assert (server.said("EHLO"), server.said("HELO"), len(server.connections)) == (1, 1, 2)


# ---- TLS that does not get through ----

def demand_client_certificate(context):
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_default_certs()


def hang_up_inside(line, c):
    return Odd.HANG_UP if c["tls"] else None


@pytest.mark.parametrize("how", ["client certificate", "closed at EHLO", "closed at STARTTLS", "no handshake"])
def test_where_tls_is_optional_what_breaks_it_costs_one_connection(relay, odd, tls, how):
    context, _ = tls
    if how == "client certificate":
        demand_client_certificate(context)
    answer = {"closed at EHLO": hang_up_inside, "closed at STARTTLS": by_verb(STARTTLS=Odd.HANG_UP)}.get(how)
    if how == "no handshake":
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_3
        context.set_alpn_protocols([])
        answer = lambda line, c: Odd.HANG_UP if line == "STARTTLS" and c["number"] == 1 else None
    server = odd(answer, context=context)
    id = relay.send()
    relay.wait_kind(id, "delivered", 10)
    assert len(server.messages) == 1 and len(server.connections) == 2
    event = relay.wait_kind(id, "tls_failed")[0]
    assert event["remote"] == "mx.dest.test" and event["reply"]
    if how != "no handshake":  # an exception for one delivery: the next one tries TLS again
        relay.wait_kind(relay.send(), "delivered", 10)
        assert server.said("STARTTLS") == 2


@pytest.mark.parametrize("how", ["client certificate", "closed at EHLO"])
def test_where_tls_is_required_the_next_host_is_tried(relay_factory, dns, odd, tls, sink_factory, delivery_port, how):
    context, _ = tls
    if how == "client certificate":
        demand_client_certificate(context)
    server = odd(hang_up_inside if how == "closed at EHLO" else None, context=context)
    dns.mail("dest.test", "mx.dest.test=127.0.0.1", "mx2.dest.test=127.0.0.2")
    relay = relay_factory('route "*" { tls = "require" }').start()
    sink = sink_factory(host="127.0.0.2", records=relay.records)
    relay.wait_kind(relay.send(), "delivered", 10)
    assert len(sink.wait(1)) == 1 and not server.messages
    assert len(server.connections) == 1 and server.said("HELO") == 0 and server.said("MAIL") == 0


# ---- replies that are not quite SMTP ----

ODD_REPLIES = {
    "LF alone": dict(end="\n"),
    "TAB behind the code": dict(answer=by_verb(GREETING="220\todd", MAIL="250\tok", RCPT="250\tok", DATA="354\tgo", END="250\tok")),
    "code alone": dict(answer=by_verb(GREETING="220", MAIL="250", RCPT="250", DATA="354", END="250")),
    "codes that differ": dict(answer=by_verb(EHLO="220-odd\r\n251-SIZE\r\n250 HELP", MAIL="250-a\r\n251 b", END="354-x\r\n250 ok")),
    "text before the greeting": dict(answer=by_verb(GREETING="*** welcome ***\r\n\r\nuse is logged\r\n220 odd")),
    "text inside a reply": dict(answer=by_verb(EHLO="250-odd\r\nno code\r\n250 HELP", END="250-one\r\n250two\r\n250 three")),
    "a long line": dict(answer=by_verb(GREETING="220 " + "x" * 9000, EHLO="250-odd\r\n250 " + "y" * 30000)),
    "blanks in front of the end": dict(answer=by_verb(MAIL="250 ok  \r", RCPT="250 ok\t")),
    "2yz that nobody knows": dict(answer=by_verb(MAIL="299 ok", RCPT="251 will forward", END="200 ok")),
}


@pytest.mark.parametrize("offers", [(), ("PIPELINING",)], ids=["plain", "pipelined"])
def test_odd_replies_are_read(relay, each, offers):
    for oddity, server, [id] in each({name: dict(offers=offers, **options) for name, options in ODD_REPLIES.items()}):
        relay.wait_kind(id, "delivered", 10)
        assert len(server.messages) == 1 and len(server.connections) == 1, oddity


def test_postfix_reads_them_too(tmp_path, odd):
    """What is read here beside the standard is what Postfix reads; but for the TAB, for which it waits in vain."""
    cases = {name: options for name, options in ODD_REPLIES.items() if "TAB" not in name and "blanks" not in name}
    ports = {name: free_port() for name in cases}
    servers = {name: odd(port=ports[name], **options) for name, options in cases.items()}
    routes = [f"d{i}.test smtp:[127.0.0.1]:{port}" for i, port in enumerate(ports.values())]
    postfix = Instance(tmp_path / "postfix", f"""
        myhostname = postfix.test
        transport_maps = texthash:{tmp_path}/postfix/conf/transport
        """, files={"transport": "\n".join(routes) + "\n"})
    try:
        wait_for(lambda: "starting" in postfix.log_text())
        for i in range(len(routes)):
            subprocess.run(["sendmail", "-C", str(postfix.conf), "-f", "a@postfix.test", f"b@d{i}.test"],
                           input=b"Subject: x\n\nhello\n", check=True, timeout=30)
        wait_for(lambda: all(server.messages for server in servers.values()), 30)
    finally:
        postfix.stop()


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "END"])
def test_nothing_but_2yz_is_success(relay, each, verb):
    """354 to DATA apart, which is no success but a request."""
    codes = ("354 go on", "334 VXNl", "399 hm", "300", "199 hm", "650 hm", "250-ok\r\n354 more")
    cases = {c: dict(answer=by_verb(**{verb: c})) for c in codes if not (verb == "DATA" and "354" in c)}
    for code, server, [id] in each(cases):
        relay.wait_kind(id, "deferred", 10)
        assert "delivered" not in relay.kinds(id) and not server.messages, code


# ---- PIPELINING ----

def test_pipelining_that_loses_commands_is_done_without(relay_factory, dns, odd, sink_factory):
    """The rest of a burst is waited for for half a minute when somebody waits for the message, and another host is left."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1", "mx2.dest.test=127.0.0.2")
    relay = relay_factory('stream "reset" { class = "security" }').start()
    server = odd(offers=["PIPELINING"], flush=True)
    message = "From: <a@club.test>\r\nTo: <b@dest.test>\r\nSubject: x\r\nSealpost-Stream: reset\r\n\r\nhello\r\n"
    id = relay.send(to=["b@dest.test", "c@dest.test"], message=message)
    wait_for(lambda: relay.kinds(id).count("delivered") == 2, 60)
    assert len(server.messages) == 1 and len(server.connections) == 2
    assert "no pipelining" in relay.log()


def test_a_burst_that_is_answered_out_of_step_is_done_without(relay, odd):
    server = odd(lambda line, c: "250 ok\r\n250 ok" if line.startswith("RCPT") and c["number"] == 1 else None,
                 offers=["PIPELINING"])
    relay.wait_kind(relay.send(), "delivered", 10)
    assert len(server.messages) == 1 and len(server.connections) == 2


# ---- limits ----

def at_most(count, reply):
    """Recipients of one transaction."""
    return lambda line, c: reply if line.startswith("RCPT") and c["rcpts"] > count else None


@pytest.mark.parametrize("offers", [(), ("PIPELINING",)], ids=["plain", "pipelined"])
def test_too_many_recipients_go_on_at_once_on_the_same_connection(relay, each, offers):
    replies = ("452 no more", "452 4.5.3 too many recipients", "552 too many", "552 5.5.3 too many recipients",
               "452 4.7.0 Too many recipients in one go", "450 4.5.3 slow down", "550 5.5.3 too many")
    for reply, server, [id] in each({r: dict(answer=at_most(5, r), offers=offers) for r in replies}, recipients=12):
        wait_for(lambda: relay.kinds(id).count("delivered") == 12)
        assert "deferred" not in relay.kinds(id), reply
        assert len(server.messages) == 3 and len(server.connections) == 1, reply


def test_a_refusal_of_one_recipient_is_not_taken_for_that(relay, each):
    replies = {"452 4.2.2 mailbox full": "deferred", "550 5.1.1 no such user": "bounced", "450 4.2.0 greylisted": "deferred"}
    cases = {r: dict(answer=lambda line, c, r=r: r if "r1@" in line else None) for r in replies}
    for reply, server, [id] in each(cases, recipients=3):
        wait_for(lambda: relay.kinds(id).count("delivered") == 2 and replies[reply] in relay.kinds(id))
        assert server.said("DATA") == 1, reply


def test_an_only_recipient_is_never_too_many(relay, each):
    replies = {"452 4.5.3 too many recipients": "deferred", "552 too many": "deferred", "550 5.5.3 too many": "bounced"}
    for reply, server, [id] in each({r: dict(answer=by_verb(RCPT=r)) for r in replies}):
        relay.wait_kind(id, replies[reply], 10)
        assert server.said("MAIL") == 1, reply


@pytest.mark.parametrize("offers", [(), ("PIPELINING",)], ids=["plain", "pipelined"])
def test_a_connection_that_takes_no_more_messages_is_followed_by_another(relay, each, offers):
    def after_two(reply):
        return lambda line, c: reply if line.startswith("MAIL") and c["mails"] > 2 else None

    replies = ("452 4.5.3 enough", "451 later", "421 4.7.0 too much mail", Odd.HANG_UP)
    for reply, server, ids in each({r: dict(answer=after_two(r), offers=offers) for r in replies}, messages=7):
        for id in ids:
            relay.wait_kind(id, "delivered", 20)
            assert "deferred" not in relay.kinds(id), reply
        assert len(server.messages) == 7, reply


# ---- names ----

def test_no_name_is_sent_to_an_address(relay_factory, odd, tls):
    """RFC 6066 section 3: literal addresses are not permitted in server_name."""
    context, _ = tls
    asked = []
    context.sni_callback = lambda connection, name, _: asked.append(name)
    port = free_port()
    server = odd(context=context, port=port)
    relay = relay_factory(f'route "*" {{ host = "127.0.0.1"  port = {port} }}').start()
    relay.wait_kind(relay.send(), "delivered", 10)
    assert asked == [None] and server.connections[0]["tls"]


# ---- a smart host with implicit TLS ----

def test_a_smart_host_with_implicit_tls(relay_factory, dns, odd, tls, tmp_path, delivery_port):
    context, _ = tls
    port = free_port()
    dns.add("mx.dest.test", "A", "127.0.0.1")
    server = odd(context=context, port=port, implicit=True)
    relay = relay_factory(f'route "*" {{ host = "mx.dest.test"  port = {port}  tls = "implicit" }}')
    relay.config.write_text(relay.config.read_text().replace(
        f"port = {delivery_port} }}", f'port = {delivery_port}  ca_file = "{tmp_path}/ca.pem" }}', 1))
    relay.start()
    relay.wait_kind(relay.send(), "delivered", 10)
    assert len(server.messages) == 1 and server.said("STARTTLS") == 0
    assert "verified" in relay.log()


def test_implicit_tls_is_verified(relay_factory, dns, odd, tls):
    context, _ = tls
    port = free_port()
    dns.add("mx.dest.test", "A", "127.0.0.1")
    server = odd(context=context, port=port, implicit=True)
    relay = relay_factory(f'route "*" {{ host = "mx.dest.test"  port = {port}  tls = "implicit" }}').start()
    assert "certificate" in relay.wait_kind(relay.send(), "deferred", 10)[0]["reply"]
    assert not server.messages


@pytest.mark.skipif(os.geteuid() != 0, reason="port 465 needs root")
def test_a_silent_port_465_says_what_to_set(relay_factory, odd, tls):
    context, _ = tls
    host = f"127.{random.randint(1, 254)}.{random.randint(1, 254)}.{random.randint(1, 254)}"
    odd(context=context, port=465, host=host, implicit=True)
    relay = relay_factory(f'route "*" {{ host = "{host}"  port = 465 }}').start()
    checked = relay.command("config", "check", check=False)
    assert 'tls = "implicit"' in checked.stdout + checked.stderr
    begun = time.monotonic()
    event = relay.wait_kind(relay.send(), "deferred", 30)[0]
    assert 'tls = "implicit"' in event["reply"] and time.monotonic() - begun < 25
