"""What a route says is what happens: hosts by address and name, domains in every spelling, ciphers, and what is told when it fails.

The kind of fault: a setting that is accepted and then means nothing, or is right and refused; a failure of ours that is told as the
receiver's, or to nobody.
"""

import ssl

import pytest

from conftest import free_port, wait_for
from mailhost import MailHost, authority

pytestmark = pytest.mark.memory


@pytest.fixture
def mailhost():
    made = []

    def make(port, *arguments, **options):
        made.append(MailHost(port, *arguments, **options))
        return made[-1]

    yield make
    for host in made:
        host.stop()


@pytest.fixture
def issue(tmp_path):
    return authority(tmp_path)


@pytest.mark.parametrize("name", ["127.0.0.1", "::1", "0:0:0:0:0:0:0:1"])
def test_a_smart_host_by_address(relay_factory, mailhost, name):
    port = free_port()
    host = mailhost(port, host="::1" if ":" in name else "127.0.0.1")
    relay = relay_factory(f'route "*" {{ host = "{name}"  port = {port} }}').start()
    relay.wait_kind(relay.send(to="bob@anywhere.test"), "delivered")
    assert host.reached("bob@anywhere.test")


@pytest.mark.parametrize("name", ["[::1]", "::1%lo", "::g", "1.2.3.4:25", "a b", "smtp.example:587"])
def test_what_is_no_host_is_refused(relay_factory, name):
    relay = relay_factory(f'route "*" {{ host = "{name}" }}')
    done = relay.command("config", "check", check=False)
    assert done.returncode != 0 and "host" in done.stderr + done.stdout


@pytest.mark.parametrize("route, reached", [
    ("bücher.test", ["bücher.test", "BÜCHER.TEST", "xn--bcher-kva.test"]), ("XN--BCHER-KVA.test", ["bücher.test"]),
    ("*.bücher.test", ["www.bücher.test", "a.b.xn--bcher-kva.test"]), ("Club.TEST", ["club.test", "CLUB.test"]),
])
def test_a_domain_of_a_route_in_every_spelling(relay_factory, mailhost, route, reached):
    port = free_port()
    host = mailhost(port)
    relay = relay_factory(f'route "{route}" {{ host = "127.0.0.1"  port = {port} }}\nthrottle = "off"').start()
    for number, domain in enumerate(reached):
        with relay.client() as client:
            client.ehlo()
            client.mail("hello@club.test", ["SMTPUTF8"])
            client.docmd(f"RCPT TO:<r{number}@{domain}>".encode().decode("latin1") if domain.isascii() else "NOOP")
            if not domain.isascii():
                client.sock.sendall(f"RCPT TO:<r{number}@{domain}>\r\n".encode())
                assert client.getreply()[0] == 250
            assert client.data(b"From: <hello@club.test>\r\nSubject: x\r\n\r\nx\r\n")[0] == 250
    wait_for(lambda: len(host.messages) == len(reached))


@pytest.mark.parametrize("title", ["-", "a..b", "*.", "*.*", "a b.test", "*x.test"])
def test_what_is_no_domain_is_refused(relay_factory, title):
    relay = relay_factory(f'route "{title}" {{ host = "127.0.0.1" }}')
    done = relay.command("config", "check", check=False)
    assert done.returncode != 0 and "is not a domain" in done.stderr + done.stdout


def old_server(pair):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-SHA:@SECLEVEL=0")
    return context


@pytest.mark.parametrize("tls, user, delivered", [("may", False, True), ("require", False, False), ("verify", False, False),
                                                  ("may", True, False)])
def test_weak_ciphers_are_taken_only_where_the_choice_is_clear_text(relay_factory, dns, tmp_path, mailhost, issue, tls, user,
                                                                   delivered):
    port = free_port()
    dns.add("smart.dest.test", "A", "127.0.0.1")
    host = mailhost(port, context=old_server(issue("smart.dest.test", rsa=True)), users={"me": "secret"})
    (tmp_path / "password").write_text("secret\n")
    login = f'username = "me"  password_file = "{tmp_path}/password"' if user else ""
    relay = relay_factory(f'route "*" {{ host = "smart.dest.test"  port = {port}  tls = "{tls}"  {login} }}')
    relay.config.write_text(relay.config.read_text().replace("delivery { ", f'delivery {{ ca_file = "{tmp_path}/ca.pem"  ', 1))
    relay.start()
    id = relay.send(to="bob@anywhere.test")
    relay.wait_kind(id, "delivered" if delivered else "deferred")
    assert [m.tls for m in host.messages] == ([True] if delivered else [])
    if delivered:
        assert "AES128-SHA" in [line for line in relay.log().splitlines() if " delivered " in line][0]
    assert not any(line.startswith("AUTH") for c in host.connections for line in c.lines)


@pytest.mark.parametrize("target, words", [("192.0.2.1", "the address 192.0.2.1 instead of a host name"),
                                           ("127.0.0.1", "the address 127.0.0.1 instead of a host name")])
def test_an_mx_that_is_an_address_is_said_to_be_one(relay, dns, target, words):
    dns.add("literal.test", "MX", f"10 {target}.")
    event = relay.wait_kind(relay.send(to="bob@literal.test"), "bounced")[0]
    assert words in event["reply"] and "does not exist" not in event["reply"] and event["enhanced"] == "5.4.4"


def test_an_mx_that_is_an_address_beside_a_good_one_is_left_out(relay, dns, delivery_port, mailhost):
    host = mailhost(delivery_port)
    dns.add("mixed.test", "MX", "10 192.0.2.1.", "20 mx.mixed.test.")
    dns.add("mx.mixed.test", "A", "127.0.0.1")
    relay.wait_kind(relay.send(to="bob@mixed.test"), "delivered")
    assert host.reached("bob@mixed.test")
