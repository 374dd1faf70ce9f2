"""What a route's host says about us rather than about the recipient: the mail waits, nobody is suppressed, who runs the relay hears of it,
and who has sent the mail reads nothing of a login that is not theirs."""

import re

import pytest

from conftest import free_port, wait_for
from mailhost import trusting
from test_routes import old_server

CODE = 'stream "code" { class = "security"  expires = 8  retry = {1} }\nthrottle = "off"\n'
MESSAGE = "From: <hello@club.test>\r\nSubject: x\r\nSealpost-Stream: code\r\n\r\nx\r\n"
SECRETS = re.compile(r"\bauth|login|password|credential|\b454\b|\b432\b|look up me|relaying|relay access|\b5\.7\.|4\.7\.")


@pytest.fixture
def returned(dns, sink_factory):
    """Where reports to the sender go."""
    dns.mail("club.test", "mx.club.test=127.0.0.2")
    return lambda relay: sink_factory(host="127.0.0.2", records=relay.records)


def all_that_senders_read(relay, id, back):
    raw = back.wait(1, 40)[0][1].decode()
    assert "Status: 4.4.7" in raw and "bounced" not in relay.kinds(id), raw
    body = raw.split("\r\n\r\n", 1)[1]  # the signature in the header has all letters
    return [body] + [event["reply"] for event in relay.trace(id) if event.get("reply")]


@pytest.mark.parametrize("reply", ["454 4.7.0 Temporary authentication failure", "432 4.7.12 A password transition is needed",
                                   "451 4.3.0 cannot look up me", "421 4.7.0 login service is away", "HANG UP"])
def test_a_login_that_fails_for_now_is_the_operators_matter(relay_factory, dns, tmp_path, mailhost, issue, returned, reply):
    port = free_port()
    dns.add("smart.dest.test", "A", "127.0.0.1")
    mailhost(port=port, context=modern(issue), users={"me": "secret"},
             answer=lambda line, c: reply if line.startswith("AUTH") else None)
    (tmp_path / "password").write_text("secret\n")
    relay = relay_factory(f'route "dest.test" {{ host = "smart.dest.test"  port = {port}  username = "me"  '
                          f'password_file = "{tmp_path}/password" }}\n{CODE}')
    back = returned(relay)
    trusting(relay, tmp_path)
    id = relay.send(to="bob@dest.test", message=MESSAGE)
    relay.wait_kind(id, "deferred")
    waits = [{key: value for key, value in row.items() if key not in ("destination", "why")} for row in relay.queue()]  # the operator's
    assert not SECRETS.search(str(waits).lower()), waits
    for text in all_that_senders_read(relay, id, back):
        assert not SECRETS.search(text.lower()), text
    line = [l for l in relay.log().splitlines() if "login_failed" in l][0]
    assert "user=me" in line and (reply == "HANG UP" or reply[:3] in line), line
    assert not [row for row in relay.json("audit", "tail") if row["what"] == "route"]  # it passes by itself


def modern(issue):
    context = old_server(issue("smart.dest.test", rsa=True))
    context.set_ciphers("DEFAULT")
    return context


@pytest.mark.parametrize("reply", ["554 5.7.1 <bob@dest.test>: Relay access denied", "550 5.7.1 <bob@dest.test>... Relaying denied",
                                   "550 relay not permitted", "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain",
                                   "553 sorry, relaying to that domain is not allowed (#5.7.1)"])
def test_a_smart_host_that_relays_nothing_of_ours_returns_no_mail(relay_factory, dns, mailhost, returned, reply):
    port = free_port()
    mailhost(port=port, answer=lambda line, c: reply if line.startswith("RCPT") else None)
    relay = relay_factory(f'route "dest.test" {{ host = "127.0.0.1"  port = {port} }}\n{CODE}')
    back = returned(relay)
    relay.start()
    id = relay.send(to="bob@dest.test", message=MESSAGE)
    relay.wait_kind(id, "deferred")
    for text in all_that_senders_read(relay, id, back):
        assert not SECRETS.search(text.lower()), text
    wait_for(lambda: any(row["what"] == "route" and reply[:3] in str(row) for row in relay.json("audit", "tail")))
    assert relay.json("suppress", "list") == []


@pytest.mark.parametrize("reply", ["550 5.1.1 <bob@dest.test>: Recipient address rejected: User unknown in relay recipient table",
                                   "550 5.7.1 Message refused by policy"])
def test_a_smart_hosts_word_on_a_recipient_stays_one(relay_factory, dns, mailhost, reply):
    port = free_port()
    mailhost(port=port, answer=lambda line, c: reply if line.startswith("RCPT") else None)
    relay = relay_factory(f'route "dest.test" {{ host = "127.0.0.1"  port = {port} }}').start()
    relay.wait_kind(relay.send(to="bob@dest.test"), "bounced")


def test_who_is_no_smart_host_of_ours_means_the_recipient(relay, mailhost):
    mailhost(answer=lambda line, c: "554 5.7.1 <bob@dest.test>: Relay access denied" if line.startswith("RCPT") else None)
    relay.wait_kind(relay.send(), "bounced")
