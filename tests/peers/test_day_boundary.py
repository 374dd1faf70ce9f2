"""TLS reports at the day's end, by the clock of Debian's libfaketime: it stands before each call of the C library that asks what time it
is, in the release build with its sandbox on. The fetcher, whose environment the relay clears, keeps the real one.

The kind of fault: a session counts for the day on which it is written down, or the relay's start; a report goes out before its time, or
again.
"""

import datetime
import glob
import json
import gzip
import os
import time

import pytest

from conftest import wait_for
from test_tls_reports import TELLS, collector, hosts, listed, opened, reports_of, send_all, sums  # noqa: F401: fixtures

DAY, SECOND = datetime.timedelta(days=1), datetime.timedelta(seconds=1)
DAYS_SPREAD_MS, FIRST_MINUTES = 230 * 60 * 1000, 10


@pytest.fixture
def library():
    found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    if not found:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("libfaketime is not installed: contrib/deps test")
    return found[0]


class Clock:
    """The relay's: each start sets it. It goes on from there."""

    def __init__(self, relay, library):
        self.relay = relay
        # The steady clock stays as it is; and waits by it are not to be converted, which libfaketime does even so.
        relay.environment |= {"LD_PRELOAD": library, "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_FORCE_MONOTONIC_FIX": "0", "TZ": "UTC"}

    def start(self, at):
        self.at, self.began = at, time.monotonic()
        self.relay.environment["FAKETIME"] = f"@{at:%Y-%m-%d %H:%M:%S}"
        self.relay.start()

    def wait(self, until):
        """It was set before the relay had begun, so it is not later than this."""
        left = (until - self.at).total_seconds() - (time.monotonic() - self.began)
        time.sleep(max(0, left))


def due(domain, midnight):
    """At a time that is the domain's own (tlsrpt_gather_due_ms())."""
    number = 2166136261
    for byte in domain.encode():
        number = (number ^ byte) * 16777619 & 0xffffffff
    return midnight + datetime.timedelta(minutes=FIRST_MINUTES, milliseconds=number % DAYS_SPREAD_MS)


def day_of(ms):
    return f"{datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc):%Y-%m-%d}"


def test_sessions_before_and_after_midnight_are_in_two_reports_each_sent_once(release, relay_factory, hosts, collector, library, tmp_path):  # noqa: F811
    today = datetime.datetime.now(datetime.timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    yesterday = day_of((today - DAY).timestamp() * 1000)
    mail, https = sorted((f"d{n}.test" for n in range(4000)), key=lambda d: due(d, today))[:2]
    place = collector()
    servers = {mail: hosts(mail)}
    servers[https] = hosts(https, rua=f"https://collect.test:{place.port}/")
    inbox = hosts("reports.test", rua=None)
    relay = relay_factory(TELLS)
    relay.config.write_text(relay.config.read_text().replace("delivery { ", "delivery { reuse = 1  ", 1))
    relay.environment["SSL_CERT_FILE"] = str(tmp_path / "ca.pem")
    clock = Clock(relay, library)


    def connections():
        return {domain: sum(c.tls for c in host.connections) for domain, host in servers.items()}

    for lead_s in (5, 30, 120):  # a slow machine needs more
        clock.start(today - lead_s * SECOND)
        ids = send_all(relay, f"a@{mail}", f"a@{https}")
        if {day_of(e["at"]) for id in ids for e in relay.trace(id)} == {yesterday}:
            break
        relay.stop()
    before = connections()
    clock.wait(today + SECOND)
    send_all(relay, f"b@{mail}", f"c@{mail}", f"b@{https}")
    sessions = {(domain, day): count for domain, count in before.items() for day, count in
                ((yesterday, count), (day_of(today.timestamp() * 1000), connections()[domain] - count))}
    wait_for(lambda: {(r["domain"], r["day"]): r["successful"] for r in listed(relay)} == sessions, 30)
    assert all(sessions.values())
    relay.stop()
    assert not reports_of(inbox) and not place.bodies

    clock.start(due(mail, today) - 2 * SECOND)
    wait_for(lambda: reports_of(inbox) and place.bodies, 60)
    wait_for(lambda: [r["state"] for r in listed(relay)].count("sent") == 2, 30)
    for row in listed(relay):
        if row["state"] == "sent":
            at = datetime.datetime.fromtimestamp(row["ended"] / 1000, datetime.timezone.utc)
            assert due(row["domain"], today) <= at <= due(row["domain"], today) + 120 * SECOND, row
    relay.stop()

    clock.start(today + DAY + 5 * 3600 * SECOND)  # all of the second day's are due
    wait_for(lambda: len(reports_of(inbox)) + len(place.bodies) >= 4, 60)
    wait_for(lambda: {r["state"] for r in listed(relay)} == {"sent"}, 30)
    relay.stop()
    by_mail = [opened(m)[1] for m in reports_of(inbox)]
    by_https = [json.loads(gzip.decompress(body)) for body in place.bodies]
    for domain, reports in ((mail, by_mail), (https, by_https)):
        assert [r["date-range"]["start-datetime"] for r in reports] == [f"{day:%Y-%m-%d}T00:00:00Z" for day in (today - DAY, today)]
        told = {(domain, r["date-range"]["start-datetime"][:10]): sums(r)["no-policy-found", "ok"] for r in reports}
        assert told == {key: count for key, count in sessions.items() if key[0] == domain}
