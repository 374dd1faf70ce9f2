"""The way in: real clients, each over 587 (STARTTLS) and 465 (TLS)."""

import email
import os
import re
import socket
import ssl
import subprocess
import textwrap

import pytest

import postfix as postfix_package
from conftest import dkim_passes, split_copy, wait_for

BODY = "line one\n.dot line\n..two dots\n\nend\n"
MESSAGE = f"From: <hello@club.test>\nTo: <bob@dest.test>\nSubject: from a real client\n\n{BODY}"


def run(*command, input=None, cwd=None, env=None):
    done = subprocess.run(command, capture_output=True, text=True, input=input, timeout=120, cwd=cwd,
                          env={**os.environ, **(env or {})})
    assert done.returncode == 0, done.stdout + done.stderr


def swaks(relay, implicit, tmp_path):
    mechanism = "LOGIN" if implicit else "PLAIN"
    port = relay.submissions if implicit else relay.submission
    run("swaks", "--server", f"127.0.0.1:{port}", "--tlsc" if implicit else "--tls", "--auth", mechanism, "--auth-user",
        "app", "--auth-password", relay.secret, "--from", "hello@club.test", "--to", "bob@dest.test", "--data",
        MESSAGE.replace("\n", "\\n"))


def curl(relay, implicit, tmp_path):
    (tmp_path / "message").write_text(MESSAGE.replace("\n", "\r\n"))
    url = f"smtps://127.0.0.1:{relay.submissions}" if implicit else f"smtp://127.0.0.1:{relay.submission}"
    run("curl", "-sS", "--ssl-reqd", "-k", "--url", url, "--user", f"app:{relay.secret}", "--mail-from",
        "hello@club.test", "--mail-rcpt", "bob@dest.test", "--upload-file", str(tmp_path / "message"))


def msmtp(relay, implicit, tmp_path):
    run("msmtp", "-C", "/dev/null", "--host=127.0.0.1", f"--port={relay.submissions if implicit else relay.submission}",
        "--auth=on", "--user=app", f"--passwordeval=echo {relay.secret}", "--tls=on",
        f"--tls-starttls={'off' if implicit else 'on'}", "--tls-certcheck=off", "--from=hello@club.test", "bob@dest.test",
        input=MESSAGE)


def smtplib_(relay, implicit, tmp_path):
    with relay.client(implicit=implicit) as client:
        client.sendmail("hello@club.test", "bob@dest.test", MESSAGE)


def nodemailer(relay, implicit, tmp_path):
    modules = os.environ.get("NODE_MODULES", "")
    assert os.path.isdir(modules + "/nodemailer"), "nodemailer is not installed"
    (tmp_path / "send.cjs").write_text(textwrap.dedent(f"""
        const nodemailer = require({modules + "/nodemailer"!r});
        const transport = nodemailer.createTransport({{host: "127.0.0.1", secure: {str(implicit).lower()},
            port: {relay.submissions if implicit else relay.submission}, requireTLS: true,
            auth: {{user: "app", pass: {relay.secret!r}}}, tls: {{rejectUnauthorized: false}}}});
        transport.sendMail({{envelope: {{from: "hello@club.test", to: "bob@dest.test"}},
            raw: {MESSAGE!r}}}).then(() => transport.close(), (e) => {{ console.error(e); process.exit(1); }});
        """))
    run("node", str(tmp_path / "send.cjs"))


def postfix(relay, implicit, tmp_path):
    """Debian's Postfix as an application's local mail server, with the relay as its smart host."""
    port = relay.submissions if implicit else relay.submission
    (tmp_path / "password").write_text(f"[127.0.0.1]:{port} app:{relay.secret}\n")
    server = postfix_package.Instance(tmp_path / "postfix", f"""
        myhostname = app.club.test
        relayhost = [127.0.0.1]:{port}
        smtp_sasl_auth_enable = yes
        smtp_sasl_password_maps = texthash:{tmp_path}/password
        smtp_sasl_security_options = noanonymous
        smtp_tls_security_level = encrypt
        smtp_tls_wrappermode = {"yes" if implicit else "no"}
        """)
    try:
        wait_for(lambda: (server.path / "queue" / "public" / "pickup").exists(), 20)
        run("sendmail", "-C", str(server.conf), "-f", "hello@club.test", "bob@dest.test", input=MESSAGE,
            env={"MAIL_CONFIG": str(server.conf)})
        wait_for(lambda: "status=sent" in server.log_text(), 30)
    finally:
        server.stop()


@pytest.mark.parametrize("implicit", [False, True], ids=["587", "465"])
@pytest.mark.parametrize("client", [swaks, curl, msmtp, smtplib_, nodemailer, postfix], ids=lambda f: f.__name__.strip("_"))
def test_a_real_client_submits(relay, sink, dns, tmp_path, client, implicit):
    client(relay, implicit, tmp_path)
    about, raw = sink.wait(1, 30)[0]
    assert about["dkim"] == "pass" and about["tls"] and dkim_passes(raw, dns)
    parsed = email.message_from_bytes(raw)
    assert parsed["Subject"] == "from a real client"
    assert parsed.get_payload().replace("\r\n", "\n").rstrip("\n") == BODY.rstrip("\n")
    assert re.search(rb"with (ESMTPSA|UTF8SMTPSA) id", split_copy(raw)[1])  # some versions of msmtp say SMTPUTF8


def test_chosen_passwords_work_and_wrong_ones_do_not(relay):
    import smtplib

    relay.command("user", "add", "human", "--domain", "club.test", "--password-stdin", input="correct horse battery\n")
    relay.client(user="human", secret="correct horse battery").quit()
    for user in ("human", "app", "nobody"):
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            relay.client(user=user, secret="wrong")
        assert refused.value.smtp_code == 535
        relay.command("auth", "unlock", "127.0.0.1")
    relay.command("user", "disable", "human")
    with pytest.raises(smtplib.SMTPAuthenticationError):
        relay.client(user="human", secret="correct horse battery")
    relay.command("user", "rotate", "app")
    with pytest.raises(smtplib.SMTPAuthenticationError):
        relay.client()
    hashes = (relay.path / "state" / "state.db").read_bytes() + (relay.path / "state" / "state.db-wal").read_bytes()
    assert relay.secret.encode() not in hashes and b"correct horse" not in hashes


def test_what_ehlo_offers(relay):
    with relay.client() as client:
        client.ehlo()
        offered = set(client.esmtp_features)
    assert offered == {"pipelining", "size", "8bitmime", "smtputf8", "enhancedstatuscodes", "dsn", "auth", "limits"}


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("implicit", [True, False])
def test_a_client_may_resume_its_tls_session(relay, implicit, version):
    context, session = relay.context(), None
    context.maximum_version = version
    for expected in (False, True):
        with socket.create_connection(("127.0.0.1", relay.submissions if implicit else relay.submission)) as raw:
            if not implicit:
                raw.recv(4096)
                raw.sendall(b"EHLO client.test\r\n")
                raw.recv(4096)
                raw.sendall(b"STARTTLS\r\n")
                assert raw.recv(4096).startswith(b"220")
            with context.wrap_socket(raw, session=session) as tls:
                tls.sendall(b"NOOP\r\n")
                tls.recv(4096)
                assert tls.session_reused == expected
                session = tls.session  # in TLS 1.3 the ticket comes with the first reply


def test_who_never_resumes_is_given_few_tickets_and_who_does_always_one(relay):
    context = relay.context()
    def given(session=None):  # the ticket that comes with the greeting, or None
        with socket.create_connection(("127.0.0.1", relay.submissions)) as raw, context.wrap_socket(raw, session=session) as tls:
            tls.recv(4096)
            assert tls.session_reused == (session is not None)
            return tls.session if tls.session.has_ticket else None

    first = given()
    assert first
    tickets = sum(given() is not None for _ in range(120))
    assert 16 < tickets < 60, tickets  # sixteen on each of two shards, then one in sixteen
    for _ in range(3):
        first = given(first)
        assert first
