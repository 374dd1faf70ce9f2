"""What a route says is what happens: hosts by address and name, domains in every spelling, ciphers, and what is told when it fails.

The kind of fault: a setting that is accepted and then means nothing, or is right and refused; a failure of ours that is told as the
receiver's, or to nobody.
"""

import re
import ssl
import time

import pytest

from conftest import free_port, wait_for
from mailhost import trusting

pytestmark = pytest.mark.memory


@pytest.mark.parametrize("name", ["127.0.0.1", "::1", "0:0:0:0:0:0:0:1"])
def test_a_smart_host_by_address(relay_factory, mailhost, name):
    port = free_port()
    host = mailhost(port=port, host="::1" if ":" in name else "127.0.0.1")
    relay = relay_factory(f'route "*" {{ host = "{name}"  port = {port} }}').start()
    relay.wait_kind(relay.send(to="bob@anywhere.test"), "delivered")
    assert host.reached("bob@anywhere.test")


def test_what_is_no_host_or_domain_is_refused(relay_factory):
    relay = relay_factory("# here")
    written = relay.config.read_text()
    for name in ("[::1]", "::1%lo", "::g", "1.2.3.4:25", "a b", "smtp.example:587"):
        relay.config.write_text(written.replace("# here", f'route "*" {{ host = "{name}" }}'))
        done = relay.command("config", "check", check=False)
        assert done.returncode != 0 and "host" in done.stderr + done.stdout and name in done.stderr, name
    for title in ("-", "a..b", "*.", "*.*", "a b.test", "*x.test"):
        relay.config.write_text(written.replace("# here", f'route "{title}" {{ host = "127.0.0.1" }}'))
        done = relay.command("config", "check", check=False)
        assert done.returncode != 0 and "is not a domain" in done.stderr + done.stdout, title


@pytest.mark.parametrize("route, reached", [
    ("bücher.test", ["bücher.test", "BÜCHER.TEST", "xn--bcher-kva.test"]), ("XN--BCHER-KVA.test", ["bücher.test"]),
    ("*.bücher.test", ["www.bücher.test", "a.b.xn--bcher-kva.test"]), ("Club.TEST", ["club.test", "CLUB.test"]),
])
def test_a_domain_of_a_route_in_every_spelling(relay_factory, mailhost, route, reached):
    port = free_port()
    host = mailhost(port=port)
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
    host = mailhost(port=port, context=old_server(issue("smart.dest.test", rsa=True)), users={"me": "secret"})
    (tmp_path / "password").write_text("secret\n")
    login = f'username = "me"  password_file = "{tmp_path}/password"' if user else ""
    relay = relay_factory(f'route "*" {{ host = "smart.dest.test"  port = {port}  tls = "{tls}"  {login} }}')
    trusting(relay, tmp_path)
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
    host = mailhost()
    dns.add("mixed.test", "MX", "10 192.0.2.1.", "20 mx.mixed.test.")
    dns.add("mx.mixed.test", "A", "127.0.0.1")
    relay.wait_kind(relay.send(to="bob@mixed.test"), "delivered")
    assert host.reached("bob@mixed.test")


def refusing(relay_factory, dns, tmp_path, mailhost, issue, extra=""):
    """A relay whose password is wrong, and its smart host; the first message has failed by it twice, so that it rests."""
    port = free_port()
    dns.add("smart.dest.test", "A", "127.0.0.1")
    host = mailhost(port=port, context=old_server(issue("smart.dest.test", rsa=True)), users={"me": "right"})
    host.context.set_ciphers("DEFAULT")
    (tmp_path / "password").write_text("wrong\n")
    relay = relay_factory(f'route "*" {{ host = "smart.dest.test"  port = {port}  username = "me"  '
                          f'password_file = "{tmp_path}/password" }}\nstream "code" {{ class = "security"  retry = {{2, 600}} }}\n{extra}')
    trusting(relay, tmp_path)
    id = relay.send(to="bob@anywhere.test", message="From: <hello@club.test>\r\nSubject: x\r\nSealpost-Stream: code\r\n\r\nx\r\n")
    relay.wait_kind(id, "deferred")
    return relay, host, id


def test_a_login_that_is_refused_is_told_to_somebody_who_can_mend_it(relay_factory, dns, tmp_path, mailhost, issue):
    log = tmp_path / "alerts"
    script = tmp_path / "alert"
    script.write_text(f"#!/bin/sh\ncat >> {log}\n")
    script.chmod(0o755)
    tmp_path.chmod(0o777)
    log.write_text("")
    log.chmod(0o666)
    relay, host, id = refusing(relay_factory, dns, tmp_path, mailhost, issue, f'alert {{ command = "{script}"  interval = 1 }}')
    line = [line for line in relay.log().splitlines() if " login_refused " in line or "login_refused" in line][0]
    for words in ("error", 'route=*', "user=me", "code=535", "password_file", "queue retry"):
        assert words in line, line
    assert not any("right" in l or "wrong" in l for l in relay.log().splitlines() if "login_refused" in l)
    wait_for(lambda: "route" in log.read_text() and "smart.dest.test" in log.read_text())
    assert any(row["what"] == "route" for row in relay.json("audit", "tail"))
    event = relay.trace(id)[-1]  # a tenant reads that, who has a login of their own
    assert event["code"] == 451 and event["kind"] == "deferred"
    assert not any(word in event["reply"].lower() for word in ("535", "5.7.8", "credential", "auth", "login", "password"))


@pytest.mark.parametrize("reply", ["530 5.7.0 Authentication required", "530 5.7.57 Client not authenticated to send mail",
                                   "550 5.7.1 Authentication is required for relay"])
@pytest.mark.parametrize("verb", ["MAIL", "RCPT"])
def test_a_smart_host_that_wants_a_login_is_told_to_somebody_who_can_give_it(relay_factory, dns, mailhost, sink_factory, reply, verb):
    """The kind: a setting of ours is missing, and the mail is returned for it; or who sends it is told of a login not theirs."""
    port = free_port()
    dns.mail("club.test", "mx.club.test=127.0.0.2")
    mailhost(port=port, answer=lambda line, c: reply if line.startswith(verb) else None)
    relay = relay_factory(f'route "dest.test" {{ host = "127.0.0.1"  port = {port} }}\nthrottle = "off"\n'
                          'stream "code" { class = "security"  expires = 8  retry = {1} }\n')
    back = sink_factory(host="127.0.0.2", records=relay.records)
    relay.start()
    id = relay.send(to="bob@dest.test", message="From: <hello@club.test>\r\nSubject: x\r\nSealpost-Stream: code\r\n\r\nx\r\n")
    relay.wait_kind(id, "deferred")
    wait_for(lambda: any(row["what"] == "route" and reply[:3] in str(row) for row in relay.json("audit", "tail")))
    assert any("login_refused" in l and "set username" in l for l in relay.log().splitlines())
    raw = back.wait(1, 40)[0][1].decode()
    assert "bounced" not in relay.kinds(id) and "Status: 4.4.7" in raw
    assert not re.search(r"authenti|\b5\.7\.|\b5[35]0\b", raw.lower()), raw  # as words: signatures have all digits


def test_a_smart_host_that_wants_a_login_later(relay_factory, mailhost):
    """On a connection that has carried mail: a new one is asked at MAIL, the mail waits at RCPT."""
    port = free_port()
    relay = relay_factory(f'route "dest.test" {{ host = "127.0.0.1"  port = {port} }}\nthrottle = "off"').start()
    host = mailhost(port=port, answer=lambda line, c: "530 5.7.0 Authentication required" if line.startswith("MAIL") and c.messages else None)
    for count in (1, 2):
        relay.wait_kind(relay.send(), "delivered")
    host.answer = lambda line, c: "530 5.7.0 Authentication required" if line.startswith("RCPT") else None
    event = relay.wait_kind(relay.send(), "deferred")[0]
    assert event["enhanced"] == "4.3.5" and "530" not in event["reply"], event
    assert any(row["what"] == "route" for row in relay.json("audit", "tail"))


def test_who_wants_a_login_and_is_no_smart_host_refuses(relay, dns, mailhost):
    mailhost(answer=lambda line, c: "530 5.7.1 Authentication required" if line.startswith("MAIL") else None)
    relay.wait_kind(relay.send(), "bounced")


@pytest.mark.parametrize("hosts", [["10 nothere.hosts.test."], ["10 nothere.hosts.test.", "20 onlytxt.hosts.test."]])
def test_an_mx_without_an_address_is_named(relay, dns, hosts):
    """The domain is there, and has an MX: saying that it has none sends people to look at the wrong place."""
    dns.add("onlytxt.hosts.test", "TXT", "x")
    dns.add("away.test", "MX", *hosts)
    event = relay.wait_kind(relay.send(to="bob@away.test"), "bounced")[0]
    assert "its MX nothere.hosts.test has no address" in event["reply"] and event["enhanced"] == "5.4.4", event
    dns.add("bare.test", "TXT", "x")
    event = relay.wait_kind(relay.send(to="bob@bare.test"), "bounced")[0]
    assert "has no mail server" in event["reply"] and event["enhanced"] == "5.1.2", event


def mend(relay, how, id):
    if how == "reload":
        relay.reload()
    else:
        relay.command("queue", "retry", *([id] if how == "retry of one" else ["--all"]))


@pytest.mark.parametrize("how", ["retry", "retry of one", "reload"])
def test_who_has_mended_it_need_not_wait(relay_factory, dns, tmp_path, mailhost, issue, how):
    """Nothing else has changed but what the host says: the destination is the same, and would rest."""
    relay, host, id = refusing(relay_factory, dns, tmp_path, mailhost, issue)
    other = relay.send(to="alice@anywhere.test")
    time.sleep(0.5)
    host.users["me"] = "wrong"  # mended at the other end
    mend(relay, how, other)
    relay.wait_kind(other, "delivered", 4)


@pytest.mark.parametrize("how", ["retry", "retry of one", "reload"])
def test_who_has_started_a_host_that_was_down_need_not_wait(relay_factory, dns, delivery_port, mailhost, how):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory().start()
    relay.wait_kind(relay.send(to="first@dest.test"), "deferred")
    last = relay.send(to="last@dest.test")
    time.sleep(0.5)
    host = mailhost()
    mend(relay, how, last)
    relay.wait_kind(last, "delivered", 4)
    assert host.reached("last@dest.test")


def test_a_name_that_only_this_machine_knows_is_told_at_config_check(relay_factory):
    """The system's resolver would find it; the relay asks DNS. What is in DNS, or an address, is nothing to speak of."""
    def notes(host, forward=True):
        relay = relay_factory(f'route "*" {{ host = "{host}" }}')
        text = relay.config.read_text()
        relay.config.write_text(text if forward else "".join(l for l in text.splitlines(True) if not l.startswith("dns {")))
        done = relay.command("config", "check", check=False)
        return [line for line in (done.stdout + done.stderr).splitlines() if f'host "{host}"' in line]

    assert "/etc/hosts" in notes("localhost")[0] and "127.0.0.1" in notes("LOCALHOST")[0]
    assert "forward" in notes("mailpit", forward=False)[0]
    assert not notes("mailpit") and not notes("smtp.example", forward=False) and not notes("127.0.0.1", forward=False)


def test_a_name_that_nobody_knows_names_who_was_asked(relay_factory):
    relay = relay_factory('route "*" { host = "mailpit" }').start()
    event = relay.wait_kind(relay.send(to="bob@anywhere.test"), "deferred")[0]
    assert "mailpit" in event["reply"] and f"127.0.0.1@{relay.dns.port}" in event["reply"] and "dns { forward }" in event["reply"]
