"""What DNS, the domain's policy, the host and the message say of TLS, each with each: 160 domains, three messages to each.

The kind of fault: two rules, each right by itself, that together let mail leave in clear, hold it up where nothing forbids it, or return
it. What is right is written down here once more, from the standards and not from the relay's table (RFC 7672 2.2, RFC 8461 2, RFC 8689 3).
"""

import itertools

import pytest

from conftest import wait_for
from policy_host import PolicyHost, reply_of, text_of
from test_dane import PKIX_ONLY, WRONG, context_of, line_of, world  # noqa: F401: a fixture
from zones import own_addresses

SECURE, PLAIN = "sec.test", "plain.test"
# What the TLSA records of its host are, and whether the domain and its host are signed.
DANE = {"fits": ((3, 1, 1), SECURE, SECURE), "wrong": (WRONG, SECURE, SECURE), "unusable": (PKIX_ONLY, SECURE, SECURE),
        "servfail": (WRONG, SECURE, SECURE), "none": (None, SECURE, SECURE), "insecure": (WRONG, PLAIN, PLAIN),
        "halffits": ((3, 1, 1), PLAIN, SECURE), "halfwrong": (WRONG, PLAIN, SECURE)}
POLICIES = ("nopolicy", "enforce", "others", "testing", "down")
HOSTS = {"good": {}, "othername": {"names": ["elsewhere.test"]}, "clear": {"tls": False},
         "refusing": {"answer": lambda line, connection: "454 4.7.0 not now" if line == "STARTTLS" else None}}
NEEDS = {"plain": "", "verify": "Sealpost-TLS: verify\r\n", "waived": "TLS-Required: No\r\n"}


def by_policy(policy, host, without):
    """Where TLSA records do not decide; `without`: what holds where no policy is enforced."""
    return {"enforce": host == "good", "others": False}.get(policy, without)


def arrives(dane, policy, host, need):
    encrypted = host in ("good", "othername")
    if need == "waived":
        return True
    if dane in ("wrong", "servfail", "halfwrong"):
        return False
    if dane in ("fits", "halffits"):
        return encrypted and (need == "plain" or dane == "fits")
    return by_policy(policy, host, need == "plain" and (encrypted or dane != "unusable"))


def must_be_encrypted(dane, policy, host, need):
    """Beside those that must not arrive at all: clear text is wrong even where the host knows no better."""
    return need == "verify" or need == "plain" and (dane in ("fits", "halffits", "unusable") or policy == "enforce")


def name_of(dane, policy, host):
    return f"{dane}-{policy}-{host}.{DANE[dane][1]}"


def mx_of(dane, policy, host):
    return f"mx.{dane}-{policy}-{host}.{DANE[dane][2]}"


def build(w, combination):
    dane, _, host = combination
    mx = mx_of(*combination)
    w.host(mx, **HOSTS[host])
    w.mx(name_of(*combination), mx)
    if DANE[dane][0]:
        w.tlsa(mx, DANE[dane][0])
    if dane == "servfail":
        w.fault(mx, "TLSA", "SERVFAIL")


def serve_policies(w, combinations):
    made = []
    for policy, address in zip(POLICIES[1:], own_addresses(100)[20:]):
        domains = [c for c in combinations if c[1] == policy]
        for c in domains:
            w.tree.add(f"_mta-sts.{name_of(*c)}", "TXT", "v=STSv1; id=1;")
            w.tree.add(f"mta-sts.{name_of(*c)}", "A", address)
        names = ["mx.elsewhere.test"] if policy == "others" else [mx_of(*c) for c in domains]
        if policy != "down":
            context = context_of(w.issue(*[f"mta-sts.{name_of(*c)}" for c in domains]))
            made.append(PolicyHost(address, context, reply_of(text_of("testing" if policy == "testing" else "enforce", names))))
    return made


@pytest.fixture
def policies():
    made = []
    yield made
    for host in made:
        host.stop()


def send_all(relay, combinations):
    """The id of each, by combination and need."""
    ids = {}
    with relay.client() as client:
        client.ehlo_or_helo_if_needed()
        for c, need in itertools.product(combinations, NEEDS):
            to = f"{need}@{name_of(*c)}"
            assert client.mail("hello@club.test")[0] == 250 and client.rcpt(to)[0] == 250
            code, said = client.data(f"From: <hello@club.test>\r\nTo: <{to}>\r\nSubject: {need}\r\n{NEEDS[need]}\r\nx\r\n".encode())
            assert code == 250, said
            ids[c, need] = said.decode().split()[-1]
    return ids


def ends(relay):
    """What became of each message so far, by its id: "delivered", "deferred" and "bounced" in the order they came."""
    found = {}
    for line in relay.log().splitlines():
        words = line.split(" ")
        if len(words) > 1 and words[1] in ("delivered", "deferred", "bounced"):
            id = next(word[3:] for word in words if word.startswith("id="))
            found.setdefault(id, []).append(words[1])
    return found


def test_no_two_rules_let_mail_through_or_hold_it_up(world, relay_factory, policies):  # noqa: F811
    combinations = list(itertools.product(DANE, POLICIES, HOSTS))
    world.zone(SECURE)
    world.zone(PLAIN, "insecure")
    for c in combinations:
        build(world, c)
    policies.extend(serve_policies(world, combinations))
    relay = relay_factory('allow_tls_optional = "on"\n', dns=world.tree)
    relay.environment = {"SSL_CERT_FILE": str(world.ca)}
    world.tree.start()
    relay.start()
    ids = send_all(relay, combinations)
    wait_for(lambda: len(ends(relay)) == len(ids), 240, 1)
    found = ends(relay)
    wrong = {}
    for (c, need), id in ids.items():
        want = ["delivered"] if arrives(*c, need) else ["deferred"]
        if found[id][:1] != want:
            wrong[(*c, need)] = found[id], line_of(relay, id)
    assert not wrong, (len(wrong), wrong)
    assert not any("bounced" in kinds for kinds in found.values())
    for c in combinations:
        for message in world.hosts[mx_of(*c)].messages:
            need = message.recipients[0].split("@")[0]
            assert arrives(*c, need) and (message.tls or not must_be_encrypted(*c, need)), (c, need)
    for (c, need), id in ids.items():
        line = line_of(relay, id)
        if line["kind"] == "delivered" and need == "verify":
            assert line["verified"] == "yes" and line["tls_policy"] in ("dane", "sts"), (c, line)
        assert (need == "waived") == (line["tls_policy"] == "waived"), (c, need, line)
