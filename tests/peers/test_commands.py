"""The command line: what it prints, how it fails, and that it works with and without a running relay."""

import json
import os
import pathlib
import re
import shutil
import sqlite3
import socket
import subprocess

import pytest

from conftest import SEALPOST, free_port, needed, wait_for


def run(*arguments, input=None):
    return subprocess.run([SEALPOST, *arguments], capture_output=True, text=True, timeout=60, input=input)


def one_line(done, code, *words):
    """It failed with that exit code and one line that holds these words."""
    assert done.returncode == code, (done.returncode, done.stderr)
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("sealpost: "), done.stderr
    for word in words:
        assert word in done.stderr, done.stderr


@pytest.mark.memory
def test_usage():
    done = run()
    assert done.returncode == 2 and "usage: sealpost" in done.stdout
    assert run("--help").returncode == 0
    assert "NAME --domain" in run("user", "add", "--help").stdout
    one_line(run("user", "add"), 2, "an argument is missing", "usage: sealpost user add")
    one_line(run("user", "list", "--nonsense"), 2, "unknown option", "usage: sealpost user list")
    assert run("nonsense").returncode == 2
    one_line(run("-c"), 2, "-c needs a file")


@pytest.mark.parametrize("old, new, words", [
    ('tls = "starttls"', 'tls = "ssl"', [":8: ", '"tls"', '"ssl"', "implicit"]),
    ("delivery {", "deliver {", ["no setting", "deliver", "delivery"]),
    ('class = "digest"', 'class = "spam"', ['"class"', "security"]),
    ("port = 25 ", "port = 0 ", ['"port"', "from 1"]),
    ('hostname  = "mail.club.test"', 'hostname = "not a host"', [":3: ", '"hostname"']),
    ('hostname  = "mail.club.test"', "", ['"hostname" is missing']),
    ("127.0.0.1:2587", "localhost", ['"address"', "an IP address and a port"]),
    ("127.0.0.1:2587", "0.0.0.0:465", ["submission and submissions", "0.0.0.0 port 465", "another port"]),
    ("}", "", []),
], ids=["enumeration", "unknown setting", "class", "number", "host", "missing", "address", "address twice", "syntax"])
@pytest.mark.memory
def test_a_wrong_setting_is_named_with_file_line_and_what_is_allowed(tmp_path, old, new, words):
    run("init", "club.test", "--dir", str(tmp_path / "r"), "--hostname", "mail.club.test")
    config = tmp_path / "r" / "sealpost.conf"
    config.write_text(config.read_text().replace("0.0.0.0:587", "127.0.0.1:2587").replace(old, new, 1))
    one_line(run("-c", str(config), "config", "check"), 1, "sealpost.conf", *words)
    one_line(run("-c", str(config), "serve"), 1, "sealpost.conf", *words)


@pytest.mark.memory
def test_init_makes_everything_once(tmp_path):
    done = run("init", "club.test", "--dir", str(tmp_path / "r"), "--public-ip", "192.0.2.1", "--public-ip", "2001:db8::1")
    assert done.returncode == 0 and "v=spf1 ip4:192.0.2.1 ip6:2001:db8::1 ~all" in done.stdout
    assert "v=DKIM1; k=rsa; p=" in done.stdout and "_dmarc.club.test" in done.stdout
    for name in ("sealpost.conf", "key.pem", "state/state.db", "state/keys/unsubscribe.key"):
        assert (tmp_path / "r" / name).stat().st_mode & 0o077 == 0 or name == "state/state.db"
    one_line(run("init", "club.test", "--dir", str(tmp_path / "r")), 2, "exists already")
    one_line(run("init", "club.test", "--dir", str(tmp_path / "x"), "--public-ip", "192.0.2"), 2, "--public-ip 192.0.2:")
    assert not (tmp_path / "x").exists()
    one_line(run("init", "not a domain", "--dir", str(tmp_path / "x")), 2, "not a domain name")
    assert run("-c", str(tmp_path / "r" / "sealpost.conf"), "config", "check").returncode == 0
    shown = run("-c", str(tmp_path / "r" / "sealpost.conf"), "config", "show").stdout
    (tmp_path / "shown.conf").write_text(shown)
    again = run("-c", str(tmp_path / "shown.conf"), "config", "show").stdout
    assert again == shown  # what it prints is a config file


@pytest.mark.parametrize("name", ['a "quoted" name', "back\\slash", "${HOME}", "$x\\\"${HOME:-y}\"", "# no comment", "ü { }"])
def test_init_in_a_directory_of_any_name(tmp_path, name):
    """What init writes into the config file is read as it is, whatever a string of that file means by it."""
    done = run("init", "club.test", "--dir", str(tmp_path / name))
    assert done.returncode == 0 and f"{tmp_path / name}/cert.pem" in done.stdout, done.stderr
    config = str(tmp_path / name / "sealpost.conf")
    assert "is good" in run("-c", config, "config", "check").stdout
    assert [row["name"] for row in json.loads(run("-c", config, "--json", "domain", "list").stdout)] == ["club.test"]


@pytest.mark.memory
def test_what_serve_refuses(relay, tmp_path, relay_factory):
    one_line(run("-c", str(relay.config), "serve"), 1, "cannot bind", "Address already in use")
    other = relay.config.read_text().replace(str(relay.submission), str(free_port())).replace(
        str(relay.submissions), str(free_port()))
    (tmp_path / "second.conf").write_text(other)
    one_line(run("-c", str(tmp_path / "second.conf"), "serve"), 3, "in use by another process")
    third = relay_factory()
    text = third.config.read_text()
    third.config.write_text(text.replace(f"{third.path}/key.pem", f"{relay.path}/key.pem"))
    one_line(run("-c", str(third.config), "serve"), 1, "certificate", "belong")
    third.config.write_text(text.replace("state_dir = ", "state_dir = \"/nonexistent\" #"))
    one_line(run("-c", str(third.config), "serve"), 1, "/nonexistent", 'make it with "sealpost init DOMAIN"')


def test_a_change_that_cannot_be_written_says_that_nothing_was_changed(relay_factory):
    """Somebody keeps the database from every commit, as a full disk does: that is no refusal, and may be tried again."""
    relay = relay_factory().start()
    other = sqlite3.connect(relay.path / "state" / "state.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        one_line(relay.command("user", "disable", "app", check=False), 1, "nothing was changed, try again later", "locked")
    finally:
        other.execute("ROLLBACK")
        other.close()
    assert not [u for u in relay.json("user", "list") if u["name"] == "app"][0]["disabled"]
    one_line(relay.command("user", "disable", "nobody", check=False), 1, "nobody: no such credential")
    relay.command("user", "disable", "app")


@pytest.mark.parametrize("running", [True, False], ids=["with a daemon", "without"])
def test_accounts(relay_factory, running):
    relay = relay_factory()
    if running:
        relay.start()
    made = relay.json("user", "add", "shop", "--domain", "shop.test", "--domain", "*.shop.test", "--stream", "digest",
                      "--tenant", "shop")
    assert re.fullmatch(r"[a-z2-9]{32}", made["secret"])
    one_line(relay.command("user", "add", "shop", "--domain", "x.test", check=False), 1, "already")
    one_line(relay.command("user", "add", "other", check=False), 2, "--domain")
    one_line(relay.command("user", "add", "o", "--domain", "not a domain", check=False), 2, "--domain")
    one_line(relay.command("user", "add", "sh op", "--domain", "x.test", check=False), 2, 'name "sh op" is not a valid name')
    done = relay.command("suppress", "import", "/nonexistent", check=False)
    assert done.returncode == 2 and done.stderr == "sealpost: /nonexistent: No such file or directory\n"
    row = [u for u in relay.json("user", "list") if u["name"] == "shop"][0]
    assert row["allowed"] == "shop.test *.shop.test" and row["tenant"] == "shop" and not row["disabled"]
    assert "hash" not in json.dumps(row) and made["secret"] not in json.dumps(row)
    relay.command("user", "disable", "shop")
    assert [u["disabled"] for u in relay.json("user", "list") if u["name"] == "shop"] == [True]
    assert relay.json("user", "rotate", "shop")["secret"] != made["secret"]
    relay.command("user", "delete", "shop")
    one_line(relay.command("user", "delete", "shop", check=False), 1, "no such credential")

    records = needed(relay.json("domain", "add", "shop.test", "--ed25519"))
    assert len(records) == 4 and sum("k=ed25519" in r["value"] for r in records) == 1
    asked = relay.json("dns", "shop.test")
    assert asked["version"] == 1 and all(r["value"] in [a["value"] for a in asked["records"]] for r in records)
    one_line(relay.command("domain", "add", "shop.test", check=False), 1, "already")
    assert {d["name"] for d in relay.json("domain", "list")} == {"club.test", "shop.test"}
    assert [k["algorithm"] for k in relay.json("key", "list", "--domain", "shop.test")] == ["rsa", "ed25519"]
    for verb in ("release", "capture", "release"):
        relay.command("domain", verb, "shop.test")
    trail = [row["what"] for row in relay.json("audit", "tail") if row["what"].startswith("domain.")]
    assert trail[-3:] == ["domain.release", "domain.capture", "domain.release"]
    relay.command("domain", "remove", "shop.test")
    one_line(relay.command("dns", "shop.test", check=False), 1, "not a sending domain")
    assert "club.test" in relay.command("domain", "list") and "app" in relay.command("user", "list")


def test_trace_events_and_queue_as_text(relay, sink):
    id = relay.send()
    relay.wait_kind(id, "delivered")
    text = relay.command("trace", id)
    assert "accepted" in text and "delivered" in text and id in text
    assert id in relay.command("events") and "0 recipients" in relay.command("queue", "list")
    one_line(relay.command("trace", "0000000000000", check=False), 1, "no message of that id")
    one_line(relay.command("trace", "xyz", check=False), 2, "not a message id")
    one_line(relay.command("queue", "retry", check=False), 2, "say which")
    one_line(relay.command("queue", "list", "--limit", "x", check=False), 2, "--limit")


def test_long_queues_go_by_pages(relay_factory, dns):
    """More than a page holds, listed whole, in part, and changed; with a relay and without."""
    dns.mail("away.test", "mx.away.test=127.0.0.1")  # nobody listens there
    relay = relay_factory().start()
    for i in range(55):
        relay.send([f"r{i}-{k}@away.test" for k in range(100)])
    wanted = {f"r{i}-{k}@away.test" for i in range(55) for k in range(100)}
    rows = relay.queue("--limit", "0")
    assert {row["recipient"] for row in rows} == wanted and len(rows) == 5500
    assert len(relay.queue("--limit", "5250")) == 5250 and len(relay.queue()) == 1000
    text = relay.command("queue", "list", "--limit", "5001")
    assert text.count("away.test") == 5001 and text.count("RECIPIENT") == 1
    assert text.splitlines()[-1] == "5500 recipients; the first are shown: see --limit"
    assert relay.json("queue", "hold", "--all") == {"changed": 5500}
    assert relay.command("queue", "list", "--held", "--limit", "0").splitlines()[-1] == "5500 recipients"
    relay.stop()
    assert {row["state"] for row in relay.queue("--limit", "0")} == {"held"}
    assert relay.json("queue", "delete", "--all") == {"changed": 5500}
    assert relay.queue() == []


def test_events_follow(relay, sink):
    follower = subprocess.Popen([SEALPOST, "-c", str(relay.config), "--json", "events", "--follow"],
                                stdout=subprocess.PIPE, text=True)
    try:
        id = relay.send()
        kinds = []
        while "delivered" not in kinds:
            event = json.loads(follower.stdout.readline())
            if event["id"] == id:
                kinds.append(event["kind"])
        assert kinds == ["accepted", "delivered"]
    finally:
        follower.kill()
        follower.wait()


def test_a_command_without_a_relay_says_so(relay_factory):
    relay = relay_factory()
    done = relay.command("send-test", "a@dest.test", check=False)
    assert done.returncode == 3 and "no relay is running" in done.stderr.splitlines()[-1], done.stderr


def test_secrets_never_reach_the_log_or_the_config(relay, sink, tmp_path):
    relay.send()
    with pytest.raises(Exception):
        relay.client(secret="a wrong secret")
    assert relay.secret not in relay.log() and "a wrong secret" not in relay.log()
    assert relay.secret not in relay.command("config", "show")


def test_hostile_names_are_escaped_in_the_log(relay):
    import smtplib
    client = smtplib.SMTP("127.0.0.1", relay.submission, local_hostname="[1.2.3.4]")
    client.starttls(context=relay.context())
    client.ehlo("[1.2.3.4]")
    client.login("app", relay.secret)
    client.putcmd("mail", 'FROM:<"x\\" y=z"@club.test>')
    client.getreply()
    client.rcpt("bob@dest.test")
    client.data("From: <hello@club.test>\r\n\r\nx\r\n")
    client.quit()
    line = wait_for(lambda: [l for l in relay.log().splitlines() if " accepted " in l])[0]
    assert 'from="\\"x\\\\\\" y=z\\"@club.test"' in line


def test_sink_says_what_is_wrong(tmp_path):
    one_line(run("sink"), 2, "address:port")
    one_line(run("sink", "--listen", "x"), 2, "address:port")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        one_line(run("sink", "--listen", f"127.0.0.1:{taken.getsockname()[1]}"), 1, "cannot listen")


def test_man_pages_and_completion_know_every_command():
    contrib = pathlib.Path(__file__).resolve().parents[2] / "contrib"
    help_text = run("--help").stdout
    commands = re.findall(r"^  ([a-z-]+(?: [a-z-]+)?) {2,}", help_text, re.M)
    assert len(commands) > 20
    page = (contrib / "man" / "sealpost.1").read_text().replace("\\-", "-")
    completion = (contrib / "completion" / "sealpost").read_text()
    for command in commands:
        assert command in page, command
        for word in command.split():
            assert word in completion, command
    if shutil.which("man"):
        for name in ("sealpost.1", "sealpost.conf.5"):
            done = subprocess.run(["man", "--warnings", "-l", str(contrib / "man" / name)], capture_output=True, text=True)
            assert done.returncode == 0 and done.stderr == "", done.stderr
