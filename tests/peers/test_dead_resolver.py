"""A resolver that never answers, as who runs a command meets it. The kind of fault: a command's own time limit is that of one question,
while it asks for as many as it likes, and asks again for what it has forgotten meanwhile: it never ends."""

import pytest

COMMANDS = {
    "a format": (["dns", "club.test", "--format", "bind"], 0, ""),
    "a check": (["dns", "club.test", "--check"], 1, "unknown"),
    "domains": (["domain", "list"], 0, "club.test"),
}


@pytest.mark.parametrize("words, status, said", COMMANDS.values(), ids=COMMANDS)
def test_each_command_ends(dns, relay_factory, words, status, said):
    relay = relay_factory()
    relay.start()
    dns.zone["all"] = "SILENCE"
    done = relay.command(*words, check=False)
    assert done.returncode == status and said in done.stdout, done
    assert "the rest is not known" in done.stderr
