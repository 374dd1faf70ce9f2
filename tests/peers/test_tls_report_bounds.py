"""TLS reports are sent where a record says, and a record may name anybody: what does it cost those who never asked for any?

The kind of fault: a domain's record has the relay do to others what their own limits, their list of who wants no mail, their refusals or
the addresses of their hosts forbid.
"""

import socket
import threading

from conftest import wait_for
from test_tls_reports import hosts, listed, next_day, reporter, reports_of, send_all, trusting_environment  # noqa: F401 - fixtures

def test_numbers_that_are_no_names_lead_nowhere(reporter, hosts, dns, shim, tmp_path):
    """DNS says where the name is, and curl would take the number for another address."""
    touched = []
    spy = socket.create_server(("127.0.0.1", 0))
    port = spy.getsockname()[1]

    def run():
        while True:
            try:
                touched.append(spy.accept())
            except OSError:
                return

    threading.Thread(target=run, daemon=True).start()
    numbers = ["0x7f000001", "0x7f.1", "2130706433", "127.1", "017700000001"]
    for i, number in enumerate(numbers):
        dns.add(number, "A", "127.0.0.99")
        hosts(f"n{i}.test", rua=f"https://{number}:{port}/x,mailto:tls@reports.test")
    inbox = hosts("reports.test", rua=None)
    relay = trusting_environment(reporter(), tmp_path)
    send_all(relay, *[f"x@n{i}.test" for i in range(len(numbers))])
    wait_for(lambda: len(listed(relay)) == len(numbers))
    next_day(shim)
    wait_for(lambda: len(reports_of(inbox)) == len(numbers), 90)
    assert not touched and not [name for name, _ in dns.asked if name in numbers]
    spy.close()
