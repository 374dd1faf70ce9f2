"""AUTH with real clients by SCRAM, and what guessing leads to."""

import base64
import concurrent.futures
import json
import smtplib
import sqlite3
import ssl
import subprocess
import time

import pytest

from conftest import slack


@pytest.fixture
def relay(relay_factory, dns):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory()
    certify(relay)
    return relay.start()


def certify(relay):
    """A certificate for the address, as gsasl compares with what it was told to connect to."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "90",
                    "-subj", "/CN=mail.club.test", "-addext", "subjectAltName=DNS:mail.club.test,IP:127.0.0.1", "-keyout",
                    str(relay.path / "key.pem"), "-out", str(relay.path / "cert.pem")], check=True, capture_output=True)


def gsasl(relay, mechanism, password, user="app"):
    return subprocess.run(["gsasl", "--smtp", "-m", mechanism, "-a", user, "-p", password, "--x509-ca-file",
                           str(relay.path / "cert.pem"), "--hostname", "mail.club.test",
                           *([] if mechanism.endswith("PLUS") else ["--no-cb"]), "--connect", f"127.0.0.1:{relay.submission}"], capture_output=True, text=True, timeout=60, input="")


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "PLAIN", "LOGIN"])
def test_gsasl_logs_in(relay, mechanism):
    done = gsasl(relay, mechanism, relay.secret)
    assert "235 2.7.0" in done.stdout + done.stderr, done.stdout + done.stderr
    refused = gsasl(relay, mechanism, "wrong")
    assert "535 5.7.8" in refused.stdout + refused.stderr, refused.stdout + refused.stderr


def test_mutt_sends_by_scram(relay, dns, sink_factory, tmp_path):
    sink = sink_factory(records=relay.records)
    rc = tmp_path / "muttrc"
    rc.write_text(f"""set from = "hello@club.test"
set use_from = yes
set envelope_from_address = "hello@club.test"
set use_envelope_from = yes
set smtp_url = "smtp://app@mail.club.test:{relay.submission}/"
set smtp_pass = "{relay.secret}"
set smtp_authenticators = "scram-sha-256"
set ssl_force_tls = yes
set ssl_verify_host = no
set certificate_file = "{relay.path}/cert.pem"
set ssl_usesystemcerts = no
set hostname = "club.test"
set copy = no
""")
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 mail.club.test localhost\n")
    done = subprocess.run(["unshare", "-m", "sh", "-c", f"mount --bind {hosts} /etc/hosts && exec mutt -n -F {rc} -s by-scram -- "
                           "bob@dest.test"], capture_output=True, text=True, timeout=60, input="hello\n",
                          env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "TERM": "dumb"})
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip("cannot make a mount namespace here")
    assert done.returncode == 0, done.stdout + done.stderr
    about, raw = sink.wait(1)[0]
    assert about["dkim"] == "pass" and b"by-scram" in raw


def test_a_chosen_password_works_by_every_mechanism(relay):
    relay.command("user", "add", "human", "--domain", "club.test", "--password-stdin", input="correct horse battery\n")
    for mechanism in ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN"):
        done = gsasl(relay, mechanism, "correct horse battery", "human")
        assert "235 2.7.0" in done.stdout + done.stderr, (mechanism, done.stdout, done.stderr)
    refused = relay.command("user", "add", "other", "--domain", "club.test", "--password-stdin", check=False,
                            input="pässwörter sind lang\n")
    assert refused.returncode == 2 and "ASCII" in refused.stderr


def test_what_is_stored_is_no_password(relay):
    database = sqlite3.connect(f"file:{relay.path}/state/state.db?mode=ro", uri=True)
    hash, scram = database.execute("SELECT hash, scram FROM credential").fetchone()
    assert hash.startswith("sha256$") and scram.startswith("SCRAM-SHA-256$15000:") and relay.secret not in hash + scram
    salt = scram.split(":")[1].split("$")[0]
    import hashlib
    import hmac
    salted = hashlib.pbkdf2_hmac("sha256", relay.secret.encode(), base64.b64decode(salt), 15000)
    client_key = hmac.new(salted, b"Client Key", "sha256").digest()
    assert base64.b64encode(hashlib.sha256(client_key).digest()).decode() == scram.split("$")[2].split(":")[0]


def scram_exchange(relay, name, first=None, change=lambda final: final, mechanism="SCRAM-SHA-256", tls12=False):
    """Our own client, so that it can lie; (server-first, the last answer)."""
    context = relay.context()
    if tls12:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    client = smtplib.SMTP("127.0.0.1", relay.submission, timeout=30)
    client.starttls(context=context)
    client.ehlo()
    first = first or f"n,,n={name},r=clientnonce"
    code, answer = client.docmd("AUTH", mechanism + " " + base64.b64encode(first.encode()).decode())
    if code != 334:
        return None, (code, answer)
    server_first = base64.b64decode(answer).decode()
    final = change("c=biws,r=" + server_first.split(",")[0][2:] + ",p=" + base64.b64encode(bytes(32)).decode())
    return server_first, client.docmd(base64.b64encode(final.encode()).decode())


def salt_of(relay, name):
    """What everybody is told who says that name."""
    with smtplib.SMTP("127.0.0.1", relay.submission, timeout=30) as client:
        client.starttls(context=relay.context())
        client.ehlo()
        _, answer = client.docmd("AUTH", "SCRAM-SHA-256 " + base64.b64encode(f"n,,n={name},r=x".encode()).decode())
        assert client.docmd("*")[0] == 501
    return base64.b64decode(answer).decode().split("s=")[1]


@pytest.mark.parametrize("first, code", [
    ("y,,n=app,r=nonce", 535),  # PLUS was offered: somebody took it out of the list
    ("n,a=root,n=app,r=nonce", 535), ("p=tls-unique,,n=app,r=nonce", 501), ("n,,n=app", 501), ("n,,r=nonce", 501), ("x", 501),
])
@pytest.mark.memory
def test_C14_scram_that_is_not_right_is_refused(relay, first, code):
    assert scram_exchange(relay, "app", first)[1][0] == code


@pytest.mark.memory
def test_C14_a_nonce_or_binding_that_was_changed_is_refused(relay):
    for change in (lambda f: f.replace("r=clientnonce", "r=clientnoncX"), lambda f: f.replace("c=biws", "c=eSws"),
                   lambda f: f.split(",p=")[0], lambda f: f[:-4] + "AAA="):
        assert scram_exchange(relay, "app", change=change)[1][0] in (535, 501)
    relay.command("auth", "unlock", "127.0.0.1")


def test_plus_is_offered_where_a_connection_can_be_bound(relay):
    for version, offered in ((ssl.TLSVersion.TLSv1_2, False), (ssl.TLSVersion.TLSv1_3, True)):
        context = relay.context()
        context.minimum_version = context.maximum_version = version
        with smtplib.SMTP("127.0.0.1", relay.submission, timeout=30) as client:
            client.starttls(context=context)
            client.ehlo()
            assert ("SCRAM-SHA-256-PLUS" in client.esmtp_features["auth"]) == offered
            assert "SCRAM-SHA-256" in client.esmtp_features["auth"].split()
    assert scram_exchange(relay, "app", "y,,n=app,r=n", tls12=True)[0] is not None  # nothing was taken out there


def login(relay, user, secret, address="127.0.0.1"):
    client = smtplib.SMTP("127.0.0.1", relay.submission, timeout=60, source_address=(address, 0))
    client.starttls(context=relay.context())
    client.ehlo()
    begun = time.monotonic()
    plain = base64.b64encode(f"\0{user}\0{secret}".encode()).decode()
    code, text = client.docmd("AUTH", "PLAIN " + plain)
    passed = time.monotonic() - begun
    client.close()
    return code, text.decode(), passed


def test_an_unknown_name_looks_like_a_wrong_password(relay):
    relay.command("user", "add", "human", "--domain", "club.test", "--password-stdin", input="correct horse battery\n")
    for turn in range(3):
        relay.command("user", "add", f"pace{turn}", "--domain", "club.test", "--password-stdin", input="correct horse battery\n")
    times = {"app": [], "human": [], "nobody": []}
    answers = set()
    paces = []
    for turn in range(3):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            pace = pool.submit(login, relay, f"pace{turn}", "correct horse battery", f"127.1.{turn}.99")
            for name, (code, text, passed) in zip(times, pool.map(
                    lambda name: login(relay, name, "wrong" * 5, f"127.1.{turn}.{len(name)}"), times)):
                times[name].append(passed)
                answers.add((code, text))
            paces.append(pace.result()[2])
    assert len(answers) == 1 and answers.pop()[0] == 535
    # the same step of the same growing delay, for all of them; what is right meanwhile takes as long as a turn does on this machine
    for turn in range(3):
        assert min(t[turn] for t in times.values()) > 0.45 * 2**turn, times
        assert max(t[turn] for t in times.values()) - min(t[turn] for t in times.values()) < slack(0.25) + 2 * paces[turn], (times, paces)
    assert times["app"][2] > 2 * times["app"][0]
    salts = {name: {salt_of(relay, name) for _ in range(2)} for name in ("app", "nobody")}
    assert all(len(s) == 1 for s in salts.values())  # also the salt of nobody is always the same …
    relay.stop()
    relay.start()
    assert {salt_of(relay, "nobody")} == salts["nobody"]  # … after a restart, too


def guess(relay, count, user, address):
    """Wrong passwords on so many connections at once; their answers."""
    clients = []
    for i in range(count):
        client = smtplib.SMTP("127.0.0.1", relay.submission, timeout=60, source_address=(address(i), 0))
        client.starttls(context=relay.context())
        client.ehlo()
        clients.append(client)
    for i, client in enumerate(clients):
        client.putcmd("AUTH", "PLAIN " + base64.b64encode(f"\0{user(i)}\0wrong-{i}".encode()).decode())
    answers = [client.getreply() for client in clients]
    for client in clients:
        client.close()
    return answers


@pytest.mark.memory
def test_C13_guessing_locks_the_address_and_nobody_else(relay):
    codes = [code for code, _ in guess(relay, 24, lambda i: f"name{i}", lambda i: "127.3.0.1")]
    assert 10 <= codes.count(535) <= 14 and codes.count(454) == 24 - codes.count(535)  # a few are under way at once
    code, text, _ = login(relay, "app", relay.secret, "127.3.0.1")
    assert code == 454 and "try again in" in text
    assert login(relay, "app", relay.secret, "127.4.0.1")[0] == 235
    listed = {row["what"]: row for row in relay.json("auth", "list")}
    assert listed["127.3.0.1"]["kind"] == "address" and 0 < listed["127.3.0.1"]["locked_s"] <= 900
    assert any(e["kind"] == "locked" and e["recipient"] == "127.3.0.1" for e in relay.json("events"))
    assert "auth_locked" in relay.log()
    assert "unlocked" in relay.command("auth", "unlock", "127.3.0.1")
    assert login(relay, "app", relay.secret, "127.3.0.1")[0] == 235
    assert relay.command("auth", "unlock", "127.3.0.1", check=False).returncode == 1
    whats = [row["what"] for row in relay.json("audit", "tail")]
    assert "locked" in whats and "auth.unlock" in whats


def test_C13_a_name_is_locked_but_not_for_its_owner(relay):
    assert login(relay, "app", relay.secret, "127.9.9.9")[0] == 235
    guess(relay, 24, lambda i: "app", lambda i: f"127.{20 + i}.0.1")
    assert login(relay, "app", relay.secret, "127.99.0.1")[0] == 454  # from where it never was
    assert login(relay, "app", relay.secret, "127.9.9.9")[0] == 235
    user = relay.json("user", "list")[0]
    assert user["locked_s"] > 0 and user["network"] == "127.9.9.9" and user["login"] > 0
    relay.stop()
    relay.start()  # who has logged in from where is on disk
    guess(relay, 24, lambda i: "app", lambda i: f"127.{60 + i}.0.1")
    assert login(relay, "app", relay.secret, "127.99.0.1")[0] == 454
    assert login(relay, "app", relay.secret, "127.9.9.9")[0] == 235
    relay.command("auth", "unlock", "app")
    assert login(relay, "app", relay.secret, "127.99.0.1")[0] == 235


def test_C13_a_name_of_nobody_is_locked_in_the_same_way(relay):
    guess(relay, 24, lambda i: "ghost", lambda i: f"127.{20 + i}.1.1")
    assert login(relay, "ghost", "x", "127.98.0.1")[0] == 454


def test_C13_fifty_failures_on_one_connection(relay):
    with smtplib.SMTP("127.0.0.1", relay.submission, timeout=60) as client:
        client.starttls(context=relay.context())
        client.ehlo()
        codes = []
        for _ in range(50):
            try:
                codes.append(client.docmd("AUTH", "PLAIN " + base64.b64encode(b"\0app\0wrong").decode())[0])
            except smtplib.SMTPServerDisconnected:
                break
        assert codes == [535, 535, 421]


# ---- the audit trail ----


def test_the_trail_says_who_did_what_and_knows_when_it_was_changed(relay):
    relay.command("user", "add", "shop", "--domain", "shop.test")
    secret = relay.json("user", "rotate", "shop")["secret"]
    relay.command("suppress", "add", "bob@dest.test")
    relay.command("user", "delete", "shop")
    rows = relay.json("audit", "tail")
    assert relay.json("audit", "tail", "--limit", "2") == rows[-2:] and relay.json("audit", "tail", "--limit", "5000") == rows
    told = [(row["what"], row["about"]) for row in rows]
    assert ("user.delete", "name=shop") in told and any(w == "suppress.add" and "bob@dest.test" in a and '"do"' not in a
                                                            for w, a in told), told
    assert [w for w, _ in told if w.startswith("user.")] == ["user.add", "user.add", "user.rotate", "user.delete"]
    assert all(row["who"] in ("uid 0", "relay") for row in rows)
    assert secret not in json.dumps(rows) and "sha256$" not in json.dumps(rows) and "SCRAM" not in json.dumps(rows)
    head = relay.json("audit", "verify")["head"]
    relay.command("domain", "add", "more.test", "--no-capture")
    assert relay.json("audit", "verify", "--expect", head)["rows"] > len(rows)
    relay.stop()
    assert relay.json("audit", "verify", "--expect", head)["rows"] > len(rows)  # also without a relay
    path = relay.path / "state" / "state.db"

    def tampered(sql):
        database = sqlite3.connect(path)
        database.executescript("DROP TRIGGER IF EXISTS audit_stays; DROP TRIGGER IF EXISTS audit_is_kept;" + sql)
        database.close()
        return relay.command("audit", "verify", "--expect", head, check=False)

    for sql in ("DELETE FROM audit", "UPDATE audit SET who = 'nobody'"):
        database = sqlite3.connect(path)
        with pytest.raises(sqlite3.IntegrityError):
            database.execute(sql)
        database.close()
    count = len(rows)
    done = tampered(f"DELETE FROM audit WHERE seq >= {count}")  # from the end: the chain is whole, the hash is gone
    assert done.returncode == 1 and "none with that hash" in done.stderr
    assert relay.command("audit", "verify", check=False).returncode == 0
    done = tampered("UPDATE audit SET about = 'name=other' WHERE seq = 3")
    assert done.returncode == 1 and "broken at row 3" in done.stderr
    done = tampered("DELETE FROM audit WHERE seq = 2")
    assert done.returncode == 1 and "broken at row 3" in done.stderr


@pytest.mark.memory
def test_the_trail_has_the_keys_and_is_followed(relay):
    follower = subprocess.Popen([*relay_command(relay), "--json", "audit", "tail", "--follow"], stdout=subprocess.PIPE, text=True)
    relay.command("key", "rotate", "club.test")
    line = json.loads(follower.stdout.readline())
    while line["what"] != "key":
        line = json.loads(follower.stdout.readline())
    while "pending" not in line["about"]:
        line = json.loads(follower.stdout.readline())
    follower.kill()
    follower.wait()


def relay_command(relay):
    import conftest
    return [conftest.SEALPOST, "-c", str(relay.config)]
