"""TLS as RFC 9325 has it: versions, ciphers, certificates of two kinds and by name, files that change, tickets, expiry."""

import json
import os
import re
import socket
import subprocess
import time

import pytest
from conftest import free_port, wait_for


def certify(path, name, kind="ec", days=90, host="mail.club.test"):
    options = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if kind == "ec" else ["-newkey", "rsa:2048"]
    subprocess.run(["openssl", "req", "-x509", *options, "-nodes", "-days", str(days), "-subj", f"/CN={host}", "-addext",
                    f"subjectAltName=DNS:{host}", "-keyout", str(path / f"{name}.key"), "-out", str(path / f"{name}.crt")],
                   check=True, capture_output=True)


def s_client(relay, *options, starttls=False, input="QUIT\r\n", port=None):
    where = ["-starttls", "smtp"] if starttls else []
    port = port or (relay.submission if starttls else relay.submissions)
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *where, *options],
                          capture_output=True, text=True, input=input, timeout=30, errors="replace")
    return done.stdout + done.stderr


def subject(relay, *options):
    text = s_client(relay, *options)
    begin = text.find("-----BEGIN CERTIFICATE")
    assert begin >= 0, text
    shown = subprocess.run(["openssl", "x509", "-noout", "-subject", "-fingerprint", "-text"], capture_output=True, text=True,
                           input=text[begin:]).stdout
    return ("EC" if "id-ecPublicKey" in shown else "RSA"), re.search("CN ?= ?(.*)", shown)[1], shown.splitlines()[1]


@pytest.mark.memory
def test_certificates_of_two_kinds_and_by_name(relay_factory, tmp_path):
    certify(tmp_path, "rsa", "rsa")
    certify(tmp_path, "other", host="mail.other.test")
    certify(tmp_path, "other-rsa", "rsa", host="mail.other.test")
    sections = "".join(f'certificate "{n}" {{ file = "{tmp_path}/{n}.crt" key = "{tmp_path}/{n}.key" server = "{s}" }}\n'
                       for n, s in (("rsa", ""), ("other", "mail.other.test"), ("other-rsa", "mail.other.test")))
    relay = relay_factory(sections).start()
    assert subject(relay)[:2] == ("EC", "mail.club.test")
    assert subject(relay, "-sigalgs", "RSA-PSS+SHA256", "-tls1_3")[0] == "RSA"
    assert subject(relay, "-cipher", "ECDHE-RSA-AES128-GCM-SHA256", "-tls1_2")[0] == "RSA"
    assert subject(relay, "-servername", "MAIL.other.test")[:2] == ("EC", "mail.other.test")
    assert subject(relay, "-servername", "mail.other.test", "-sigalgs", "RSA-PSS+SHA256")[:2] == ("RSA", "mail.other.test")
    assert subject(relay, "-servername", "nobody.test")[1] == "mail.club.test"
    shown = relay.command("config", "show")
    assert shown.count("certificate \"") == 3 and 'server = "mail.other.test"' in shown
    relay.config.write_text(relay.config.read_text() + 'certificate "half" { file = "/x" }\n')
    done = relay.command("config", "check", check=False)
    assert done.returncode == 1 and "certificate half: needs file and key" in done.stderr


def test_only_what_rfc_9325_allows(relay_factory):
    relay = relay_factory().start()
    for options in (("-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"), ("-tls1", "-cipher", "DEFAULT@SECLEVEL=0"),
                    ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"), ("-tls1_2", "-cipher", "AES128-SHA256"),
                    ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-SHA384")):
        assert "Cipher is (NONE)" in s_client(relay, *options), options
    for starttls in (False, True):
        assert "TLS_AES_128_GCM_SHA256" in s_client(relay, "-tls1_3", starttls=starttls)  # RFC 8446 section 9.1: all have it
        assert "TLS_AES_256_GCM_SHA384" in s_client(relay, "-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384", starttls=starttls)
        assert "ECDHE-ECDSA-AES" in s_client(relay, "-tls1_2", starttls=starttls)
    text = s_client(relay, "-tls1_2", input="R\n")  # T11: the client asks to negotiate again
    assert "no renegotiation" in text or "RENEGOTIATING" in text and "221" not in text
    assert "Compression: NONE" in text
    # T12: a client that speaks of another protocol
    assert "no application protocol" in s_client(relay, "-alpn", "http/1.1")
    assert "ALPN protocol: smtp" in s_client(relay, "-alpn", "smtp")


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_session_is_resumed(relay_factory, tmp_path, version):
    relay = relay_factory().start()
    def client(*options):  # stays until it has the greeting, and with it the ticket
        process = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{relay.submissions}", version, *options],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        time.sleep(1)
        return process.communicate("QUIT\r\n", timeout=20)[0]

    assert "Reused" not in client("-sess_out", str(tmp_path / "session"))
    assert "Reused, TLS" in client("-sess_in", str(tmp_path / "session"))
    relay.stop()
    relay.start()  # other keys: the ticket is no good, the handshake is
    assert "New, TLS" in client("-sess_in", str(tmp_path / "session"))


def ticket_key_names(port):
    """The names of the keys that seal two TLS 1.2 tickets (RFC 5077 section 4)."""
    names = []
    for _ in range(2):
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-starttls", "smtp", "-tls1_2"], capture_output=True,
                              text=True, input="QUIT\r\n", timeout=30, errors="replace")
        found = re.search(r"TLS session ticket:\s+0000 - ([0-9a-f -]{47})", done.stdout)
        assert found, done.stdout
        names.append(re.sub("[ -]", "", found[1]))
    assert names[0] == names[1]
    return names[0]


def test_every_server_seals_its_tickets_with_a_key_of_its_own(relay_factory, sink_factory):
    """Kind: a key that is made only where somebody thought of it. The relay rotates its keys; a sink has nobody who does."""
    relay = relay_factory().start()
    names = {ticket_key_names(port) for port in (sink_factory(port=free_port()).port, sink_factory(port=free_port()).port, relay.submission)}
    assert len(names) == 3 and "00" * 16 not in names


@pytest.mark.memory
def test_files_that_change_are_read_again(relay_factory, tmp_path):
    relay = relay_factory()
    certify(tmp_path, "main")
    relay.config.write_text(relay.config.read_text().replace(str(relay.path / "cert.pem"), f"{tmp_path}/main.crt")
                            .replace(str(relay.path / "key.pem"), f"{tmp_path}/main.key"))
    relay.start()
    before = subject(relay)
    with socket.create_connection(("127.0.0.1", relay.submission)):  # a session that has begun goes on
        certify(tmp_path, "main", "rsa")
        wait_for(lambda: subject(relay)[0] == "RSA", 30, 0.5)
        assert subject(relay)[2] != before[2]
    assert "certificate_changed" in relay.log()
    (tmp_path / "main.key").write_text("no key\n")
    wait_for(lambda: "certificate_refused" in relay.log(), 30, 0.5)
    assert subject(relay)[0] == "RSA"  # the old one stays


def test_expiry_is_told_in_time(relay_factory, tmp_path):
    relay = relay_factory()
    certify(tmp_path, "main", days=20)
    relay.config.write_text(relay.config.read_text().replace(str(relay.path / "cert.pem"), f"{tmp_path}/main.crt")
                            .replace(str(relay.path / "key.pem"), f"{tmp_path}/main.key"))
    said = relay.command("config", "check")
    assert re.search(rf"the certificate in {tmp_path}/main.crt expires in (19|20) days, on 20\d\d-\d\d-\d\d: renew it", said), said
    relay.start()
    wait_for(lambda: "certificate_expires" in relay.log())
    wait_for(lambda: any(e["kind"] == "certificate" for e in relay.json("events")))
    certify(tmp_path, "main", days=60)
    assert "expires" not in relay.command("config", "check")


@pytest.mark.parametrize("which", ["submissions", "submission", "http"])
def test_testssl_finds_nothing_below_a(relay_factory, tmp_path, which):
    """testssl.sh with the checks that its grade depends on; a chain of a real authority cannot be had here."""
    page = free_port()
    relay = relay_factory(f'http {{ address = "127.0.0.1:{page}" tls = "implicit" url = "https://u.club.test" }}\n'
                          'stream "news" { class = "digest" unsubscribe = "one-click" }').start()
    options = {"submissions": [], "submission": ["-t", "smtp"], "http": []}[which]
    port = {"submissions": relay.submissions, "submission": relay.submission, "http": page}[which]
    report = tmp_path / "report.json"
    checks = ["-p", "-s", "-f", "-H", "-R", "-C", "-Z", "-W", "-F", "-L"]
    if os.environ.get("SEALPOST_LONG"):
        checks = []
    subprocess.run(["testssl", "--quiet", "--color", "0", "--warnings", "off", "--openssl-timeout", "10", "--jsonfile",
                    str(report), *options, *checks, f"127.0.0.1:{port}"], capture_output=True, text=True, timeout=500, input="")
    found = json.loads(report.read_text())
    bad = [f for f in found if f["severity"] in ("MEDIUM", "HIGH", "CRITICAL") and not f["id"].startswith(
        ("cert_chain_of_trust", "cert_trust", "cert_caIssuers", "cert_revocation", "DNS_CAArecord", "cert_notAfter",
         "cert_extlifeSpan", "cert_validityPeriod", "OCSP_stapling", "HSTS", "security_headers"))]
    assert len(found) > 20 and not bad, bad
