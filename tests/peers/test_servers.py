"""The way out to real servers: Debian's Postfix, aiosmtpd and our sink; what arrives is what was sent, and verifies."""

import email
import pathlib
import re
import shutil
import ssl
import subprocess
import time

import pytest

import postfix
from conftest import dkim_passes, need_vectors, split_copy, wait_for, wait_port

REMOVED = re.compile(rb"^(?:Bcc|Resent-Bcc|Return-Path|Sealpost-[^:]*|X-PM-Tag|X-Mailgun-Tag):.*\r\n(?:[ \t].*\r\n)*",
                     re.I | re.M)

# The vectors that are no acceptable messages, and why; everything else must arrive unchanged.
REFUSED = {
    **{f"rfc-{n}.eml": "Message has no From field" for n in ("007", "008")},
    **{f"thirdparty-{n}.eml": "Message has no From field"
       for n in ("000", "001", "002", "003", "004", "006", "009", "010", "013")},
    "thirdparty-005.eml": "holds a NUL byte",
    **{name: "Header field From holds" for name in ("rfc-001.eml", "rfc-004.eml", "thirdparty-007.eml")},
}


def crlf(raw):
    """As a client sends it: every line ends with CRLF (RFC 5321 2.3.8)."""
    raw = re.sub(rb"\r\n|\r|\n", b"\r\n", raw)
    return raw if raw.endswith(b"\r\n") else raw + b"\r\n"


def from_domain(raw):
    """The From domain as Python's own parser sees it, for the test's set-up only."""
    field = email.message_from_bytes(raw)["From"]
    found = re.findall(r"@([A-Za-z0-9.-]+)", str(field or ""))
    return found[-1].lower() if found else None


def perl_passes(raw, dns):
    script = pathlib.Path(__file__).with_name("verify.pl")
    done = subprocess.run(["perl", str(script), str(dns.port)], input=raw, capture_output=True, timeout=60)
    return done.stdout.split()[:1] == [b"pass"]  # ours stands first


def certificate(path):
    """Make the directory, with a self-signed certificate in it."""
    path.mkdir()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=mx.dest.test", "-days", "2",
                    "-keyout", str(path / "key.pem"), "-out", str(path / "cert.pem")], check=True, capture_output=True)


class Postfix:
    """Debian's Postfix as it is installed, delivering dest.test to a maildir."""

    def __init__(self, path, port):
        certificate(path)
        self.maildir = path / "mail"
        self.maildir.mkdir()
        shutil.chown(self.maildir, 65534)
        self.instance = postfix.Instance(path / "postfix", f"""
            myhostname = mx.dest.test
            virtual_mailbox_domains = dest.test
            virtual_mailbox_base = {path}/mail
            virtual_mailbox_maps = static:box/
            virtual_uid_maps = static:65534
            virtual_gid_maps = static:65534
            smtpd_tls_cert_file = {path}/cert.pem
            smtpd_tls_key_file = {path}/key.pem
            smtpd_tls_security_level = may
            """, port)
        wait_port(port, process=self.instance.process)

    def messages(self):
        """Each delivered message in order, without what Postfix itself put in front, with CRLF again."""
        found = []
        # By time, not by name: a maildir name holds the second, then the inode, and inodes are used again.
        for path in sorted((self.maildir / "box" / "new").glob("*"), key=lambda p: p.stat().st_mtime_ns):
            raw = re.sub(rb"\n", b"\r\n", path.read_bytes())
            found.append(raw[raw.index(b"DKIM-Signature:"):])
        return found

    def stop(self):
        self.instance.stop()


class Aiosmtpd:
    """aiosmtpd with STARTTLS required."""

    def __init__(self, path, port):
        from aiosmtpd.controller import Controller

        certificate(path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path / "cert.pem", path / "key.pem")
        self.taken = taken = []

        class Handler:
            async def handle_DATA(self, server, session, envelope):
                taken.append(envelope.original_content)
                return "250 2.0.0 taken"

        self.controller = Controller(Handler(), hostname="127.0.0.1", port=port, tls_context=context, require_starttls=True,
                                     enable_SMTPUTF8=True)
        self.controller.start()

    def messages(self):
        return list(self.taken)

    def stop(self):
        self.controller.stop()


class OurSink:
    def __init__(self, path, port):
        from conftest import Sink

        self.sink = Sink(path, port)

    def messages(self):
        return [raw for _, raw in self.sink.messages()]

    def stop(self):
        self.sink.stop()


@pytest.fixture(params=[Postfix, Aiosmtpd, OurSink], ids=lambda c: c.__name__)
def server(request, tmp_path, delivery_port):
    made = request.param(tmp_path / "server", delivery_port)
    yield made
    made.stop()


def expected(raw):
    """What C7 leaves of a message: (header without the removed fields, body)."""
    head, separator, body = raw.partition(b"\r\n\r\n")
    return REMOVED.sub(b"", head + b"\r\n"), body


def check_unchanged(sent, arrived):
    _, _, rest = split_copy(arrived)
    want_head, want_body = expected(sent)
    head, _, body = rest.partition(b"\r\n\r\n")
    added = (head + b"\r\n")[len(want_head):]
    assert (head + b"\r\n").startswith(want_head)
    assert re.fullmatch(rb"(?:Date: .*\r\n)?(?:Message-ID: <.*>\r\n)?", added), added
    assert body.rstrip(b"\r\n") == want_body.rstrip(b"\r\n") and abs(len(body) - len(want_body)) <= 2


def test_every_vector_arrives_as_it_was_sent_or_is_refused_with_the_reason(relay_factory, dns, server):
    place = need_vectors() / "messages"
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory().start()
    relay.command("user", "add", "all", "--domain", "*", "--password-stdin", input="a long password\n")
    sent, refused, domains = [], {}, {"club.test"}
    for path in sorted(place.glob("*.eml")):
        raw = crlf(path.read_bytes())
        domain = from_domain(raw)
        if domain and domain not in domains:
            domains.add(domain)
            relay.add_domain(domain)
        with relay.client(user="all", secret="a long password") as client:
            client.ehlo()
            client.mail("hello@club.test", ["BODY=8BITMIME", "SMTPUTF8"])
            client.rcpt("bob@dest.test")
            code, text = client.data(raw)
        if code != 250:
            refused[path.name] = text.decode()
            continue
        sent.append((path.name, raw))
        relay.wait_kind(text.decode().split()[-1], "delivered", 30)
        wait_for(lambda: len(server.messages()) == len(sent), 30)
    arrived = server.messages()
    print("refused:", refused)
    for (name, raw), copy in zip(sent, arrived):
        check_unchanged(raw, copy)
        assert dkim_passes(copy, dns) and perl_passes(copy, dns), name
    assert sorted(refused) == sorted(REFUSED), refused
    for name, reason in REFUSED.items():
        assert reason in refused[name], (name, refused[name])
    assert len(sent) + len(refused) == 30


SMUGGLING = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\r\n\x00.\r\n", b"\r\n.\r\r\n"]


@pytest.mark.parametrize("permissive", [False, True], ids=["Postfix 3.7 as installed", "a sink that ends at any dot"])
def test_d16_no_peer_is_ever_smuggled_a_second_message(relay_factory, dns, tmp_path, delivery_port, permissive):
    import socketserver
    import threading

    taken = []

    class Permissive(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"220 permissive\r\n")
            for line in self.rfile:
                if line.startswith(b"DATA"):
                    self.wfile.write(b"354 go\r\n")
                    data = b""
                    while not re.search(rb"(?:^|[\r\n])\.[\r\n]\n?$", data):
                        data += self.rfile.read(1)
                    taken.append(data)
                    self.wfile.write(b"250 ok\r\n")
                else:
                    self.wfile.write(b"221 bye\r\n" if line.startswith(b"QUIT") else b"250 ok\r\n")

    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory().start()
    if permissive:
        socketserver.ThreadingTCPServer.allow_reuse_address = True
        peer = socketserver.ThreadingTCPServer(("127.0.0.1", delivery_port), Permissive)
        threading.Thread(target=peer.serve_forever, daemon=True).start()
    else:
        peer = Postfix(tmp_path / "server", delivery_port)
    try:
        for ending in SMUGGLING:
            with relay.client() as client:
                client.ehlo()
                client.mail("hello@club.test")
                client.rcpt("bob@dest.test")
                client.putcmd("data")
                assert client.getreply()[0] == 354
                client.sock.sendall(b"From: <hello@club.test>\r\n\r\nfirst" + ending +
                                    b"MAIL FROM:<evil@club.test>\r\nRCPT TO:<bob@dest.test>\r\nDATA\r\nsecond\r\n.\r\n")
                code, text = client.getreply()
                assert code == 554 and b"5.6.0" in text
        id = relay.send(message="From: <hello@club.test>\r\n\r\n..\r\n.\r\n..x\r\n".replace("\r\n.\r\n", "\r\n..\r\n"))
        relay.wait_kind(id, "delivered", 30)
        wait_for(lambda: len(taken) == 1 if permissive else len(peer.messages()) == 1, 20)
        time.sleep(0.5)
        assert len(taken if permissive else peer.messages()) == 1
    finally:
        if permissive:
            peer.shutdown()
            peer.server_close()
        else:
            peer.stop()
