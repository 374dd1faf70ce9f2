"""Who is told of what happens to the relay's safety, what of it the audit trail keeps, and who may command the relay."""

import http.server
import json
import os
import pathlib
import re
import subprocess
import threading
import time

import pytest
from conftest import SEALPOST, free_port, slack, wait_for
from test_alignment import submit
from test_auth import guess


class Hook(threading.Thread):
    """A webhook: what was posted to it, and the status it answers with."""

    def __init__(self):
        super().__init__(daemon=True)
        self.taken, self.status, self.answer = [], 200, lambda body: self.status
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.taken.append((self.path, self.headers["Content-Type"], json.loads(body)))
                self.send_response(hook.answer(json.loads(body)))
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        self.start()

    def run(self):
        self.server.serve_forever(0.05)


@pytest.fixture
def hook():
    made = Hook()
    yield made
    made.server.shutdown()


def script(path, line):
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)
    return path


@pytest.mark.memory
def test_a_command_and_a_webhook_are_told(relay_factory, hook, tmp_path, dns, monkeypatch):
    pager = script(tmp_path / "pager", f'printf "%s %s\\n" "$(cat)" "$1" >> {tmp_path}/paged')
    monkeypatch.setenv("HOOK_SECRET", "s3cr3t-in-the-path")
    relay = relay_factory('alert { on = {"identity_refused", "admin"}  interval = 1  command = "%s"  webhook = "http://127.0.0.1:%d/${HOOK_SECRET}" }'
                          % (pager, hook.port)).start()
    assert submit(relay, "a@evil.test")[0] == 550
    submit(relay, message="From: <a@evil.test>\r\n\r\nx\r\n")
    relay.command("suppress", "add", "x@dest.test")
    relay.command("user", "rotate", "app")
    wait_for(lambda: len(hook.taken) == 3, 40)
    wait_for(lambda: len((tmp_path / "paged").read_text().splitlines()) == 3)
    taken = sorted(hook.taken, key=lambda t: t[2]["number"])
    path, kind, first = taken[0]
    assert path == "/s3cr3t-in-the-path" and kind == "application/json"
    assert first["alert"] == first["what"] == "identity_refused" and first["relay"] == "mail.club.test"
    assert "a@evil.test is not allowed" in first["about"] and first["about"] in first["text"]
    assert first["text"] == f'mail.club.test: a credential tried to send as somebody else: {first["about"]} (by {first["who"]})', first["text"]
    assert taken[1][2]["text"].startswith("mail.club.test: a command has changed something: suppress.add "), taken[1]
    assert [t[2]["alert"] for t in taken] == ["identity_refused", "admin", "admin"]
    assert [t[2]["count"] for t in taken] == [1, 1, 1] and "since" not in first
    paged = sorted((tmp_path / "paged").read_text().splitlines(), key=lambda line: json.loads(line.rpartition(" ")[0])["number"])
    assert [line.split()[-1] for line in paged] == ["identity_refused", "admin", "admin"]
    assert [json.loads(line.rpartition(" ")[0]) for line in paged] == [t[2] for t in taken]
    for text in (relay.log(), relay.command("config", "show"), subprocess.run(["ps", "ax"], capture_output=True, text=True).stdout):
        assert "s3cr3t" not in text


@pytest.mark.memory
def test_an_alert_is_tried_again_and_survives_a_kill(relay_factory, hook):
    relay = relay_factory('alert { on = {"admin"} interval = 1 webhook = "http://127.0.0.1:%d/" }' % hook.port).start()
    hook.status = 500
    relay.command("suppress", "add", "one@dest.test")
    wait_for(lambda: hook.taken and "alert_failed" in relay.log(), 30)
    relay.kill()
    hook.status, hook.taken[:] = 200, []
    relay.start()
    wait_for(lambda: hook.taken, 30)
    relay.command("suppress", "add", "two@dest.test")
    wait_for(lambda: relay.log().count(" alerted ") == 2, 30)
    relay.stop()
    relay.start()
    time.sleep(3)
    assert ["one@dest.test" in hook.taken[0][2]["about"], "two@dest.test" in hook.taken[1][2]["about"]] == [True, True]
    assert len(hook.taken) == 2  # nothing is told twice


@pytest.mark.memory
@pytest.mark.parametrize("refused", ["slow", "failing", "fine"])
def test_many_alerts_of_one_kind_hold_up_no_other(relay_factory, hook, refused):
    """Kind: a queue that all share. Somebody fills it - with an import, with a webhook that fails or hangs for that kind - and the
    lock-out is told all the same, within seconds; what filled it is told as one, with its count."""
    def answer(body):
        if body["alert"] != "admin" or refused == "fine":
            return 200
        time.sleep(8 if refused == "slow" else 0)
        return 500

    hook.answer = answer
    relay = relay_factory('alert { on = {"admin", "locked", "identity_refused"} interval = 3 webhook = "http://127.0.0.1:%d/" }' % hook.port).start()
    for i in range(33):
        relay.command("suppress", "add", f"victim{i}@dest.test")
    assert [code for code, _ in guess(relay, 24, lambda i: f"name{i}", lambda i: "127.3.0.1")].count(454) > 0
    submit(relay, message="From: <a@evil.test>\r\n\r\nx\r\n")

    def told(kind):
        return [body for _, _, body in hook.taken if body["alert"] == kind]

    wait_for(lambda: told("locked") and told("identity_refused"), slack(12))
    assert "127.3.0.1" in told("locked")[0]["about"] and told("locked")[0]["count"] == 1
    if refused != "fine":
        return
    wait_for(lambda: sum(body["count"] for body in told("admin")) == 33, 30)
    assert len(told("admin")) <= 12 and told("admin")[0]["count"] == 1
    last = told("admin")[-1]
    assert last["about"] == "victim32@dest.test" or "victim32" in last["about"]
    if last["count"] > 1:
        assert last["counts"] == {"suppress.add": last["count"]} and f"{last['count']} suppress.add" in last["text"]
        assert told("admin")[0]["at"] < last["since"] <= last["at"]


def test_floods_and_wrong_senders_are_in_the_trail_once_an_hour(relay_factory, dns):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory('throttle = "enforce"\n').start()
    with relay.client() as client:
        refused = 0
        for i in range(200):
            code, _ = client.mail("hello@club.test")
            code = client.rcpt("victim@dest.test")[0]
            if code == 250:
                code = client.data(f"From: <hello@club.test>\r\nSubject: {i}\r\n\r\nreset {i}\r\n")[0]
            else:
                client.rset()
            refused += code != 250
            if refused > 5:
                break
    assert refused > 5
    for _ in range(3):
        submit(relay, "a@evil.test")
    def rows():
        return [(r["what"], r["about"]) for r in relay.json("audit", "tail")]
    wait_for(lambda: any(what == "identity_refused" for what, _ in rows()))
    found = [(what, about) for what, about in rows() if what in ("flood", "identity_refused")]
    assert [what for what, _ in found] == ["flood", "identity_refused"], found
    assert found[0][1].startswith("victim@dest.test: ") and "user app" in found[0][1]
    assert relay.command("audit", "verify")
    relay.command("suppress", "add", "gone@dest.test")  # no flood, and none is noted
    assert submit(relay, to="gone@dest.test")[0] != 250
    time.sleep(0.5)
    assert [what for what, _ in rows()].count("flood") == 1


def test_wrong_alerts_are_explained(relay_factory):
    relay = relay_factory()
    good = relay.config.read_text()
    for line, words in (('alert { on = {"flod"} }', 'allowed is "locked"'), ('alert { command = "mail" }', "full path"),
                        ('alert { webhook = "ftp://x" }', "http"), ('alert { webhook = "https://x/\\"" }', "http"),
                        ('alert { interval = 0 }', "1 to 3600"), ('alert { interval = 3601 }', "1 to 3600"),
                        ('control { admins = {"nobody-of-this-name"} }', "there is no user"),
                        ('control { readers = {"@no-such-group"} }', "there is no group")):
        relay.config.write_text(good + line + "\n")
        done = relay.command("config", "check", check=False)
        assert done.returncode == 1 and words in done.stderr and done.stderr.count("\n") == 1, done


def as_user(relay, uid, *arguments, groups=()):
    return subprocess.run([SEALPOST, "-c", str(relay.config), *arguments], capture_output=True, text=True, timeout=60, user=uid,
                          group=65534, extra_groups=list(groups))


@pytest.mark.memory
@pytest.mark.skipif(os.geteuid() != 0, reason="becomes other users")
def test_readers_read_and_admins_change(relay_factory, tmp_path):
    relay = relay_factory('control { admins = {"mail"}  readers = {"@games", "news"} }')
    for place in (relay.path, *relay.path.parents):
        if place != pathlib.Path("/") and place != pathlib.Path("/tmp"):
            place.chmod(0o711)
    relay.config.chmod(0o644)
    relay.start()
    import grp
    import pwd
    mail, news, games = pwd.getpwnam("mail").pw_uid, pwd.getpwnam("news").pw_uid, grp.getgrnam("games").gr_gid
    add = ("suppress", "add", "x@dest.test")
    assert as_user(relay, mail, *add).returncode == 0
    assert f"uid {mail}" in relay.command("audit", "tail")
    relay.command("webhook", "add", "https://hooks.test/a-secret-path?and=more")
    shown = json.loads(as_user(relay, news, "--json", "webhook", "list").stdout)[0]["url"]
    assert re.fullmatch(r"https://hooks\.test/\.\.\. \([0-9a-f]{8}\)", shown)
    assert shown in as_user(relay, news, "audit", "tail").stdout and "a-secret" not in as_user(relay, news, "audit", "tail").stdout
    assert json.loads(as_user(relay, mail, "--json", "webhook", "list").stdout)[0]["url"] == "https://hooks.test/a-secret-path?and=more"
    for uid, groups in ((news, ()), (65534, (games,))):
        assert as_user(relay, uid, "queue", "list", groups=groups).returncode == 0
        done = as_user(relay, uid, *add, groups=groups)
        assert done.returncode == 3 and "may read and change nothing" in done.stderr, done
        done = as_user(relay, uid, "reload", groups=groups)
        assert done.returncode == 3 and "may read and change nothing" in done.stderr, done
    done = as_user(relay, 65534, "queue", "list")
    assert done.returncode == 3 and "may not use the control socket" in done.stderr
    for name in ("state.db", "keys", "spool"):  # the way to the socket leads to nothing else
        path = relay.path / "state" / name
        assert path.stat().st_mode & 0o077 == 0, name
        reached = subprocess.run(["cat", str(path)] if path.is_file() else ["ls", str(path)], user=65534, group=65534, extra_groups=[],
                                 capture_output=True)
        assert reached.returncode != 0


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes other users")
def test_a_reader_needs_no_password_of_a_route(relay_factory, tmp_path):
    """It is the relay's alone; who looks needs it for nothing. Who serves does, and says so."""
    secret = tmp_path / "smarthost"
    secret.write_text("the password\n")
    secret.chmod(0o600)
    relay = relay_factory('control { readers = {"news"} }\nroute "far.test" { host = "smart.test"  username = "u"  password_file = "%s" }' % secret)
    for place in (relay.path, *relay.path.parents):
        if place != pathlib.Path("/") and place != pathlib.Path("/tmp"):
            place.chmod(0o711)
    relay.config.chmod(0o644)
    relay.start()
    import pwd
    news = pwd.getpwnam("news").pw_uid
    for words in (["queue", "list"], ["events"], ["destination", "list"], ["quota", "shares"], ["domain", "list"], ["user", "list"],
                  ["suppress", "list"], ["audit", "tail"], ["sts", "show"], ["webhook", "list"], ["config", "show"], ["key", "list"]):
        done = as_user(relay, news, *words)
        assert done.returncode == 0 and "password" not in done.stderr, (words, done)
    done = as_user(relay, news, "config", "check")
    assert done.returncode == 1 and "smarthost: Permission denied" in done.stderr, done


def test_secrets_come_from_credentials(relay_factory, tmp_path, monkeypatch):
    """systemd's credentials directory, by the name of its environment variable."""
    (tmp_path / "smarthost").write_text("the password\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    relay = relay_factory('route "*" { host = "smart.test"  username = "u"  password_file = "${CREDENTIALS_DIRECTORY}/smarthost" }')
    relay.command("config", "check")
    assert "the password" not in relay.command("config", "show")


def test_a_command_that_fails_without_a_word_is_told_with_its_exit_status(relay_factory, tmp_path):
    program = tmp_path / "fails"
    program.write_text("#!/bin/sh\ncat >/dev/null\nexit 3\n")
    for place in (tmp_path, program):
        place.chmod(0o755)
    relay = relay_factory('alert { on = {"admin"} interval = 1 command = "%s" }' % program).start()
    relay.command("suppress", "add", "one@dest.test")
    wait_for(lambda: "alert_failed" in relay.log(), 30)
    assert 'reply="the program failed (exit 3)"' in relay.log(), relay.log()[-2000:]
