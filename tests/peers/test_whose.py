"""Whose is it? Tenants are kept apart: what an operator orders for a tenant whom nobody is, would never happen, and he must
hear of it; what he orders for nobody in particular must not change the one's for another's."""
import pytest


def nobody(relay):
    for row in relay.json("user", "list"):
        relay.command("user", "delete", row["name"])
    for row in relay.json("domain", "list"):
        relay.command("domain", "remove", row["name"])
    return relay


@pytest.fixture
def two(relay_factory):
    """Who has a domain only is somebody, too."""
    relay = nobody(relay_factory())
    relay.command("domain", "add", "swim.test", "--tenant", "swim", "--no-capture")
    relay.command("user", "add", "booking", "--tenant", "club", "--domain", "club.test")
    return relay


CHANGES = [("suppress", "add", "x@dest.test"), ("webhook", "add", "https://hook.test/")]


def said(relay, *words, **more):
    done = relay.command(*words, check=False, **more)
    return done.returncode, (done.stderr + done.stdout).strip()


@pytest.mark.parametrize("words", CHANGES, ids=lambda words: words[0])
@pytest.mark.parametrize("running", [False, True], ids=["stopped", "running"])
def test_no_change_is_for_nobody(two, words, running):
    if running:
        two.start()
    code, text = said(two, *words)
    assert code == 2 and 'no credential and no domain has the tenant "default"' in text and "--tenant" in text and \
        "club, swim" in text, text
    assert two.json("suppress", "list") == [] and two.json("webhook", "list") == []
    code, text = said(two, *words, "--tenant", "clbu")  # it may come later
    assert code == 0 and 'warning: no credential and no domain has the tenant "clbu"; there are: club, swim' in text, text
    code, text = said(two, *words, "--tenant", "swim")
    assert code == 0 and "warning" not in text, text
    assert [row["tenant"] for row in two.json(words[0], "list")] == ["clbu", "swim"]


def test_an_import_is_for_somebody_too(two):
    code, text = said(two, "suppress", "import", "-", input="address\na@dest.test\n")
    assert code == 2 and 'the tenant "default"' in text and "line 2" in text and two.json("suppress", "list") == [], text
    code, text = said(two, "suppress", "import", "-", input="address,tenant\n" + "".join(f"a{i}@dest.test,clbu\n" for i in range(50)))
    assert code == 0 and text.count('the tenant "clbu"') == 1, text


def test_what_is_everybodys_is_said_to_be(two):
    code, text = said(two, "suppress", "add", "x@dest.test", "--tenant", "")
    assert code == 0 and [row["tenant"] for row in two.json("suppress", "list")] == [""], text


def test_nothing_is_removed_of_another_tenant_by_chance(two):
    for tenant in ("club", "swim"):
        two.command("suppress", "add", "x@dest.test", "--tenant", tenant)
    code, text = said(two, "suppress", "remove", "x@dest.test")
    assert code == 2 and "tenants club, swim" in text and "--tenant" in text, text
    assert len(two.json("suppress", "list")) == 2
    two.command("suppress", "remove", "x@dest.test", "--tenant", "swim")
    assert [row["tenant"] for row in two.json("suppress", "list")] == ["club"]
    two.command("suppress", "remove", "x@dest.test")
    assert two.json("suppress", "list") == []


def test_where_there_is_nobody_yet_it_is_the_default_tenant(relay_factory):
    relay = nobody(relay_factory())
    code, text = said(relay, "suppress", "add", "x@dest.test")
    assert code == 0 and "warning" not in text and [row["tenant"] for row in relay.json("suppress", "list")] == ["default"], text
