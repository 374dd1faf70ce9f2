"""A connection carries only mail that demands no more, and nothing else, than what it was opened for.

The kind of fault: connections kept for reuse are found by the names of their hosts. Anybody can publish somebody else's MX names,
and one host can stand in several routes; the names say nothing about TLS, certificates, or who has logged in.
"""

import random
import ssl
import subprocess
import threading

import pytest

from conftest import free_port, wait_for
from mailhost import trusting

pytestmark = pytest.mark.memory


def context_of(pair):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    return context


def log_of(relay, id):
    return [line for line in relay.log().splitlines() if f"id={id}" in line]


def test_an_unverified_connection_carries_nothing_that_wants_a_verified_one(relay_factory, dns, tmp_path, delivery_port, mailhost,
                                                                          issue):
    """plain.test and careful.test have the same MX names; its certificate is for another name."""
    for domain in ("plain.test", "careful.test", "strict.test"):
        dns.mail(domain, "mx.dest.test=127.0.0.1")
    host = mailhost(context=context_of(issue("mx.other.test")))
    relay = trusting(relay_factory('route "careful.test" { tls = "verify" }\nroute "strict.test" { tls = "require" }\nshards = 1'),
                     tmp_path)
    for round in range(3):
        relay.wait_kind(relay.send(to="a@plain.test"), "delivered")
        careful = relay.send(to=f"c{round}@careful.test")
        assert "certificate" in relay.wait_kind(careful, "deferred")[0]["reply"]
        strict = relay.send(to=f"s{round}@strict.test")
        relay.wait_kind(strict, "delivered")
        plain = relay.send(to=f"p{round}@plain.test")
        relay.wait_kind(plain, "delivered")  # what has failed for the others is not its failure
        assert "verified=no" in log_of(relay, plain)[-1] and "user=" not in log_of(relay, plain)[-1]
    assert not any("careful.test" in r for m in host.messages for r in m.recipients)
    assert all(m.tls for m in host.messages)
    assert len([l for l in relay.log().splitlines() if " delivered " in l and "verified=yes" in l]) == 0


def test_a_verified_connection_is_told_so_and_is_not_shared(relay_factory, dns, tmp_path, delivery_port, mailhost, issue):
    for domain in ("plain.test", "careful.test"):
        dns.mail(domain, "mx.dest.test=127.0.0.1")
    host = mailhost(context=context_of(issue("mx.dest.test")))
    relay = trusting(relay_factory('route "careful.test" { tls = "verify" }\nshards = 1'), tmp_path)
    for number in range(4):
        id = relay.send(to=f"a{number}@{'careful' if number % 2 else 'plain'}.test")
        relay.wait_kind(id, "delivered")
        assert "verified=yes" in log_of(relay, id)[-1]
    for connection in host.connections:
        assert len({m.recipients[0].split("@")[1] for m in connection.messages}) <= 1


def test_clear_text_carries_nothing_that_requires_tls(relay_factory, dns, delivery_port, mailhost):
    for domain in ("plain.test", "strict.test"):
        dns.mail(domain, "mx.dest.test=127.0.0.1")
    host = mailhost()
    relay = relay_factory('route "strict.test" { tls = "require" }\nshards = 1').start()
    for round in range(3):
        relay.wait_kind(relay.send(to=f"p{round}@plain.test"), "delivered")
        event = relay.wait_kind(relay.send(to=f"s{round}@strict.test"), "deferred")[0]
        assert "STARTTLS" in event["reply"]
    assert len(host.messages) == 3 and all("plain.test" in m.recipients[0] for m in host.messages)


@pytest.mark.parametrize("shards", [1, 2])
def test_mail_of_a_route_leaves_under_its_own_name(relay_factory, dns, tmp_path, mailhost, issue, shards):
    """One smart host, several logins, and mail by MX to the same name; all at once, from several tenants."""
    port = free_port()
    users = {"one": "first secret", "two": "second secret", "three": "first secret"}
    host = mailhost(port=port, context=context_of(issue("smart.dest.test")), users=users, delay=0.02)
    dns.add("smart.dest.test", "A", "127.0.0.1")
    dns.add("nobody.test", "MX", "10 smart.dest.test.")
    routes = [f'route "nobody.test" {{ port = {port} }}']
    for user, password in users.items():
        (tmp_path / user).write_text(password + "\n")
        routes.append(f'route "{user}.test" {{ host = "smart.dest.test"  port = {port}  username = "{user}"  '
                      f'password_file = "{tmp_path}/{user}" }}')
    relay = trusting(relay_factory("\n".join(routes) + f"\nshards = {shards}\n"), tmp_path)
    relay.add_domain("other.test")
    relay.command("user", "add", "other", "--domain", "other.test", "--password-stdin", input="a long password\n")
    wanted = [f"r{n}@{name}.test" for n in range(15) for name in (*users, "nobody")]
    random.shuffle(wanted)

    def submit(user, secret, sender, recipients):
        with relay.client(user=user, secret=secret) as client:
            for recipient in recipients:
                client.sendmail(sender, [recipient], f"From: <{sender}>\r\nTo: <{recipient}>\r\nSubject: x\r\n\r\nhello\r\n")

    tenants = [threading.Thread(target=submit, args=("app", relay.secret, "hello@club.test", wanted[::2])),
               threading.Thread(target=submit, args=("other", "a long password", "hello@other.test", wanted[1::2]))]
    for tenant in tenants:
        tenant.start()
    for tenant in tenants:
        tenant.join()
    wait_for(lambda: len(host.messages) >= len(wanted), 40)
    for message in host.messages:
        for recipient in message.recipients:
            name = recipient.split("@")[1].removesuffix(".test")
            assert message.tls and message.user == (None if name == "nobody" else name), (recipient, message.user)
    assert sorted(r for m in host.messages for r in m.recipients) == sorted(wanted)
    for line in relay.log().splitlines():
        if " delivered " in line:
            name = line.split("@")[1].split(".test")[0]
            assert (f" user={name} " in line) == (name != "nobody") and "verified=" in line, line


def test_a_wrong_password_keeps_only_its_own_mail_waiting(relay_factory, dns, tmp_path, mailhost, issue):
    port = free_port()
    host = mailhost(port=port, context=context_of(issue("smart.dest.test")), users={"good": "right"})
    dns.add("smart.dest.test", "A", "127.0.0.1")
    (tmp_path / "good").write_text("right\n")
    (tmp_path / "bad").write_text("wrong\n")
    route = 'route "{0}.test" {{ host = "smart.dest.test"  port = {1}  username = "good"  password_file = "{2}/{0}" }}'
    relay = trusting(relay_factory("\n".join(route.format(name, port, tmp_path) for name in ("good", "bad"))), tmp_path)
    for number in range(4):
        bad = relay.send(to=f"x{number}@bad.test")
        if number == 0:  # the others wait until their destination rests no more
            assert "operator has been told" in relay.wait_kind(bad, "deferred")[0]["reply"] and "invalid" in relay.log()
        good = relay.send(to=f"x{number}@good.test")
        relay.wait_kind(good, "delivered", 4)  # less than the other's destination rests
    assert len(host.messages) == 4
    names = [row["destination"] for row in relay.json("destination", "list")]
    assert len(set(names)) == len(names) == 2 and not any("right" in name or "wrong" in name for name in names), names


def test_a_reload_ends_the_trust_of_connections_that_wait(relay_factory, dns, tmp_path, delivery_port, mailhost, issue):
    """The authority that has signed the host's certificate is taken away: a connection verified by it is used no more."""
    dns.mail("careful.test", "mx.dest.test=127.0.0.1")
    host = mailhost(context=context_of(issue("mx.dest.test")))
    relay = trusting(relay_factory('route "careful.test" { tls = "verify" }\nshards = 1'), tmp_path)
    relay.wait_kind(relay.send(to="a@careful.test"), "delivered")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=another ca", "-days", "2",
                    "-keyout", str(tmp_path / "new.key"), "-out", str(tmp_path / "ca.pem")], check=True, capture_output=True)
    relay.reload()
    event = relay.wait_kind(relay.send(to="b@careful.test"), "deferred")[0]
    assert "certificate" in event["reply"] and len(host.messages) == 1
