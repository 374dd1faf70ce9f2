"""Lists that come in and go out as files, on a relay as it is installed.

The kind: a file is taken whole or not at all, and what is wrong is named with its line; one import is one event; what fails
prints nothing that a program would take for a list; and a large file holds up no mail.
"""

import json
import subprocess
import time

import pytest

from conftest import SEALPOST


@pytest.fixture
def quiet(relay_factory, dns):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    return relay_factory().start()


def addresses(relay):
    return sorted(row["address"] for row in relay.json("suppress", "list"))


WRONG = [  # what the file holds, and what is said of it
    ("address\na@dest.test\nb@dest.test\nnot an address\nc@dest.test\n", "line 4"),
    ("a@dest.test\nb@dest.test\n@\n", "line 3"),
    ('address,source\n"a@dest.test","two\nlines"\nb@dest.test,x\nwrong,y\n', "line 5"),
    ("address,reason\na@dest.test,unsubscribe\nb@dest.test,dislikes\n", "line 3"),
    ("address,expires\na@dest.test,2030-01-01\nb@dest.test,soon\n", "line 3"),
    ("mail,why\na@dest.test,x\n", "line 1"),
    ('address\n"a@dest.test\n', "line 2"),
    ("", "no entries"), ("address\n", "no entries"), ("\n\n", "no entries"),
]


def test_a_file_that_is_wrong_changes_nothing_and_the_line_is_named(quiet):
    quiet.command("suppress", "add", "there@dest.test")
    before = len(quiet.json("events", "--limit", "1000"))
    for number, (text, words) in enumerate(WRONG):
        path = quiet.path / f"list{number}.csv"
        path.write_text(text)
        done = quiet.command("suppress", "import", str(path), check=False)
        assert done.returncode == 2 and done.stdout == "", (text, done)
        assert words in done.stderr and path.name in done.stderr or words in done.stderr and "nothing was imported" in done.stderr, (text, done.stderr)
        assert done.stderr.count("\n") == 1
        assert addresses(quiet) == ["there@dest.test"], text
    path = quiet.path / "list.json"
    path.write_text(json.dumps([{"address": "a@dest.test"}, {"address": 5}]))
    done = quiet.command("suppress", "import", str(path), check=False)
    assert done.returncode == 2 and "entry 2" in done.stderr and addresses(quiet) == ["there@dest.test"]
    assert len(quiet.json("events", "--limit", "1000")) == before


def test_a_list_of_addresses_alone_loses_none(quiet):
    for text in ("a@dest.test\nb@dest.test\nc@dest.test", "\ufeffd@dest.test\r\ne@dest.test\r\n", '"f@dest.test"\n\ng@dest.test\n'):
        path = quiet.path / "list.txt"
        path.write_text(text)
        count = text.count("@")
        assert quiet.command("suppress", "import", str(path)) == f"{count} entries read, {count} of them new\n"
    assert addresses(quiet) == [f"{letter}@dest.test" for letter in "abcdefg"]


def test_one_import_is_one_event_and_one_row_of_the_trail(quiet):
    path = quiet.path / "list.txt"
    path.write_text("".join(f"a{i}@dest.test\n" for i in range(5000)))
    events, rows = (len(quiet.json(*what)) for what in (("events", "--limit", "1000"), ("audit", "tail", "--limit", "1000")))
    quiet.command("suppress", "import", str(path))
    seen = quiet.json("events", "--limit", "1000")[events:]
    assert [e["kind"] for e in seen] == ["suppress_imported"] and "5000 entries, 5000 of them new" in seen[0]["reply"]
    trail = quiet.json("audit", "tail", "--limit", "1000")[rows:]
    assert [r["what"] for r in trail] == ["suppress.import"] and "5000 rows" in trail[0]["about"]
    assert "list.txt" in trail[0]["about"]


def test_an_export_that_fails_prints_nothing(quiet):
    quiet.command("suppress", "add", "a@dest.test")
    for options in (["--reason", "nonsense"], ["--format", "xml"]):
        done = quiet.command("suppress", "export", *options, check=False)
        assert done.returncode == 2 and done.stdout == "", done
    names = quiet.command("suppress", "export").splitlines()[0]
    assert names.startswith("address,")
    quiet.command("suppress", "remove", "a@dest.test")
    assert quiet.command("suppress", "export") == names + "\n"


@pytest.mark.alone("measures how long mail waits")
def test_a_large_import_holds_up_no_mail(quiet, sink_factory):
    sink_factory(records=quiet.records)
    path = quiet.path / "list.txt"
    path.write_text("".join(f"somebody-{i}@dest.test\n" for i in range(150_000)))
    quiet.send("before@dest.test")
    process = subprocess.Popen([SEALPOST, "-c", str(quiet.config), "suppress", "import", str(path)], stdout=subprocess.PIPE, text=True)
    slowest, sent = 0, 0
    while process.poll() is None:
        begun = time.monotonic()
        quiet.send("during@dest.test", f"From: <hello@club.test>\r\nSubject: {sent}\r\n\r\n{begun}\r\n")
        slowest, sent = max(slowest, time.monotonic() - begun), sent + 1
    assert process.stdout.read() == "150000 entries read, 150000 of them new\n"
    print(f"slowest submission beside it: {slowest:.2f} s of {sent}")
    assert slowest < 5 and sent > 1
