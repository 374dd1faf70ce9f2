"""MTA-STS: what a policy host may do to the relay, and what a record may say.

The kind of fault: what is no policy is taken for one; a certificate is taken that is not that of the policy host; a slow or endless answer
holds up mail, memory, or the domains of others. Whatever it is, mail of a domain without a policy that counts goes on in its time, and
says why.
"""

import gzip
import ipaddress
import ssl
import threading
import time
import warnings

import pytest

from conftest import wait_for
from policy_host import reply_of, text_of
from test_sts import judged, world  # noqa: F401: a fixture

FETCH, INVALID, PKIX = (("opportunistic", f"sts-{what}") for what in ("policy-fetch-error", "policy-invalid", "webpki-invalid"))
GOOD, NONE = ("sts", "ok"), ("opportunistic", "ok")


def body(domain, **change):
    return text_of("enforce", [f"mx.{domain}"], **change)


def said(head, end=None):
    """Of the usual policy: all with another head, or another end."""
    def reply(domain):
        return head.encode() + b"\r\n\r\n" + (body(domain).encode() if end is None else end)
    return reply


def usual(status="200 OK", *head):
    return lambda domain: reply_of(body(domain), status, head)


def changed(change):
    return lambda domain: reply_of(change(body(domain)))


def chunks(domain):
    text = body(domain).encode()
    pieces = [text[i:i + 7] for i in range(0, len(text), 7)]
    return (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n")


def drip(head, piece, pause=0.2):
    """So much again and again, until nobody listens."""
    def reply(domain):
        def say(client):
            client.sendall(head)
            while True:
                client.sendall(piece)
                time.sleep(pause)
        return say
    return reply


def silent(domain):
    return lambda client: client.recv(1)


def flood(head, piece):
    return drip(head, piece * 400, 0)


OK_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
AROUND = 64 * 1024

# Domain -> what its host says, and what is made of that.
ANSWERS = {
    "plain": (usual(), GOOD),
    "html-type": (usual("200 OK", "X-A: b", "Content-Encoding: gzip"), GOOD),
    "no-reason": (said("HTTP/1.1 200\r\nConnection: close"), GOOD),
    "http10": (said("HTTP/1.0 200 OK"), GOOD),
    "chunked": (chunks, GOOD),
    "continue": (lambda d: b"HTTP/1.1 100 Continue\r\n\r\n" + reply_of(body(d)), GOOD),
    "bare-lf": (changed(lambda t: t.replace("\r\n", "\n")), GOOD),
    "full": (changed(lambda t: t + "x: " + "y" * (AROUND - len(t) - 3)), GOOD),
    "s204": (lambda d: b"HTTP/1.1 204 No Content\r\n\r\n", FETCH),
    "s201": (usual("201 Created"), FETCH),
    "s206": (usual("206 Partial Content"), FETCH),
    "s301": (usual("301 Moved", "Location: https://mta-sts.plain.test/.well-known/mta-sts.txt"), FETCH),
    "s302": (usual("302 Found", "Location: https://mta-sts.plain.test/.well-known/mta-sts.txt"), FETCH),
    "s307": (usual("307 Temporary", "Location: /elsewhere"), FETCH),
    "s304": (lambda d: b"HTTP/1.1 304 Not Modified\r\n\r\n", FETCH),
    "s401": (usual("401 Who?", 'WWW-Authenticate: Basic realm="x"'), FETCH),
    "s404": (usual("404 Not Found"), FETCH),
    "s500": (usual("500 Sorry"), FETCH),
    "s999": (usual("999 What"), FETCH),
    "http09": (lambda d: body(d).encode(), FETCH),
    "garbage": (lambda d: bytes(range(256)) * 8, FETCH),
    "nothing": (lambda d: b"", FETCH),
    "no-head": (lambda d: b"HTTP/1.1 200 OK\r\n", INVALID),  # taken for all of a head, with nothing behind it
    "long": (changed(lambda t: t + "x: " + "y" * (AROUND - len(t) - 2)), FETCH),
    "huge": (flood(OK_HEAD + b"\r\n", b"x" * 64), FETCH),
    "huge-chunks": (flood(OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"40\r\n" + b"x" * 64 + b"\r\n"), FETCH),
    "huge-head": (flood(OK_HEAD, b"X: " + b"y" * 100 + b"\r\n"), FETCH),
    "huge-line": (flood(OK_HEAD + b"X: ", b"y" * 100), FETCH),
    "bad-chunks": (said("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", b"zz\r\nversion: STSv1\r\n"), FETCH),
    "says-more": (said("HTTP/1.1 200 OK\r\nContent-Length: 9999"), FETCH),
    "says-less": (said("HTTP/1.1 200 OK\r\nContent-Length: 20"), INVALID),
    "says-huge": (said("HTTP/1.1 200 OK\r\nContent-Length: 99999999999"), FETCH),
    "says-minus": (said("HTTP/1.1 200 OK\r\nContent-Length: -1"), FETCH),
    "gzip": (lambda d: reply_of(gzip.compress(body(d).encode()), head=["Content-Encoding: gzip"]), INVALID),
    "page": (lambda d: reply_of("<!doctype html><title>Welcome</title>\n"), INVALID),
    "empty": (lambda d: reply_of(""), INVALID),
    "bom": (changed(lambda t: "\ufeff" + t), INVALID),
    "utf16": (lambda d: reply_of(body(d).encode("utf-16")), INVALID),
    "nul": (changed(lambda t: t.replace("enforce", "enforce\0")), INVALID),
    "version2": (changed(lambda t: t.replace("STSv1", "STSv2")), INVALID),
    "no-version": (changed(lambda t: t.replace("version: STSv1\r\n", "")), INVALID),
    "mode": (changed(lambda t: t.replace("enforce", "strict")), INVALID),
    "no-mx": (lambda d: reply_of(text_of("enforce")), INVALID),
    "mx-address": (lambda d: reply_of(text_of("enforce", ["127.0.0.1"])), INVALID),
    "no-age": (changed(lambda t: t.replace("max_age: 86400\r\n", "")), INVALID),
    "age": (changed(lambda t: t.replace("86400", "-1")), INVALID),
    "slow-body": (drip(OK_HEAD + b"Content-Length: 500\r\n\r\n", b"x"), FETCH),
    "slow-head": (drip(OK_HEAD, b"X: y\r\n"), FETCH),
    "slow-line": (drip(b"HTTP/1.1 200 OK\r\nX: ", b"y"), FETCH),
    "silent": (silent, FETCH),
}

# The same of certificates: how it is issued for mta-sts.DOMAIN.
CERTIFICATES = {
    "wildcard": (lambda w, d: w.issue(f"*.{d}"), GOOD),
    "among": (lambda w, d: w.issue("other.test", f"mta-sts.{d}", f"www.{d}"), GOOD),
    "upper": (lambda w, d: w.issue(f"MTA-STS.{d.upper()}"), GOOD),
    "cn-only": (lambda w, d: w.issue(subject=f"mta-sts.{d}"), PKIX),
    "cn-beside": (lambda w, d: w.issue("other.test", subject=f"mta-sts.{d}"), PKIX),
    "wrong-name": (lambda w, d: w.issue(f"www.{d}"), PKIX),
    "parent": (lambda w, d: w.issue(d), PKIX),
    "deep-wildcard": (lambda w, d: w.issue("*.test"), PKIX),
    "two-wildcards": (lambda w, d: w.issue("*.*.test"), PKIX),
    "part-wildcard": (lambda w, d: w.issue(f"mta*.{d}"), PKIX),
    "wildcard-cn": (lambda w, d: w.issue(subject=f"*.{d}"), PKIX),
    "address": (lambda w, d: w.issue(subject=f"mta-sts.{d}", ip=ipaddress.ip_address("127.0.0.1")), PKIX),
    "expired": (lambda w, d: w.issue(f"mta-sts.{d}", hours=(-48, -24)), PKIX),
    "early": (lambda w, d: w.issue(f"mta-sts.{d}", hours=(24, 48)), PKIX),
    "stranger": (lambda w, d: w.issue(f"mta-sts.{d}", signer="other"), PKIX),
    "clients": (lambda w, d: w.issue(f"mta-sts.{d}", client=True), PKIX),
}


def old(context):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def needs_client(context):
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


TLS = {"old-tls": (old, FETCH), "needs-client": (needs_client, FETCH), "clear": (lambda context: "clear", FETCH)}

RECORDS = {
    "two-records": (["v=STSv1; id=1;", "v=STSv1; id=2;"], NONE),
    "other-beside": (["v=spf1 -all", "v=STSv1; id=1;"], GOOD),
    "hyphen": ("v=STSv1; id=2026-01-01;", NONE),
    "no-id": ("v=STSv1;", NONE),
    "long-id": (f"v=STSv1; id={'1' * 33};", NONE),
    "longest-id": (f"v=STSv1; id={'1' * 32};", GOOD),
    "version": ("v=STSv2; id=1;", NONE),
}


def build(w):
    expected = {}
    for name, (reply, result) in ANSWERS.items():
        expected[f"{name}.test"] = result
        w.policy(f"{name}.test", reply=reply(f"{name}.test"))
    for name, (issue, result) in CERTIFICATES.items():
        expected[f"{name}.test"] = result
        w.policy(f"{name}.test", context=w.context(pair=issue(w, f"{name}.test")))
    for name, (make, result) in TLS.items():
        expected[f"{name}.test"] = result
        w.policy(f"{name}.test", context=make(w.context(f"mta-sts.{name}.test")))
    for name, (record, result) in RECORDS.items():
        expected[f"{name}.test"] = result
        w.policy(f"{name}.test")
        w.record(f"{name}.test", record)
    for domain in expected:
        w.domain(domain)
    return expected


def coded(domain):
    return f"From: <hello@club.test>\r\nTo: <x@{domain}>\r\nSubject: test\r\nSealpost-Stream: code\r\n\r\nhello\r\n"


@pytest.mark.memory
def test_no_policy_host_can_make_more_of_it_than_a_policy(world, relay_factory):  # noqa: F811
    """Class security, which waits ten seconds at most for a host that is slow."""
    expected = build(world)
    assert len(expected) - sum(result == GOOD for result in expected.values()) >= 40
    relay = world.relay(relay_factory, 'stream "code" { class = "security" }')
    ids = {domain: relay.send(to=f"x@{domain}", message=coded(domain)) for domain in expected}
    found = {domain: judged(relay, id, "delivered") for domain, id in ids.items()}
    assert {d: f for d, f in found.items() if f[1:] != expected[d]} == {}
    assert len(world.policies["plain.test"].requests) == 1  # and nobody was led there
    assert all(len(p.requests) <= 1 for p in world.policies.values())
    for request in (r for p in world.policies.values() if p.context for r in p.requests):  # what speaks in clear reads a handshake
        assert request.startswith(b"GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts."), request
        assert b"\nCookie" not in request and b"Accept-Encoding" not in request


def two_tenants(world, relay_factory, slow, host=None):  # noqa: F811
    """A relay with mail of one tenant for domains whose policy hosts say nothing; a function that sends one of the other's to a domain."""
    held = threading.Event()
    for domain in slow:
        world.policy(domain, reply=lambda client: held.wait(120))
        world.domain(domain, *([host] if host else []))
    relay = world.relay(relay_factory)
    relay.add_domain("shop.test", "--tenant", "shop")
    secret = relay.json("user", "add", "shop", "--domain", "shop.test", "--tenant", "shop")["secret"]
    for domain in slow:
        relay.send(to=f"x@{domain}")

    def send(domain):
        with relay.client(user="shop", secret=secret) as client:
            client.docmd("MAIL", "FROM:<a@shop.test>")
            client.docmd("RCPT", f"TO:<x@{domain}>")
            code, text = client.data(f"From: <a@shop.test>\r\nTo: <x@{domain}>\r\nSubject: test\r\n\r\nhello\r\n".encode())
        assert code == 250, text
        return text.decode().split()[-1]

    return relay, send, held


@pytest.mark.memory
def test_slow_policy_hosts_of_one_tenant_hold_up_nobody_else(world, relay_factory):  # noqa: F811
    """More domains than are fetched at once, each with a host that says nothing: another tenant's policy is had at once."""
    slow = [f"slow{n}.test" for n in range(60)]
    world.policy("quick.test")
    world.domain("quick.test")
    relay, send, held = two_tenants(world, relay_factory, slow)
    busy = lambda: sum(p.now for d, p in world.policies.items() if d in slow)  # noqa: E731
    wait_for(lambda: busy() >= 10, 30)
    assert judged(relay, send("quick.test"), "delivered")[1:] == GOOD
    assert 10 <= busy() <= 16, busy()  # of 24: twice what it leaves free; and they have not ended
    assert relay.json("sts", "show", "slow59.test")["standing"]["busy"]
    assert not any(world.hosts[f"mx.{d}"].messages for d in slow[40:])
    held.set()


@pytest.mark.memory
def test_who_has_asked_first_decides_for_nobody_else(world, relay_factory):  # noqa: F811
    """One tenant has mail for a domain behind mail for many with hosts that say nothing: another tenant's mail to it goes by its policy."""
    slow = [f"slow{n}.test" for n in range(60)]
    relay, send, held = two_tenants(world, relay_factory, slow)
    world.policy("wanted.test")
    world.domain("wanted.test")
    wait_for(lambda: sum(p.now for p in world.policies.values()) >= 10, 30)
    first = relay.send(to="x@wanted.test")
    wait_for(lambda: relay.json("sts", "show", "wanted.test")["standing"]["busy"])
    assert judged(relay, send("wanted.test"), "delivered")[1:] == GOOD
    assert len(world.policies["wanted.test"].requests) == 1
    assert judged(relay, first, "delivered")[1:] == GOOD  # what is known is everybody's
    held.set()


def test_who_waits_for_policies_holds_up_nobody_at_the_same_host(world, relay_factory):  # noqa: F811
    """The domains of both tenants are at one host, with as many connections as it bears."""
    slow = [f"slow{n}.test" for n in range(60)]
    world.domain("quick.test", "mx.shared.test")
    relay, send, held = two_tenants(world, relay_factory, slow, "mx.shared.test")
    host = world.hosts["mx.shared.test"]
    wait_for(lambda: sum(p.now for p in world.policies.values()) >= 10, 30)
    assert judged(relay, send("quick.test"), "delivered", 40)[1:] == NONE
    waiting = [d for d in slow if not host.reached(f"x@{d}")]
    assert len(waiting) > 50, waiting
    held.set()
