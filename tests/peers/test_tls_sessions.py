"""TLS sessions of servers are resumed, for what demands the same of the same server only.

The kind of fault: a resumed handshake sees no certificate. A session that was kept for less would let mail leave that demands more, and a
server that cannot resume would get it in clear text, or not at all.
"""

import ssl
import struct

import pytest
from conftest import wait_for
from mailhost import trusting
from test_trust import context_of, log_of


def started(relay, path):
    """No connection is kept for long: each message opens one."""
    relay.config.write_text(relay.config.read_text().replace("delivery { ", "delivery { reuse = 1  ", 1))
    return trusting(relay, path)


def deliver(relay, host, to, kind="delivered"):
    """One message on a connection of its own: (that connection, the last line of the log)."""
    id = relay.send(to=to)
    relay.wait_kind(id, kind)
    connection = host.connections[-1]
    wait_for(lambda: kind != "delivered" or "QUIT" in connection.lines, 20)
    return connection, log_of(relay, id)[-1]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2])
def test_a_session_is_resumed_and_is_as_good_as_it_was(relay_factory, dns, tmp_path, mailhost, issue, version):
    dns.mail("careful.test", "mx.dest.test=127.0.0.1")
    context = context_of(issue("mx.dest.test"))
    context.maximum_version = version
    host = mailhost(context=context)
    relay = started(relay_factory('route "careful.test" { tls = "verify" }\n'), tmp_path)
    for number in range(3):
        connection, line = deliver(relay, host, f"r{number}@careful.test")
        assert connection.resumed == (number > 0) and "verified=yes" in line, line


def test_no_session_is_resumed_for_what_demands_something_else(relay_factory, dns, tmp_path, mailhost, issue):
    names = ("plain.test", "strict.test", "careful.test")
    for name in names:
        dns.mail(name, "mx.dest.test=127.0.0.1")
    host = mailhost(context=context_of(issue("mx.dest.test")))
    relay = started(relay_factory('route "careful.test" { tls = "verify" }\nroute "strict.test" { tls = "require" }\n'), tmp_path)
    for again in (False, True):
        for name in names:
            connection, line = deliver(relay, host, f"r{again}@{name}")
            assert connection.resumed == again and "verified=yes" in line, (name, line)


def test_what_was_not_verified_is_not_by_being_resumed(relay_factory, dns, tmp_path, mailhost, issue):
    for name in ("plain.test", "careful.test"):
        dns.mail(name, "mx.dest.test=127.0.0.1")
    host = mailhost(context=context_of(issue("mx.other.test")))
    relay = started(relay_factory('route "careful.test" { tls = "verify" }\n'), tmp_path)
    for number in range(3):
        connection, line = deliver(relay, host, f"r{number}@plain.test")
        assert connection.resumed == (number > 0) and "verified=no" in line, line
        careful = relay.send(to=f"c{number}@careful.test")
        assert "certificate" in relay.wait_kind(careful, "deferred")[0]["reply"]
    assert not any("careful" in r for m in host.messages for r in m.recipients)


def test_other_authorities_are_asked_again(relay_factory, dns, tmp_path, mailhost, issue):
    dns.mail("careful.test", "mx.dest.test=127.0.0.1")
    host = mailhost(context=context_of(issue("mx.dest.test")))
    relay = started(relay_factory('route "careful.test" { tls = "verify" }\n'), tmp_path)
    assert "verified=yes" in deliver(relay, host, "a@careful.test")[1]
    (tmp_path / "ca.pem").write_bytes(issue("another.test")[0].read_bytes())
    relay.command("reload")
    assert "certificate" in relay.wait_kind(relay.send(to="b@careful.test"), "deferred")[0]["reply"]


class CannotResume:
    """Hangs up on whoever offers a session: a context for a MailHost."""

    def __init__(self, context):
        self.context, self.offered = context, 0

    def wrap_socket(self, client, server_side):
        import socket

        hello = b""
        while len(hello) < 5 or len(hello) < 5 + struct.unpack(">H", hello[3:5])[0]:
            hello = client.recv(16384, socket.MSG_PEEK)
        at = 5 + 4 + 2 + 32
        at += 1 + hello[at]
        at += 2 + struct.unpack(">H", hello[at:at + 2])[0]
        at += 1 + hello[at] + 2
        while at < len(hello):
            kind, length = struct.unpack(">HH", hello[at:at + 4])
            if kind == 41:  # pre_shared_key
                self.offered += 1
                raise ConnectionAbortedError
            at += 4 + length
        return self.context.wrap_socket(client, server_side=server_side)


@pytest.mark.parametrize("tls", ["", 'tls = "require"', 'tls = "verify"'])
def test_a_server_that_cannot_resume_has_its_mail_as_safe_as_before(relay_factory, dns, tmp_path, mailhost, issue, tls):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    host = mailhost(context=CannotResume(context_of(issue("mx.dest.test"))))
    relay = started(relay_factory(f'route "dest.test" {{ {tls} }}\n' if tls else ""), tmp_path)
    for number in range(3):
        line = deliver(relay, host, f"r{number}@dest.test")[1]
        assert "verified=yes" in line, line
    assert host.context.offered == 1  # it is not offered another one
    assert len(host.messages) == 3 and all(m.tls for m in host.messages)
    assert "tls_failed" not in relay.log()
