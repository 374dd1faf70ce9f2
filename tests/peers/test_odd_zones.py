"""What a zone's owner may put into DNS that nobody expects there: DNAME, NSEC3 of many iterations (RFC 9276), TLSA sets as large as an
answer can be. The kind of fault: mail that waits or comes back for it, a policy that is passed by, or others' mail that waits meanwhile."""

import hashlib

import pytest

from test_dane import WRONG, World, check_nothing_in_clear, line_of, one  # noqa: F401
from test_dane import world  # noqa: F401, a fixture

MANY = [f"3 1 1 {hashlib.sha256(str(n).encode()).hexdigest()}" for n in range(1300)]  # with their names and the signature 60 KB


def judged(relay, domain, kind="delivered"):
    id = relay.send(to=f"x@{domain}")
    relay.wait_kind(id, kind, 60)
    line = line_of(relay, id)
    return line.get("tls_policy"), line.get("tls_result")


def test_names_below_a_dname(world, relay_factory):
    """The domain and its host are found by it (RFC 6672), and its TLSA records count as those of any alias (RFC 7671 section 7)."""
    world.zone("old.test")
    world.zone("new.test")
    world.tree.add("d.old.test", "DNAME", "d.new.test.")
    for name, records in (("good", [(3, 1, 1)]), ("wrong", [WRONG])):
        world.host(f"{name}.d.new.test", names=[f"{name}.d.new.test", f"{name}.d.old.test"])
        world.mx(f"{name}domain.d.new.test", f"{name}.d.old.test")
        world.tlsa(f"{name}.d.new.test", *records)
    relay = world.relay(relay_factory)
    assert judged(relay, "gooddomain.d.old.test") == ("dane", "ok")
    assert judged(relay, "wrongdomain.d.old.test", "deferred")[0] == "dane"
    check_nothing_in_clear(world)


def test_denials_of_many_iterations(world, relay_factory):
    """They prove nothing and cost nothing: what is not there is unsigned, what is there is as signed as ever."""
    for domain in ("with.test", "without.test"):
        world.tree.zone(domain, "secure", denial="500 iterations")
        world.host(f"mx.{domain}")
        world.mx(domain, f"mx.{domain}")
    world.tlsa("mx.with.test", (3, 1, 1))
    relay = world.relay(relay_factory)
    assert judged(relay, "with.test") == ("dane", "ok")
    assert judged(relay, "without.test")[0] == "opportunistic"


@pytest.mark.parametrize("count, kind", [(31, "delivered"), (1300, "deferred")])
def test_a_set_as_large_as_an_answer(world, relay_factory, count, kind):
    """Of up to 32 records each counts; more are read in part, so that what fits may be among the others: then mail waits."""
    right = [(3, 1, 1)] if kind == "delivered" else []
    one("many.test", MANY[:count // 2] + right + MANY[count // 2:count])(world)
    one("other.test")(world)
    relay = world.relay(relay_factory)
    assert judged(relay, "many.test", kind)[0] == "dane"
    assert judged(relay, "other.test") == ("dane", "ok")
    check_nothing_in_clear(world)
