"""TLS reports: those of others as "sealpost tlsrpt show" reads them, and the schema of ours, by two validators."""

import base64
import gzip
import json
import os
import pathlib
import resource
import subprocess

import jsonschema
import pytest

from conftest import SEALPOST, need_vectors

CONTRIB = pathlib.Path(__file__).parents[2] / "contrib"
SCHEMA = CONTRIB / "tlsrpt.schema.json"
SUFFIX = {"application/tlsrpt+gzip": ".json.gz", "application/tlsrpt+json": ".json"}


def show(*arguments, **options):
    return subprocess.run([SEALPOST, "--json", "tlsrpt", "show", *map(str, arguments)], capture_output=True, timeout=120, **options)


def content(case):
    if "generate" in case:
        return gzip.compress(b"".join(text.encode() * times for text, times in case["generate"]["gzip_of"]))
    return base64.b64decode(case["b64"]) if "b64" in case else case.get("mail", case.get("text")).encode()


def cases():
    return json.loads((need_vectors() / "tlsrpt-public.json").read_text())


def as_expected(row):
    """What the command says, in the form of the vectors."""
    if not row["readable"]:
        return {"readable": False, "why": row["why"]}
    policies = []
    for policy in row["policies"]:
        results = {}
        for failure in policy["failures"]:
            results[failure["result"]] = results.get(failure["result"], 0) + failure["sessions"]
        policies.append({"type": policy["type"], "domain": policy["domain"], "ok": policy["ok"], "failed": policy["failed"],
                         "results": results})
    return {"readable": True, "organization": row["organization"], "begin": row["begin"], "end": row["end"], "policies": policies,
            "warnings": sorted(row["warnings"]), "policy_strings": [p["strings"] for p in row["policies"]]}


@pytest.mark.memory
def test_reports_as_others_send_them(tmp_path):
    """All of them at once, each file called what it came as."""
    reports, paths = cases()["reports"], []
    for case in reports:
        paths.append(tmp_path / (case["id"].replace("/", "-") + SUFFIX.get(case["media"], "")))
        paths[-1].write_bytes(content(case))
    done = show(*paths)
    rows = json.loads(done.stdout)
    assert done.returncode == 1 and len(rows) == len(reports) >= 50
    for case, row in zip(reports, rows):
        expect, got = case["expect"], as_expected(row)
        expect.pop("policies_note", None)
        if expect["readable"]:
            expect["warnings"] = sorted(expect.get("warnings", []))
            expect.setdefault("policy_strings", got["policy_strings"])
        assert got == expect, case["id"]
    for row in rows:
        assert row["readable"] or f"sealpost: {row['file']}: " in done.stderr.decode()


LEAST = {"organization-name": "Company-X", "date-range": {"start-datetime": "2026-01-01T00:00:00Z", "end-datetime": "2026-01-01T23:59:59Z"},
         "contact-info": "tls@x.test", "report-id": "1@x.test",
         "policies": [{"policy": {"policy-type": "sts", "policy-domain": "club.test"},
                       "summary": {"total-successful-session-count": 7, "total-failure-session-count": 5},
                       "failure-details": [{"result-type": "certificate-expired", "receiving-mx-hostname": "mx.club.test",
                                            "sending-mta-ip": "192.0.2.1", "failed-session-count": 2, "failure-reason-code": "X509"}]}]}


def test_a_table_has_a_line_for_each_kind_of_session(tmp_path):
    """Also those that failed for a reason that nobody says. Nothing of it can steer a terminal."""
    report = dict(LEAST, **{"organization-name": "Company\x1b[2J\u202eX"})
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(json.dumps(report).encode()))
    (tmp_path / "b.json").write_text(json.dumps(dict(LEAST, **{"contact-info": None})))
    done = subprocess.run([SEALPOST, "tlsrpt", "show", tmp_path / "a.json.gz", tmp_path / "b.json"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    titles, *lines = [line.split() for line in done.stdout.splitlines()]
    assert titles == ["REPORTER", "DAY", "DOMAIN", "POLICY", "SESSIONS", "RESULT", "HOST", "FROM", "WHY"]
    assert [line[1:] for line in lines[:3]] == [
        ["2026-01-01", "club.test", "sts", "7", "ok"],
        ["2026-01-01", "club.test", "sts", "2", "certificate-expired", "mx.club.test", "192.0.2.1", "X509"],
        ["2026-01-01", "club.test", "sts", "3", "failed"]]
    assert len(lines) == 6 and lines[3][0] == "Company-X" and "\x1b" not in done.stdout and "\u202e" not in done.stdout
    assert done.stderr == f"sealpost: note: {tmp_path}/b.json: whom to ask is not said\n"


def test_a_message_from_standard_input(tmp_path):
    """What a mail program pipes, with the line ends of a file and the domain in its header alone."""
    report = json.loads(json.dumps(LEAST))
    del report["policies"][0]["policy"]["policy-domain"]
    lines = base64.encodebytes(gzip.compress(json.dumps(report).encode())).decode()
    mail = ("From: a@x.test\nTLS-Report-Domain: club.test\nContent-Type: multipart/report; report-type=tlsrpt; boundary=b\n\n--b\n"
            "Content-Type: text/plain\n\nhello\n--b\nContent-Type: application/tlsrpt+gzip\nContent-Transfer-Encoding: base64\n\n"
            f"{lines}\n--b--\n")
    row = json.loads(show("-", input=mail.encode()).stdout)[0]
    assert row["readable"] and row["file"] == "-" and row["policies"][0]["domain"] == "club.test" and row["report_id"] == "1@x.test"
    assert row["warnings"] == ["policy-domain-missing"]


def little():
    resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))


BOMBS = {
    "zeros": (b"\0" * (1 << 27), "too-large"),
    "empty lists": (b'{"policies":[' + b"[]," * (5 << 20) + b"[]]}", "too-large"),
    "lists in a text": (b'{"policies":[{"summary":{"total-failure-session-count":1},"policy":{"policy-string":"' +
                        b"[" + b"[]," * (4 << 20) + b'[]]"}}]}', None),
    "depth": (b"[" * (15 << 20), "too-deep"),
    "not UTF-8": (b'{"a":"' + b"\xff" * (15 << 20), "too-large"),
}


@pytest.mark.parametrize("what", BOMBS)
def test_a_small_file_takes_little_memory(tmp_path, what):
    """Compressed a thousand times, or much of what JSON makes of little: an answer comes within 400 MB."""
    text, why = BOMBS[what]
    (tmp_path / "bomb.json.gz").write_bytes(gzip.compress(text, 1))
    assert (tmp_path / "bomb.json.gz").stat().st_size < 8 << 20
    done = show(tmp_path / "bomb.json.gz", preexec_fn=little)
    row = json.loads(done.stdout)[0]
    assert done.returncode == (1 if why else 0) and row.get("why") == why, done.stderr


def test_what_cannot_be_read_is_named_and_the_others_are_shown(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(LEAST))
    done = show(tmp_path / "none", tmp_path / "a.json", tmp_path)
    assert done.returncode == 1 and [row["file"] for row in json.loads(done.stdout)] == [str(tmp_path / "a.json")]
    assert done.stderr.decode().splitlines() == [f"sealpost: {tmp_path}/none: No such file or directory",
                                                 f"sealpost: {tmp_path}: Is a directory"]


# ---- the schema ----

def by_python(document):
    """Where it is wrong, by python3-jsonschema."""
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    return ["/" + "/".join(map(str, error.absolute_path)) for error in jsonschema.Draft7Validator(schema).iter_errors(document)]


def by_ajv(documents):
    modules = os.environ.get("NODE_MODULES", "node_modules")
    if not (pathlib.Path(modules) / "ajv").exists():
        if os.environ.get("CI"):
            pytest.fail("ajv is missing: npm install in tests/peers")
        pytest.skip("ajv is not installed")
    done = subprocess.run(["node", pathlib.Path(__file__).with_name("schema.js"), SCHEMA], input=json.dumps(documents), text=True,
                          capture_output=True, timeout=60, env={**os.environ, "NODE_PATH": modules})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("validate", [lambda documents: list(map(by_python, documents)), by_ajv], ids=["python", "ajv"])
def test_the_schema_takes_what_it_must_and_says_where_the_rest_is_wrong(validate):
    schema = cases()["schema"]
    for case, wrong in zip(schema, validate([case["report"] for case in schema]), strict=True):
        assert (wrong == []) == case["expect"]["valid"], (case["id"], wrong)
        assert case["expect"]["valid"] or wrong[0] == case["expect"]["at"], (case["id"], wrong)


@pytest.mark.parametrize("validate", [lambda documents: list(map(by_python, documents)), by_ajv], ids=["python", "ajv"])
def test_the_schema_takes_the_reports_of_others_that_have_nothing_odd(validate):
    """What Google, Microsoft, Mail.ru and the RFC's own example say, as far as nothing is to be warned of."""
    names, documents = [], []
    for case in cases()["reports"]:
        if not case["expect"]["readable"] or case["expect"].get("warnings") or "mail" in case:
            continue
        data = content(case)
        names.append(case["id"])
        documents.append(json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data))
    assert len(names) >= 8
    assert dict(zip(names, validate(documents), strict=True)) == {name: [] for name in names}
