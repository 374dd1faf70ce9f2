"""What a new connection costs: each write is a packet, and wakes somebody. Kind: calls that a connection, or a message, does not need."""

import collections
import re
import subprocess

import pytest
from conftest import wait_for

pytestmark = pytest.mark.usefixtures("authorities")  # the system's, as an operator has them
CALL = re.compile(r"^\d+ +(\w+)\(\d+<(TCP[^>]*\[([^\]]*)\]|[^>]*)>")
NAMES = "read,write,writev,pread64,preadv,ioctl,getdents64,openat,close,getpeername,setsockopt,epoll_ctl"


class Trace:
    """What all threads of the relay ask the kernel for, from now on to its end."""

    def __init__(self, pid, path):
        self.out = path / "calls"
        self.process = subprocess.Popen(["strace", "-f", "-yy", "-s", "0", "-e", f"trace={NAMES}", "-e", "signal=none", "-o", self.out, "-p", str(pid)],
                                        stderr=subprocess.PIPE, text=True)
        first = self.process.stderr.readline()
        if "attached" not in first:
            self.process.wait()
            pytest.skip(f"nobody may trace here: {first}")

    def end(self):
        """What strace has written."""
        self.process.terminate()
        self.process.communicate()
        return self.out.read_text(errors="replace")


@pytest.fixture
def traced(relay, tmp_path):
    if subprocess.run(["which", "strace"], capture_output=True).returncode != 0:
        pytest.skip("no strace")
    return lambda: Trace(relay.process.pid, tmp_path)


def count(text, port, own):
    """{call: how often} on connections to `port`: our own one, or another's."""
    side = rf":{port}->" if own else rf"->[^>]*:{port}\]"
    calls = [(m[1], m[2]) for m in map(CALL.match, text.splitlines()) if m]
    return collections.Counter(call for call, what in calls if what.startswith("TCP") and re.search(side, what))


def test_a_new_connection_asks_the_kernel_for_nothing_that_it_does_not_need(relay, sink, traced):
    trace = traced()
    with relay.client() as client:  # EHLO, STARTTLS, EHLO, AUTH
        client.sendmail("hello@club.test", ["bob@dest.test"], "From: <hello@club.test>\r\nTo: <bob@dest.test>\r\nSubject: x\r\n\r\nx\r\n")
    sink.wait(1)
    wait_for(lambda: relay.json("queue", "list") == [])
    text = trace.end()
    client, server = count(text, relay.submission, True), count(text, sink.port, False)
    # 220, EHLO, STARTTLS, the handshake, EHLO with the ticket, AUTH, MAIL, RCPT, DATA, the end, QUIT.
    assert client["write"] <= 11, client
    # EHLO, STARTTLS, the hello, the end of the handshake with EHLO, the envelope, the message.
    assert server["write"] == 6, server
    # How much of the message has come to the server: after it is said, and when the answer comes if that was not all.
    assert server["ioctl"] <= 2, server
    # The spool: the store makes a file, once; a delivery looks up no name, and reads in one call.
    assert len(re.findall(r"openat\([^\n]*\.seg\"", text)) <= 1, text
    assert len(re.findall(r"preadv?(?:64)?\([^\n]*\.seg>", text)) == 1, text
    # No authority vouches for the sink: nobody reads a directory for that.
    assert "/ssl/certs\"" not in text and "getdents64" not in text
