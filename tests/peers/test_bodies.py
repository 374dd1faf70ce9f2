"""Bodies that a canonical form changes, of any length: they leave as they came, and every copy's signature holds."""

import random

import pytest

from conftest import dkim_passes, split_copy

HARD = ["", " ", "\t", "  indented", "trailing blanks \t ", "a\tb  c", ".", "..", ".\t", "\x0b\x0c", "x" * 998, "=20", "ü " * 40,
        "From here", "-" * 16, "word " * 30]


def body(size, seed):
    """Lines that are hard, between those of a usual text; empty ones and blanks at the end."""
    draw = random.Random(seed)
    lines, length = [], 0
    while length < size:
        line = draw.choice(HARD) if draw.random() < 0.5 else "".join(draw.choice("etaoin shrdlu") for _ in range(draw.randrange(80)))
        lines.append(line)
        length += len(line.encode()) + 2
    return "\r\n".join(lines + ["", " ", "\t \t", "", ""]).encode()


@pytest.mark.parametrize("size", [1, 4000, 70_000, 300_000, 1_500_000])
def test_each_copy_of_a_hard_body_arrives_unchanged_and_verifies(relay, sink, dns, size):
    """Several domains get a copy each, some of them after the first was made."""
    domains = ["dest.test", "two.test", "three.test", "four.test"]
    for domain in domains[1:]:
        dns.mail(domain, f"mx.{domain}=127.0.0.1")
    said = body(size, size)
    head = b"From: <hello@club.test>\r\nSubject: x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    id = relay.send(to=[f"a@{domain}" for domain in domains], message=head + said, mail_options=["BODY=8BITMIME"])
    copies = sink.wait(len(domains), 30)
    assert sorted(about["to"][0] for about, _ in copies) == sorted(f"a@{domain}" for domain in domains)
    for about, raw in copies:
        assert split_copy(raw)[2].split(b"\r\n\r\n", 1)[1] == said
        assert about["dkim"] == "pass" and dkim_passes(raw, dns)
    assert len(relay.wait_kind(id, "delivered")) > 0


@pytest.mark.parametrize("tail", [b"", b"\r\n", b"\r\n" * 50, b" \r\n", b"x", b"x\r\n\r\n"])
def test_ends_of_bodies(relay, sink, dns, tail):
    relay.send(message=b"From: <hello@club.test>\r\nSubject: x\r\n\r\n" + tail)
    about, raw = sink.wait(1)[0]
    assert about["dkim"] == "pass" and dkim_passes(raw, dns)
    arrived = raw.split(b"\r\n\r\n", 1)[1]
    assert arrived in (tail, tail + b"\r\n")
