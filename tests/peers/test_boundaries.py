"""Between two messages on a connection, and before the first: who goes next, and what counts as a try.

The kind of fault: what is one thing for us (recipients handed out together, a connection that is ready) is many for the server
(a transaction for each, a connection without a MAIL yet), and was treated as one.
"""

import pytest
from conftest import wait_for
from mailhost import MailHost

CONFIG = '''http { url = "https://u.club.test/" }
stream "news" { class = "digest"  unsubscribe = "one-click" }
stream "code" { class = "security" }
throttle = "off"
'''


@pytest.fixture
def mailhost(delivery_port):
    made = []

    def make(*arguments, **options):
        made.append(MailHost(delivery_port, *arguments, **options))
        return made[-1]

    yield make
    for host in made:
        host.stop()


def text(stream, body="hello\r\n"):
    return f"From: <hello@club.test>\r\nTo: <list@club.test>\r\nSubject: x\r\nSealpost-Stream: {stream}\r\n\r\n{body}"


@pytest.mark.parametrize("connections, code_to", [(1, "bob@other.test"), (5, "bob@dest1.test"), (20, "bob@other.test")])
def test_a_code_goes_before_the_next_copy_with_a_link_of_its_own(relay_factory, dns, mailhost, connections, code_to):
    """2,400 recipients of digests, each of whom gets a copy for himself, at a smart host; then a code."""
    host = mailhost(delay=min(0.004 * connections, 0.03))  # so slow that there is time for the code
    relay = relay_factory(CONFIG + 'route "*" { host = "127.0.0.1" }\n')
    relay.config.write_text(relay.config.read_text().replace("delivery { ", f"delivery {{ connections = {connections}  ", 1))
    relay.start()
    for n in range(24):
        relay.send(to=[f"r{n}.{i}@dest{n % 2}.test" for i in range(100)], message=text("news"))
    wait_for(lambda: len(host.messages) > 100)
    relay.send(to=code_to, message=text("code"))
    before = len(host.messages)
    assert before < 2000
    wait_for(lambda: host.reached(code_to), 10, 0.005)
    position = next(i for i, m in enumerate(host.messages) if code_to in m.recipients)
    assert position - before <= 20
    wait_for(lambda: len(host.messages) == 2401, 100)  # the others arrive, each once
    seen = [m.recipients for m in host.messages]
    assert all(len(r) == 1 for r in seen) and len({r[0] for r in seen}) == 2401
    wait_for(lambda: relay.log().count(" delivered id=") == 2401)
    assert " deferred " not in relay.log() and not relay.queue()


class Hasty(MailHost):
    """It hangs up when it has answered EHLO, on its first connections."""

    def __init__(self, port, lost):
        self.lost = lost
        super().__init__(port)

    def serve(self, client, connection):
        if len(self.connections) > self.lost:
            super().serve(client, connection)
            return
        client.sendall(b"220 mailhost ESMTP\r\n")
        while not client.recv(1000).upper().startswith(b"EHLO"):
            pass
        client.sendall(b"250 mailhost\r\n")


@pytest.mark.parametrize("lost", [1, 2])
def test_a_connection_lost_while_the_copy_is_made_is_no_try_once(relay_factory, dns, delivery_port, lost):
    """A large copy takes its time; meanwhile the server hangs up, before MAIL. If it does so twice, that is seen and waited for:
    it may go on doing so."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    host = Hasty(delivery_port, lost)
    try:
        relay = relay_factory(CONFIG).start()
        id = relay.send(message=text("news", ("\u00e4" * 200 + "\r\n") * 40000).encode(), mail_options=["BODY=8BITMIME"])
        if lost > 1:
            wait_for(lambda: " deferred id=" in relay.log(), 60)
            assert len(host.connections) == lost
            relay.command("queue", "retry", id)
        wait_for(lambda: host.messages, 60)
        assert len(host.connections) == lost + 1
        wait_for(lambda: " delivered id=" in relay.log())
        lines = [line for line in relay.log().splitlines() if " delivered id=" in line or " deferred id=" in line]
        assert len(lines) == lost and f"tries={lost} " in lines[-1], lines
    finally:
        host.stop()
