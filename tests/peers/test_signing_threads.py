"""A signature leaves the thread that serves clients, where somebody would wait for it and a core is free. The kind: what computes for long
stands in the way of what does not."""

import os
import pathlib
import threading

import pytest
from conftest import wait_for

BODY = "".join(f"{i:070d}\r\n" for i in range(12000))  # 0.9 MB: less than goes to libuv's pool


def ran_ns(relay):
    """What the signing threads have computed."""
    total = 0
    for task in pathlib.Path(f"/proc/{relay.process.pid}/task").iterdir():
        if (task / "comm").read_text() == "signing\n":
            total += int((task / "schedstat").read_text().split()[0])
    return total


def message(number):
    return f"From: <hello@club.test>\r\nTo: <r{number}@dest.test>\r\nSubject: {number}\r\n\r\n{BODY}"


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core")
def test_what_computes_for_long_is_signed_apart_and_well(relay, sink):
    before = ran_ns(relay)

    def send(first):
        with relay.client() as client:
            for number in range(first, first + 8):
                client.sendmail("hello@club.test", [f"r{number}@dest.test"], message(number))

    threads = [threading.Thread(target=send, args=(first,)) for first in (0, 100, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = sink.wait(24, 60)
    assert len(taken) == 24
    for about, raw in taken:
        assert about["dkim"] == "pass" and raw.endswith(BODY.encode())
    assert ran_ns(relay) - before > 300_000
    wait_for(lambda: relay.json("queue", "list") == [])


def test_a_message_that_is_being_signed_may_be_given_up(relay, sink):
    """Whoever ends while the thread has its message: the relay, a connection. What was accepted arrives once."""
    with relay.client() as client:
        for number in range(12):
            client.sendmail("hello@club.test", [f"r{number}@dest.test"], message(number))
    relay.stop()
    relay.start()
    taken = sink.wait(12, 60)
    assert sorted(raw.split(b"Subject: ")[1].split(b"\r\n")[0] for _, raw in taken) == sorted(b"%d" % n for n in range(12))
    assert all(about["dkim"] == "pass" for about, _ in taken)
