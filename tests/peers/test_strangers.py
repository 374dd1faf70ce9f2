"""Kind: who may connect to the listener for what comes back, which is anybody, takes the time of those who hand mail in. The relay spends
a small part of its time on strangers, whatever they do, and of that each network has its part.

To measure: pytest -s tests/peers/test_strangers.py prints what a submission takes beside a flood, and what the flood costs the relay."""

import json
import ssl
import subprocess
import sys
import threading
import time

import pytest

from apart import Sender
from conftest import slack
from test_came_back import BOUNCE, GONE, back  # noqa: F401  (a fixture)
from test_costly_handshake import cpu_s

FLOOD_S = 6
KINDS = ["connect", "hello", "noop"]


def flood(port, kind, seconds=FLOOD_S, addresses=200):
    program = __file__.replace("test_strangers.py", "strangers.py")
    return subprocess.Popen([sys.executable, program, str(port), kind, str(seconds), str(addresses)], stdout=subprocess.PIPE, text=True)


def permissive():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def submissions(sender, seconds, pause=0.01):
    """How long each took, in order of length."""
    took, end = [], time.monotonic() + seconds
    while (began := time.monotonic()) < end:
        sender.send("bob@dest.test", f"m {len(took)}", stream="notification")
        took.append(time.monotonic() - began)
        time.sleep(pause)
    return sorted(took)


def part(values, percent):
    return values[min(len(values) - 1, len(values) * percent // 100)]


@pytest.mark.alone("how long a submission takes beside a flood")
@pytest.mark.parametrize("kind", KINDS)
def test_a_flood_of_strangers_takes_a_small_part_of_the_time(back, kind):
    b = back()
    sender = Sender(b.relay)
    submissions(sender, 1)
    used = cpu_s(b.relay)
    quiet = submissions(sender, 3)
    each = (cpu_s(b.relay) - used) / len(quiet)
    used, began = cpu_s(b.relay), time.monotonic()
    strangers = flood(b.port, kind)
    beside = submissions(sender, FLOOD_S - 1)
    busy = (cpu_s(b.relay) - used - each * len(beside)) / (time.monotonic() - began)
    made = strangers.communicate(timeout=60)[0].strip()
    for name, values in (("quiet", quiet), ("beside", beside)):
        print(f"{kind} {name}: {len(values)} submissions, p50 {part(values, 50) * 1000:.1f} ms, p99 {part(values, 99) * 1000:.1f} ms")
    print(f"{kind}: {made}, cores {busy:.2f}")
    assert json.loads(made)["connections"] > 200
    assert busy < 0.5  # a tenth of two threads' time, and what the kernel and the loop do that nobody can measure
    assert part(beside, 50) < 3 * part(quiet, 50) + slack(0.01)


def test_while_a_network_floods_others_come_through(back):
    b = back()
    _, token = b.sent()
    strangers = flood(b.port, "hello", 8, addresses=1)
    try:
        time.sleep(1)
        for _ in range(5):
            began = time.monotonic()
            with b.client() as client:
                client.starttls(context=permissive())
                assert b.bounce(token, client=client) == (250, 250)
            assert time.monotonic() - began < slack(5)
        assert strangers.poll() is None
    finally:
        strangers.kill()
        strangers.wait()


def test_what_waits_for_its_turn_is_lost_nowhere(back):
    """Much mail at once, over TLS and without, more than there is time for: all is answered, and what is in it is whole."""
    b = back()
    tokens = [b.sent(f"u{n}@dest.test") for n in range(4)]
    failed = []

    def bring(number, token):
        text = BOUNCE.format(token=token, recipient=f"u{number}@dest.test", **GONE).replace(
            "--b--\n", "--b\nContent-Type: message/rfc822\n\nSubject: x\n\n" + ("z" * 900 + "\n") * 1000 + "--b--\n")
        for round in range(3):
            with b.client() as client:
                if round % 2:
                    client.starttls(context=permissive())
                if (said := b.bring(token, text, client)[1][0]) != 250:
                    failed.append(said)

    threads = [threading.Thread(target=bring, args=(n, token)) for n, (_, token) in enumerate(tokens)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed
    for number, (id, _) in enumerate(tokens):
        assert b.kinds(id)[-1] == "returned"
        assert b.relay.json("trace", id)[-1]["category"] == "mailbox_unknown"
