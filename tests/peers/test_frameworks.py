"""What the people behind a web application get: a club's site in Django sends resets, bookings and invitations through the relay."""

import concurrent.futures
import email
import email.policy
import re
import socket
import threading
import time

import club
import pytest
from conftest import slack, wait_for
from test_tls import certify

CONFIG = 'throttle = "enforce"\nstream "reset" { class = "security" }\nstream "invite" { class = "invitation" }\n'
SECRET = "a long password"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    club.start(tmp_path_factory.mktemp("club"))
    from django.test import Client
    return Client


@pytest.fixture
def relay(relay_factory, dns, monkeypatch):
    """Django verifies its server, from 4.2 on: the name that it connects to, and by the certificate that it is told to trust."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory(CONFIG)
    certify(relay.path, "localhost", host="localhost")
    (relay.path / "localhost.crt").rename(relay.path / "cert.pem")
    (relay.path / "localhost.key").rename(relay.path / "key.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(relay.path / "cert.pem"))
    for stream in ("reset", "invite"):
        relay.command("user", "add", stream, "--domain", "club.test", "--stream", stream, "--password-stdin", input=SECRET + "\n")
    relay.start()
    club.mail_through(relay.submission, "reset", SECRET)
    return relay


def press(site, who="bob"):
    """Ask for a password reset as a browser does; the status of the page."""
    return site(REMOTE_ADDR="192.0.2.1").post("/accounts/password_reset/", {"email": f"{who}@dest.test"})


def links(sink):
    """The links that have arrived, in order."""
    found = []
    for _, raw in sink.messages():
        text = email.message_from_bytes(raw, policy=email.policy.default).get_content()
        found.append(re.search(r"http://testserver(/accounts/reset/\S+)", text)[1])
    return found


def works(site, link):
    """Does it lead to the form for a new password?"""
    page = site().get(link, follow=True)
    return page.status_code == 200 and b"new_password1" in page.content


def test_a_single_reset(site, relay, sink_factory):
    sink = sink_factory()
    began = time.monotonic()
    assert press(site).status_code == 302
    sink.wait(1)
    assert time.monotonic() - began < slack(5)
    client = site()
    form = client.get(links(sink)[0], follow=True)
    assert b"new_password1" in form.content
    done = client.post(form.redirect_chain[-1][0], {"new_password1": "green apples 4", "new_password2": "green apples 4"})
    assert done.status_code == 302
    assert site().login(username="bob", password="green apples 4")


def test_the_resend_button(site, relay, sink_factory, caplog):
    """Three times: three mails, and the last link works. On and on: the mailbox is not flooded, and nobody else has to wait."""
    sink = sink_factory()
    assert [press(site).status_code for _ in range(3)] == [302] * 3
    sink.wait(3)
    assert works(site, links(sink)[-1])
    assert {press(site).status_code for _ in range(20)} == {302}  # Django hides errors here, so that nobody learns who is a member
    assert "limit" in caplog.text and "450" in caplog.text
    sink.wait(5)
    assert press(site, "amy").status_code == 302
    sink.wait(6)
    assert len(sink.messages()) == 6


def test_the_resend_button_while_the_receiver_is_away(site, relay, sink_factory):
    """Who presses again and again gets one mail when the receiver is back, with the newest link."""
    assert press(site).status_code == 302
    wait_for(lambda: [row for row in relay.json("events", "--after", "0", "--limit", "100") if row["kind"] == "deferred"])
    pages = [press(site).status_code for _ in range(8)]
    assert pages == [302] * 8
    assert len(relay.json("queue", "list")) == 1
    sink = sink_factory()
    sink.wait(1, 60)
    time.sleep(1)
    assert len(links(sink)) == 1 and works(site, links(sink)[0])


def test_two_tabs(site, relay, sink_factory):
    """Both say that a mail is on its way, and every link that arrives works."""
    sink = sink_factory()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        assert [page.status_code for page in pool.map(lambda _: press(site), range(2))] == [302, 302]
    wait_for(lambda: not relay.json("queue", "list"))
    assert 1 <= len(sink.messages()) <= 2
    assert all(works(site, link) for link in links(sink))


class Forgetful(threading.Thread):
    """Between application and relay: the first connection is cut when the relay says that it has accepted a message."""

    def __init__(self, relay):
        super().__init__(daemon=True)
        self.relay, self.cuts = relay, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection(("127.0.0.1", self.relay.submission))
            threading.Thread(target=self.carry, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self.carry, args=(server, client, self.cuts == 0), daemon=True).start()

    def carry(self, source, target, forgets):
        try:
            while data := source.recv(65536):
                if forgets:
                    time.sleep(0.1)  # the line may come a little after the reply
                if forgets and re.search(r'\baccepted\b', self.relay.log()):
                    self.cuts += 1
                    break
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


@pytest.mark.parametrize("header", ["Message-ID", "Sealpost-Idempotency-Key"])
def test_a_job_queue_that_has_lost_the_answer(site, relay, sink_factory, header):
    """It tries again, as it must; the member gets one mail."""
    from django.core.mail import EmailMessage
    import smtplib
    sink = sink_factory()
    path = Forgetful(relay)
    club.mail_through(path.port, "app", relay.secret)
    tries = 0

    def job():
        nonlocal tries
        tries += 1
        value = "<booking-7@club.test>" if header == "Message-ID" else "booking-7"
        EmailMessage("Court 3 is yours", "Monday, 10:30.", to=["bob@dest.test"], headers={header: value}).send()

    for _ in range(5):  # the queue's own loop
        try:
            job()
            break
        except (smtplib.SMTPException, OSError):
            time.sleep(0.5)
    assert tries == 2 and path.cuts == 1
    sink.wait(1)
    time.sleep(1)
    assert len(sink.messages()) == 1


def test_inviting_all_members_at_once(site, relay, sink_factory):
    """Nobody is left out and nothing fails; the club's mail server gets them one after the other, and a reset goes past them."""
    from django.core.mail import EmailMessage, get_connection
    sink = sink_factory()
    club.mail_through(relay.submission, "invite", SECRET)
    members = [f"member{i}@dest.test" for i in range(120)]
    invitations = [EmailMessage("Summer party", f"Dear {member}, come!", to=[member]) for member in members + members[:1]]
    assert get_connection().send_messages(invitations) == 121
    sink.wait(60)
    waiting = relay.json("queue", "list", "--limit", "1000")
    assert 55 <= len(waiting) <= 61
    last = max(row["due"] for row in waiting) / 1000 - time.time()
    assert 60 < last < 130
    club.mail_through(relay.submission, "reset", SECRET)
    began = time.monotonic()
    assert press(site, "eve").status_code == 302
    wait_for(lambda: any("eve@dest.test" in str(about) for about, _ in sink.messages()))
    assert time.monotonic() - began < slack(5)
    arrived = [about for about, _ in sink.messages()]
    assert len(arrived) < 100 and len({str(row["recipient"]) for row in waiting}) >= len(waiting) - 1
