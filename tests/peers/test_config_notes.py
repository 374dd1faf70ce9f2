"""What config check says of settings that are allowed and yet do not do what is meant, and of a place where serve could not work."""

import os
import re
import shutil
import subprocess

import pytest

from test_config import made, still  # noqa: F401: fixtures

pytestmark = pytest.mark.usefixtures("release")


def notes(relay, more=""):
    relay.config.write_text(relay.config.read_text() + more + "\n")
    said = relay.command("config", "check")
    assert "is good" in said
    return [line.removeprefix("note: ") for line in said.splitlines() if line.startswith("note: ")]


def about(word, lines):
    return [line for line in lines if word in line]


@pytest.mark.parametrize("more, named", [
    ("", []),
    ('stream "bank" { class = "security"  tls = "verify" }', ["stream bank"]),
    ('requiretls = "on"', ["REQUIRETLS"]),
])
def test_dane_that_nothing_validates_is_told(still, more, named):
    """A forwarder is asked, and DNSSEC is off by that."""
    line, = about("DANE", notes(still, more))
    number = next(n for n, text in enumerate(still.config.read_text().splitlines(), 1) if text.startswith("dns {"))
    assert line.startswith(f"{still.config}:{number}: dns: ") and 'dnssec = "on"' in line, line
    for word in ("stream bank", "REQUIRETLS"):
        assert (word in line) == (word in named), line


@pytest.mark.parametrize("off", ["dane", "no forwarder"])
def test_no_dane_is_missed_where_none_is_wanted_or_it_works(still, off):
    text = still.config.read_text()
    if off == "dane":
        text = text.replace("delivery { private", 'delivery { dane = "off"  private')
    else:
        text = re.sub(r"\ndns \{.*\}\n", "\n", text)
        if not os.path.exists("/usr/share/dns/root.key"):
            pytest.skip("there is no trust anchor here")
    still.config.write_text(text)
    assert not about("DANE", notes(still))


def test_a_certificate_of_another_name_is_told(still):
    assert not about("does not name", notes(still))
    still.config.write_text(re.sub(r'(?m)^(hostname +=) "mail\.', r'\1 "relay.', still.config.read_text()))
    line, = about("does not name", notes(still))
    assert "cert.pem" in line and "relay.club.test" in line and re.search(r"sealpost\.conf:\d+: ", line), line


def test_reports_that_nobody_can_sign_are_told(still):
    line, = about("tlsrpt", notes(still, 'tlsrpt { contact = "x@nosuch.example" }'))
    assert f"{still.config}:" in line and "nosuch.example" in line and "sealpost domain add nosuch.example" in line, line


@pytest.mark.parametrize("sender", ['contact = "x@club.test"', 'contact = "x@nosuch.example" from = "y@sub.club.test" sign = "club.test"'])
def test_reports_that_can_be_signed_are_not(still, sender):
    assert not about("tlsrpt", notes(still, f"tlsrpt {{ {sender} }}"))


@pytest.mark.parametrize("setting", ["dane", "mta_sts"])
def test_a_note_names_the_setting_that_is_of_no_use(still, setting):
    line, = about("of no use", notes(still, f'route "x.test" {{ tls = "verify"  {setting} = "off" }}'))
    assert f"route x.test: {setting} is of no use where tls is " in line, line


def test_what_is_shown_of_defaults_gives_no_note(still):
    notes(still, 'route "x.test" { tls = "verify" }')
    shown = still.command("config", "show")
    assert 'dane = "on"' in shown
    still.config.write_text(shown)
    assert not about("of no use", notes(still))


def given_away(relay):
    """It is nobody's."""
    for parent in [relay.path, *relay.path.parents]:
        if str(parent).startswith("/tmp/"):
            parent.chmod(0o755)
    (relay.path / "state" / "lock").touch(mode=0o600)
    subprocess.run(["chown", "-R", "nobody:nogroup", str(relay.path)], check=True)
    assert "is good" in relay.command("config", "check")
    return relay.path / "state"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")
def test_a_key_that_the_relay_cannot_read_is_told(relay_factory):
    relay = relay_factory()
    state = given_away(relay)
    key = next((state / "keys").glob("*.pem"))
    os.chown(key, 0, 0)
    key.chmod(0o600)
    done = relay.command("config", "check", check=False)
    line, = [line for line in (done.stdout + done.stderr).splitlines() if key.name in line]
    assert done.returncode == 1 and "root" in line and "chown -R" in line and "mail of club.test is refused (451)" in line, done
    key.chmod(0o644)
    done = relay.command("config", "check", check=False)
    assert done.returncode == 1 and "chmod 600" in done.stderr, done  # as serve takes none that others can read
    os.chown(key, state.stat().st_uid, state.stat().st_gid)
    key.chmod(0o600)
    assert key.name not in relay.command("config", "check")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")
@pytest.mark.parametrize("part", ["state.db", "the directory", "spool", "lock"])
def test_a_store_of_another_account_is_told_as_serve_would(relay_factory, part):
    """Root may look at all of it; the relay, which becomes the directory's owner, may not."""
    relay = relay_factory()
    state = given_away(relay)
    other = state if part == "the directory" else state / part
    os.chown(other, 0, 0)
    os.chmod(other, 0o700 if other.is_dir() else 0o600)
    checked, served = (relay.command(*words, check=False) for words in (("config", "check"), ("serve",)))
    owner = "nobody" if part == "the directory" else "root"
    for done in (checked, served):
        assert done.returncode == 1 and "state_dir: " in done.stderr and f"belongs to {owner}" in done.stderr, done
        assert f"the relay becomes {'root' if part == 'the directory' else 'nobody'}" in done.stderr, done
        assert "chown -R" in done.stderr, done
    assert checked.stderr.splitlines()[0][:100] in served.stderr


def test_a_fetcher_that_is_missing_is_told_with_both_its_places(still, tmp_path):
    program = tmp_path / "bin" / "sealpost"
    program.parent.mkdir()
    shutil.copy(still.program, program)
    done = subprocess.run([program, "-c", still.config, "config", "check"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and f"neither in {tmp_path}/bin nor in {tmp_path}/libexec/sealpost:" in done.stderr, done


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")
@pytest.mark.parametrize("account", ["root", "nobody"])
def test_a_parent_that_the_relay_cannot_pass_is_named(relay_factory, account):
    """The directory is the account's own, and what is above it is closed; root alone can read the certificate, which is there, too."""
    relay = relay_factory()
    state = given_away(relay)
    os.chown(relay.path, 0, 0)
    relay.path.chmod(0o700)
    relay.config.rename(relay.path.parent / f"{relay.path.name}.conf")
    config = relay.path.parent / f"{relay.path.name}.conf"
    for words in (("config", "check"), ("serve",))[:2 if account == "root" else 1]:
        done = subprocess.run([relay.program, "-c", config, *words], capture_output=True, text=True, timeout=60,
                              user=account, group=0 if account == "root" else 65534, extra_groups=[])
        assert done.returncode == 1, done
        line, = [line for line in done.stderr.splitlines() if "state_dir" in line]
        assert f"{relay.path}, which leads to it, belongs to root with mode 700" in line and "chmod o+x" in line, line
        assert "nobody cannot pass it" in line, line
    assert state.parent == relay.path
