"""A receiver that does everything slowly keeps no connection for hours: beside the time for each step there is one for the whole of a
message."""

import socket
import threading
import time

import pytest

from conftest import wait_for

pytestmark = pytest.mark.memory


class Slow:
    """Answers MAIL and RCPT just before our patience with each of them ends."""

    def __init__(self, port, wait_s, host="127.0.0.1"):
        self.wait_s, self.lines, self.open_s = wait_s, [], None
        self.socket = socket.create_server((host, port))
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        client, _ = self.socket.accept()
        begun = time.monotonic()
        try:
            client.sendall(b"220 slow\r\n")
            while line := client.recv(4096).decode():
                self.lines.append(line)
                time.sleep(self.wait_s if line.startswith(("MAIL", "RCPT")) else 0)
                client.sendall(b"354 go\r\n" if line.startswith("DATA") else b"250 ok\r\n")
        except OSError:
            pass
        self.open_s = time.monotonic() - begun

    def stop(self):
        self.socket.close()


def test_urgent_mail_goes_on_to_the_next_host(relay_factory, dns, sink_factory, delivery_port):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1", "mx2.dest.test=127.0.0.2")
    relay = relay_factory('stream "code" { class = "security" }\nthrottle = "off"\n')
    sink = sink_factory(host="127.0.0.2", records=relay.records)
    relay.start()
    slow = Slow(delivery_port, 25)
    id = relay.send(message="From: <hello@club.test>\r\nSealpost-Stream: code\r\n\r\n1234\r\n")
    relay.wait_kind(id, "delivered", 80)
    assert len(sink.wait(1)) == 1 and "deferred" not in relay.kinds(id)
    wait_for(lambda: slow.open_s, 30)
    assert len(slow.lines) == 3 and slow.lines[2].startswith("RCPT")  # each step was in time, all together were not
    slow.stop()
