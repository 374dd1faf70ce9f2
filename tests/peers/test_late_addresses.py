"""Addresses of a domain's hosts that DNS says later than others'. The kind of fault: those that are known fail, and mail waits for its next
try, while another host would take it."""

import pytest

from apart import STREAMS, Sender
from conftest import wait_for
from receivers import Receiver
from slow_dns import SlowDns

LATE_S = 1.6  # libunbound asks once more after a second, and hears the answer to that


@pytest.fixture(params=["equal", "worse", "better"])
def dns(request):
    """The host that takes its mail is said late; nobody is at the other one."""
    late = {"equal": 10, "worse": 20, "better": 5}[request.param]

    def slow(name, kind):
        if (name, kind) == ("late.test", "MX"):
            return ([f"{late} mx2.late.test.", "10 mx1.late.test."], 0)
        if name == "mx2.late.test" and kind == "A":
            return (["127.0.0.3"], LATE_S)
        return (["127.0.0.9"], 0) if (name, kind) == ("mx1.late.test", "A") else None

    made = SlowDns(slow)
    yield made
    made.stop()


def test_mail_goes_to_a_host_whose_address_comes_late_in_its_first_attempt(dns, relay_factory, delivery_port):
    receiver = Receiver("127.0.0.3", delivery_port)
    try:
        relay = relay_factory(STREAMS)
        relay.start()
        Sender(relay).send("x@late.test", "late")
        wait_for(lambda: receiver.subjects() == ["late"], 40)
        assert not [line for line in relay.log().splitlines() if line.split()[1:2] == ["deferred"]]
    finally:
        receiver.stop()
