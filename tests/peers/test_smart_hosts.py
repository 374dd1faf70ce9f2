"""Logging in at Debian's Postfix with Cyrus SASL, as a smart host is often run: each mechanism alone, STARTTLS and implicit TLS, and
a password that was changed there: mail waits, the operator is told once, and the server is not asked again and again."""

import re
import subprocess

import pytest

import postfix
from conftest import free_port, wait_for, wait_port
from mailhost import trusting

MESSAGE = "From: <hello@club.test>\r\nSubject: x\r\n\r\nx\r\n"


class SmartHost:
    """Takes mail only from who has logged in as me@smart.dest.test, and drops it."""

    def __init__(self, path, port, pair, mechanisms, implicit):
        path.mkdir()
        self.passwords = path / "sasldb"
        self.instance = postfix.Instance(path / "postfix", f"""
            myhostname = smart.dest.test
            smtpd_sasl_auth_enable = yes
            smtpd_sasl_path = smtpd
            cyrus_sasl_config_path = {path}/postfix/conf/sasl
            smtpd_tls_security_level = {"may" if implicit else "encrypt"}
            smtpd_tls_auth_only = yes
            smtpd_tls_wrappermode = {"yes" if implicit else "no"}
            smtpd_tls_cert_file = {pair[0]}
            smtpd_tls_key_file = {pair[1]}
            smtpd_relay_restrictions = permit_sasl_authenticated, reject
            smtpd_client_restrictions = permit_sasl_authenticated, reject
            mynetworks =
            default_transport = discard
            relay_transport = discard
            """, port, files={"sasl/smtpd.conf": "pwcheck_method: auxprop\nauxprop_plugin: sasldb\n"
                                                 f"mech_list: {mechanisms}\nsasldb_path: {self.passwords}\n"})
        self.set_password("secret with spaces")
        wait_port(port, process=self.instance.process)

    def set_password(self, password):
        subprocess.run(["saslpasswd2", "-p", "-c", "-f", str(self.passwords), "-u", "smart.dest.test", "me"],
                       input=password.encode(), check=True, timeout=30)
        self.passwords.chmod(0o644)

    def logins(self):
        """The mechanism of each message that came."""
        return re.findall(r"sasl_method=([A-Z0-9-]+), sasl_username=me@smart.dest.test", self.instance.log_text())

    def refusals(self):
        return len(re.findall(r"SASL \S+ authentication failed", self.instance.log_text()))


@pytest.fixture
def smart(relay_factory, dns, tmp_path, issue):
    """(relay, smart host) with these mechanisms."""
    made = []

    def make(mechanisms, implicit):
        port = free_port()
        dns.add("smart.dest.test", "A", "127.0.0.1")
        host = SmartHost(tmp_path / "smart", port, issue("smart.dest.test", rsa=True), mechanisms, implicit)
        made.append(host)
        (tmp_path / "password").write_text("secret with spaces\n")
        relay = relay_factory(f'route "dest.test" {{ host = "smart.dest.test"  port = {port}  username = "me@smart.dest.test"  '
                              f'password_file = "{tmp_path}/password"{"  tls = implicit" if implicit else ""} }}\nthrottle = "off"')
        return trusting(relay, tmp_path), host
    yield make
    for host in made:
        host.instance.stop()


@pytest.mark.parametrize("implicit", [False, True], ids=["STARTTLS", "implicit"])
@pytest.mark.parametrize("mechanisms, used", [("PLAIN", "PLAIN"), ("LOGIN", "LOGIN"), ("CRAM-MD5 DIGEST-MD5 LOGIN PLAIN", None)])
def test_each_mechanism_logs_in(smart, mechanisms, used, implicit):
    relay, host = smart(mechanisms, implicit)
    for n in range(3):
        relay.wait_kind(relay.send(to=f"r{n}@dest.test", message=MESSAGE), "delivered")
    wait_for(lambda: len(host.logins()) == 3)
    assert set(host.logins()) <= ({used} if used else {"PLAIN", "LOGIN"}) and host.refusals() == 0


def test_a_changed_password_makes_mail_wait(smart, tmp_path):
    relay, host = smart("PLAIN LOGIN", False)
    relay.wait_kind(relay.send(to="first@dest.test", message=MESSAGE), "delivered")
    host.set_password("another")
    relay.command("reload")  # what is connected is of the old settings, and ends
    ids = [relay.send(to=f"r{n}@dest.test", message=MESSAGE) for n in range(10)]
    relay.wait_kind(ids[0], "deferred")
    wait_for(lambda: any(row["what"] == "route" for row in relay.json("audit", "tail")))
    assert len([row for row in relay.json("audit", "tail") if row["what"] == "route"]) == 1
    assert host.refusals() <= 4, host.instance.log_text()
    (tmp_path / "password").write_text("another\n")
    relay.command("reload")
    relay.command("queue", "retry", "--all")
    for id in ids:
        relay.wait_kind(id, "delivered")
        assert "bounced" not in relay.kinds(id)
