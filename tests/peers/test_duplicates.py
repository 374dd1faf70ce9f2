"""What is the same message once more, and what only looks like it: the content decides. Programs that give all their mail one
Message-ID lose nothing; a job that has lost the answer sends nothing twice; an idempotency key is a promise."""

import email.policy
import hmac
import re
import sqlite3
import time
from email.message import EmailMessage

import pytest

from conftest import wait_for


@pytest.fixture
def relay(relay_factory, dns, sink_factory):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    limits = "".join(f'limit "{name}" {{ every = 1  burst = 1000  per_day = 0 }}\n' for name in ("notification", "tenant", "recipient"))
    relay = relay_factory('throttle = "enforce"\n' + limits)
    relay.sink = sink_factory()
    return relay.start()


def compose(id="<constant@club.test>", subject="Booking", text="Court 3 is yours.", attachment=None, to="<bob@dest.test>", key=None,
            field="Sealpost-Idempotency-Key"):
    """As a program makes it: with a date and boundaries of its own each time."""
    m = EmailMessage(policy=email.policy.SMTP)
    m["From"], m["To"], m["Subject"] = "<hello@club.test>", to, subject
    m["Date"] = email.utils.formatdate(compose.clock)
    compose.clock += 61
    if id:
        m["Message-ID"] = id
    if key:
        m[field] = key
    m.set_content(text)
    m.add_alternative(f"<p>{text}</p>", subtype="html")
    if attachment:
        m.add_attachment(attachment, maintype="application", subtype="pdf", filename="bill.pdf")
    return m.as_bytes()


compose.clock = time.time() - 86400


def submit(relay, raw, to="bob@dest.test"):
    with relay.client() as client:
        client.ehlo_or_helo_if_needed()
        client.mail("hello@club.test")
        for recipient in [to] if isinstance(to, str) else to:
            assert client.rcpt(recipient)[0] == 250
        code, text = client.data(raw)
        return code, text.decode()


def id_of(answer):
    code, text = answer
    assert code == 250 and "duplicate" not in text and "collapsed" not in text, answer
    return re.search(r"queued as (\w+)", text)[1]


LARGE = b"%PDF-1.7 " + b"0123456789abcdef" * 30000  # far more than is kept in memory


def test_programs_with_one_message_id_lose_nothing(relay):
    """The same field each time; what differs is a word, a figure, a subject, an attachment, at its very end."""
    others = [{}, {"text": "Court 4 is yours."}, {"subject": "Cancelled"}, {"attachment": b"a"}, {"attachment": b"b"},
              {"to": "Bob <bob@dest.test>"}, {"text": " boundary=1"}, {"text": " boundary=2"}, {"text": "--option"}, {"text": "--other"},
              {"attachment": LARGE + b"1"}, {"attachment": LARGE + b"2"}, {"text": "x" * 900 + "1"}, {"text": "x" * 900 + "2"}]
    ids = [id_of(submit(relay, compose(**other))) for other in others]
    assert len(set(ids)) == len(others)
    for id in ids:
        relay.wait_kind(id, "delivered", 40)
    arrived = [raw for _, raw in relay.sink.wait(len(others))]
    assert len(arrived) == len(others) and all(b"<constant@club.test>" in raw for raw in arrived)


@pytest.mark.parametrize("with_attachment", [None, b"small", LARGE], ids=["text", "attachment", "large"])
def test_the_same_once_more_is_not_sent(relay, with_attachment):
    """Made anew, with another date and other boundaries, as a job does that runs again; and byte for byte, as a queue does."""
    raw = compose(attachment=with_attachment)
    id = id_of(submit(relay, raw))
    relay.wait_kind(id, "delivered", 40)
    for again in (raw, compose(attachment=with_attachment), compose(attachment=with_attachment)):
        code, text = submit(relay, again)
        assert code == 250 and f"duplicate of {id}, not sent again" in text, text
    other = id_of(submit(relay, compose(attachment=with_attachment, text="Another.")))
    for id, text in ((id, "Court 3 is yours."), (other, "Another.")):  # both are remembered
        assert f"duplicate of {id}" in submit(relay, compose(attachment=with_attachment, text=text))[1]
    assert id_of(submit(relay, compose(attachment=with_attachment, id="<another@club.test>")))
    wait_for(lambda: not relay.queue(), 40)  # while one waits, the same is collapsed into it
    assert id_of(submit(relay, compose(attachment=with_attachment), "bob+x@dest.test"))  # another mailbox, for all we know
    assert "duplicate" in submit(relay, compose(attachment=with_attachment), "BOB@DEST.test")[1]


@pytest.mark.parametrize("field", ["Sealpost-Idempotency-Key", "Resend-Idempotency-Key"])
def test_a_key_with_other_content_is_an_error(relay, field):
    raw = compose(id=None, key="order-7", field=field)
    id = id_of(submit(relay, raw))
    assert f"duplicate of {id}" in submit(relay, compose(id=None, key="order-7", field=field))[1]
    for other in ({"text": "Court 4 is yours."}, {"subject": "x"}, {"attachment": b"x"}, {"attachment": LARGE}):
        code, text = submit(relay, compose(id=None, key="order-7", field=field, **other))
        assert code == 550 and text.startswith('5.6.0 Idempotency key "order-7"') and id in text and text.count("\n") == 0, text
    code, text = submit(relay, compose(id=None, key="order-7", field=field, text="Both."), ["amy@dest.test", "bob@dest.test"])
    assert code == 550 and id in text  # nobody gets it
    assert id_of(submit(relay, compose(id=None, key="order-8", field=field, text="Court 4 is yours.")))
    code, text = submit(relay, compose(id=None, key="order-7", field=field), ["amy@dest.test", "bob@dest.test"])
    assert code == 250  # one of them has not got it
    wait_for(lambda: "delivered" in relay.kinds(text.split()[-1]))
    assert {e["recipient"] for e in relay.trace(text.split()[-1]) if e["kind"] == "delivered"} == {"amy@dest.test"}
    relay.kill()
    relay.start()
    assert submit(relay, compose(id=None, key="order-7", field=field, text="Again other."))[0] == 550


def test_a_key_whose_message_has_failed_is_free_again(relay, dns):
    dns.add("late.test", "TXT", "no mail server yet")
    id = id_of(submit(relay, compose(id=None, key="k"), "bob@late.test"))
    relay.wait_kind(id, "bounced")
    assert id_of(submit(relay, compose(id=None, key="k", text="Corrected."), "bob@late.test"))


def test_a_key_of_a_version_before_is_still_kept(relay):
    """Its content was digested in another way: with what it cannot be compared, it is the same again, and nobody gets it twice."""
    id = id_of(submit(relay, compose(id=None, key="k")))
    relay.stop()
    database = sqlite3.connect(relay.path / "state" / "state.db")
    secret = database.execute("SELECT value FROM instance WHERE name = 'rate_key'").fetchone()[0]
    key = hmac.digest(secret, b"key\ndefault\nbob@dest.test\nk\n", "sha256")[:16]
    message = database.execute("SELECT message FROM sent WHERE message <> 0 AND content IS NOT NULL").fetchone()[0]
    with database:
        database.execute("INSERT INTO once(key, message, at, content) VALUES(?, ?, ?, zeroblob(16))", (key, message, int(time.time() * 1000)))
    database.executescript("DROP TABLE return_path; DROP TABLE speed; DROP TABLE pause; DROP TABLE rest; DROP TABLE sent; DROP TABLE event_of; DROP TABLE indexed; ALTER TABLE event DROP COLUMN first_time;"
                           "DROP TABLE sts_policy; "
                           "DROP TABLE tlsrpt; DROP TABLE tlsrpt_policy; DROP TABLE tlsrpt_report; DROP TABLE tlsrpt_share; DROP TABLE tlsrpt_place;"
                           "ALTER TABLE event DROP COLUMN tls_policy; ALTER TABLE event DROP COLUMN tls_result;"
                           "ALTER TABLE event DROP COLUMN tlsa; ALTER TABLE message DROP COLUMN tls_need;"
                           "ALTER TABLE event DROP COLUMN category; ALTER TABLE event DROP COLUMN rule; ALTER TABLE event DROP COLUMN source;"
                           "ALTER TABLE suppression DROP COLUMN needed; ALTER TABLE recipient DROP COLUMN category;"
                           "DROP TABLE webhook; DROP TABLE outbox; ALTER TABLE recipient DROP COLUMN delays;"
                           "CREATE INDEX event_message ON event(message); PRAGMA user_version = 7;")
    database.close()
    relay.start()
    assert f"duplicate of {id}" in submit(relay, compose(id=None, key="k"))[1]
