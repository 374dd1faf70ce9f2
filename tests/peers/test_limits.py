"""Real servers with few connections for one client: all mail gets there as fast as those few can carry it, and no message waits by
the retry schedule because another one had the connection."""

import os
import pathlib
import re
import shutil
import subprocess
import time

import pytest

import postfix
from conftest import wait_for, wait_port

COUNT, RCPTS = 60, 5

DIGEST = 'stream "news" { class = "digest"  unsubscribe = "none" }\n'


class Postfix:
    """smtpd_client_connection_count_limit: 421 4.7.0 at the greeting, mynetworks excepted."""

    def __init__(self, path, port):
        path.mkdir()
        (path / "mail").mkdir()
        shutil.chown(path / "mail", 65534)
        self.box = path / "mail/box/new"
        self.instance = postfix.Instance(path / "postfix", f"""
            myhostname = mx.dest.test
            virtual_mailbox_domains = dest.test
            virtual_mailbox_base = {path}/mail
            virtual_mailbox_maps = static:box/
            virtual_uid_maps = static:65534
            virtual_gid_maps = static:65534
            mynetworks = 192.0.2.1/32
            smtpd_client_event_limit_exceptions =
            smtpd_client_connection_count_limit = 2
            smtpd_recipient_limit = {RCPTS}
            """, port)
        wait_port(port, process=self.instance.process)

    def count(self):
        return len(list(self.box.glob("*"))) if self.box.is_dir() else 0

    def refused(self):
        return self.instance.log_text().count("Connection concurrency limit exceeded")

    def stop(self):
        self.instance.stop()


class SmtpServer:
    """npm's smtp-server with maxClients: 421 at the greeting."""

    SCRIPT = """
        const {SMTPServer} = require(process.argv[1] + "/smtp-server");
        const server = new SMTPServer({authOptional: true, maxClients: 2, disabledCommands: ["STARTTLS", process.argv[4]],
            onRcptTo(address, session, done) {
                const full = session.envelope.rcptTo.length >= Number(process.argv[3]);
                done(full && Object.assign(new Error("4.5.3 too many recipients"), {responseCode: 452}));
            },
            onData(stream, session, done) {
                stream.resume();
                stream.on("end", () => setTimeout(() => { console.log("taken ".repeat(session.envelope.rcptTo.length)); done(); }, 20));
            }});
        server.on("error", () => {});
        server.listen(Number(process.argv[2]), "127.0.0.1");
    """

    def __init__(self, path, port, lacks="VRFY"):
        path.mkdir()
        modules = os.environ.get("NODE_MODULES", "")
        assert os.path.isdir(modules + "/smtp-server"), "smtp-server is not installed"
        self.out = path / "out"
        self.process = subprocess.Popen(["node", "-e", self.SCRIPT, modules, str(port), str(RCPTS), lacks], stdout=open(self.out, "wb"))
        wait_port(port, process=self.process)

    def count(self):
        return self.out.read_text().count("taken")

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=10)


class Unpacked:
    """A server of Debian's that cannot be installed beside Postfix: unpacked, and started in a mount namespace of its own, in which its
    files lie in /usr and its users exist."""

    def __init__(self, path, port, package, users, command):
        path.mkdir(parents=True)
        for parent in [path, *path.parents]:  # its processes run as another user
            if parent not in (pathlib.Path("/tmp"), pathlib.Path("/")):
                os.chmod(parent, 0o755)
        subprocess.run(["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", package], cwd=path, check=True, capture_output=True)
        subprocess.run(["dpkg", "-x", *[str(p) for p in path.glob("*.deb")], str(path / "root")], check=True)
        for name, line in (("passwd", "{0}:x:{1}:{1}::/:/usr/sbin/nologin\n"), ("group", "{0}:x:{1}:\n")):
            more = "".join(line.format(user, 64990 + i) for i, user in enumerate(users))
            (path / name).write_text(pathlib.Path("/etc", name).read_text() + more)
        (path / "conf").write_text("\n".join(line[8:] for line in self.CONFIG.format(path=path, port=port, rcpts=RCPTS).splitlines()) + "\n")
        inside = " && ".join([f"mount --bind {path}/passwd /etc/passwd", f"mount --bind {path}/group /etc/group",
                              f"mount -t overlay overlay -o lowerdir={path}/root/usr:/usr /usr", command])
        self.path = path
        self.process = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-c", inside],
                                        stdout=open(path / "out", "wb"), stderr=subprocess.STDOUT)
        wait_port(port, process=self.process)

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=20)


class Exim(Unpacked):
    """smtp_accept_max_per_host: 421 at the greeting."""

    CONFIG = """
        primary_hostname = mx.dest.test
        spool_directory = {path}/spool
        log_file_path = {path}/spool/log-%s
        pid_file_path = {path}/spool/pid
        domainlist local_domains = dest.test
        smtp_accept_max_per_host = 2
        recipients_max = {rcpts}
        host_lookup =
        rfc1413_hosts =
        tls_advertise_hosts =
        keep_environment =
        acl_smtp_rcpt = accept
        acl_smtp_data = accept
        queue_only = true
        """

    def __init__(self, path, port):
        super().__init__(path, port, "exim4-daemon-light", ["Debian-exim"],
                         f"mkdir {path}/spool && chown Debian-exim {path}/spool && "
                         f"exec /usr/sbin/exim4 -C {path}/conf -bdf -oX 127.0.0.1.{port}")

    def count(self):
        """It keeps them."""
        heads = [path.read_text(errors="replace") for path in (self.path / "spool").glob("input/**/*-H")]
        return sum(len(set(re.findall(r"^u\d+@dest\.test$", head, re.M))) for head in heads)


class OpenSmtpd(Unpacked):
    """limit max-mails: 421 at MAIL after so many messages."""

    CONFIG = """
        listen on 127.0.0.1 port {port}
        smtp limit max-mails 5
        smtp limit max-rcpt {rcpts}
        table catch {{ "@" = "nobody" }}
        action "box" maildir "{path}/mail" virtual <catch>
        match from any for domain "dest.test" action "box"
        """

    def __init__(self, path, port):
        mounts = " && ".join(f"mount -t tmpfs tmpfs {place}" for place in ("/var/spool", "/var/lib", "/run"))
        super().__init__(path, port, "opensmtpd", ["opensmtpd", "opensmtpq"],
                         f"{mounts} && mkdir -p /var/lib/opensmtpd/empty {path}/mail && chown nobody {path}/mail && "
                         f"exec /usr/sbin/smtpd -d -f {path}/conf")

    def count(self):
        return len(list(self.path.glob("mail/new/*")))


@pytest.fixture(params=[Postfix, SmtpServer, Exim, OpenSmtpd], ids=lambda c: c.__name__)
def server(request, tmp_path, delivery_port):
    made = request.param(tmp_path / "server", delivery_port)
    yield made
    made.stop()


def send_all(relay, count):
    with relay.client() as client:
        for i in range(count):
            client.sendmail("hello@club.test", [f"u{i}@dest.test"],
                            f"From: <hello@club.test>\r\nTo: <u{i}@dest.test>\r\nSubject: m {i}\r\nSealpost-Stream: news\r\n\r\nhello\r\n")


def test_a_server_with_few_connections(relay_factory, dns, server):
    """What is refused by its limit goes with the next free connection, or on a new one, and nothing counts as a try."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory(DIGEST).start()
    began = time.monotonic()
    send_all(relay, COUNT)
    wait_for(lambda: server.count() == COUNT, 40, 0.1)
    assert time.monotonic() - began < 30  # the retry schedule begins with a minute
    assert relay.json("events", "--limit", "1000", "--kind", "deferred") == []
    wait_for(lambda: not relay.queue(), 10)  # the last outcomes are being recorded


def test_a_server_with_few_recipients_a_message(relay_factory, dns, server):
    """Who was one too many goes in the next transaction, on the same connection, and that is no try."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory(DIGEST).start()
    began = time.monotonic()
    relay.send(to=[f"u{i}@dest.test" for i in range(4 * RCPTS)])
    wait_for(lambda: server.count() == 4 * RCPTS, 40, 0.1)
    assert time.monotonic() - began < 30  # the retry schedule begins with a minute
    assert relay.json("events", "--limit", "1000", "--kind", "deferred") == []
    wait_for(lambda: not relay.queue(), 10)  # the last outcomes are being recorded


def test_a_server_without_ehlo(relay_factory, dns, tmp_path, delivery_port):
    """It is greeted with HELO, without pipelining, and what it bears is the same."""
    server = SmtpServer(tmp_path / "server", delivery_port, lacks="EHLO")
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory(DIGEST).start()
    relay.send(to=[f"u{i}@dest.test" for i in range(2 * RCPTS)])
    wait_for(lambda: server.count() == 2 * RCPTS, 20, 0.1)
    assert relay.json("events", "--limit", "1000", "--kind", "deferred") == []
    server.stop()
