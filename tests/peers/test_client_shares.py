"""Who has logged in shares the listener by tenant: however many sessions one has, the others have theirs."""

import base64
import socket
import threading
import time

import pytest
from conftest import wait_for
from test_access import Raw
from test_places import alive, connect

MESSAGE = "From: <hello@{0}.test>\r\nTo: <x@dest.test>\r\nSubject: t\r\n\r\nhello\r\n.\r\n"


@pytest.fixture
def club(relay_factory, dns):
    """The tenants of eve and bob, forty places on two shards."""
    return tenants(relay_factory, "shards = 2\nlimits { connections = 40  per_address = 40  per_network = 40 }\n")


def tenants(relay_factory, settings):
    relay = relay_factory(settings)
    for name in ("eve", "bob", "carl"):
        relay.add_domain(f"{name}.test", "--tenant", name)
    relay.start()
    relay.secrets = {name: relay.json("user", "add", name, "--domain", f"{name}.test", "--tenant", name)["secret"]
                     for name in ("eve", "bob", "carl")}
    time.sleep(0.5)  # those that looked whether it listens are gone
    return relay


def login(relay, name, source="127.0.0.1"):
    return Raw(relay, name, relay.secrets[name], source)


def plain(relay, name, source="127.0.0.1"):
    """Without waiting for what becomes of it."""
    session = Raw(relay, None, source=source)
    session.send(f"AUTH PLAIN {token(relay, name)}\r\n")
    return session


def token(relay, name):
    return base64.b64encode(f"\0{name}\0{relay.secrets[name]}".encode()).decode()


def works(session, name):
    return session.say(f"MAIL FROM:<hello@{name}.test>")[0] == 250 and session.say("RSET")[0] == 250


def open_ones(sessions):
    """NOOP is not a use: it keeps no place."""
    count = 0
    for s in sessions:
        try:
            count += s.say("NOOP")[0] == 250
        except OSError:
            pass
    return count


SOURCES = {"one address": lambda i: "127.6.0.1", "bob's address": lambda i: "127.0.0.1", "one network": lambda i: f"127.6.0.{i + 1}",
           "many networks": lambda i: f"127.{6 + i}.0.1"}


@pytest.mark.parametrize("where", SOURCES)
@pytest.mark.parametrize("known", [True, False])
def test_one_tenant_does_not_shut_out_another(club, where, known):
    """Neither from where somebody has logged in before, nor from elsewhere; and eve's oldest idle one goes."""
    if known:
        login(club, "bob").say("QUIT")
    eve = [login(club, "eve", SOURCES[where](i)) for i in range(46)]  # ten more than there are places for those who have logged in
    wait_for(lambda: open_ones(eve) == 36)
    assert open_ones(eve[:10]) == 0
    bobs = [login(club, "bob") for _ in range(5)]
    assert all(works(bob, "bob") for bob in bobs)
    wait_for(lambda: open_ones(eve) == 31)
    assert open_ones(eve[:15]) == 0 and all(works(s, "eve") for s in eve[-5:])
    assert eve[0].file.readline() == b""


def test_who_gives_way_hears_421_between_messages(club):
    """Those who are sending stay while an idle one of the same tenant is there, whatever shard it is on; its answer is 421."""
    busy = [login(club, "eve", f"127.{6 + i}.0.1") for i in range(20)]
    for s in busy:
        s.begin("hello@eve.test")
    idle = [login(club, "eve", f"127.{46 + i}.0.1") for i in range(16)]
    bobs = [login(club, "bob") for _ in range(16)]
    for s in idle:
        code, text = s.reply()
        assert code == 421 and "connections" in text
    for s in busy:
        s.send(MESSAGE.format("eve"))
        assert s.reply()[0] in (250, 451)
    assert all(works(bob, "bob") for bob in bobs)


def test_messages_without_end_hold_no_places(club):
    """All of them in the middle of a message, slowly: they have a second to end it."""
    busy = [login(club, "eve", f"127.{6 + i % 3}.0.1") for i in range(36)]
    for s in busy:
        s.begin("hello@eve.test")
        s.send("From: <hello@eve.test>\r\n")
    bobs = [login(club, "bob") for _ in range(10)]
    assert all(works(bob, "bob") for bob in bobs)

    def ended():
        count = 0
        for s in busy:
            s.socket.settimeout(0.02)
            try:
                count += s.socket.recv(1000) == b""
            except OSError as e:
                count += isinstance(e, ConnectionError)
        return count
    wait_for(lambda: ended() == 10, 15)


def test_the_one_that_is_used_stays(club):
    """Idle is who sends no message, however much is said; who has sent one lately goes last."""
    eve = [login(club, "eve", f"127.{6 + i}.0.1") for i in range(36)]
    time.sleep(0.1)
    assert works(eve[0], "eve") and works(eve[1], "eve")
    for s in eve[2:6]:
        assert s.say("NOOP")[0] == 250
    bobs = [login(club, "bob") for _ in range(6)]
    assert len(bobs) == 6 and works(eve[0], "eve") and works(eve[1], "eve")
    wait_for(lambda: open_ones(eve) == 30)


def test_strangers_push_nobody_out_who_has_logged_in(club):
    """However many come, from wherever: only a login takes a place of somebody else's."""
    eve = [login(club, "eve", f"127.{6 + i}.0.1") for i in range(36)]
    strangers = [connect(club, f"127.{66 + i % 50}.0.1") for i in range(100)]
    known = [connect(club, f"127.{6 + i}.0.1") for i in range(30)]
    assert open_ones(eve) == 36
    wait_for(lambda: sum(alive(s) for s in strangers + known) <= 4)
    assert works(login(club, "bob", "127.200.0.1"), "bob")  # from where nobody has logged in
    wait_for(lambda: open_ones(eve) < 36)
    assert open_ones(eve) == 35


def test_each_tenant_has_the_same(club):
    """Three that want all of it: a third each; the one that comes last takes from those with most."""
    sessions = {name: [login(club, name, f"127.{6 + i}.0.1") for i in range(36)] for name in ("eve", "bob", "carl")}
    wait_for(lambda: sum(open_ones(s) for s in sessions.values()) == 36)
    assert {name: open_ones(s) for name, s in sessions.items()} == {"eve": 12, "bob": 12, "carl": 12}


def test_a_flood_of_strangers_leaves_those_from_elsewhere_time_to_log_in(club):
    """Of the address with most of them the oldest goes: one that comes slowly from elsewhere is not the oldest of them."""
    eve = [login(club, "eve", f"127.{6 + i}.0.1") for i in range(30)]
    slow = Raw(club, None, source="127.200.0.1")
    flood = [connect(club, "127.201.0.1") for _ in range(60)]
    slow.send("AUTH PLAIN " + base64.b64encode(f"\0bob\0{club.secrets['bob']}".encode()).decode() + "\r\n")
    assert slow.reply()[0] == 235 and works(slow, "bob")
    assert open_ones(eve) == 30 and sum(alive(s) for s in flood) < 10


def test_one_line_a_minute_names_the_tenant(club):
    eve = [login(club, "eve", f"127.{6 + i}.0.1") for i in range(60)]
    lines = [line for line in club.log().splitlines() if " connections_full " in line]
    assert len(lines) == 1 and " tenant=eve " in lines[0] and "of 40 client connections" in lines[0], lines
    wait_for(lambda: club.json("events", "--kind", "connections_full"))
    assert club.json("events", "--kind", "connections_full")[0]["recipient"] == "eve"
    assert [row for row in club.json("audit", "tail") if row["what"] == "connections_full"]
    assert open_ones(eve) == 36


def test_a_thousand_sessions_and_everybody_else(relay_factory, dns):
    """The default limits, from four networks, each of which may have three quarters."""
    relay = tenants(relay_factory, "shards = 2\n")
    held = []

    def take(k):
        for i in range(300):
            try:
                held.append(login(relay, "eve", f"127.{6 + k}.{i % 4}.1"))
            except (OSError, AssertionError):
                pass
    threads = [threading.Thread(target=take, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(held) > 900
    times = []
    for source in ("127.0.0.1", "127.6.0.1", "127.99.0.1") * 5:
        began = time.monotonic()
        assert works(login(relay, "bob", source), "bob")
        times.append(time.monotonic() - began)
    assert sorted(times)[-2] < 1, times
    for s in held:
        s.socket.close()


def test_one_place_in_all_is_one(relay_factory, dns):
    relay = tenants(relay_factory, "limits { connections = 2 }\n")
    first = login(relay, "eve")
    with socket.create_connection(("127.0.0.1", relay.submission), timeout=20) as other:
        assert other.recv(1000)[:3] in (b"220", b"421")
    assert first.say("NOOP")[0] == 250


def test_many_who_log_in_at_once_end_no_session_at_work_while_others_are_idle(relay_factory, dns):
    """The kind: all of them choose the same one, which is there for the first of them alone."""
    club = tenants(relay_factory, "shards = 2\nlimits { connections = 100  per_address = 100  per_network = 100 }\n")
    eve = [login(club, "eve") for _ in range(90)]
    busy = eve[20:]
    bobs = []
    for session in busy:
        assert session.say("MAIL FROM:<hello@eve.test>")[0] == 250
    for round in range(2):
        sessions = [Raw(club, None) for _ in range(10)]
        bobs += sessions
        for session in sessions:
            session.send(f"AUTH PLAIN {token(club, 'bob')}\r\n")
        assert [session.reply()[0] for session in sessions] == [235] * 10
        wait_for(lambda: club.log().count("session_ended") >= 10 * (round + 1), 10)
    for session in busy:
        assert session.say("RCPT TO:<x@dest.test>")[0] in (250, 550)
    assert open_ones(eve[:20]) == 0
