"""SPF against the test suite of RFC 7208, through the program: each scenario's zone served by a DNS server of the test's own."""

import concurrent.futures
import json
import subprocess

import pytest
import yaml

from conftest import SEALPOST, Dns, need_vectors, vectors

pytestmark = pytest.mark.xdist_group("spf")  # they are counted together
MAPPED = {"SPF": "TXT"}  # the suite is older than RFC 7208: type 99 stands for TXT too


def zone_of(zonedata):
    """The suite's zone as ours: (name, type) -> list of values. SPF counts as TXT, unless TXT is said itself."""
    zone = {}
    for name, records in zonedata.items():
        name = name.lower().rstrip(".")
        said = {kind for record in records if isinstance(record, dict) for kind in record}
        for record in records:
            if record == "TIMEOUT":
                zone[name, "ANY"] = ["SILENCE"]
                continue
            for kind, value in record.items():
                if kind == "SPF" and "TXT" in said:
                    continue
                kind = MAPPED.get(kind, kind)
                if value == "NONE":
                    if "TIMEOUT" not in records:
                        zone.setdefault((name, kind), [])
                elif value == "TIMEOUT":
                    zone[name, kind] = ["SILENCE"]
                else:
                    zone.setdefault((name, kind), []).append(value)
    return zone


def scenarios():
    place = vectors()
    if place is None:
        return [None]
    return [(number, test) for number, test in enumerate(yaml.safe_load_all((place / "rfc7208-tests.yml").read_text()))]


def expected(value):
    return value if isinstance(value, list) else [value]


@pytest.fixture(scope="module")
def tally():
    counts = {"strict": 0, "deployed": 0, "all": 0, "wrong": []}
    yield counts


def check(config, test):
    done = subprocess.run([SEALPOST, "-c", str(config), "--json", "check", "spf", "--ip", test["host"], "--mail-from",
                           test["mailfrom"], "--helo", test["helo"]], capture_output=True, timeout=120)
    assert all(b"waiting for DNS" in line for line in done.stderr.splitlines()), done.stderr
    answer = json.loads(done.stdout)
    assert done.returncode == (0 if answer["strict"]["result"] == "pass" else 1)
    return answer


@pytest.mark.parametrize("scenario", scenarios(), ids=lambda s: s[1]["description"] if s else "missing")
def test_every_case_of_the_suite(scenario, tmp_path, tally):
    need_vectors()
    _, document = scenario
    server = Dns()
    server.zone = zone_of(document["zonedata"])
    config = tmp_path / "sealpost.conf"
    config.write_text(f'hostname = "receiver.test"\nlog = "error"\ndns {{ forward = {{"127.0.0.1@{server.port}"}} }}\n')
    try:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            answers = dict(zip(document["tests"], pool.map(lambda t: check(config, t), document["tests"].values())))
    finally:
        server.stop()
    wrong = []
    for name, test in document["tests"].items():
        answer, want = answers[name], expected(test["result"])
        strict, deployed = answer["strict"], answer["deployed"]
        tally["all"] += 1
        tally["deployed"] += deployed["result"] in want
        right = strict["result"] in want
        if right and test.get("explanation", "DEFAULT") != "DEFAULT":
            right = strict["explanation"] == test["explanation"]
        tally["strict"] += right
        if not right:
            wrong.append((name, want, test.get("explanation"), strict))
    assert not wrong, "\n".join(map(str, wrong))


def test_the_counts(tally, capsys):
    need_vectors()
    with capsys.disabled():
        print(f" RFC 7208 suite: {tally['strict']} of {tally['all']}; read by libspf2: {tally['deployed']} ", end="")
    assert (tally["strict"], tally["all"]) == (203, 203)
