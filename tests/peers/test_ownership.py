"""Whose the files are: what root gives away, what commands of root leave behind, who may read the store; and whose the dead children are."""

import json
import os
import pathlib
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile

import pytest
from conftest import RELEASE, free_port, wait_for

NOBODY = pwd.getpwnam("nobody")

pytestmark = [pytest.mark.skipif(os.geteuid() != 0, reason="needs root"), pytest.mark.usefixtures("release")]


@pytest.fixture
def place():
    """A directory that others may reach."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="sealpost-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def init(directory, *options):
    return subprocess.run([RELEASE, "init", "club.test", "--dir", str(directory), "--user", "nobody", "--no-capture", *options],
                          capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("trap", ["symlink", "symlink to a directory", "state is a symlink", "keys is a symlink", "hard link", "deep"])
def test_init_gives_away_nothing_that_lies_elsewhere(place, trap):
    """The directory was there, and somebody had put links into it."""
    victim = place / "victim"
    victim.mkdir()
    (victim / "shadow").write_text("secret")
    directory = place / "relay"
    directory.mkdir()
    os.chown(directory, NOBODY.pw_uid, NOBODY.pw_gid)
    if trap == "symlink":
        (directory / "x").symlink_to(victim / "shadow")
    elif trap == "symlink to a directory":
        (directory / "x").symlink_to(victim)
    elif trap == "hard link":
        (directory / "x").hardlink_to(victim / "shadow")
    elif trap == "deep":
        (directory / "a" / "b").mkdir(parents=True)
        (directory / "a" / "b" / "c").symlink_to(victim)
        (directory / "a" / "b" / "d").hardlink_to(victim / "shadow")
    else:
        link = directory / "state" if trap == "state is a symlink" else directory / "state" / "keys"
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(victim)
        os.chown(link, NOBODY.pw_uid, NOBODY.pw_gid, follow_symlinks=False)
    done = init(directory)
    if trap.startswith("symlink"):
        assert done.returncode == 0, done.stderr
        assert (directory / "state").stat().st_uid == NOBODY.pw_uid
    else:
        assert done.returncode != 0 and "Traceback" not in done.stderr and "link" in done.stderr, done.stderr
    owners = {p.stat().st_uid for p in (victim, victim / "shadow")}
    assert owners == {0} and os.listdir(victim) == ["shadow"], trap


def test_all_that_init_makes_is_given_and_private(place):
    assert init(place / "relay").returncode == 0
    for p in [place / "relay", *(place / "relay").rglob("*")]:
        s = p.lstat()
        assert s.st_uid == NOBODY.pw_uid and s.st_gid == NOBODY.pw_gid, p
        assert s.st_mode & 0o077 == 0 or p.suffix in (".conf", ".pem") or stat.S_ISDIR(s.st_mode), (p, oct(s.st_mode))
    assert (place / "relay" / "state" / "state.db").stat().st_mode & 0o777 == 0o600


def open_way(path):
    for parent in [path, *path.parents]:
        if str(parent).startswith("/tmp/") and parent.stat().st_uid == 0:
            parent.chmod(0o755)


FILES = {"trust_anchor": ('dns {{ dnssec = "on" trust_anchor = "{file}" }}', True), "command": ('alert {{ command = "{file}" }}', True),
         "token_command": ('route "x.test" {{ host = "smtp.x.test" username = "u" token_command = "{file}" }}', True),
         "password_file": ('route "x.test" {{ host = "smtp.x.test" username = "u" password_file = "{file}" }}', False),
         "ca_file": ('delivery {{ ca_file = "{file}" }}', False)}


@pytest.mark.parametrize("setting", FILES)
@pytest.mark.parametrize("why", ["mode", "way"])
def test_a_file_that_root_may_read_and_the_relay_may_not_is_told(relay_factory, tmp_path, setting, why):
    """What is used later only cannot be served with; what root reads at the start is a note, as a unit with User= would fail."""
    section, refused = FILES[setting]
    open_way(tmp_path)
    relay = relay_factory()
    folder = tmp_path / "etc"
    folder.mkdir()
    file = folder / "file"
    shutil.copy(relay.path / "cert.pem" if setting == "ca_file" else "/usr/share/dns/root.key" if setting == "trust_anchor" else "/bin/true", file)
    if setting == "password_file":
        file.write_text("secret\n")
    text = relay.config.read_text()
    line = section.format(file=file)
    head = line.split("{")[0].strip()
    if head + " {" in text:  # a section is there once
        text = text.replace(head + " {", head + " { " + line.split("{", 1)[1].rsplit("}", 1)[0], 1)
    else:
        text += line + "\n"
    relay.config.write_text(text)
    subprocess.run(["chown", "-R", "nobody:nogroup", str(relay.path)], check=True)
    file.chmod(0o755)
    good = relay.command("config", "check")
    assert "belongs to" not in good, good
    (file if why == "mode" else folder).chmod(0o700)
    done = relay.command("config", "check", check=False)
    assert setting in done.stdout + done.stderr and str(folder) in done.stdout + done.stderr, done
    assert done.returncode == (1 if refused else 0), done
    if refused:
        served = relay.command("serve", check=False)
        assert served.returncode == 1 and served.stderr.count("\n") == 1 and str(folder) in served.stderr, served
    else:
        relay.start()


def test_a_relay_of_root_says_so(relay_factory):
    relay = relay_factory().start()
    wait_for(lambda: " started " in relay.log())
    assert "warn runs_as_root " in relay.log()
    relay.stop()
    open_way(relay.path)
    subprocess.run(["chown", "-R", "nobody:nogroup", str(relay.path)], check=True)
    (relay.path / "serve.log").unlink()
    relay.start()
    wait_for(lambda: " started " in relay.log())
    assert "runs_as_root" not in relay.log()


def test_commands_of_root_leave_nothing_that_the_relay_cannot_read(relay_factory, dns, tmp_path):
    """With the relay and without: whatever root did, the files are the owner's, and the store is for nobody else."""
    open_way(tmp_path)
    relay = relay_factory(f'http {{ address = "127.0.0.1:{free_port()}" url = "https://u.club.test" }}\n'
                          'stream "news" { class = "digest" unsubscribe = "one-click" }')
    subprocess.run(["chown", "-R", "nobody:nogroup", str(relay.path)], check=True)
    state = relay.path / "state"
    os.chmod(state / "state.db", 0o644)  # as an earlier release has made it
    commands = [("unsubscribe", "rotate"), ("user", "add", "one", "--domain", "club.test"), ("domain", "add", "a.test", "--no-capture"),
                ("key", "rotate", "a.test"), ("queue", "list"), ("suppress", "list"), ("suppress", "add", "x@y.test"), ("events",),
                ("audit", "verify"), ("quota", "top"), ("domain", "list"), ("key", "list"), ("config", "check"),
                ("unsubscribe", "link", "--to", "a@b.test", "--stream", "news"), ("domain", "remove", "a.test")]

    def check():
        for p in state.rglob("*"):
            s = p.lstat()
            assert s.st_uid == NOBODY.pw_uid, p
            assert stat.S_ISDIR(s.st_mode) or s.st_mode & 0o077 == 0, (p, oct(s.st_mode))

    for command in commands:
        relay.command(*command)
    check()
    relay.start()
    assert "reload_refused" not in relay.log()
    for command in commands:
        relay.command(*[word.replace("one", "two").replace("a.test", "b.test") for word in command])
    check()
    relay.reload()
    assert relay.command("unsubscribe", "link", "--to", "a@b.test", "--stream", "news").startswith("https://u.club.test/")
    relay.stop()
    check()


GRANDCHILDREN = """#!/bin/sh
# what it starts outlives it, and dies later
(sleep 0.2; exit 0) </dev/null >/dev/null 2>&1 &
(setsid sleep 0.4) </dev/null >/dev/null 2>&1 &
cat >/dev/null
touch {0}/told.$$
"""


def zombies():
    found = []
    for p in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            fields = (p / "stat").read_text().rsplit(") ", 1)[1].split()
        except OSError:
            continue
        if fields[0] == "Z":
            found.append((p.name, fields[1]))
    return found


INSIDE = """
import json, os, pathlib, subprocess, sys, time
sys.path.insert(0, sys.argv[3])
import test_ownership
config, place = sys.argv[1:3]
if os.fork():  # process 1 becomes the relay, as in a container
    os.execv(test_ownership.RELEASE, [test_ownership.RELEASE, "-c", config, "serve"])
time.sleep(2)
for i in range(3):  # a suspension each, which is told
    subprocess.run([test_ownership.RELEASE, "-c", config, "user", "add", f"u{i}", "--domain", "club.test"], check=True, capture_output=True)
    time.sleep(1.5)
if os.fork() == 0:  # somebody else's, left to process 1
    if os.fork():
        os._exit(0)
    time.sleep(0.3)
    os._exit(0)
os.wait()
time.sleep(2)
told = len(list(pathlib.Path(place).glob("told.*")))
pathlib.Path(place, "result").write_text(json.dumps([told, test_ownership.zombies()]))
os.kill(1, 15)
"""


def test_as_process_1_nobody_stays_a_zombie(relay_factory, place):
    """As in a container: what an alert's command leaves behind, and others' orphans, are buried."""
    if subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "true"], capture_output=True).returncode != 0:
        pytest.skip("no PID namespaces here")
    command = place / "tell"
    command.write_text(GRANDCHILDREN.format(place))
    command.chmod(0o755)
    place.chmod(0o777)
    relay = relay_factory(f'alert {{ command = "{command}" interval = 1  on = {{"admin"}} }}\n')
    log = open(relay.path / "serve.log", "wb")
    done = subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", sys.executable, "-c", INSIDE, str(relay.config), str(place),
                           str(pathlib.Path(__file__).parent)], stdout=log, stderr=log, timeout=60, env={**os.environ, "SEALPOST_RELEASE": RELEASE})
    assert (place / "result").exists(), relay.log()[-3000:]
    told, dead = json.loads((place / "result").read_text())
    assert told >= 1 and dead == [], (told, dead, done.returncode)
