"""Which of OpenSSL's ways of computing RSA is the faster one here: measured at the start, by a program that is started anew."""

import pathlib
import re
import subprocess

import pytest
from conftest import wait_for, wait_port

FLAGS = set(next(line for line in open("/proc/cpuinfo") if line.startswith("flags")).split()) if pathlib.Path("/proc/cpuinfo").exists() and any(
    line.startswith("flags") for line in open("/proc/cpuinfo")) else set()
pytestmark = pytest.mark.skipif(not {"adx", "bmi2", "avx2"} <= FLAGS, reason="a processor without ADX")
SAID = re.compile(r'rsa_measured what="RSA-2048 takes (\d+\.\d\d) ms as OpenSSL computes it by default, (\d+\.\d\d) ms without ADX: (.*?)"')


def start(relay_factory, setting="", **environment):
    relay = relay_factory(f'rsa_path = "{setting}"\n' if setting else "")
    relay.environment.update(environment)
    relay.start()
    wait_for(lambda: " started " in relay.log())
    return relay


def environment_of(relay):
    return pathlib.Path(f"/proc/{relay.process.pid}/environ").read_text().split("\0")


def test_it_is_measured_and_said_and_the_process_stays_the_same(relay_factory, sink_factory, dns):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = start(relay_factory, "always")
    said = SAID.findall(relay.log())
    assert len(said) == 1, relay.log()
    default, other = float(said[0][0]), float(said[0][1])
    assert 0.05 < default < 20 and 0.05 < other < 20
    assert (said[0][2] == "ADX is not used") == (other <= 0.9 * default) or 0.88 < other / default < 0.92  # rounded
    process = pathlib.Path(f"/proc/{relay.process.pid}")
    assert (process / "comm").read_text() == "sealpost\n"
    arguments = (process / "cmdline").read_text().rstrip("\0").split("\0")
    assert arguments[-1] == "serve" and str(relay.config) in arguments
    sink = sink_factory(records=relay.records)
    relay.send()
    assert sink.wait(1)[0][0]["dkim"] == "pass"
    relay.command("reload")  # it may have changed no more than that
    assert len(SAID.findall(relay.log())) == 1


def test_it_is_not_measured_where_nothing_is_gained_or_nobody_wants_it(relay_factory):
    assert "rsa_measured" not in start(relay_factory, "off").log()
    automatic = start(relay_factory)
    assert ("rsa_measured" in automatic.log()) == ("avx512ifma" not in FLAGS)


@pytest.mark.parametrize("given", [":~0x80000", ":~0x200000", ""])
def test_what_the_operator_has_chosen_stays(relay_factory, given):
    relay = start(relay_factory, "always", OPENSSL_ia32cap=given)
    assert "rsa_measured" not in relay.log()
    assert f"OPENSSL_ia32cap={given}" in environment_of(relay)


def test_the_faster_way_is_taken(relay_factory):
    """The second start, told of a first one on a slower processor."""
    relay = start(relay_factory, "always", OPENSSL_ia32cap=":~0x80000", SEALPOST_RSA_NS="90000000")
    said = SAID.findall(relay.log())
    assert len(said) == 1 and said[0][0] == "90.00" and said[0][2] == "ADX is not used"


def test_the_default_is_kept_when_it_is_not_slower(relay_factory):
    relay = start(relay_factory, "always", OPENSSL_ia32cap=":~0x80000", SEALPOST_RSA_NS="10000")
    said = SAID.findall(relay.log())
    assert len(said) == 1 and said[0][0] == "0.01" and said[0][2] == "the default is used"
    assert not any(one.startswith("OPENSSL_ia32cap") for one in environment_of(relay))


@pytest.mark.parametrize("setting", ["always", "off"])
@pytest.mark.parametrize("nonsense", ["", "x", "-1", "1 2 3", "1 2x", "1  2", " 1 2", "+1 2", "1 -2", "0 1", "1 0", "1,2", "90000000 12345678901", "9" * 26])
def test_a_variable_of_others_is_not_taken_for_a_measurement(relay_factory, setting, nonsense):
    said = SAID.findall(start(relay_factory, setting, SEALPOST_RSA_NS=nonsense).log())
    assert len(said) == (setting == "always")
    assert not said or 0.05 < float(said[0][0]) < 20 and 0.05 < float(said[0][1]) < 20


@pytest.mark.parametrize("environment", [{"SEALPOST_RSA_NS": "90000000 1000000"}, {"SEALPOST_RSA_NS": "90000000", "OPENSSL_ia32cap": ":~0x80000"}])
def test_what_was_never_measured_is_not_said_where_it_is_off(relay_factory, environment):
    relay = start(relay_factory, "off", **environment)
    assert "rsa_measured" not in relay.log()
    if "OPENSSL_ia32cap" in environment:
        assert "OPENSSL_ia32cap=:~0x80000" in environment_of(relay)


def test_it_says_why_it_could_not_start_anew(relay_factory):
    """The kind: a step fails without a system call that did, and the reason is that of some call before it, or "Success"."""
    relay = relay_factory('rsa_path = "always"\n')
    relay.log_file = open(relay.path / "serve.log", "ab")
    relay.process = subprocess.Popen(["x" * 70000, "-c", str(relay.config), "serve", *relay.options], executable=relay.program,
                                     stdout=relay.log_file, stderr=relay.log_file)
    wait_port(relay.submission, process=relay.process)
    assert 'rsa_not_measured what="the command line has 65536 bytes or more"' in relay.log()
    assert not any(one.startswith("OPENSSL_ia32cap") for one in environment_of(relay))
