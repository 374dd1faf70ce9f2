"""The snippets of contrib/doc/applications.md, as they are printed there: each sends its message through a relay over verified TLS.

Kind: an example that nobody has run. What differs here is the host, the ports, the domain and the recipient.
"""

import email
import os
import pathlib
import re
import shutil
import subprocess
import textwrap

import pytest

from test_tls import certify

TOP = pathlib.Path(__file__).resolve().parents[2]
PHPMAILER = "/usr/share/php/libphp-phpmailer"  # where Debian puts it
PAGE = (TOP / "contrib/doc/applications.md").read_text()


def blocks(language):
    """The page's blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.M | re.S)


@pytest.fixture
def relay(relay_factory, dns):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory()
    certify(relay.path, "localhost", host="localhost")
    (relay.path / "localhost.crt").rename(relay.path / "cert.pem")
    (relay.path / "localhost.key").rename(relay.path / "key.pem")
    return relay.start()


class Place:
    """A directory with an application in it, which trusts the relay's certificate in the way that the page says."""

    def __init__(self, path, relay):
        self.path, self.relay = path, relay
        certificate = str(relay.path / "cert.pem")
        self.environment = {**os.environ, "SEALPOST_PASSWORD": relay.secret, "SSL_CERT_FILE": certificate,
                            "NODE_EXTRA_CA_CERTS": certificate, "HOME": str(path), "GOCACHE": str(path / "cache"), "GO111MODULE": "off"}

    def here(self, code):
        code = re.sub(r"\b587\b", str(self.relay.submission), re.sub(r"\b465\b", str(self.relay.submissions), code))
        code = code.replace("someone@example.org", "bob@dest.test").replace("mail.club.example", "localhost")
        return code.replace("club.example", "club.test")

    def write(self, name, code):
        (self.path / name).write_text(code)
        return name

    def run(self, *command):
        if not shutil.which(command[0]):
            if os.environ.get("CI") and (command[0] not in ("go", "java", "keytool") or os.environ.get("SEALPOST_LONG")):
                pytest.fail(f"{command[0]} is not installed")
            pytest.skip(f"{command[0]} is not installed")
        done = subprocess.run([str(word) for word in command], cwd=self.path, env=self.environment, capture_output=True, text=True,
                              timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr


def django(place):
    settings, sending, _ = map(place.here, blocks("python"))
    place.write("settings.py", settings)
    place.write("send.py", "import django\ndjango.setup()\n" + sending)
    place.environment["DJANGO_SETTINGS_MODULE"] = "settings"
    place.run("/usr/bin/python3", "send.py")


def python(place):
    place.run("/usr/bin/python3", place.write("send.py", place.here(blocks("python")[2])))


def rails(place):
    settings, mailer = map(place.here, blocks("ruby"))
    place.run("ruby", place.write("send.rb", textwrap.dedent("""\
        require "action_mailer"
        config = Struct.new(:action_mailer).new(ActionMailer::Base)
        class ApplicationMailer < ActionMailer::Base; end
        """) + settings + mailer))


def node(place):
    modules = os.environ.get("NODE_MODULES", "")
    assert os.path.isdir(modules + "/nodemailer"), "nodemailer is not installed"
    place.environment["NODE_PATH"] = modules
    place.run("node", place.write("send.cjs", place.here(blocks("js")[0])))


def php(place):
    place.write("library.php", "<?php\n" + "".join(f"require '{PHPMAILER}/src/{name}.php';\n" for name in ("Exception", "SMTP", "PHPMailer")))
    place.run("php", "-d", "auto_prepend_file=library.php", place.write("send.php", place.here(blocks("php")[0])))


def java(place):
    if not pathlib.Path("/usr/share/java/jakarta-mail.jar").exists() and not os.environ.get("SEALPOST_LONG"):
        pytest.skip("libjakarta-mail-java is not installed")
    place.write("Booking.java", place.here(blocks("java")[0]))
    place.run("keytool", "-importcert", "-noprompt", "-alias", "relay", "-file", place.relay.path / "cert.pem", "-keystore", "relay.p12",
              "-storepass", "changeit")
    place.run("java", "-Djavax.net.ssl.trustStore=relay.p12", "-Djavax.net.ssl.trustStorePassword=changeit", "-cp",
              "/usr/share/java/jakarta-mail.jar:/usr/share/java/jakarta-activation.jar", "Booking.java")


def go(place):
    place.write("main.go", place.here(blocks("go")[0]))
    place.run("go", "run", "main.go")


@pytest.mark.parametrize("language", [django, python, rails, node, php, java, go], ids=lambda f: f.__name__)
def test_a_snippet_sends_its_message(relay, sink_factory, tmp_path, language):
    sink = sink_factory(records=relay.records)
    (tmp_path / "application").mkdir()
    language(Place(tmp_path / "application", relay))
    about, raw = sink.wait(1, 30)[0]
    message = email.message_from_bytes(raw)
    assert about["dkim"] == "pass" and message["Subject"] == "Court 3 is yours"
    assert message["Sealpost-Stream"] is None and message["Sealpost-Idempotency-Key"] is None


@pytest.mark.parametrize("language", [python, rails, node, php], ids=lambda f: f.__name__)
def test_a_certificate_that_is_not_trusted_is_noticed(relay, sink, tmp_path, language):
    place = Place(tmp_path, relay)
    for name in ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"):
        del place.environment[name]
    with pytest.raises(AssertionError, match="(?i)certificate"):
        language(place)
    assert relay.queue() == [] and sink.messages() == []


def test_no_block_of_the_page_is_left_out():
    assert [len(blocks(name)) for name in ("python", "ruby", "js", "php", "java", "go")] == [3, 2, 1, 1, 1, 1]
    assert PAGE.count("```") == 2 * 9
