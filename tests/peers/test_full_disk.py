"""The disk fills up from outside, to the reserve or to the last byte: the log, status and an alert say so, and nothing else is blamed.

Each on a small file system that the test mounts for itself.
"""

import json
import os
import subprocess

import pytest
from conftest import wait_for

SMALL = "From: <hello@club.test>\r\nSubject: x\r\n\r\nx\r\n"
LARGE = "From: <hello@club.test>\r\nSubject: x\r\n\r\n" + ("y" * 76 + "\r\n") * 8000


@pytest.fixture
def club(relay_factory, dns, sink_factory, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root to mount")
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "none", str(small)], capture_output=True).returncode != 0:
        pytest.skip("cannot mount here")
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    told = tmp_path / "told"
    tell = tmp_path / "tell"
    told.touch()
    told.chmod(0o666)
    tell.write_text(f"#!/bin/sh\ncat >> {told}\necho >> {told}\n")
    tell.chmod(0o755)
    relay = relay_factory(f'alert {{ command = "{tell}"  on = {{"disk_full", "share_used_up"}}  interval = 1s }}\n')
    state = relay.path / "state"
    subprocess.run(["cp", "-a", f"{state}/.", str(small)], check=True)
    relay.config.write_text(relay.config.read_text().replace(str(state), str(small)))
    relay.small, relay.told = small, told
    relay.start()
    try:
        yield relay
    finally:
        if relay.process is not None:
            relay.kill()
        subprocess.run(["umount", "-l", str(small)])


def fill(club, left):
    """So that no more than so many bytes are free, whatever the relay writes meanwhile."""
    def free():
        disk = os.statvfs(club.small)
        return disk.f_bavail * disk.f_frsize

    with open(club.small / "foreign", "wb") as file:
        size = 0
        while free() > left:
            step = min(free() - left, 1 << 20)
            try:
                os.posix_fallocate(file.fileno(), size, step)
            except OSError:
                continue  # somebody else was quicker
            size += step
    os.chmod(club.small / "foreign", 0o644)


def alerts(club):
    return [json.loads(line) for line in club.told.read_text().splitlines() if line]


def answer(club, message):
    with club.client() as client:
        client.ehlo()
        client.mail("hello@club.test")
        client.rcpt("bob@dest.test")
        return client.data(message)


def test_who_runs_the_relay_is_told(club):
    """By the log, by `status` in text and JSON, by one alert, and again when there is room."""
    now = club.json("status")
    assert not now["disk_full"] and not now["paused"] and now["disk_free"] > now["disk_kept"] > 0
    fill(club, 2 * 1024 * 1024)
    assert answer(club, SMALL)[0] == 452
    line = wait_for(lambda: [x for x in club.log().splitlines() if x.startswith("error disk_full ")], 20)
    assert len(line) == 1 and str(club.small) in line[0] and "KB free" in line[0], line
    alert = wait_for(lambda: alerts(club), 20)[0]
    assert alert["alert"] == "disk_full" and str(club.small) in alert["text"], alert
    now = club.json("status")
    assert now["disk_full"] and "The disk is full" in club.command("status")
    (club.small / "foreign").unlink()
    wait_for(lambda: "warn disk_has_room " in club.log(), 30)
    assert answer(club, SMALL)[0] == 250 and not club.json("status")["disk_full"]
    wait_for(lambda: len(alerts(club)) == 2, 20)
    assert "has room again" in alerts(club)[1]["text"] and "full" not in alerts(club)[1]["text"]
    assert len([x for x in club.log().splitlines() if x.startswith("error disk_full ")]) == 1
    assert {e["kind"] for e in club.json("events", "--kind", "disk_full")} == {"disk_full"}


@pytest.mark.parametrize("message", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("left", [4 * 1024 * 1024 + 64 * 1024, 3 * 1024 * 1024, 0], ids=["a little", "the reserve", "nothing"])
def test_no_tenant_is_blamed(club, message, left):
    """What the disk does not have is not somebody's share of it."""
    fill(club, left)
    code, text = answer(club, message)
    assert code == 452 and text.startswith(b"4.3.1") or left > 4 << 20 and message is SMALL, (code, text)
    if code == 452:
        line = wait_for(lambda: [x for x in club.log().splitlines() if " store_failed " in x])[0]
        assert "the disk " in line and "share" not in line and " tenant" not in line, line
    assert "share_used_up" not in club.log()


def test_not_a_byte_is_left(club):
    """Delivery pauses, the status says so, and the alert comes when it can be written; nothing is lost."""
    fill(club, 0)
    assert answer(club, SMALL)[0] == 452
    assert club.json("status")["disk_full"]
    assert wait_for(lambda: [x for x in club.log().splitlines() if x.startswith("error disk_full ")], 20)
    (club.small / "foreign").unlink()
    wait_for(lambda: alerts(club), 30)
    wait_for(lambda: answer(club, SMALL)[0] == 250, 30)
    assert not club.json("status")["paused"]


def test_a_start_on_a_full_disk_says_so(club):
    club.stop()
    fill(club, 0)
    done = subprocess.run([club.program, "-c", club.config, "serve"], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "the disk is full" in done.stderr, done.stderr
    checked = club.command("config", "check", check=False)
    assert checked.returncode == 1 and f"state_dir {club.small}: the disk is full" in checked.stderr, checked
