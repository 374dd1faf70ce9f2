"""Smart hosts that take an OAuth token: a command says it, once for all connections; it is kept, renewed when it is refused, and a command
that hangs or fails holds up its own route only."""

import base64
import os
import subprocess
import textwrap

import pytest

from conftest import free_port, wait_for, wait_port
from mailhost import trusting
from test_route_trouble import SECRETS, modern

pytestmark = pytest.mark.memory
MESSAGE = "From: <hello@club.test>\r\nSubject: x\r\n\r\nx\r\n"


def command(tmp_path, body, name="token"):
    """A token command that writes down each run, in `runs`."""
    path = tmp_path / name
    path.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/{name}.runs\n{textwrap.dedent(body)}\n')
    path.chmod(0o755)
    tmp_path.chmod(0o777)
    return path


def runs(path):
    try:
        return (path.parent / f"{path.name}.runs").read_text().split()
    except FileNotFoundError:
        return []


def token_in(line):
    return base64.b64decode(line.split()[2]).decode().split("Bearer ")[1].rstrip("\1")


def taking(mailhost, port, context, good, mechanism="XOAUTH2", denial=None):
    """A host that takes the tokens in `good`; `denial`: what is wrong with others is said by 334 first."""
    def answer(line, connection):
        if line.startswith("EHLO") and connection.tls:
            return f"250-mailhost\r\n250-PIPELINING\r\n250 AUTH {mechanism}"
        if line.startswith("AUTH "):
            if token_in(line) in good:
                return "235 2.7.0 welcome"
            connection.denied = True
            return denial or "535 5.7.8 no"
        if getattr(connection, "denied", False) and line in ("", "AQ=="):
            return "535 5.7.8 no"
        return None
    return mailhost(port=port, context=context, answer=answer)


@pytest.fixture
def smart(relay_factory, dns, tmp_path, mailhost, issue):
    """(relay, host, command) of a route that logs in by a token."""
    def make(body, good, extra="", **options):
        port, path = free_port(), command(tmp_path, body)
        dns.add("smart.dest.test", "A", "127.0.0.1")
        host = taking(mailhost, port, modern(issue), good, **options)
        relay = relay_factory(f'route "dest.test" {{ host = "smart.dest.test"  port = {port}  username = "me@club.test"  '
                              f'token_command = "{path}" }}\nthrottle = "off"\n{extra}')
        return trusting(relay, tmp_path), host, path
    return make


def logins(host):
    return [line for c in host.connections for line in c.lines if line.startswith("AUTH ")]


def nothing_shows(relay, tmp_path, *tokens):
    shown = relay.log() + str(relay.queue()) + str(relay.json("audit", "tail"))
    for token in tokens:
        assert token not in shown and base64.b64encode(token.encode()).decode()[4:-4] not in shown


@pytest.mark.parametrize("mechanism, says", [
    ("XOAUTH2", "echo ya29.first"), ("LOGIN PLAIN OAUTHBEARER", "echo ya29.first"),
    ("xoauth2", """echo '{"access_token": "ya29.first", "expires_in": 3600, "token_type": "Bearer"}'; echo secret-noise >&2"""),
])
def test_a_token_is_asked_for_once_for_all_messages_and_connections(smart, tmp_path, mechanism, says):
    relay, host, path = smart(f"sleep 0.3\n{says}", {"ya29.first"}, mechanism=mechanism)
    ids = [relay.send(to=f"r{i}@dest.test", message=MESSAGE) for i in range(12)]
    for id in ids:
        relay.wait_kind(id, "delivered")
    assert runs(path) == ["me@club.test"] and len(host.messages) == 12
    nothing_shows(relay, tmp_path, "ya29.first", "secret-noise")


@pytest.mark.parametrize("mechanism, denial", [("XOAUTH2", "334 " + base64.b64encode(b'{"status":"401"}').decode()),
                                               ("OAUTHBEARER", "334 " + base64.b64encode(b'{"status":"invalid_token"}').decode()),
                                               ("XOAUTH2", None)])
def test_a_token_that_was_withdrawn_is_renewed_at_once(smart, tmp_path, mechanism, denial):
    good = {"token-1"}
    relay, host, path = smart(f"wc -l < {tmp_path}/token.runs | sed 's/ //g;s/^/token-/'", good, mechanism=mechanism, denial=denial)
    relay.wait_kind(relay.send(to="a@dest.test", message=MESSAGE), "delivered")
    good.clear()
    good.add("token-2")
    relay.command("reload")  # what is connected is of the old settings, and ends
    id = relay.send(to="b@dest.test", message=MESSAGE)
    relay.wait_kind(id, "delivered")
    assert len(runs(path)) == 2 and "deferred" not in relay.kinds(id)
    assert not [row for row in relay.json("audit", "tail") if row["what"] == "route"]
    nothing_shows(relay, tmp_path, "token-1", "token-2")


def test_tokens_that_are_always_refused_make_mail_wait_and_hammer_nobody(smart, tmp_path):
    good = set()
    relay, host, path = smart("echo ya29.wrong", good)
    ids = [relay.send(to=f"r{i}@dest.test", message=MESSAGE) for i in range(6)]
    relay.wait_kind(ids[0], "deferred")
    wait_for(lambda: any(row["what"] == "route" for row in relay.json("audit", "tail")))
    told = [row for row in relay.json("audit", "tail") if row["what"] == "route"]
    assert len(told) == 1 and "token_command" in str(told), told
    assert len(logins(host)) <= 8 and len(runs(path)) <= 8, (logins(host), runs(path))
    assert "login refused" in str(relay.queue()), relay.queue()
    for event in relay.trace(ids[0]):
        assert not SECRETS.search(str(event.get("reply", "")).lower()), event
    nothing_shows(relay, tmp_path, "ya29.wrong")
    path.write_text(path.read_text().replace("ya29.wrong", "ya29.right"))
    good.add("ya29.right")
    relay.command("queue", "retry", "--all")
    for id in ids:
        relay.wait_kind(id, "delivered")


@pytest.mark.parametrize("body, why", [("exit 3", "has failed"), ("true", "says no token"), ("echo a; echo b", "neither one line"),
                                       ("yes x | head -c 100000", "more than a token"), ("echo '{\"x\": 1}'", "access_token"),
                                       ("kill -9 $$", "signal")])
def test_a_command_that_fails_is_the_operators_matter(smart, tmp_path, body, why):
    relay, host, path = smart(body, {"x"})
    id = relay.send(to="r@dest.test", message=MESSAGE)
    relay.wait_kind(id, "deferred")
    assert not logins(host) and not host.connections  # nobody is called who cannot be told who we are
    assert any(why in str(row) for row in relay.json("audit", "tail")), relay.json("audit", "tail")
    assert "no token" in str(relay.queue()) and why in str(relay.queue())
    for event in relay.trace(id):
        assert not SECRETS.search(str(event.get("reply", "")).lower()), event
    path.write_text("#!/bin/sh\necho x\n")
    relay.command("queue", "retry", "--all")
    relay.wait_kind(id, "delivered")


def test_a_command_that_hangs_holds_up_its_own_route_only(smart, tmp_path, mailhost, relay_factory):
    other = free_port()
    sink = mailhost(port=other)
    relay, host, path = smart(f"echo $$ > {tmp_path}/pid; sleep 1000", set(),
                              f'route "*" {{ host = "127.0.0.1"  port = {other} }}\n')
    stuck = [relay.send(to=f"r{i}@dest.test", message=MESSAGE) for i in range(20)]
    wait_for(lambda: runs(path))
    for i in range(20):
        relay.send(to=f"r{i}@other.test", message=MESSAGE)
    wait_for(lambda: len(sink.messages) == 20)
    assert len(runs(path)) <= 2 and all(relay.kinds(id)[-1:] != ["delivered"] for id in stuck)  # one at a time; on a busy machine the next
    relay.wait_kind(stuck[0], "deferred", 60)  # its time is over, and so is all that it has begun
    wait_for(lambda: "did not end in time" in str(relay.queue()) + relay.log())
    pid = int((tmp_path / "pid").read_text())
    wait_for(lambda: not os.path.exists(f"/proc/{pid}"))
    assert not subprocess.run(["pgrep", "-g", str(pid)], capture_output=True, text=True).stdout


def test_only_what_goes_together_is_taken(relay_factory, tmp_path):
    relay = relay_factory("# here")
    path, written = command(tmp_path, "echo x"), relay.config.read_text()
    (tmp_path / "password").write_text("x\n")
    route = 'route "*" {{ host = "smart.dest.test"  {} }}'
    for line, why in ((f'token_command = "{path}"', "needs a username"), ('username = "me"', "password_file or a token_command"),
                      ('username = "me"  token_command = "token"', "full path"),
                      (f'username = "me"  token_command = "{tmp_path}/none"', "No such file"),
                      (f'username = "me"  token_command = "{path}"  password_file = "{tmp_path}/password"', "in place of")):
        relay.config.write_text(written.replace("# here", route.format(line)))
        done = relay.command("config", "check", check=False)
        assert done.returncode != 0 and why in done.stdout + done.stderr, (line, done.stdout + done.stderr)
    relay.config.write_text(written)
    relay.start()
    relay.config.write_text(written.replace("# here", route.format(f'username = "me"  token_command = "{path}"')))
    done = relay.command("reload", check=False)
    assert done.returncode != 0 and "token_command cannot be changed by a reload" in done.stdout + done.stderr, done
    relay.config.write_text(written.replace("# here", 'route "other.test" { host = "127.0.0.1" }'))
    relay.command("reload")


def test_a_program_that_was_there_at_the_start_may_serve_another_route(smart, tmp_path):
    relay, host, path = smart("echo ya29.t", {"ya29.t"})
    written = relay.config.read_text()
    relay.config.write_text(written.replace('route "dest.test"', 'route "another.test"'))
    relay.command("reload")
    relay.wait_kind(relay.send(to="r@another.test", message=MESSAGE), "delivered")
    assert len(host.messages) == 1


class SmtpServer:
    """npm's smtp-server, which refuses a token as Google does: by 334 with JSON, then 535."""

    SCRIPT = """
        const fs = require("fs");
        const {SMTPServer} = require(process.argv[1] + "/smtp-server");
        const server = new SMTPServer({
            cert: fs.readFileSync(process.argv[3]), key: fs.readFileSync(process.argv[4]), authMethods: process.argv[5].split(","),
            onAuth(auth, session, done) {
                const right = auth.method === "XOAUTH2" ? auth.accessToken === "token-2" : auth.password === "secret";
                console.log((right ? "right " : "wrong ") + auth.method);
                if (right) return done(null, {user: auth.username});
                done(null, auth.method === "XOAUTH2" ? {data: {status: "401", schemes: "bearer mac", scope: "mail"}} : {});
            },
            onData(stream, session, done) {
                stream.resume();
                stream.on("end", () => { console.log("taken from " + session.user); done(); });
            }});
        server.on("error", () => {});
        server.listen(Number(process.argv[2]), "127.0.0.1");
    """

    def __init__(self, path, port, pair, methods):
        modules = os.environ.get("NODE_MODULES", "")
        assert os.path.isdir(modules + "/smtp-server"), "smtp-server is not installed"
        self.out = path / "smtp-server.out"
        self.process = subprocess.Popen(["node", "-e", self.SCRIPT, modules, str(port), *map(str, pair), methods],
                                        stdout=open(self.out, "wb"))
        wait_port(port, process=self.process)

    def lines(self):
        return self.out.read_text().splitlines()

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=10)


@pytest.mark.parametrize("methods, says", [("PLAIN,XOAUTH2", ["wrong XOAUTH2", "right XOAUTH2", "taken from me@club.test"]),
                                           ("LOGIN", ["right LOGIN", "taken from me@club.test"])])
def test_a_real_server_with_tokens_or_login_only(relay_factory, dns, tmp_path, issue, methods, says):
    port = free_port()
    dns.add("smart.dest.test", "A", "127.0.0.1")
    server = SmtpServer(tmp_path, port, issue("smart.dest.test", rsa=True), methods)
    path = command(tmp_path, f"wc -l < {tmp_path}/token.runs | sed 's/ //g;s/^/token-/'")
    (tmp_path / "password").write_text("secret\n")
    login = f'token_command = "{path}"' if "XOAUTH2" in methods else f'password_file = "{tmp_path}/password"'
    try:
        relay = trusting(relay_factory(f'route "dest.test" {{ host = "smart.dest.test"  port = {port}  username = "me@club.test"  '
                                       f'{login} }}'), tmp_path)
        relay.wait_kind(relay.send(to="r@dest.test", message=MESSAGE), "delivered")
        assert server.lines() == says
    finally:
        server.stop()


def test_the_relay_ends_while_a_command_hangs_and_sends_when_it_is_back(smart, tmp_path):
    relay, host, path = smart("sleep 1000", {"ya29.t"})
    id = relay.send(to="r@dest.test", message=MESSAGE)
    wait_for(lambda: runs(path))
    relay.stop()
    assert "stopped" in relay.log() and not host.connections
    path.write_text("#!/bin/sh\necho ya29.t\n")
    relay.start()
    relay.wait_kind(id, "delivered")
