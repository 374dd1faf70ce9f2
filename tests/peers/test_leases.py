"""What a domain and a tenant have had is some messages ahead on the disk: it is shown as it is, a clean stop writes it as it is, and
after a crash there is never more than the limit says, and at most sixteen less."""

import itertools
import smtplib

import pytest

LEASE, BURST, ONE_MORE = 16, 64, itertools.count()
LIMITS = {
    "rate": f'limit "rate" {{ every = 3600  burst = {BURST}  per_day = 0 }}\nlimit "domain" {{ every = 0 }}\n',
    "daily rate": f'limit "rate" {{ every = 0  burst = 1  per_day = {2 * BURST} }}\nlimit "domain" {{ every = 0 }}\n',
    "domain": f'limit "domain" {{ every = 3600  burst = {BURST}  per_day = 0  hold = 0 }}\n',
}


@pytest.fixture(params=LIMITS)
def limited(request, relay_factory, dns):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory('throttle = "enforce"\n' + LIMITS[request.param]).start()
    relay.key = request.param.split()[-1]
    return relay


def spend(client, most):
    """Up to so many, each to somebody else in one domain, until there may be no more; how many were taken."""
    for taken in range(most):
        number = next(ONE_MORE)
        try:
            client.sendmail("hello@club.test", [f"member{number}@dest.test"], f"From: <hello@club.test>\r\nSubject: {number}\r\n\r\n{number}\r\n")
        except (smtplib.SMTPRecipientsRefused, smtplib.SMTPResponseException):
            return taken
    return most


def spend_again(relay, most):
    with relay.client() as client:
        return spend(client, most)


def left(relay):
    shown = relay.json("quota", "show", "app" if relay.key == "rate" else "nobody@dest.test")
    return next(row["left"] for row in shown["keys"] if row["key"] == relay.key)


def test_while_it_runs_each_counts_and_is_shown(limited):
    with limited.client() as client:
        for taken in range(1, 41):
            assert spend(client, 1) == 1
            if taken % 8 == 3:
                assert left(limited) == BURST - taken
        assert spend(client, BURST) == BURST - 40
    assert left(limited) == 0


@pytest.mark.parametrize("before", [1, LEASE, LEASE + 1, 40])
def test_a_clean_stop_forgets_nothing_and_takes_nothing(limited, before):
    assert spend_again(limited, before) == before
    limited.stop()
    limited.start()
    assert left(limited) == BURST - before
    assert spend_again(limited, 2 * BURST) == BURST - before


@pytest.mark.parametrize("before", [1, LEASE, LEASE + 1, 40])
def test_after_kill_9_there_is_not_one_more(limited, before):
    assert spend_again(limited, before) == before
    limited.kill()
    limited.start()
    after = spend_again(limited, 2 * BURST)
    assert BURST - LEASE <= before + after <= BURST


def test_killed_again_and_again_there_is_not_one_more(limited):
    taken = 0
    for _ in range(6):
        taken += spend_again(limited, 7)
        limited.kill()
        limited.start()
    taken += spend_again(limited, 2 * BURST)
    assert 7 <= taken <= BURST


@pytest.mark.parametrize("limited", ["rate", "daily rate"], indirect=True)
def test_a_reset_holds_after_kill_9(limited):
    assert spend_again(limited, 2 * BURST) == BURST
    limited.command("quota", "reset", "app")
    assert left(limited) == BURST
    limited.kill()
    limited.start()
    assert left(limited) == BURST and spend_again(limited, 2 * BURST) == BURST


@pytest.mark.parametrize("limited", ["rate", "daily rate"], indirect=True)
def test_what_is_undone_with_its_message_was_not_counted(limited):
    """The rate is used up at one of its recipients: the whole message is refused, and those before it are as if nothing had been said."""
    assert spend_again(limited, 10) == 10
    many = [f"many{number}@dest.test" for number in range(BURST)]
    with limited.client() as client, pytest.raises(smtplib.SMTPResponseException) as refused:
        client.sendmail("hello@club.test", many, "From: <hello@club.test>\r\nSubject: many\r\n\r\nmany\r\n")
    assert refused.value.smtp_code == 452 and left(limited) == BURST - 10
    assert spend_again(limited, 2 * BURST) == BURST - 10


@pytest.mark.parametrize("limited", ["domain"], indirect=True)
def test_who_writes_to_many_domains_takes_nobody_s_count(limited, dns):
    """More counts than there is room for, of other tenants, and a crash and a clean stop behind them."""
    limited.add_domain("other.test", "--tenant", "other")
    secret = limited.json("user", "add", "other", "--domain", "other.test", "--tenant", "other")["secret"]
    assert spend_again(limited, 20) == 20
    with limited.client(user="other", secret=secret) as client:
        for number in range(30):
            client.sendmail("hello@other.test", [f"member@d{number}-{i}.test" for i in range(20)],
                            f"From: <hello@other.test>\r\nSubject: {number}\r\n\r\n{number}\r\n")
    assert left(limited) == BURST - 20
    limited.stop()
    limited.start()
    assert left(limited) == BURST - 20
