"""What only root may read, certificates as certbot and lego leave them, passwords, included files, keys for DNS: the relay, which is root
no more, reads the renewed ones all the same. By a release build, started as root."""

import grp
import os
import pathlib
import pwd
import re
import shutil
import signal
import subprocess
import tempfile

import pytest
from conftest import wait_for
from test_rotation import ADDRESSES, Primary, World
from test_tls import certify, subject

pytestmark = pytest.mark.usefixtures("release")


@pytest.fixture
def tmp_path():
    """Where others than root may pass; pytest closes its own directory again whenever it begins."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="sealpost-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def foreign(relay_factory, tmp_path):
    """A relay that root starts and nobody owns, with a certificate and a key that are root's."""
    if os.geteuid() != 0:
        pytest.skip("needs root")

    def make(certificate, key, extra="", made=lambda relay: None):
        relay = relay_factory(extra)
        made(relay)
        text = relay.config.read_text()
        text = text.replace(str(relay.path / "cert.pem"), str(certificate)).replace(str(relay.path / "key.pem"), str(key))
        relay.config.write_text(text)
        subprocess.run(["chown", "-R", "nobody:nogroup", str(relay.path / "state"), str(relay.config)], check=True)
        return relay.start()

    return make


def pair(path, name, kind):
    certify(path, name, kind)
    return (path / f"{name}.crt").read_bytes(), (path / f"{name}.key").read_bytes()


class Certbot:
    """live/NAME/*.pem are links into archive/NAME, as certbot makes and replaces them."""

    def __init__(self, path):
        self.path, self.number = path / "letsencrypt", 0
        self.live, self.archive = self.path / "live" / "mail.club.test", self.path / "archive" / "mail.club.test"
        for directory in (self.live, self.archive):
            directory.mkdir(parents=True)
        for directory in (self.path, self.path / "live", self.path / "archive"):
            directory.chmod(0o700)

    def issue(self, certificate, key):
        self.number += 1
        for name, content, mode in (("privkey", key, 0o600), ("fullchain", certificate, 0o644)):
            target = self.archive / f"{name}{self.number}.pem"
            target.write_bytes(content)
            target.chmod(mode)
            link = self.live / f"{name}.pem"
            fresh = self.live / f"{name}.new"
            fresh.symlink_to(f"../../archive/mail.club.test/{target.name}")
            fresh.rename(link)


def test_certbots_renewal_is_served_though_only_root_may_read_it(foreign, tmp_path):
    certbot = Certbot(tmp_path)
    certbot.issue(*pair(tmp_path, "first", "ec"))
    relay = foreign(certbot.live / "fullchain.pem", certbot.live / "privkey.pem")
    nobody = str(pwd.getpwnam("nobody").pw_uid)
    status = pathlib.Path(f"/proc/{relay.process.pid}/status").read_text()
    assert re.search(rf"Uid:\s+{nobody}\s", status)
    assert subject(relay)[0] == "EC"
    certbot.issue(*pair(tmp_path, "second", "rsa"))
    wait_for(lambda: subject(relay)[0] == "RSA", 30, 0.5)
    assert "certificate_changed" in relay.log() and "reload" not in relay.log()
    # a reload reads them the same way, and so does the next renewal
    relay.reload()
    assert subject(relay)[0] == "RSA"
    certbot.issue(*pair(tmp_path, "third", "ec"))
    wait_for(lambda: subject(relay)[0] == "EC", 30, 0.5)
    # a config file that is being edited has nothing to do with it
    relay.config.write_text(relay.config.read_text() + 'limits { recipients = 1 }\nlimits { siz')
    certbot.issue(*pair(tmp_path, "fourth", "rsa"))
    wait_for(lambda: subject(relay)[0] == "RSA", 30, 0.5)
    assert relay.log().count(" reloaded ") == 1 and "reload_refused" not in relay.log()


def test_legos_renewal_and_half_of_one(foreign, tmp_path):
    lego = tmp_path / "lego" / "certificates"
    lego.mkdir(parents=True)
    (tmp_path / "lego").chmod(0o700)
    certificate, key = lego / "mail.club.test.crt", lego / "mail.club.test.key"

    def put(path, content):
        path.write_bytes(content)
        path.chmod(0o600)

    first, second = pair(tmp_path, "first", "ec"), pair(tmp_path, "second", "rsa")
    put(certificate, first[0])
    put(key, first[1])
    relay = foreign(certificate, key)
    before = subject(relay)
    put(certificate, second[0])  # and there it stops, for now
    wait_for(lambda: "certificate_refused" in relay.log(), 30, 0.5)
    assert re.search(r"key .*mail\.club\.test\.key does not belong to certificate .*mail\.club\.test\.crt", relay.log())
    assert subject(relay) == before
    put(key, second[1])
    wait_for(lambda: subject(relay)[0] == "RSA", 30, 0.5)
    for content, words in ((b"", "it holds no private key in PEM format"), (second[1][:300], "the key is damaged"),
                           (None, "No such file or directory")):
        if content is None:
            key.unlink()
        else:
            put(key, content)
        wait_for(lambda: words in relay.log(), 30, 0.5)
    put(key, second[1])
    assert subject(relay)[0] == "RSA" and "system lib" not in relay.log() and "PEM lib" not in relay.log()


def test_who_opens_them_has_no_other_right(foreign, tmp_path):
    certbot = Certbot(tmp_path)
    certbot.issue(*pair(tmp_path, "first", "ec"))
    relay = foreign(certbot.live / "fullchain.pem", certbot.live / "privkey.pem")
    children = pathlib.Path(f"/proc/{relay.process.pid}/task/{relay.process.pid}/children").read_text().split()
    caps = []
    for child in children:
        text = pathlib.Path(f"/proc/{child}/status").read_text()
        status = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
        assert str(pwd.getpwnam("nobody").pw_uid) in status["Uid"].split() and "0" not in status["Uid"].split()
        assert status["NoNewPrivs"] == "1"
        caps.append(int(status["CapEff"], 16))
        if caps[-1]:
            assert status["Seccomp"] == "2" and int(status["CapBnd"], 16) == 0 and int(status["CapPrm"], 16) == caps[-1]
            wait_for(lambda: sorted(os.listdir(f"/proc/{child}/fd")) == ["0", "1", "2", "3"])  # none of the relay's
    assert sorted(caps) == [0, 1 << 2]  # the helper; CAP_DAC_READ_SEARCH of who opens
    relay.process.send_signal(signal.SIGKILL)
    relay.process.wait()
    relay.process = None
    wait_for(lambda: not any(os.path.exists(f"/proc/{child}") for child in children))


def test_a_password_that_only_root_may_read_survives_a_reload(foreign, tmp_path):
    certify(tmp_path, "main")
    secret = tmp_path / "secret" / "smarthost"
    secret.parent.mkdir(mode=0o700)
    secret.write_text("hidden\n")
    secret.chmod(0o600)
    relay = foreign(tmp_path / "main.crt", tmp_path / "main.key",
                    f'route "smart.test" {{ host = "127.0.0.1" username = "u" password_file = "{secret}" }}')
    relay.reload()
    assert "reload_refused" not in relay.log()


def without_dns(relay):
    """What the test says of DNS holds."""
    text = relay.config.read_text()
    relay.config.write_text(text.replace(f'dns {{ forward = {{"127.0.0.1@{relay.dns.port}"}} }}\n', ""))


def only_for_root(path, text):
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)


@pytest.mark.parametrize("name", ["{0}/conf.d/*.conf", "conf.d/??-*.conf", "{0}/conf.d/10-own.conf"])
def test_included_files_that_only_root_may_read_survive_a_reload(foreign, tmp_path, name):
    """Those of the start, those that come later, and those that lie elsewhere, under a link. What the pattern does not name is not for us."""
    own = tmp_path / "relay0" / "conf.d" if not name.startswith("{0}") else tmp_path / "conf.d"

    def made(relay):
        only_for_root(own / "10-own.conf", "limits { recipients = 7 }\n")
        only_for_root(tmp_path / "available" / "one", 'stream "linked" { class = "digest" }\n')
        (own / "30-link.conf").symlink_to(tmp_path / "available" / "one")

    name = name.format(tmp_path)
    relay = foreign(tmp_path / "relay0" / "cert.pem", tmp_path / "relay0" / "key.pem", f'include "{name}"\n', made)
    relay.reload()
    assert "reload_refused" not in relay.log()
    only_for_root(own / "10-own.conf", "limits { recipients = 1 }\n")
    only_for_root(own / "other.txt", "limits {\n")
    if "*" in name:
        only_for_root(own / "20-later.conf", 'stream "later" { class = "digest" }\n')
    relay.reload()
    with relay.client() as client:
        client.ehlo()
        assert "RCPTMAX=1" in client.esmtp_features["limits"]
        if "*" in name:
            text = b"From: <hello@club.test>\r\nTo: <bob@dest.test>\r\nSealpost-Stream: later\r\n\r\nx\r\n"
            client.sendmail("hello@club.test", ["bob@dest.test"], text)
    only_for_root(own / "10-own.conf", "limits { recipients = 0 }\n")
    relay.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "reload_refused" in relay.log())
    assert "10-own.conf:1: " in relay.log()


def test_a_key_for_dns_that_only_root_may_read(foreign, tmp_path):
    """nsupdate gets what is in it, each time anew, although it is run by the relay's account: to servers that ask for the key."""
    world = World(tmp_path)
    try:
        certify(tmp_path, "main")
        key = tmp_path / "secret" / "tsig"
        only_for_root(key, f'key "updater" {{ algorithm hmac-sha256; secret "{Primary.secret}"; }};\n')
        relay = foreign(tmp_path / "main.crt", tmp_path / "main.key", f'dkim {{ zone = "keys.test" server = "{ADDRESSES[0]}" tsig_key = "{key}" lifetime = 10 ttl = 2 }}\n'
                        f'dns {{ forward = {{"127.0.0.1@{world.resolver.port}"}} }}', without_dns)
        for domain in ("shop.test", "dest.test"):
            relay.json("domain", "add", domain, "--no-capture")
            wait_for(lambda: world.servers[0].ask(f"sp1.{domain}.keys.test", "TXT"), 30)
            relay.reload()
        key.write_text("no key at all\n")
        relay.command("domain", "add", "extra.test", "--no-capture")
        wait_for(lambda: "key_not_published" in relay.log(), 30)
        assert Primary.secret not in relay.log()
    finally:
        world.stop()


@pytest.mark.parametrize("certificate, key, words", [
    ("missing", "good", "No such file or directory"),
    ("directory", "good", "Is a directory"),
    ("good", "empty", "it holds no private key in PEM format"),
    ("empty", "good", "it holds no certificate in PEM format"),
    ("broken", "good", "the certificate is damaged"),
    ("good", "other", "does not belong to certificate"),
    ("good", "encrypted", "the key is encrypted: give it without a passphrase"),
    ("encrypted", "good", "the certificate is encrypted: give it without a passphrase"),
    ("encrypted-chain", "good", "a certificate of the chain is encrypted: give it without a passphrase"),
    ("good", "fifo", "Invalid argument"),
])
def test_each_fault_of_a_certificate_has_its_reason(relay_factory, tmp_path, certificate, key, words):
    relay = relay_factory()
    certify(tmp_path, "good")
    certify(tmp_path, "other")
    (tmp_path / "directory.crt").mkdir()
    for name in ("empty.crt", "empty.key"):
        (tmp_path / name).write_text("")
    (tmp_path / "broken.crt").write_bytes((tmp_path / "good.crt").read_bytes().replace(b"M", b"!", 3))
    subprocess.run(["openssl", "ec", "-in", str(tmp_path / "good.key"), "-aes256", "-passout", "pass:x", "-out",
                    str(tmp_path / "encrypted.key")], check=True, capture_output=True)
    whole = (tmp_path / "good.crt").read_text()
    header = f"Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,{32 * '0'}\n\n"
    encrypted = whole.replace("CERTIFICATE-----\n", f"CERTIFICATE-----\n{header}", 1)
    (tmp_path / "encrypted.crt").write_text(encrypted)
    (tmp_path / "encrypted-chain.crt").write_text(whole + encrypted)
    os.mkfifo(tmp_path / "fifo.key")
    text = relay.config.read_text().replace(str(relay.path / "cert.pem"), f"{tmp_path}/{certificate}.crt")
    relay.config.write_text(text.replace(str(relay.path / "key.pem"), f"{tmp_path}/{key}.key"))
    done = relay.command("config", "check", check=False)
    assert done.returncode == 1 and words in done.stderr and f"{tmp_path}/{certificate if certificate != 'good' else key}" in done.stderr
    served = relay.command("serve", check=False)
    assert served.returncode == 1 and words in served.stderr


@pytest.mark.parametrize("tool", ["certbot", "lego"])
def test_the_hook_gives_a_renewed_pair_to_a_relay_that_was_never_root(tmp_path, tool):
    certificate, key = pair(tmp_path, "renewed", "ec")
    lineage = tmp_path / "live"
    lineage.mkdir(mode=0o700)
    (lineage / "fullchain.pem").write_bytes(certificate)
    (lineage / "privkey.pem").write_bytes(key)
    named = {"certbot": {"RENEWED_LINEAGE": str(lineage)},
             "lego": {"LEGO_CERT_PATH": str(lineage / "fullchain.pem"), "LEGO_CERT_KEY_PATH": str(lineage / "privkey.pem")}}[tool]
    to, group = tmp_path / "tls", os.getgid() if os.geteuid() else grp.getgrnam("nogroup").gr_gid
    hook = pathlib.Path(__file__).resolve().parents[2] / "contrib" / "hooks" / "certbot-deploy"
    subprocess.run([str(hook)], check=True, env={**os.environ, **named, "SEALPOST_TLS": str(to), "SEALPOST_GROUP": str(group)})
    assert (to / "fullchain.pem").read_bytes() == certificate and (to / "privkey.pem").read_bytes() == key
    for path, mode in ((to, 0o750), (to / "fullchain.pem", 0o640), (to / "privkey.pem", 0o640)):
        assert path.stat().st_mode & 0o777 == mode and path.stat().st_gid == group
    assert len(list(to.iterdir())) == 2


def test_when_what_opens_files_has_ended_people_are_told_what_to_do(foreign, tmp_path):
    pair(tmp_path, "main", "rsa")
    relay = foreign(tmp_path / "main.crt", tmp_path / "main.key")
    for child in pathlib.Path(f"/proc/{relay.process.pid}/task/{relay.process.pid}/children").read_text().split():
        os.kill(int(child), signal.SIGKILL)
    said = subprocess.run([relay.program, "-c", relay.config, "reload"], capture_output=True, text=True)
    assert said.returncode != 0 and "restart the relay" in said.stderr, said.stderr
