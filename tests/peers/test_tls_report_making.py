"""Making TLS reports is work that others set us: a domain that publishes huge policies, and many places that refuse them, has all of it
done again and again, and whoever does it has no time for anybody else.

The kind of fault: the main loop makes reports, for each place anew; or our own limits are held against a place.
"""

import base64
import json
import os
import random
import sqlite3
import time

import pytest

from conftest import wait_for
from test_tls_reports import DAY_MS, hosts, listed, next_day, opened, reporter, reports_of  # noqa: F401

PLACES = 9  # of a record, that refuse, before the mailbox
DOMAINS = 4


def processor_seconds(relay):
    """Of the main loop's thread."""
    fields = open(f"/proc/{relay.process.pid}/task/{relay.process.pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def policy_of(domain, number, patterns=6200):
    """As the relay counts it; each number gives another."""
    names = [f"{chr(97 + i % 26)}{chr(97 + (i // 26 + number) % 26)}" for i in range(patterns)]
    return json.dumps({"policy-type": "sts",
                       "policy-string": ["version: STSv1", "mode: enforce", *(f"mx: {name}" for name in names), "max_age: 604800"],
                       "policy-domain": domain, "mx-host": names}, separators=(",", ":"))


def noise_of(domain, number, size=90 * 1024):
    """What cannot be made smaller."""
    text = base64.b64encode(random.Random(f"{domain} {number}").randbytes(size * 3 // 4)).decode()
    return json.dumps({"policy-type": "sts", "policy-string": [text], "policy-domain": domain}, separators=(",", ":"))


def count_by_hand(relay, domains, policies, policy=policy_of):
    """What takes a sender an hour, as the store has it then."""
    relay.stop()
    store = sqlite3.connect(next(relay.path.rglob("state.db")))
    day = int(time.time() * 1000) // DAY_MS
    for domain in domains:
        store.execute("INSERT INTO tlsrpt_report VALUES(?,?,'default',250,?,0,?,0,0,0,0,0,'',0,0,0,'')",
                      (day, domain, policies, (day + 1) * DAY_MS + 3600 * 1000))
        for number in range(policies):
            hash = f"{domain} {number}".encode().rjust(16)[-16:]
            store.execute("INSERT INTO tlsrpt_policy VALUES(?,?,?)", (hash, policy(domain, number), day))
            store.execute("INSERT INTO tlsrpt VALUES(?,?,?,'validation-failure','192.0.2.10','mx.test','','192.0.2.1','x',1)",
                          (day, domain, hash))
    store.commit()
    store.close()
    relay.start()


@pytest.mark.memory
def test_large_reports_that_many_places_refuse_leave_the_main_loop_free(reporter, hosts, dns, shim):
    inbox = hosts("reports.test", rua=None)
    domains = [f"d{i}.test" for i in range(DOMAINS)]
    for domain in domains:
        places = [f"https://refuses{i}.{domain}:1000/" for i in range(PLACES)]
        for i in range(PLACES):
            dns.add(f"refuses{i}.{domain}", "A", "127.0.0.9")
        dns.add(f"_smtp._tls.{domain}", "TXT", "v=TLSRPTv1; rua=" + ",".join([*places, "mailto:tls@reports.test"]))
    relay = reporter()
    count_by_hand(relay, domains, 3)
    before = processor_seconds(relay)
    next_day(shim)
    wait_for(lambda: len(reports_of(inbox)) == DOMAINS, 120)
    took = processor_seconds(relay) - before
    assert relay.log().count("tls_report_refused") >= DOMAINS
    for message in reports_of(inbox):
        domain, report = opened(message)
        assert sum(len(p["policy"]["policy-string"]) for p in report["policies"]) == 3 * 6203
        assert sum(p["summary"]["total-failure-session-count"] for p in report["policies"]) == 3
    assert took < 0.5, f"the main loop has worked for {took:.1f} s"


def test_a_report_that_we_do_not_make_is_held_against_no_place(reporter, hosts, dns, shim):
    dns.add("refuses.test", "A", "127.0.0.9")
    dns.add("_smtp._tls.d.test", "TXT", "v=TLSRPTv1; rua=https://refuses.test:1000/")
    relay = reporter()
    count_by_hand(relay, ["d.test"], 64, noise_of)  # more than one may have: of another release
    next_day(shim)
    wait_for(lambda: any(r["state"] == "dropped" or r["tries"] for r in listed(relay)), 60)
    assert "too large" in listed(relay)[0]["why"] and listed(relay)[0]["state"] == "dropped"
    store = sqlite3.connect(f"file:{next(relay.path.rglob('state.db'))}?mode=ro", uri=True)
    assert store.execute("SELECT * FROM tlsrpt_place").fetchall() == []
