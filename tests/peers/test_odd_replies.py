"""Replies that are no answer to what was asked, and answers that are longer than most.

The kind: a 2yz is taken for a yes whatever its code says, or an answer is cut and what was cut off is lost.
"""

import socket
import ssl

import pytest

from mailhost import authority, trusting
from test_forgiving import by_verb, odd, tls  # noqa: F401 (fixtures)
from test_refusals import domain, fates, send  # noqa: F401 (fixture)

pytestmark = pytest.mark.memory

SOON = 'throttle = "off"\nstream "t" { class = "notification"  retry = {3, 3, 3} }\n'


def first_only(verb, reply):
    """So to the first connection; a proxy in front of a server that has begun again."""
    def answer(line, c):
        said = "." if line == "." else line.split(" ")[0].split(":")[0]
        return reply if said == verb and c["number"] == 1 else None
    return answer


CASES = [(verb, reply) for verb in (".", "MAIL", "RCPT", "DATA") for reply in ("220 proxy.test ESMTP ready", "221 2.0.0 closing")]


def test_220_and_221_take_no_message_and_nobody(relay_factory, domain):  # noqa: F811
    """They speak of the session (RFC 5321 section 4.3.2). The mail arrives at the next try, or at once on another connection."""
    relay = relay_factory(SOON).start()
    made = [domain(first_only(*case)) for case in CASES]
    ids = [send(relay, name) for name, _ in made]
    for case, id, (_, [server]) in zip(CASES, ids, made):
        relay.wait_kind(id, "delivered", 20)
        [events] = fates(relay, id).values()
        assert [e["kind"] for e in events][-1] == "delivered" and events[-1]["code"] == 250 and len(server.messages) == \
            (2 if case[0] == "." else 1), (case, events)  # what said 220 to the dot is noted as taken by our server here
        if case[0] == ".":  # nobody knows who has it: never at once
            assert events[0]["kind"] == "deferred" and case[1].split(" ")[-1] in events[0]["reply"], (case, events)


@pytest.mark.parametrize("lines", [80, 190])
def test_what_a_long_ehlo_offers_last_counts(relay_factory, domain, tls, lines):  # noqa: F811
    context, _ = tls
    relay = relay_factory(SOON).start()
    name, [server] = domain(None, context=context, offers=[f"X-FILLING-{i} " + "y" * 60 for i in range(lines)])
    relay.wait_kind(send(relay, name), "delivered", 10)
    assert server.connections[0]["tls"]


def test_a_refusal_of_starttls_is_told(relay_factory, domain, tls):  # noqa: F811
    context, _ = tls
    relay = relay_factory(SOON + 'route "d1.test" { tls = "require" }\n').start()
    name, _ = domain(by_verb(STARTTLS="454 4.7.0 TLS not available due to local problem"), context=context)
    [event] = relay.wait_kind(send(relay, name), "deferred", 10)[:1]
    assert "454 4.7.0 TLS not available due to local problem" in event["reply"], event


def test_a_server_that_never_speaks_is_not_told_as_one_that_was_not_reached(relay_factory, dns, delivery_port):
    """Until the mail's time is over. Beside it another that refuses connections, which is not what there is to tell."""
    relay = relay_factory('throttle = "off"\nstream "t" { class = "security"  expires = 14s }\n').start()
    with socket.create_server(("127.22.1.1", delivery_port)):
        dns.mail("one.test", "mx.one.test=127.22.1.1")
        dns.mail("two.test", "mx.two.test=127.22.1.1", "mx2.two.test=127.22.1.2")
        for id in [send(relay, name) for name in ("one.test", "two.test")]:
            [event] = relay.wait_kind(id, "expired", 25)
            assert "while at greeting" in event["reply"] and "connect to" not in event["reply"], event


def test_a_host_in_the_route_is_what_pins_it(relay_factory, dns, odd, tmp_path):  # noqa: F811
    """`verify` alone believes the name that DNS gives, as the manual says; whoever forges the MX has a certificate for his own."""
    issue = authority(tmp_path)

    def server(name, address):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*issue(name))
        dns.add(name, "A", address)
        return odd(context=context, host=address)

    right, wrong = server("mx1.bank.test", "127.23.1.1"), server("mx.evil.test", "127.23.1.2")
    relay = relay_factory(SOON + 'route "bank.test" { host = "mx1.bank.test"  tls = "verify" }\nroute "club2.test" { tls = "verify" }\n')
    trusting(relay, tmp_path)
    for domain, wanted in (("bank.test", right), ("club2.test", wrong)):
        dns.add(domain, "MX", "10 mx.evil.test.")
        relay.wait_kind(send(relay, domain), "delivered", 10)
        assert len(wanted.messages) == 1 and wanted.connections[0]["tls"], domain
    assert len(right.connections) == len(wrong.connections) == 1
