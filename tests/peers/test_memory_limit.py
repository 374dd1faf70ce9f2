"""A small `limits.memory` can be kept: the kind of fault is what grows with the store and stays, though nobody needs it, so that all mail
is refused for good."""

import time

import pytest

from conftest import wait_for


def grow(relay):
    """More rows than each of these limits, read and written."""
    rows = "".join(f"u{i}.{'x' * 50}@{i % 1000}.example.test\n" for i in range(150_000))
    relay.command("suppress", "import", "-", input="address\n" + rows)


def accepts(relay):
    """What the command itself has needed is free again, and mail is accepted for good."""
    said = lambda: [line.split()[1] for line in relay.log().splitlines() if " memory_" in line]  # noqa: E731
    wait_for(lambda: said()[-1:] in ([], ["memory_enough"]), 20)
    count = len(said())
    for i in range(20):
        relay.send(message=f"From: <hello@club.test>\r\nSubject: {i}\r\n\r\nhello\r\n")
    relay.look("events", "--kind", "accepted")
    assert len(said()) == count


@pytest.mark.parametrize("memory", [32, 64, 96])
def test_a_large_store_leaves_room_for_mail(relay_factory, dns, memory):
    relay = relay_factory(f"limits {{ memory = {memory} }}").start()
    grow(relay)
    accepts(relay)


def test_a_reload_gives_back_what_is_too_much_now(relay_factory, dns):
    relay = relay_factory("limits { memory = 1G }").start()
    grow(relay)
    relay.config.write_text(relay.config.read_text().replace("memory = 1G", "memory = 32M"))
    relay.reload()
    relay.command("suppress", "add", "one@example.test")  # something that its thread has to do
    time.sleep(2)  # longer than it takes to see that it is short
    accepts(relay)
