"""What an operator and a developer type: a word that is none, a network that is not there, a table that a spreadsheet opens."""

import csv
import io
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import tempfile
import time
import unicodedata

import conftest
import pytest
from conftest import RELEASE, Sink, free_port, slack

pytestmark = pytest.mark.usefixtures("release")


def run(*arguments, **options):
    return subprocess.run([RELEASE, *arguments], capture_output=True, text=True, timeout=60, **options)


@pytest.mark.parametrize("words, answer", [
    ("queu list", 'unknown command "queu list", did you mean "queue list"?'),
    ("queue lits --limit 3", 'unknown command "queue lits", did you mean "queue list"?'),
    ("usr add bob --domain x", 'unknown command "usr add", did you mean "user add"?'),
    ("serv", 'unknown command "serv", did you mean "serve"?'),
    ("sned-test a@b", 'unknown command "sned-test", did you mean "send-test"?'),
    ("config chekc", 'did you mean "config check"?'),
    ("queue", "queue is followed by one of: list, show"),
    ("sts", "sts is followed by one of: show, refresh, forget"),
    ("frobnicate", 'unknown command "frobnicate": see \'sealpost --help\''),
    ("\x1b[2J", "unknown command"),
    ("queue list --limti 3", "unknown option --limti, did you mean --limit?"),
    ("suppress add x --exprise 1d", ", did you mean --expires?"),
    ("status --jsn", "unknown option --jsn, did you mean --json?"),
    ("--jsn status", "unknown option --jsn, did you mean --json?"),
    ("--verison", "unknown option --verison, did you mean --version?"),
    ("--limit 3 queue list", "unknown option --limit: options of a command come behind it"),
])
def test_a_word_that_is_no_command_is_answered_in_one_line(words, answer):
    done = run(*words.split(" "))
    assert done.returncode == 2 and done.stdout == "" and "\x1b" not in done.stderr
    assert done.stderr.startswith("sealpost: ") and done.stderr.count("\n") == 1 and answer in done.stderr, done.stderr


def test_help_of_a_group_is_its_commands_and_a_missing_value_has_a_name():
    for words in (("webhook", "--help"), ("help", "webhook")):
        lines = run(*words).stdout.splitlines()
        told = [line.split("sealpost ", 1)[1].split()[:2] for line in lines if "sealpost " in line]
        assert len(told) == 9 and {first for first, _ in told} == {"webhook"}, lines
    assert run("key", "--help").stdout.count("sealpost key ") >= 2
    assert "--version" in run("frobnicate", "--help").stdout
    assert run("status", "--help").stdout.startswith("usage: sealpost status\n")
    done = run("webhook", "replay", "3", "--since")
    assert done.returncode == 2 and "--since needs a value" in done.stderr, done.stderr


def test_it_says_its_version():
    done = run("--version")
    assert done.returncode == 0 and re.fullmatch(r"sealpost \d+\.\d+\.\d+\n", done.stdout)
    assert json.loads(run("--json", "--version").stdout)["version"] == done.stdout.split()[1]
    assert run("--help").returncode == 0 and "--version" in run("--help").stdout


def test_records_without_a_network_are_there_at_once(relay_factory, dns):
    relay = relay_factory()
    dns.zone["all"] = "SILENCE"
    begin = time.monotonic()
    rows = relay.json("dns", "club.test", "--offline")["records"]
    assert time.monotonic() - begin < slack(2) and dns.asked == []
    assert {"_dmarc.club.test", "club.test"} <= {row["name"] for row in rows}
    text = " ".join(str(row["value"]) for row in rows)
    assert "v=spf1" in text and "v=DMARC1" in text and "v=DKIM1" in text
    for format in ("bind", "terraform-route53", "table", "nsupdate"):
        assert "v=DMARC1" in relay.command("dns", "club.test", "--offline", "--format", format), format
    for other in (["--check"], ["--watch"], ["--resolver", "127.0.0.1@1"]):
        done = relay.command("dns", "club.test", "--offline", *other, check=False)
        assert done.returncode == 2 and "--offline asks nobody" in done.stderr


@pytest.mark.parametrize("command", [
    ("dns", "club.test"), ("dns", "club.test", "--check"), ("domain", "list"),
    ("check", "spf", "--ip", "192.0.2.1", "--mail-from", "a@club.test"), ("check", "dmarc", "--from", "club.test"),
    ("check", "message", "MESSAGE", "--user", "app"), ("send-test", "bob@dest.test"),
], ids=lambda command: " ".join(command[:2]))
def test_no_command_waits_for_dns_in_silence(relay_factory, dns, command):
    relay = relay_factory()
    if command[0] == "send-test":
        relay.start()
    message = relay.path / "message"
    message.write_text("From: <a@club.test>\r\nSubject: x\r\n\r\nx\r\n")
    dns.zone["all"] = "SILENCE"
    command = [str(message) if word == "MESSAGE" else word for word in command]
    process = subprocess.Popen([RELEASE, "-c", str(relay.config), *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        begin = time.monotonic()
        os.set_blocking(process.stderr.fileno(), False)
        said = b""
        while b"\n" not in said and time.monotonic() - begin < 5 and process.poll() is None:
            said += process.stderr.read() or b""
            time.sleep(0.05)
        assert time.monotonic() - begin < slack(3.5)
        words = f"waiting for DNS: asking 127.0.0.1@{dns.port}" if command[0] != "send-test" else "submitting a message"
        assert words.encode() in said, said
    finally:
        process.kill()
        process.wait()


def developer(port, mechanism, tls, user, secret):
    """An application in development, as smtplib lets it be."""
    client = smtplib.SMTP("127.0.0.1", port, timeout=20)
    if tls:
        client.starttls(context=ssl._create_unverified_context())
    client.ehlo()
    assert client.esmtp_features["auth"].split()[-2:] == ["PLAIN", "LOGIN"]
    client.user, client.password = user, secret
    code, text = client.auth(mechanism, getattr(client, "auth_" + mechanism.lower()), initial_response_ok=mechanism == "PLAIN")
    assert code == 235, text
    client.sendmail("a@app.test", "b@dest.test", f"Subject: {mechanism}\r\n\r\nhello\r\n")
    client.quit()


def test_a_sink_takes_any_login_with_tls_and_without(tmp_path):
    sink = Sink(tmp_path / "sink", free_port())
    try:
        for n, (mechanism, tls) in enumerate([(m, t) for m in ("PLAIN", "LOGIN") for t in (False, True)]):
            developer(sink.port, mechanism, tls, f"shop{n}", "whatever it is")
        with smtplib.SMTP("127.0.0.1", sink.port) as client:
            client.sendmail("a@app.test", "b@dest.test", "Subject: nobody\r\n\r\nhello\r\n")
        assert [about["user"] for about, _ in sink.wait(5)] == ["shop0", "shop1", "shop2", "shop3", ""]
    finally:
        sink.stop()


def test_a_sink_takes_one_login_only(tmp_path):
    port = free_port()
    process = subprocess.Popen([RELEASE, "-c", "/nonexistent", "sink", "--listen", f"127.0.0.1:{port}", "--auth", "shop:a:secret"],
                               stdout=subprocess.DEVNULL)
    try:
        conftest.wait_port(port, process=process)
        for user, secret in (("shop", "a"), ("shop", "a:secre"), ("other", "a:secret")):
            with pytest.raises((smtplib.SMTPAuthenticationError, smtplib.SMTPServerDisconnected, AssertionError)):
                developer(port, "PLAIN", False, user, secret)
        with smtplib.SMTP("127.0.0.1", port) as client:
            client.ehlo()
            assert client.mail("a@app.test")[0] == 530
        developer(port, "LOGIN", True, "shop", "a:secret")
    finally:
        process.terminate()
        assert process.wait(timeout=20) == 0
    for wrong in ("shop", ":x", "shop:"):
        assert run("sink", "--listen", f"127.0.0.1:{port}", "--auth", wrong).returncode == 2


def test_a_message_that_is_not_there_is_no_success(relay_factory, dns):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")  # where nobody listens: it waits
    relay = relay_factory()
    for command, words in ((("queue", "show"), "nothing of such a message waits here"), (("trace",), "no message of that id")):
        done = relay.command(*command, "0123456789abc"[:13], check=False)
        assert done.returncode in (1, 2) and done.stderr.count("\n") == 1, done
        relay.start()
        id = relay.send()
        relay.stop()
        unknown = id[:-1] + ("1" if id[-1] != "1" else "2")
        done = relay.command(*command, unknown, check=False)
        assert done.returncode == 1 and words in done.stderr and done.stderr.count("\n") == 1, done
        assert relay.command(*command, id, check=False).returncode == 0


def test_a_pending_key_says_what_it_waits_for(relay_factory):
    relay = relay_factory()
    relay.command("key", "rotate", "club.test")
    text = relay.command("key", "list")
    assert "WAITS" in text and re.search(r"pending .* for its record in DNS", text), text
    rows = relay.json("key", "list")
    assert [row.get("waits") for row in rows if row["state"] == "pending"] == ["for its record in DNS"]


def test_times_have_a_zone(relay_factory):
    relay = relay_factory()
    for zone, form in (("UTC", r"\d\d:\d\d:\d\dZ"), ("Asia/Kolkata", r"\d\d:\d\d:\d\d\+0530"), ("America/New_York", r"\d\d:\d\d:\d\d-0[45]00")):
        for command in (("key", "list"), ("user", "list"), ("audit", "tail")):
            text = run("-c", str(relay.config), *command, env={**os.environ, "TZ": zone}).stdout
            times = re.findall(r"\d{4}-\d\d-\d\d \S+", text)
            assert times and all(re.fullmatch(r"\d{4}-\d\d-\d\d " + form, t) for t in times), (zone, command, text)


def test_a_reader_needs_no_config_file(relay_factory, monkeypatch):
    """Whom control.readers names may look, though the config file that init made is its owner's alone."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    place = pathlib.Path(tempfile.mkdtemp(prefix="sealpost-"))
    place.chmod(0o755)
    try:
        relay = relay_factory('control { readers = {"nobody"} }')
        relay.stop()
        state = place / "state"
        shutil.move(relay.path / "state", state)
        relay.config.write_text(relay.config.read_text().replace(str(relay.path / "state"), str(state)))
        relay.start()
        program = place / "sealpost"
        shutil.copy(RELEASE, program)
        config = place / "etc" / "sealpost.conf"
        config.parent.mkdir(mode=0o700)
        config.write_text(relay.config.read_text())
        nobody = pwd.getpwnam("nobody")

        def ask(*command):
            return subprocess.run([program, "-c", str(config), *command], capture_output=True, text=True, user=nobody.pw_uid,
                                  group=nobody.pw_gid, extra_groups=[], env={"SEALPOST_STATE_DIR": str(state)}, cwd="/")

        done = ask("--json", "queue", "list")
        assert done.returncode == 0 and json.loads(done.stdout) == [], done
        assert ask("user", "add", "x", "--domain", "club.test").returncode == 3
        relay.stop()
        done = ask("queue", "list")
        assert done.returncode == 1 and "sealpost.conf: Permission denied" in done.stderr, done
        done = ask("config", "show")
        assert done.returncode == 1 and "Permission denied" in done.stderr
    finally:
        relay.stop()
        shutil.rmtree(place)


FORMULAS = ["=1+1@dest.test", "+1@dest.test", "-1@dest.test", "'=1@dest.test", "''+x@dest.test", "'plain@dest.test", "plain@dest.test"]


def test_a_spreadsheet_finds_no_formula_and_import_takes_its_own_export(relay_factory):
    relay = relay_factory()
    for address in FORMULAS:
        relay.command("suppress", "add", address)
    relay.command("suppress", "import", "-", "--format", "json", input=json.dumps(
        [{"address": "other@dest.test", "reason": "manual", "source": source} for source in ['=HYPERLINK("http://x","y")']]
        + [{"address": f"wide{n}@dest.test", "reason": "manual", "source": f"{c}1"} for n, c in enumerate("＝＋－＠@")]))
    text = relay.command("suppress", "export")
    rows = list(csv.reader(io.StringIO(text)))
    assert len(rows) == 1 + len(FORMULAS) + 6
    for cell in (cell for row in rows for cell in row):
        assert not re.match(r"[=+\-@\t\r＝＋－＠]", cell), cell
    before = relay.command("suppress", "export", "--format", "json")
    assert {row["address"] for row in json.loads(before)} >= set(FORMULAS)
    for row in json.loads(before):
        relay.command("suppress", "remove", row["address"], "--reason", "manual")
    assert json.loads(relay.command("suppress", "export", "--format", "json")) == []
    relay.command("suppress", "import", "-", input=text)
    key = lambda row: row["address"]
    assert sorted(json.loads(relay.command("suppress", "export", "--format", "json")), key=key) == sorted(json.loads(before), key=key)


def columns(text):
    """What a terminal shows: wide characters take two, marks none."""
    return sum(0 if unicodedata.combining(c) or unicodedata.category(c) in ("Mn", "Me", "Cf") else
               2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def test_columns_are_as_wide_as_they_are_shown(relay_factory):
    """Letters of two octets, wide ones, marks that take no place."""
    relay = relay_factory()
    for i, name in enumerate(("plain", "büro.größe", "東京タワー", "e\u0301te\u0301", "пример", "ทดสอบ")):
        relay.command("suppress", "add", f"{name}@dest.test", "--reason", "complaint", "--stream", "news" if i % 2 else "x")
    lines = relay.command("suppress", "list").splitlines()
    assert len(lines) == 7
    starts = [[m.start() for m in re.finditer(r"(?<=  )\S|^\S", line)] for line in lines]
    places = {tuple(columns(line[:at]) for at in begins[:2]) for line, begins in zip(lines, starts)}
    assert len(places) == 1, "\n".join(lines)


def test_a_running_relay_is_found_where_there_is_no_config(relay_factory):
    """SEALPOST_STATE_DIR says where, on a machine without the default file; a file that is named must be there all the same."""
    if os.path.exists("/etc/sealpost/sealpost.conf"):
        pytest.skip("there is one here")
    relay = relay_factory()
    environment = {"SEALPOST_STATE_DIR": str(relay.path / "state"), "PATH": os.environ["PATH"]}

    def ask(*words, **more):
        return run(*words, env={**environment, **more})

    done = ask("queue", "list")
    assert done.returncode == 3 and f"{relay.path}/state: no relay is running" in done.stderr and "No such file" in done.stderr, done.stderr
    relay.start()
    assert json.loads(ask("--json", "queue", "list").stdout) == [] and ask("user", "list").returncode == 0
    for done in (ask("-c", str(relay.path / "none.conf"), "queue", "list"), ask("queue", "list", SEALPOST_CONFIG=str(relay.path / "none.conf")),
                 run("queue", "list", env={"PATH": os.environ["PATH"]})):
        assert done.returncode == 1 and ".conf: No such file or directory" in done.stderr, done.stderr
    assert json.loads(ask("--json", "status").stdout)["version"] and 'hostname = "mail.club.test"' in ask("config", "show").stdout


def test_a_file_that_is_named_leads_to_its_own_relay_or_to_none(relay_factory, tmp_path):
    """A relay runs where relays usually have their state, with its own file. Another file that is not there, cannot be read or has a fault
    is an error, whatever else runs; the relay's own file with a fault leads to it."""
    relay = relay_factory().start()
    state = relay.path / "state"
    own, other, folder = relay.config.read_text(), tmp_path / "other.conf", tmp_path / "folder"
    folder.mkdir()

    def ask(config, *words):
        done = subprocess.run(["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /var/lib && mkdir /var/lib/sealpost && mount --bind "$0" '
                               '/var/lib/sealpost && exec "$@"', state, RELEASE, "-c", config, *words], capture_output=True, text=True, timeout=60)
        if "unshare:" in done.stderr or "mount:" in done.stderr:
            pytest.skip(done.stderr)
        return done

    without = "".join(line + "\n" for line in own.splitlines() if not line.startswith("state_dir"))
    relay.config.write_text(without + "frobnicate = 1\n")  # and with that, where it runs
    assert ask(relay.config, "status").returncode == 0 and ask(relay.config, "config", "show").returncode == 0
    done = ask(relay.config, "reload")
    assert done.returncode == 1 and "frobnicate" in done.stderr, done
    relay.config.write_text(own)
    reloads = relay.log().count("reload")
    cases = {"is not there": (tmp_path / "none.conf", None), "names no state_dir": (other, without + "frobnicate = 1\n"),
             "names this one's": (other, own + "frobnicate = 1\n"), "is empty": (other, ""), "is a folder": (folder, None)}
    for case, (config, text) in cases.items():
        if text is not None:
            config.write_text(text)
        for words in (["status"], ["--json", "status"], ["reload"], ["config", "show"], ["queue", "list"], ["config", "check"], ["user", "list"],
                      ["events"]):
            done = ask(config, *words)
            assert done.returncode == 1 and str(config) in done.stderr + done.stdout and "VERSION" not in done.stdout, (case, words, done)
    assert relay.log().count("reload") == reloads, relay.log()[-2000:]


ARGUMENTS = {  # of commands that need some, or should not go on for ever
    "DOMAIN": "club.test", "DOMAIN SELECTOR": "club.test x", "ADDRESS": "bob@dest.test", "NAME": "x", "ID": "0123456789000",
    "ADDRESS|USER": "bob@dest.test", "NAME|ADDRESS|NETWORK": "192.0.2.1", "FILE": os.devnull, "FILE...": os.devnull, "REPLY": "550 5.1.1 no",
    "TOKEN|URL": "x", "NAME|--host HOST": "x",
}


def test_every_command_does_without_a_config_file_or_says_so(relay_factory, tmp_path):
    """The kind: the relay answers, and then the command looks into settings that it has not read: it ends by a signal. Each command,
    with what it needs as --help says, where only the state directory is known."""
    if os.path.exists("/etc/sealpost/sealpost.conf"):
        pytest.skip("there is one here")
    relay = relay_factory().start()
    environment = {"SEALPOST_STATE_DIR": str(relay.path / "state"), "PATH": "/usr/bin:/bin"}
    listed = [line.split() for line in run("--help").stdout.splitlines() if re.match("  [a-z]", line)]
    words = []
    for first, second, *_ in listed:
        two = run(first, second, "--help").stdout.startswith(f"usage: sealpost {first} {second} ")
        words.append(f"{first} {second}" if two else first)
    assert len(words) > 60, words
    more = {"user add": "--domain club.test --stream nowhere", "user change": "--stream nowhere", "check spf": "--ip 192.0.2.1 --mail-from a@club.test",
            "check dmarc": "--from a@club.test", "check message": "--user x", "check destination": "--no-connect",
            "quota simulate": "--to bob@dest.test", "unsubscribe link": "--to bob@dest.test --stream x", "dns": "--offline",
            "sink": "--listen 127.0.0.1:1x", "init": f"--dir {tmp_path}/x/y"}
    for command in words:
        if command == "serve":
            continue
        usage = run(*command.split(), "--help").stdout
        needs = re.match(re.escape(f"usage: sealpost {command}") + r"((?: [A-Z][A-Z|.]*(?:--host HOST)?)*)", usage)
        assert needs, (command, usage)
        needs = needs[1].strip()
        given = [*ARGUMENTS.get(needs, needs and "x").split(), *more.get(command, "").split()]
        for json_too in ([], ["--json"]):
            done = run(*json_too, *command.split(), *given, env=environment, stdin=subprocess.DEVNULL)
            assert 0 <= done.returncode <= 3, (command, given, done)
            assert done.returncode == 0 or done.stderr.count("\n") >= 1 or done.stdout, (command, given, done)


SOURCES = pathlib.Path(__file__).resolve().parents[2]
QUOTED = re.compile(r"""(?:\\"|(?<![a-z])')sealpost ([^"'\\]*)(?:\\"|')""")
LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')


def texts():
    """(file, text) of each string of the sources, with pieces that follow one another joined."""
    for path in sorted([*SOURCES.glob("relay/**/*.[ch]"), *SOURCES.glob("policy/**/*.[ch]")]):
        source = re.sub(r"^\s*(//|/\*| \*).*$", "", path.read_text(), flags=re.M)
        for match in LITERAL.finditer(re.sub(r'"\s*\n\s*"', "", source)):
            yield path.relative_to(SOURCES), match[1]


def test_every_command_that_a_text_names_is_one(tmp_path):
    """Kind: a hint that cannot be followed. Each is run where there is no relay: it may fail, but not for its words."""
    named = sorted({(str(path), re.sub(r"%[-.0-9l]*[a-z]", "x.test", command)) for path, text in texts()
                    for command in QUOTED.findall(text)})
    assert len(named) > 20, named
    wrong = []
    for path, command in named:
        words = command.split()
        if words[0] in ("COMMAND", "send-test"):  # any; and what a message says of itself
            continue
        more = ["--dir", str(tmp_path / "made")] if words[0] == "init" else []
        done = run("-c", str(tmp_path / "none.conf"), *words, *more, env={"SEALPOST_STATE_DIR": str(tmp_path), "PATH": "/usr/bin"})
        if done.returncode == 2:
            wrong.append((path, command, done.stderr))
        shutil.rmtree(tmp_path / "made", ignore_errors=True)
    assert not wrong, wrong


def test_commands_in_texts_are_quoted_whole():
    """What begins a command outside of quotes would not be looked at by the test above."""
    first = {line.split()[0] for line in run("--help").stdout.splitlines() if line.startswith("  ")}
    loose = [(str(path), text) for path, text in texts()
             for match in re.finditer(r"""(?<![-'"A-Za-z])sealpost ([a-z][a-z-]*)""", text)
             if match[1] in first and " -c " not in text and f'"{match[0]}' not in text and match.start() > 0 and "\\r\\n" not in text]
    assert not loose, loose


@pytest.mark.parametrize("words", [("suppress", "add", "x@dest.test"), ("webhook", "add", "https://hook.test/"), ("user", "add", "bob", "--domain", "club.test")],
                         ids=lambda words: words[0])
def test_a_stream_that_nobody_has_written_down_is_told(relay_factory, words):
    """It is taken, as its section may follow."""
    relay = relay_factory('stream "reset" { class = "security" }').start()
    for name, told in (("reset", False), ("rset", True)):
        done = relay.command(*words[:1], *words[1:2], words[2] + (name if words[0] == "user" else ""), *words[3:], "--stream", name, check=False)
        assert done.returncode == 0 and ('stream "rset" is not in the config file' in done.stderr) == told, done


def test_a_relay_that_hangs_is_told(relay_factory):
    """Who watches it asks for its status, and must not hang with it."""
    relay = relay_factory().start()
    relay.process.send_signal(signal.SIGSTOP)
    asked = []
    try:
        done = relay.command("status", check=False)
        for _ in range(200):  # those who have asked before fill what the kernel keeps for it
            asked.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            asked[-1].setblocking(False)
            if asked[-1].connect_ex(str(relay.path / "state" / "control.sock")) != 0:
                break
        assert 2 < len(asked) < 200
        late = relay.command("status", check=False)
    finally:
        relay.process.send_signal(signal.SIGCONT)
        for one in asked:
            one.close()
    assert late.returncode == 3 and "did not answer in time" in late.stderr, late
    assert done.returncode == 3 and "did not answer in time" in done.stderr, done
    assert relay.command("status")


def test_a_state_of_things_is_no_wrong_usage(relay_factory):
    relay = relay_factory().start()
    relay.command("key", "rotate", "club.test")
    done = relay.command("key", "rotate", "club.test", check=False)
    assert done.returncode == 1 and "has a pending key already" in done.stderr, done


def test_what_is_held_by_hand_is_said_to_be(relay_factory):
    """Not that its records were wrong; and nothing of it is due."""
    relay = relay_factory().start()
    relay.command("domain", "capture", "club.test")
    client = relay.client()
    client.ehlo_or_helo_if_needed()
    assert client.mail("hello@club.test")[0] == client.rcpt("x@dest.test")[0] == 250
    code, said = client.data(b"From: <hello@club.test>\r\nTo: <x@dest.test>\r\nSubject: x\r\n\r\nhello\r\n")
    assert code == 250 and b"held: whoever runs the relay holds the mail of club.test" in said and b"DNS" not in said, said
    row = relay.queue()[0]
    assert row["state"] == "held" and "whoever runs the relay" in relay.trace(row["id"])[-1]["reply"]
    listed = relay.command("queue", "list", "--held")
    assert row["id"] in listed and " now " not in listed, listed


def test_a_state_directory_that_is_open_is_told(relay_factory):
    relay = relay_factory()
    (relay.path / "state").chmod(0o777)
    assert "can take its files away" in str(relay.command("config", "check", check=False))
    relay.start()
    assert " state_dir_open " in relay.log()
