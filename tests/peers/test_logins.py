"""Checks of chosen passwords are slow on purpose: those that somebody makes in masses hold up nobody else."""

import base64
import random
import resource
import select
import smtplib
import threading
import time

import pytest
from conftest import wait_for
from test_access import Raw
from test_client_shares import tenants

PASSWORD = "correct horse battery "
GUESSES = 40
LINE = 256  # so many wait at most


@pytest.fixture
def club(relay_factory, dns):
    """bob2 has a chosen password, the others have one that is generated."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    relay = tenants(relay_factory, "shards = 2\n")
    add(relay, "bob", "bob2", PASSWORD + "bob")
    return relay


def add(relay, tenant, name, secret):
    relay.command("user", "add", name, "--domain", f"{tenant}.test", "--tenant", tenant, "--password-stdin", input=secret + "\n")
    relay.secrets[name] = secret


def token(name, secret):
    return base64.b64encode(f"\0{name}\0{secret}".encode()).decode()


class Guessers:
    """Many that are connected, each from a network of its own, so that no lock helps; all speak at the same moment."""

    def __init__(self, relay, name, where=lambda i: f"127.{10 + i % 200}.{i // 200}.1", count=GUESSES):
        self.sessions = [Raw(relay, None, source=where(i)) for i in range(count)]
        self.names = [name(i) for i in range(count)]
        self.secrets = relay.secrets

    def guess(self):
        self.began = time.monotonic()
        for session, name in zip(self.sessions, self.names):
            session.send(f"AUTH PLAIN {token(name, self.secrets.get(name) or f'wrong password {random.random()}')}\r\n")

    def answers(self):
        return [session.reply()[0] for session in self.sessions]

    def all_took(self):
        """How long until the last one is answered: what this machine needs for so many turns, just now."""
        answers = self.answers()
        return time.monotonic() - self.began, answers

    def leave(self):
        for session in self.sessions:
            session.socket.close()


def nobody(i):
    return f"guessed{i}"


def login(relay, name, source="127.0.0.1"):
    began = time.monotonic()
    session = Raw(relay, name, relay.secrets[name], source)
    took = time.monotonic() - began
    session.say("QUIT")
    return took


def test_who_has_logged_in_before_waits_for_nobody(club):
    """Neither for guesses at names of nobody, nor for the valid logins of another tenant, each of which cost a hash."""
    login(club, "bob2")
    for i in range(10):
        add(club, "eve", f"eve{i}", PASSWORD + str(i))
    turns = 0
    for name in (nobody, lambda i: f"eve{i % 10}"):
        guessers = Guessers(club, name)
        guessers.guess()
        took = login(club, "bob2")
        all_took, _ = guessers.all_took()
        turns = max(turns, all_took)  # of the valid ones only the first of each name needs one
        assert took < turns / 6, (took, turns)
        guessers.leave()


def test_after_a_restart_who_was_here_goes_before_guesses(club):
    """Nothing is remembered then but who has logged in from where."""
    login(club, "bob2")
    club.stop()
    club.start()
    guessers = Guessers(club, nobody)
    guessers.guess()
    took = login(club, "bob2")
    all_took, _ = guessers.all_took()
    assert took < all_took / 4, (took, all_took)
    guessers.leave()


def test_a_wrong_generated_secret_waits_as_long_as_an_unknown_name(club):
    """Else who makes others wait is told by the time which names there are; so is it with a user that is disabled."""
    club.command("user", "disable", "eve")
    names = {"carl": "wrong", "eve": club.secrets["eve"], "whoever": "wrong"}
    sessions = {name: Raw(club, None, source=f"127.{210 + i}.0.1") for i, name in enumerate(names)}
    guessers = Guessers(club, nobody, count=24)  # few enough that on a busy machine, too, none is told to come again
    guessers.guess()
    select.select([session.socket for session in guessers.sessions], [], [], 30)  # by now all of them are in the line
    took = {}

    def ask(name):
        assert sessions[name].say(f"AUTH PLAIN {token(name, names[name])}")[0] == 535
        took[name] = time.monotonic() - guessers.began

    threads = [threading.Thread(target=ask, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert took.keys() == names.keys() and min(took.values()) > 0.6 * max(took.values()), took
    guessers.leave()


def test_who_comes_for_the_first_time_waits_for_one_turn_of_each_address(club):
    """While one with many guesses is at work: by its turn, not behind all of them."""
    guessers = Guessers(club, nobody, lambda i: f"127.6.0.{1 + i % 2}")
    guessers.guess()
    took = login(club, "bob2", "127.200.0.1")
    all_took, _ = guessers.all_took()
    assert took < all_took / 3, (took, all_took)
    guessers.leave()


def test_the_line_of_those_who_wait_has_an_end(club):
    """More than can wait are told to come again, soon, and of that the log has few lines. Bodies, which are on the same threads, go on."""
    with smtplib.SMTP("127.0.0.1", club.submission, timeout=60) as client:
        client.starttls(context=club.context())
        client.login("carl", club.secrets["carl"])
        guessers = Guessers(club, nobody, count=LINE + 60)
        guessers.guess()
        began = time.monotonic()
        client.mail("hello@carl.test")
        client.rcpt("x@dest.test")
        code, text = client.data(b"From: <hello@carl.test>\r\nTo: <x@dest.test>\r\nSubject: big\r\n\r\n" + (b"z" * 76 + b"\r\n") * 8000)
        accepted = time.monotonic() - began
    all_took, answers = guessers.all_took()
    assert code == 250 and accepted < all_took / 3, (code, text, accepted, all_took)
    assert all_took < 30
    assert answers.count(454) >= 60 - 40 and answers.count(535) == len(answers) - answers.count(454) > 10
    assert sum(" auth_" in line for line in club.log().splitlines()) < 100
    assert login(club, "bob2") < 5


def test_the_second_login_costs_no_hash(club):
    """Nor does the tenth."""
    def cpu():
        with open(f"/proc/{club.process.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100
    login(club, "bob2")
    began = cpu()
    for _ in range(60):
        login(club, "carl")
    generated = cpu() - began
    began = cpu()
    for _ in range(60):
        login(club, "bob2")
    assert cpu() - began < generated + 0.3, (cpu() - began, generated)


def test_a_password_is_forgotten_with_its_credential(club):
    words = {"rotated": ("user", "rotate", "{}", "--password-stdin"), "disabled": ("user", "disable", "{}"), "deleted": ("user", "delete", "{}")}
    for change, command in words.items():
        add(club, "bob", change, PASSWORD + "bob")
        for _ in range(2):
            login(club, change)
        club.command(*(word.format(change) for word in command), input="another horse battery\n")
        for secret, code in ((PASSWORD + "bob", 535), ("another horse battery", 235 if change == "rotated" else 535)):
            session = Raw(club, None)
            assert session.say(f"AUTH PLAIN {token(change, secret)}")[0] == code, (change, secret)
    club.command("user", "enable", "disabled")
    login(club, "disabled")


def test_guessing_at_a_remembered_password_has_its_budget(club):
    """From the owner's own address: neither a right one nor a wrong one is told sooner than before."""
    login(club, "bob2")
    sessions = [Raw(club, None) for _ in range(14)]
    for session in sessions:
        session.send(f"AUTH PLAIN {token('bob2', 'wrong password')}\r\n")
    wait_for(lambda: "slowed down" in club.log(), 30)
    session = Raw(club, None)
    began = time.monotonic()
    code = session.say(f"AUTH PLAIN {token('bob2', PASSWORD + 'bob')}")[0]
    assert code in (235, 454) and time.monotonic() - began > 0.5, (code, time.monotonic() - began)


def test_the_relay_stops_while_many_wait(club):
    """Whatever they wait for, on whatever thread."""
    guessers = Guessers(club, nobody)
    guessers.guess()
    began = time.monotonic()
    club.stop()
    assert time.monotonic() - began < 25
