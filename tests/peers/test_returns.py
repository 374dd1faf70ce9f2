"""Mail that came back, as "sealpost returns show" reads it."""

import base64
import json
import os
import subprocess

import pytest

from conftest import SEALPOST, need_vectors

REPORT = """\
Return-Path: <>
From: MAILER-DAEMON@mx.far.test (Mail Delivery System)
To: shop@club.test
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b

It failed.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.far.test

Final-Recipient: rfc822; gone@far.test
Action: failed
Status: 5.0.0
Diagnostic-Code: smtp; 550 5.1.1 No such user

Final-Recipient: rfc822; full@far.test
Action: failed
Status: 5.2.2
Diagnostic-Code: smtp; 552 5.2.2 Mailbox full
--b
Content-Type: text/rfc822-headers

Message-ID: <1@club.test>
--b--
"""
AWAY = "From: bob@far.test\nSubject: Out of office: your ticket\nAuto-Submitted: auto-replied\n\nI am away. 550 5.1.1 no such user\n"


def show(*arguments, **options):
    return subprocess.run([SEALPOST, *map(str, arguments)], capture_output=True, timeout=120, **options)


def as_json(*files, **options):
    done = show("--json", "returns", "show", *files, **options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.memory
def test_a_report_is_shown_with_what_follows_for_each_recipient(tmp_path):
    (tmp_path / "report").write_text(REPORT)
    (tmp_path / "away").write_text(AWAY)
    report, away = as_json(tmp_path / "report", tmp_path / "away")
    assert (report["kind"], report["message_id"], report["follows"]) == ("dsn-failed", "<1@club.test>", "suppress")
    gone, full = report["recipients"]
    assert (gone["address"], gone["status"], gone["category"], gone["suppress_after"], gone["follows"]) == \
        ("gone@far.test", "5.0.0", "mailbox_unknown", 1, "suppress")
    assert gone["reply"] == "550 5.1.1 No such user"
    assert (full["category"], full["suppress_after"], full["follows"]) == ("mailbox_full", 0, "keep")
    assert (away["kind"], away["recipients"], away["follows"]) == ("auto-reply", [], "nothing")
    table = show("returns", "show", tmp_path / "report", tmp_path / "away").stdout.decode()
    assert [line.split()[1:3] for line in table.splitlines()[1:]] == [
        ["dsn-failed", "gone@far.test"], ["dsn-failed", "full@far.test"], ["auto-reply", "nothing"]], table


@pytest.mark.memory
def test_standard_input_a_missing_file_and_what_is_no_message(tmp_path):
    (row,) = as_json("-", input=REPORT.replace("\n", "\r\n").encode())
    assert row["file"] == "-" and len(row["recipients"]) == 2
    (row,) = as_json("-", input=os.urandom(300_000))
    assert row["recipients"] == []
    (row,) = as_json("-", input=b"")
    assert row["follows"] in ("read", "nothing")
    done = show("returns", "show", tmp_path / "nothing", "-", input=REPORT.encode())
    assert done.returncode == 1 and b"No such file" in done.stderr and b"gone@far.test" in done.stdout


def test_nobody_is_shown_to_be_suppressed_who_must_not_be(tmp_path):
    messages = json.loads((need_vectors() / "returns-public.json").read_text())["messages"]
    files = []
    for number, message in enumerate(messages):
        raw = base64.b64decode(message["raw"]) if message.get("encoding") == "base64" else message["raw"].encode()
        files.append(tmp_path / str(number))
        files[-1].write_bytes(raw)
    rows = as_json(*files)
    right = 0
    for message, row in zip(messages, rows, strict=True):
        right += row["kind"] in [message["kind"], *message.get("also", [])]
        if "suppress" in message.get("must_not", []) and row["kind"] != "arf":
            assert row["follows"] != "suppress", message["id"]
        for recipient in message.get("recipients", []):
            if "suppress" in recipient.get("must_not", []):
                assert not [r for r in row["recipients"] if r["address"] == recipient["address"] and r["follows"] == "suppress"], message["id"]
    assert right >= 0.97 * len(messages)


@pytest.mark.parametrize("line, lines", [("a@b.test on x " + "450 x " * 20, 480), ("a@b.test: " + "450 x " * 9000, 1),
                                         ("<a@b.test> reason: " + "x: " * 40, 480), ("a@b.test (" * 12, 480)])
def test_no_text_costs_much(tmp_path, line, lines):
    """64 KB of a stranger's text are read in a moment of the processor: its limit ends the command."""
    (tmp_path / "mail").write_text("From: MAILER-DAEMON@b.test\nTo: shop@club.test\nSubject: Undelivered Mail Returned to Sender\n\n"
                                   + f"{line}\n" * lines)
    done = subprocess.run(["prlimit", "--cpu=3", str(SEALPOST), "returns", "show", str(tmp_path / "mail")], capture_output=True, timeout=60)
    assert done.returncode == 0, done


@pytest.mark.parametrize("field", ["X-Failed-Recipients", "Delivered-To"])
def test_no_list_of_recipients_costs_much(tmp_path, field):
    """Each address of the text is looked for in the list: whole, not at each of its places."""
    text = (f"From: MAILER-DAEMON@b.test\nSubject: Undelivered Mail Returned to Sender\n{field}: {'a' * 16300}\n"
            'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n--b\n\n')
    text += "".join(f"{'a' * 120}b@c.d,\n" for _ in range(490))
    (tmp_path / "mail").write_text(text + "\n--b\nContent-Type: message/delivery-status\n\nFinal-Recipient: rfc822; x\nAction: foo\n--b--\n")
    done = subprocess.run(["prlimit", "--cpu=1", str(SEALPOST), "returns", "show", str(tmp_path / "mail")], capture_output=True, timeout=60)
    assert done.returncode == 0, done
