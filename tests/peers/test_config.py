"""The config file: whatever serve refuses, config check refuses, all of it at once, with file, line and a reason that helps; numbers
as people write them; files in files; what a reload may change."""

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
from pathlib import Path

import conftest
import pytest
from conftest import RELEASE, free_port, wait_for

pytestmark = pytest.mark.usefixtures("release")


@pytest.fixture
def relay(relay_factory):
    return relay_factory()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """One relay for all that only look at its config file."""
    dns = conftest.Dns()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conftest, "SEALPOST", RELEASE)
        yield conftest.Relay(tmp_path_factory.mktemp("made"), dns, free_port())
    dns.stop()


@pytest.fixture
def still(made):
    text = made.config.read_text()
    yield made
    made.config.write_text(text)


def refused(relay, *words, serve=True):
    """What config check and serve say: the one each line, the other the first. The line of each fault is shown."""
    done = relay.command("config", "check", check=False)
    lines = done.stderr.splitlines()
    assert done.returncode == 1 and all(line.startswith("sealpost: ") for line in lines), done
    for word in words:
        assert word in done.stderr, done.stderr
    if serve:
        served = relay.command("serve", check=False)
        assert served.returncode == 1 and lines[0][:100] in served.stderr, (served.stderr, lines)
    return lines


def say(relay, text):
    relay.config.write_text(relay.config.read_text() + text + "\n")
    return len(relay.config.read_text().splitlines())


@pytest.mark.parametrize("text, words", [
    ('listener more { address = "localhost:2587" }', ["localhost:2587", "an IP address and a port"]),
    ('listener more { address = "127.0.0.1:0" }', ["an IP address and a port"]),
    ('listener more { address = "127.0.0.1:99999" }', ["an IP address and a port"]),
    ('listener more { tls = "implicit" }', ["listener more: needs address"]),
    ('stream "x" { class = "digets" }', ['did you mean "digest"?']),
    ('throttel = "off"', ['there is no setting "throttel"', 'did you mean "throttle"?']),
    ('limits { recipient = 3 }', ['in section limits; did you mean "recipients"?']),
    ('limits { size = 1.5G }', ["a size: bytes, or a number with K, M or G"]),
    ('limits { idle = 5min }', ["a time: seconds, or a number with s, m, h, d or w"]),
    ('limits { size = -1 }', ["a size"]),
    ('limits { memory = 100K }', ["whole MiB"]),
    ('shards = 2\nlimits { size = 1M  memory = 27 }', ["memory = 27M is too little: with 2 shards the relay needs at least 28M"]),
    ('shards = 4\nlimits { memory = 43M }', ["memory = 43M is too little: with 4 shards the relay needs at least 44M"]),
    ('shards = 1\nlimits { size = 1M  memory = 19 }', ["memory = 19M is too little: with 1 shard the relay needs at least 20M"]),
    ('dkim { rotate = 36h }', ["whole days"]),
    ('limits { size = 99999999999999999999 }', ["a size"]),
    ('route "x.test" { port = 70000 }', ['route x.test: setting "port" is "70000": allowed is a number from 1 to 65535']),
    ('route "x.test" { username = "u" password_file = "/dev/null" }', ["route x.test: username needs a host", "whatever host the MX"]),
    ('route "x.test" { username = "u" }', ["route x.test: username needs a password_file"]),
    ('route "x.test" { username = "u" password_file = "/nonexistent" }', ["/nonexistent: No such file or directory"]),
    ('route "x.test" { username = "u" password_file = "/" }', ["Is a directory"]),
    ('route "x.test" { username = "u" password_file = "/dev/null" }', ["/dev/null: Invalid argument"]),
    ('tls { certificate = "${SEALPOST_NOWHERE}/x" }', ["the environment variable SEALPOST_NOWHERE is not set"]),
    ('alert { command = "/nonexistent/page" }', ["alert: command /nonexistent/page: No such file or directory"]),
    ('alert { command = "/etc/passwd" }', ["alert: command /etc/passwd: Permission denied"]),
    ('alert { command = "page" }', ["full path"]),
    ('alert { webhook = "https://0x7f.1/" }', ['alert: setting "webhook" is "https://0x7f.1/": ', "this one has no valid host"]),
    ('alert { webhook = "https://" }', ['alert: setting "webhook" is "https://": ', "an http or https address; this one has no host"]),
    ('delivery { ca_file = "/nonexistent.pem" }', ["ca_file /nonexistent.pem: No such file or directory"]),
    ('delivery { ca_file = "/etc/passwd" }', ["ca_file /etc/passwd: it holds no certificate in PEM format"]),
    ('control { readers = {"nobody", "is-nobody"} }', ['control: there is no user "is-nobody"']),
    ('state_dir = "/nonexistent"', ["/nonexistent", "No such file or directory"]),
    ('dns { forward = {"127.0.0.1"} dnssec = "on" trust_anchor = "/nonexistent" }', ["trust_anchor /nonexistent"]),
    ('dns { forward = {"127.0.0.1"} dnssec = "on" trust_anchor = "/etc/passwd" }', ["dns: trust_anchor /etc/passwd: no file of DS or DNSKEY records"]),
    ('limits { size = 3', ["a { that is opened here is not closed"]),
    ('operator = {"a@club.test"', ["a { that is opened here is not closed"]),
    ('log = "info', ["a quote that begins here is not closed"]),
    ('/* half', ["a comment that begins here is not closed"]),
    ('}', ["a } that closes nothing"]),
    ('include "nowhere.conf"', ["include", "nowhere.conf", "No such file or directory"]),
    ('include', ["include needs a file name"]),
    ('limits { include "x" }', ["include"]),
    ('hostname = "' + "a" * 300 + '.test"', ["hostname"]),
    ('limits { size = 1M }\nlimits { idle = 1m }', ["section limits is there already, at ", ": put all of it in one place"]),
    ('delivery { connect_timeout = 0 }', ["connect_timeout", "a time from 1s on"]),
    ('limits { idle = 0 }', ["idle", "a time from 1s on"]),
    ('stream "x" { expires = 0 }', ['stream x: setting "expires" is "0": allowed is a time from 1 to ']),
    ('stream "x" { retry = {} }', ["stream x: retry is empty"]),
    ('stream "a" { }\nstream "a" { }', ['a section of this kind with the title "a" already']),
    ('tlsrpt { contact = "a@club.test" sign = "dest.test" }', ["tlsrpt: sign needs to be the domain of from"]),
    ('shards = 0', ["shards", "a number from 1 to 256"]),
    ('shards = 257', ["shards", "a number from 1 to 256"]),
    ('shards = 99999', ["shards", "a number from 1 to 256"]),
    ('dkim { zone = "keys.test" server = "127.0.0.1" tsig_key = "/nonexistent" }', ["dkim: tsig_key /nonexistent: No such file or directory"]),
    ('certificate "x" { file = "/nonexistent.pem" key = "/nonexistent.key" }', ["certificate x: ", "/nonexistent.pem: No such file or directory"]),
    ('certificate "x" { file = "/etc/passwd" key = "/etc/passwd" }', ["certificate x: /etc/passwd: it holds no certificate in PEM format"]),
])
def test_what_serve_refuses_config_check_refuses(still, text, words):
    if text.startswith(("dns", "delivery")):
        still.config.write_text(re.sub(rf"{text.split()[0]} \{{.*\}}\n", "", still.config.read_text()))
    last = say(still, text)
    lines = refused(still, *words, serve="state_dir" not in text)
    assert re.match(rf"sealpost: {re.escape(str(still.config))}:{last}: ", lines[0]), lines


STORES = {
    "garbage": (lambda path: path.write_text("nothing of a database, but long enough for its first page\n" * 20), ["is not a database", "backup"]),
    "empty": (lambda path: path.write_bytes(b""), ["is empty", "backup"]),
    "newer": (lambda path: set_version(path, 99), ["a newer release of Sealpost", "99"]),
    "foreign": (lambda path: set_version(path, 0), ["is not a store of Sealpost"]),
    "gone": (lambda path: path.unlink(), ["No such file or directory", "sealpost init"]),
    "directory": (lambda path: (path.unlink(), path.mkdir()), ["is not a file"]),
    "closed": (lambda path: path.chmod(0o400), ["Permission denied"]),
    "cut short": (lambda path: os.truncate(path, 20000), ["is cut short (20000 of ", "restore it from a backup"]),
    "without keys": (lambda path: shutil.rmtree(path.parent / "keys"), ["keys: No such file or directory", "restore it from a backup"]),
    "without mail": (lambda path: shutil.rmtree(path.parent / "spool"), ["spool: No such file or directory", "restore it from a backup"]),
}


def set_version(path, version):
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version = {version}")
    database.close()


@pytest.mark.parametrize("kind", STORES)
def test_a_store_that_serve_cannot_use_is_told_by_config_check(relay, kind):
    """With the line that names it, and what to do; and nothing is changed by looking."""
    change, words = STORES[kind]
    if kind == "closed" and os.geteuid() == 0:
        pytest.skip("root may write it")
    state = relay.path / "state"
    assert "is good" in relay.command("config", "check")
    change(state / "state.db")
    before = sorted(p.name for p in state.iterdir())
    lines = refused(relay, *words)
    line = next(n for n, text in enumerate(relay.config.read_text().splitlines(), 1) if text.startswith("state_dir"))
    assert lines[0].startswith(f"sealpost: {relay.config}:{line}: ") and len(lines) == 1
    assert sorted(p.name for p in state.iterdir()) == before


def test_a_store_of_an_earlier_release_is_good(relay):
    set_version(relay.path / "state" / "state.db", 1)
    assert "is good" in relay.command("config", "check")


def version_of(path):
    with open(path, "rb") as file:
        return int.from_bytes(file.read(64)[60:])


def test_a_store_of_an_earlier_release_is_brought_up_by_serve_alone(relay):
    """A command that looks, or changes something, would make it one that the earlier release refuses."""
    database = relay.path / "state" / "state.db"
    steps = sorted((Path(__file__).resolve().parents[2] / "relay" / "store" / "schema").glob("*.sql"))
    database.unlink()
    connection = sqlite3.connect(database)
    connection.create_function("counted_as", 2, lambda text, how: text)
    for step in steps[:-1]:
        connection.executescript(step.read_text())
    connection.close()
    set_version(database, len(steps) - 1)
    for command in ("user", "list"), ("queue", "list"), ("user", "add", "another", "--domain", "club.test"):
        done = relay.command(*command, check=False)
        assert done.returncode != 0 and '"sealpost serve" brings it up' in done.stderr, done
        assert version_of(database) == len(steps) - 1
    relay.start()
    assert f"info store_upgraded from={len(steps) - 1} to={len(steps)}" in relay.log()
    assert relay.json("user", "list") == []


def test_a_key_whose_file_is_gone_is_told_at_the_start(relay):
    """Before the first message is refused for want of it."""
    path = next((relay.path / "state" / "keys").glob("club.test.*.pem"))
    path.rename(path.with_suffix(".away"))
    relay.start()
    lines = [line for line in relay.log().splitlines() if line.startswith("error key_missing ")]
    assert len(lines) == 1 and "domain=club.test" in lines[0] and str(path) in lines[0], lines
    assert relay.json("key", "list")[0]["waits"] == f"for its file {path}"
    assert str(path) in relay.command("key", "list")
    path.with_suffix(".away").rename(path)
    assert "waits" not in relay.json("key", "list")[0]


@pytest.mark.parametrize("fault", ["missing", "readable", "nonsense"])
def test_a_key_that_cannot_sign_is_a_problem(relay, fault):
    """All mail of its domain is refused: whoever asks how things are is told."""
    path = next((relay.path / "state" / "keys").glob("club.test.*.pem"))
    kept = path.read_bytes()
    assert relay.command("config", "check", check=False).returncode == 0
    relay.start()
    assert "unsigned" not in relay.json("status")
    if fault == "missing":
        path.unlink()
    elif fault == "readable":
        path.chmod(0o644)
    else:
        path.write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    checked = relay.command("config", "check", check=False)
    assert checked.returncode == 1 and str(path) in checked.stderr and "club.test is refused" in checked.stderr, checked
    assert [row["domain"] for row in relay.json("status")["unsigned"]] == ["club.test"]
    assert "Mail of club.test is refused, if not now then from the next start or reload on" in relay.command("status") and str(path) in relay.command("status")
    path.write_bytes(kept)
    path.chmod(0o600)
    assert relay.command("config", "check", check=False).returncode == 0
    assert "unsigned" not in relay.json("status")


@pytest.mark.parametrize("address, words", [
    ("127.0.0.1:{used}", ["Address already in use", "another program"]),
    ("192.0.2.77:2587", ["Cannot assign requested address", "this machine"]),
    ("[2001:db8::77]:2587", ["this machine"]),
])
def test_an_address_that_cannot_be_listened_on_is_told_with_its_line(relay, address, words):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        last = say(relay, 'listener "more" { address = "%s" }' % address.format(used=other.getsockname()[1]))
        done = relay.command("serve", check=False)
    assert done.returncode == 1 and done.stderr.startswith(f"sealpost: {relay.config}:{last}: listener more: cannot bind "), done.stderr
    for word in words:
        assert word in done.stderr


def test_a_config_that_is_not_there(tmp_path):
    for words in (["serve"], ["config", "check"], ["config", "show"]):
        done = subprocess.run([RELEASE, "-c", str(tmp_path / "none.conf"), *words], capture_output=True, text=True)
        assert done.returncode == 1 and f"{tmp_path}/none.conf: No such file or directory: " in done.stderr
        assert '"sealpost init DOMAIN"' in done.stderr and "with -c" in done.stderr


@pytest.mark.parametrize("url, why", [
    ("https://u.club.test/x?y=z", "query"), ("https://u.club.test/#top", "fragment"), ("https://", "no host"),
    ("https:///path", "no host"), ("https://u.club.test:99999", "port"), ("https://u.club.test:", "port"), ("https://u.club.test:0/", "port"),
    ("https://me:secret@u.club.test/", "user name"), ("ftp://u.club.test", "https://"), ("u.club.test", "https://"),
    ("https://u_club .test", "host"), ("https://[::1", "host"), ("https://[::1]x", "host"), ("https://u.club.test/a b", "percent-encoded"),
    ("https://u.club.test/<a>", "percent-encoded"), ("https://-.test", "host"), ("https://club.test:x", "port"),
])
def test_a_url_behind_which_no_link_can_be_made_is_refused(still, url, why):
    last = say(still, f'http {{ url = "{url}" }}')
    lines = refused(still, why)
    assert f":{last}: " in lines[0] and len(lines) == 1


@pytest.mark.parametrize("url", ["https://u.club.test", "https://u.club.test/", "https://u.club.test:8443/mail/", "http://127.0.0.1:8080",
                                 "https://[2001:db8::1]:8443/u", "HTTPS://u.club.test"])
def test_a_url_that_can_be_is_taken(still, url):
    say(still, f'http {{ url = "{url}" }}')
    assert "is good" in still.command("config", "check")


def test_all_faults_are_told_at_once(still):
    base = len(still.config.read_text().splitlines())
    say(still, "\n".join(['sharts = 3', 'limits { size = 1X  idle = 3y }', 'route "a.test" { tls = "maybe" }', 'operator = {"no address"}',
                          'alert { on = {"keys"} }', 'domain "-" { }', 'stream "s" { retry = {1m, 2q} }']))
    lines = refused(still)
    assert len(lines) == 8
    assert {int(re.search(r":(\d+): ", line)[1]) for line in lines} == {base + n for n in range(1, 8)}
    report = json.loads(still.command("--json", "config", "check", check=False).stdout)
    assert report["good"] is False and len(report["errors"]) == 8
    served = still.command("serve", check=False)
    assert served.stderr.count("\n") == 1 and "and 7 more: 'sealpost config check'" in served.stderr
    say(still, "\n".join(f"wrong{n} = 1" for n in range(100)))
    assert len(refused(still)) == 26  # and there it says that there may be more


@pytest.mark.parametrize("wrong, right, why", [
    ("limits { size = 1Q", "size = 25M }", 'limits: setting "size" is "1Q": allowed is a size'),
    ("limits { idle = 0", "idle = 5m }", 'limits: setting "idle" is "0": allowed is a time from 1s on'),
    ('log = "infos"', 'log = "info"', 'setting "log" is "infos"'),
    ('state_dir = "' + "a" * 5000 + '"', 'state_dir = "${STATE}"', 'setting "state_dir" is longer than'),
    ('operator = {"a@club.test", "nobody"}', 'operator = {"a@club.test"}', 'setting "operator" is "nobody": allowed is '),
    ('stream "s" { class = "digets"', 'class = "digest" }', 'stream s: setting "class" is "digets": '),
    ('stream "s" { every = 1x', 'every = 1h }', 'stream s: setting "every" is "1x": '),
    ('stream "s" { retry = {1m, 2q}', 'retry = {1m} }', 'stream s: setting "retry" is "2q": '),
    ('limit "tenant" { burst = 0', 'burst = 5 }', 'limit tenant: setting "burst" is "0": '),
    ('http { color = "red"', 'color = "#000000" }', 'http: setting "color" is "red": '),
    ('alert { on = {"keys"}', 'on = {"key"} }', 'alert: setting "on" is "keys": '),
])
def test_a_wrong_value_is_refused_although_a_later_one_takes_its_place(still, wrong, right, why):
    base = len(still.config.read_text().splitlines())
    say(still, wrong + "\n" + right.replace("${STATE}", str(still.path / "state")))
    lines = refused(still, serve=False)
    assert len(lines) == 1 and f"{still.config}:{base + 1}: {why}" in lines[0], lines
    reloaded = still.config.read_text().replace(wrong, wrong[:wrong.index("{") + 1] if "{" in wrong and not wrong.startswith("operator") else "")
    still.config.write_text(reloaded)
    assert "is good" in still.command("config", "check")


def test_a_value_that_is_said_twice_counts_as_it_was_said_last(still):
    say(still, 'operator = {"a@club.test"}\noperator += {"b@club.test"}\nlimits { size = 1M\nsize = 2M }')
    shown = still.command("config", "show")
    assert 'operator = {"a@club.test", "b@club.test"}' in shown and "size = 2097152 " in shown
    say(still, 'operator += {"nobody"}')
    assert len(refused(still)) == 1


def test_memory_is_enough_for_many_cores_by_default(still):
    say(still, "shards = 125")
    assert "memory = 1024 " in still.command("config", "show")
    say(still, "shards = 200")
    assert "memory = 3224 " in still.command("config", "show")


def test_numbers_have_units(still):
    say(still, 'limits { size = 10M  idle = 2h  memory = 2G  rate = 1K }\ndelivery { reuse = "90 s" connect_timeout = 1m port = 2525 }\n'
        'dkim { rotate = 26w lifetime = 3d ttl = 1h }\nstream "u" { expires = 2d retry = {90s, 5m, 1h} every = 1h hold = 30m burst = 2 }\n'
        'limit "tenant" { every = 5m hold = 1d }')
    text = still.config.read_text().splitlines()
    still.config.write_text("\n".join(line for line in text if not line.startswith("delivery { private")))
    shown = still.command("config", "show")
    for word in ("size = 10485760 ", "idle = 7200 ", "memory = 2048 ", "rate = 1024 ", "reuse = 90 ", "connect_timeout = 60 ", "rotate = 182 ",
                 "lifetime = 259200 ", "expires = 172800 ", "retry = {90, 300, 3600}", "every = 3600  burst = 2", "hold = 1800",
                 'limit "tenant" { every = 300  burst = 10  per_day = 60  reserve = 3  hold = 86400 }'):
        assert word in shown, (word, shown)
    # what is shown is a config file that says the same
    again = still.path / "again.conf"
    again.write_text(shown)
    done = subprocess.run([RELEASE, "-c", str(again), "config", "show"], capture_output=True, text=True)
    assert done.stdout == shown, done.stderr


@pytest.mark.parametrize("mark, good", [(b"\xef\xbb\xbf", True), (b"\xff\xfe", False)])
def test_a_byte_order_mark(still, mark, good):
    text = still.config.read_text()
    still.config.write_bytes(mark + (text.encode() if good else text.encode("utf-16-le")))
    if good:
        assert "is good" in still.command("config", "check")
    else:
        assert "is UTF-16: save it as UTF-8" in refused(still)[0]


def test_line_ends_of_other_systems(still):
    still.config.write_bytes(still.config.read_text().replace("\n", "\r\n").encode())
    assert "is good" in still.command("config", "check")
    say(still, "nothing = 1")


def test_other_files_are_taken_in(relay):
    directory = relay.path / "conf.d"
    say(relay, '  include "conf.d/*.conf"   # none yet\nlimits { recipients = 7 }')
    assert "is good" in relay.command("config", "check")
    directory.mkdir()
    (directory / "20-b.conf").write_text('stream "second" { class = "digest" }')  # no line end
    (directory / "10-a.conf").write_text('\n\nstream "first" { class = "digest" }\ninclude "deeper/one.conf"\n')
    (directory / "deeper").mkdir()
    (directory / "deeper" / "one.conf").write_text('stream "deep" { class = "digest" }\n')
    (directory / "30-c.conf.off").write_text("nonsense\n")
    shown = relay.command("config", "show")
    assert [name for name in re.findall(r'stream "(\w+)"', shown) if name in ("first", "second", "deep")] == ["first", "deep", "second"]
    assert "recipients = 7" in shown
    (directory / "deeper" / "one.conf").write_text('\n\nstream "deep" { clas = "digest" }\n')
    assert re.search(r'conf\.d/deeper/one\.conf:3: there is no setting "clas" in section stream; did you mean "class"', refused(relay)[0])
    (directory / "deeper" / "one.conf").write_text('stream "deep" {\n')
    assert re.search(r"conf\.d/deeper/one\.conf:1: a { that is opened here", refused(relay)[0])
    (directory / "deeper" / "one.conf").write_text('include "../10-a.conf"\n')
    assert any("is included by itself, or too deep" in line for line in refused(relay))
    (directory / "deeper" / "one.conf").write_text("")
    assert "is good" in relay.command("config", "check")
    relay.start()
    (directory / "40-d.conf").write_text('stream "later" { class = "digest" }\n')
    relay.reload()
    relay.send(message="From: <hello@club.test>\r\nSealpost-Stream: later\r\n\r\nx\r\n")


def test_each_setting_is_shown_with_where_it_was_said(relay):
    """In whatever file, however often, whichever way a name is written."""
    (relay.path / "conf.d").mkdir()
    (relay.path / "conf.d" / "a.conf").write_text('# one\nlimits { recipients = 7\n  idle = 2m }\nlog = "debug"\n'
                                                  'domain "Bücher.test" { alignment = "off" }\n')
    text = relay.config.read_text()
    say(relay, 'include "conf.d/*.conf"\nlog = "warn"\nstream "news" { class = "digest"\n  retry = {1m,\n  5m} }\n'
        'operator = {"a@club.test", "b@club.test"}\ntrust = 1\n'.replace("trust = 1\n", ""))
    base = len(text.splitlines())
    rows = {row["setting"]: (row["value"], row["origin"]) for row in relay.json("config", "show", "--origin")}
    own, other = str(relay.config), str(relay.path / "conf.d" / "a.conf")
    assert rows["limits.recipients"] == ("7", f"{other}:2") and rows["limits.idle"] == ("120", f"{other}:3")
    assert rows["limits.size"] == ("26214400", "default") and rows["sandbox"] == ('"required"', "default")
    assert rows["log"] == ('"warn"', f"{own}:{base + 2}")  # the last one counts
    assert rows['stream "news".class'] == ('"digest"', f"{own}:{base + 3}")
    assert rows['stream "news".retry'] == ("{60, 300}", f"{own}:{base + 4}")
    assert rows['stream "news".on_limit'][1] == "default"
    assert rows['domain "xn--bcher-kva.test".alignment'] == ('"off"', f"{other}:5")
    assert rows["operator"] == ('{"a@club.test", "b@club.test"}', f"{own}:{base + 6}")
    lines = relay.config.read_text().splitlines()
    for name, (_, origin) in rows.items():
        if origin.startswith(own):
            assert name.split(".")[-1].split()[-1] in lines[int(origin.rsplit(":", 1)[1]) - 1]
    about = {row["setting"]: row for row in relay.json("config", "show", "--origin")}
    assert about["limits.idle"]["default"] == "5m" and about["limits.idle"]["allowed"] == "a time from 1s on"
    assert about["shards"]["restart"] is True and about["limits.idle"]["restart"] is False
    assert about['stream "news".on_limit']["allowed"] == '"pace", "defer" or "reject"' and all(row["about"] for row in about.values())
    shown = relay.command("config", "show", "--origin").splitlines()
    assert f"limits.idle = 120  # {other}:3" in shown and "shards = 2  # " in "\n".join(shown) and len(shown) == len(rows)
    for statement in re.findall(r"(\w+) = ", relay.command("config", "show")):
        assert any(re.search(rf"\b{statement}$", name) for name in rows), statement


@pytest.mark.parametrize("old, new, name", [
    ("", 'state_dir = "/tmp"', "state_dir"),
    ("", "shards = 7", "shards"),
    ("127.0.0.1:{submission}", "127.0.0.1:{port}", "listener.address"),
    ("", 'http {{ address = "127.0.0.1:{port}" url = "https://u.club.test" }}', "http.address"),
    ("dns {{ forward = {{\"127.0.0.1@{dns}\"}} }}", 'dns {{ forward = {{"127.0.0.1@{port}"}} }}', "dns.forward"),
    ("", "dkim {{ lifetime = 1d }}", "dkim.lifetime"),
    ("}} }}\n", '}} dnssec = "on" trust_anchor = "/dev/null" }}\n', "dns.dnssec, dns.trust_anchor"),
    ("", 'alert {{ command = "/bin/true" }}', "alert.command"),
    ("", 'alert {{ webhook = "https://chat.test/x" }}', "alert.webhook"),
])
def test_a_reload_refuses_by_name_what_it_cannot_change_and_changes_nothing(relay, old, new, name):
    values = {"port": free_port(), "submission": relay.submission, "dns": relay.dns.port}
    relay.start()
    before = relay.config.read_text()
    text = before.replace(old.format(**values), new.format(**values)) if old else before + new.format(**values) + "\n"
    assert text != before
    relay.config.write_text(text + "limits { recipients = 1 }\n")
    relay.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "reload_refused" in relay.log())
    said = re.search(rf'reply="{re.escape(str(relay.config))}:(\d+): {re.escape(name)} cannot be changed by a reload: restart the relay"', relay.log())
    lines = relay.config.read_text().splitlines()
    assert said and re.search(rf"\b{name.split(',')[0].split('.')[-1]}\b", lines[int(said[1]) - 1]), relay.log()
    relay.send(to=["a@dest.test", "b@dest.test"])  # the whole of it was refused
    relay.config.write_text(before + "limits { recipients = 1 }\n")
    relay.reload()
    with relay.client() as client:
        client.mail("hello@club.test")
        assert client.rcpt("a@dest.test")[0] == 250 and client.rcpt("b@dest.test")[0] == 452


@pytest.mark.parametrize("text", ['dns { forward = {"1.1.1.1:53"} }', 'listener x { address = "localhost:2587" }', "limits { size = 1Q }",
                                  'include "nowhere"', "limits {"])
def test_a_reload_refuses_what_could_not_start(relay, text):
    relay.start()
    if text.startswith("dns"):
        relay.config.write_text(re.sub(r"dns \{.*\}\n", "", relay.config.read_text()))
    say(relay, text)
    relay.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "reload_refused" in relay.log())
    relay.client().quit()


def test_a_password_goes_only_where_the_certificate_was_checked_unless_said(still, tmp_path):
    (tmp_path / "password").write_text("a secret\n")
    say(still, f'route "a.test" {{ host = "smart.test" username = "u" password_file = "{tmp_path}/password" }}\n'
        f'route "b.test" {{ host = "smart.test" username = "u" password_file = "{tmp_path}/password" tls = "require" }}\n'
        f'route "c.test" {{ host = "smart.test" username = "u" password_file = "{tmp_path}/password" tls = "may" }}\n'
        'route "d.test" { host = "smart.test" }')
    done = still.command("config", "check")
    assert "is good" in done and re.findall(r'route ([abcd]\.test): with tls = "(\w+)" the password', done) == [("b.test", "require"),
                                                                                                             ("c.test", "may")]
    shown = still.command("config", "show")
    assert re.findall(r'route "(.)\.test" \{.*tls = "(\w+)"', shown) == [("a", "verify"), ("b", "require"), ("c", "may"), ("d", "may")]
    assert shown.count(f'password_file = "{tmp_path}/password"') == 3 and "a secret" not in shown


def test_what_is_in_force_is_shown_with_all_its_names(still, tmp_path):
    say(still, f'certificate "with rsa" {{ file = "{still.path}/cert.pem" key = "{still.path}/key.pem" server = "*.x.test" }}\n'
        'control { readers = {"nobody"} }\nalert { webhook = "https://chat.test/secret" }')
    shown = still.command("config", "show")
    for words in ('certificate "with rsa" { file = "', 'server = "*.x.test"', 'readers = {"nobody"}', 'webhook = "(not shown)"'):
        assert words in shown, (words, shown)


@pytest.mark.parametrize("evil", ["\x1b[2J", "\u202e", "\x9b2J", b"\xff\xfe\x9b"], ids=["escape", "bidi", "C1", "no UTF-8"])
def test_what_is_wrong_is_shown_without_what_a_terminal_obeys(still, evil):
    text = still.config.read_bytes()
    evil = evil if isinstance(evil, bytes) else evil.encode()
    for setting in (b'log = "%s"\n', b"a%sb = 1\n", b'stream "a%sb" { class = "x" }\n', b'include "%s"\n', b'operator = {"%s"}\n'):
        still.config.write_bytes(text + setting % evil + b"wrong = 1\n")
        done = subprocess.run([RELEASE, "-c", str(still.config), "config", "check"], capture_output=True, timeout=60)
        shown = done.stderr.decode()  # it is UTF-8
        assert done.returncode == 1 and not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown), shown


@pytest.mark.parametrize("text, words", [
    ('route "*" { host = "192.0.2.1" }\nroute "x.test" { tls = "verify" }', 'route "*" stands before it'),
    ('route "x.test" { host = "192.0.2.1" port = 587 tls = "implicit" }', "port 587 expects STARTTLS"),
    ('route "x.test" { host = "127.0.0.1" port = %(submission)d }', "is this relay's own listener"),
    ('route "x.test" { host = "192.0.2.10" port = %(submission)d }', "is this relay's own listener"),
    ('stream "x" { retry = {60} expires = 30 }', "expires comes before the first retry"),
    ('limits { storage = 900000G }', "more than the disk"),
    ('delivery { connections = 5000 }', "receivers take 20 to 100"),
    ('limits { connections = 1000000 }', "limits: connections = 1000000 is more than one relay can serve"),
    ('limits { connections = 100  per_address = 200 }', "limits: per_address = 200 is more than connections, the whole"),
    ('limits { per_network = 1001 }', "limits: per_network = 1001 is more than connections, the whole"),
    ('limits { reserve = 1000 }', "limits: reserve = 1000 is all connections"),
    ('limits { memory = 9000G }', "limits: memory = 9000G is more than this machine has"),
    ('include "none.d/*.conf"', 'include "none.d/*.conf": no file matches'),
    ('route "x.test" { host = "192.0.2.1" username = "u" password_file = "%(open)s" }', "open to all users of this machine"),
])
def test_what_can_hardly_be_meant_is_a_note(still, text, words):
    """Kind: settings that are allowed, each alone, and do nothing good together or at all."""
    password = still.path / "password"
    password.write_text("secret\n")
    password.chmod(0o644)
    if text.startswith("delivery"):
        still.config.write_text(re.sub(r"delivery \{.*\}\n", "", still.config.read_text()))
    say(still, text % {"submission": still.submission, "open": password})
    done = still.command("config", "check", check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0 and words in said, done


def test_keys_that_all_can_read_are_a_note(still):
    key = still.path / "key.pem"
    mode = key.stat().st_mode
    key.chmod(0o644)
    done = still.command("config", "check", check=False)
    key.chmod(mode)
    assert done.returncode == 0 and f"key {key} is open to all users" in done.stdout + done.stderr, done
    done = still.command("config", "check")
    assert "open to all" not in done


def test_a_section_for_a_domain_changes_only_what_it_says(relay):
    """One that names the hosts of a policy would else have turned the domain's alignment on."""
    say(relay, 'alignment = "off"\ndomain "one.test" { mta_sts_mode = "testing"  mta_sts_mx = {"mx.one.test"} }\n'
        'domain "two.test" { alignment = "observe" }\n')
    rows = {row["setting"]: row["value"] for row in relay.json("config", "show", "--origin")}
    assert rows['domain "one.test".alignment'] == '"off"' and rows['domain "two.test".alignment'] == '"observe"'
