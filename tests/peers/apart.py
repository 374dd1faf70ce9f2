"""What the tests of keeping mail apart have in common: receivers, tenants that are logged in, and how long their mail took."""

import time

import pytest

from conftest import wait_for
from receivers import Receiver

STREAMS = """
stream "code" { class = "security" }
stream "news" { class = "digest"  unsubscribe = "none" }
"""


@pytest.fixture
def receiver(delivery_port):
    made = []

    def make(address, **how):
        made.append(Receiver(address, delivery_port, **how))
        return made[-1]

    yield make
    for one in made:
        one.stop()


class Sender:
    """One session that stays logged in."""

    def __init__(self, relay, **who):
        self.relay, self.who = relay, who
        self.log_in()

    def log_in(self):
        """Also once more, after a restart."""
        self.client = self.relay.client(**self.who)
        self.client.ehlo_or_helo_if_needed()

    def send(self, recipients, subject, stream="news", sender="hello@club.test"):
        recipients = [recipients] if isinstance(recipients, str) else recipients
        text = f"From: <{sender}>\r\nTo: <{recipients[0]}>\r\nSubject: {subject}\r\nSealpost-Stream: {stream}\r\n\r\nhello\r\n"
        assert self.client.mail(sender)[0] == 250
        for recipient in recipients:
            code, said = self.client.rcpt(recipient)
            assert code == 250, said
        code, said = self.client.data(text.encode())
        assert code == 250, said
        return time.monotonic()


def delays(receiver, accepted, timeout):
    """How long each of these took to arrive, by subject; all of them must."""
    wait_for(lambda: set(accepted) <= set(receiver.subjects()), timeout, 0.05)
    return sorted(at - accepted[subject] for at, _, subject in receiver.messages if subject in accepted)


def codes_to_healthy(sender, healthy, count=100):
    """Security messages to ten domains of another server, one after the other; how long they took."""
    accepted = {}
    for i in range(count):
        accepted[f"code {i}"] = sender.send(f"u{i}@h{i % 10}.test", f"code {i}", "code")
    return delays(healthy, accepted, 20)


def healthy_domains(dns, address="127.0.0.3"):
    for i in range(10):
        dns.mail(f"h{i}.test", f"mx.h{i}.test={address}")


def tenants(relay, *names):
    """Each with a domain NAME.test and a user NAME; started. Their secrets."""
    secrets = {}
    for name in names:
        relay.add_domain(f"{name}.test", "--tenant", name)
        secrets[name] = relay.json("user", "add", name, "--domain", f"{name}.test", "--tenant", name)["secret"]
    relay.start()
    return {name: Sender(relay, user=name, secret=secret) for name, secret in secrets.items()}


def few_places(relay, tmp_path, descriptors=1024):
    """A relay that has few descriptors has few connections."""
    program = tmp_path / "few"
    program.write_text(f'#!/bin/sh\nulimit -n {descriptors}\nexec {relay.program} "$@"\n')
    program.chmod(0o755)
    relay.given_program = str(program)


def each_arrives(sender, name, healthy, stream, count=30):
    """Some messages of that tenant to ten domains of the other server; how long they took."""
    accepted = {}
    for i in range(count):
        accepted[f"{stream} {i}"] = sender.send(f"{name}{i}@h{i % 10}.test", f"{stream} {i}", stream, f"hello@{name}.test")
        time.sleep(0.05)
    return delays(healthy, accepted, 20)
