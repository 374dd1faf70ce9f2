"""The way back from real servers: Debian's Postfix, Exim and OpenSMTPD take a message and bounce it later; Dovecot's Sieve answers for who is
away. Exim and OpenSMTPD are unpacked, as in test_limits.py."""

import os
import shutil
import sqlite3
import subprocess

import pytest

import postfix
from conftest import wait_for, wait_port
from test_came_back import Back
from test_limits import Unpacked


class Postfix:
    """It looks up who there is only when it delivers."""

    def __init__(self, path, port, back):
        path.mkdir()
        (path / "mail").mkdir()
        shutil.chown(path / "mail", 65534)
        self.instance = postfix.Instance(path / "postfix", f"""
            myhostname = mx.dest.test
            virtual_mailbox_domains = dest.test
            virtual_mailbox_base = {path}/mail
            virtual_mailbox_maps = inline:{{bob@dest.test=box/}}
            virtual_uid_maps = static:65534
            virtual_gid_maps = static:65534
            smtpd_reject_unlisted_recipient = no
            relayhost = [127.0.0.1]:{back}
            smtp_tls_security_level = may
            """, port)
        wait_port(port, process=self.instance.process)

    def log(self):
        return self.instance.log_text()

    def stop(self):
        self.instance.stop()


class Exim(Unpacked):
    CONFIG = """
        primary_hostname = mx.dest.test
        spool_directory = {path}/spool
        log_file_path = {path}/spool/log-%s
        pid_file_path = {path}/spool/pid
        host_lookup =
        rfc1413_hosts =
        tls_advertise_hosts =
        keep_environment =
        acl_smtp_rcpt = accept
        acl_smtp_data = accept
        begin routers
        gone:
          driver = redirect
          domains = dest.test
          local_parts = gone
          data = :fail: No such user here
          allow_fail
        box:
          driver = redirect
          domains = dest.test
          data = :blackhole:
        back:
          driver = manualroute
          transport = smtp
          route_list = * 127.0.0.1::{rcpts}
          self = send
        begin transports
        smtp:
          driver = smtp
          allow_localhost
          hosts_try_fastopen =
        """

    def __init__(self, path, port, back):
        self.CONFIG = self.CONFIG.replace("{rcpts}", str(back))
        super().__init__(path, port, "exim4-daemon-light", ["Debian-exim"],
                         f"mkdir {path}/spool && chown Debian-exim {path}/spool && "
                         f"exec /usr/sbin/exim4 -C {path}/conf -bdf -oX 127.0.0.1.{port}")

    def log(self):
        return "".join(p.read_text(errors="replace") for p in (self.path / "spool").glob("log-*")) + (self.path / "out").read_text(errors="replace")


class OpenSmtpd(Unpacked):
    CONFIG = """
        listen on 127.0.0.1 port {port}
        table catch {{ "@" = "nobody" }}
        action "gone" mda "sh -c 'echo No such user; exit 67'" virtual <catch>
        action "box" maildir "{path}/mail" virtual <catch>
        action "back" relay host "smtp://127.0.0.1:{rcpts}"
        match from any for rcpt-to "gone@dest.test" action "gone"
        match from any for domain "dest.test" action "box"
        match from local for any action "back"
        """

    def __init__(self, path, port, back):
        self.CONFIG = self.CONFIG.replace("{rcpts}", str(back))
        mounts = " && ".join(f"mount -t tmpfs tmpfs {place}" for place in ("/var/spool", "/var/lib", "/run"))
        super().__init__(path, port, "opensmtpd", ["opensmtpd", "opensmtpq"],
                         f"{mounts} && mkdir -p /var/lib/opensmtpd/empty {path}/mail && chown nobody {path}/mail && "
                         f"exec /usr/sbin/smtpd -d -f {path}/conf")

    def log(self):
        return (self.path / "out").read_text(errors="replace")


def back_from(relay_factory, dns, delivery_port, host):
    """The relay, with that server in the place of the usual one."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    return Back(relay_factory, dns, delivery_port, host=host)


def a_day_passes(b):
    """While it runs: OpenSMTPD would use a connection of before once more, and wait long after that."""
    database = sqlite3.connect(b.relay.path / "state" / "state.db", timeout=30)
    with database:
        assert database.execute("UPDATE suppression SET answered = answered - 86400000").rowcount == 1
    database.close()


@pytest.mark.parametrize("server", [Postfix, Exim, OpenSmtpd], ids=lambda c: c.__name__)
def test_a_server_that_bounces_later_is_heard(relay_factory, dns, delivery_port, tmp_path, server):
    b = back_from(relay_factory, dns, delivery_port, lambda port, back: server(tmp_path / "server", port, back))
    try:
        id = b.relay.send(["bob@dest.test", "gone@dest.test"])
        wait_for(lambda: "returned" in b.kinds(id), 60)
        events = b.relay.json("trace", id)
        assert sorted(e["kind"] for e in events) == ["accepted", "accepted", "delivered", "delivered", "returned"]
        assert events[-1]["recipient"] == "gone@dest.test"
        assert events[-1]["category"] == "mailbox_unknown"
        if server is not Postfix:  # the others do not say it with a code, but in their text only: that counts when it is heard again
            assert not b.suppressed()
            a_day_passes(b)
            again = b.relay.send(["gone@dest.test"])
            wait_for(lambda: "returned" in b.kinds(again), 60)
        assert b.suppressed() == {("gone@dest.test", "bounce")}
        assert b.relay.json("queue", "list") == []
    finally:
        print(b.host.log()[-3000:])
        b.stop()


SIEVE = """require ["vacation"];
vacation :days 1 :addresses ["bob@dest.test"] :subject "Away" "I am away until Monday. 550 5.1.1 No such user: bob@dest.test";
"""


def dovecot_conf(place, home, port):
    """Of 2.3, as Debian 12 has it, or of 2.4."""
    version = subprocess.run(["dovecot", "--version"], capture_output=True, text=True, check=True, timeout=30).stdout
    common = f"""
        base_dir = {place}/run
        state_dir = {place}/run
        log_path = {place}/log
        ssl = no
        submission_host = 127.0.0.1:{port}
        hostname = mx.dest.test
        postmaster_address = postmaster@dest.test
        """
    if version.startswith("2.3."):
        return common + f"""
        mail_location = maildir:{home}/mail
        protocol lda {{
          mail_plugins = sieve
        }}
        plugin {{
          sieve = file:{home}/sieve
        }}
        """
    return "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n" + common + f"""
        mail_driver = maildir
        mail_path = {home}/mail
        protocol lda {{
          mail_plugins {{
            sieve = yes
          }}
        }}
        sieve_script personal {{
          path = {home}/sieve
        }}
        """


def test_dovecots_vacation_suppresses_nobody(relay_factory, dns, delivery_port, tmp_path):
    b = Back(relay_factory, dns, delivery_port)
    try:
        id = b.relay.send(["bob@dest.test"], "From: <hello@club.test>\r\nTo: <bob@dest.test>\r\nSubject: hello\r\n\r\nhello\r\n")
        b.relay.wait_kind(id, "delivered", 60)
        (message,) = b.host.reached("bob@dest.test")
        place = tmp_path / "away"  # it delivers as the user that it is run as, and never as root
        home = place / "home"
        home.mkdir(parents=True)
        (home / "sieve").write_text(SIEVE)
        (place / "dovecot.conf").write_text(dovecot_conf(place, home, b.port))
        for part in (place, home, home / "sieve"):
            shutil.chown(part, 65534)
        for parent in [tmp_path, *tmp_path.parents]:
            if str(parent) not in ("/", "/tmp"):
                os.chmod(parent, 0o755)
        done = subprocess.run(["/usr/lib/dovecot/dovecot-lda", "-c", str(place / "dovecot.conf"), "-f", message.sender, "-a", "bob@dest.test"],
                              input=message.data.removesuffix(b".\r\n"), capture_output=True, timeout=60, user=65534, group=65534,
                              extra_groups=[], env={**os.environ, "HOME": str(home), "USER": "nobody"})
        assert done.returncode == 0, done
        wait_for(lambda: "auto_replied" in b.kinds(id), 30)
        assert b.kinds(id) == ["accepted", "delivered", "auto_replied"] and not b.suppressed()
    finally:
        b.stop()
