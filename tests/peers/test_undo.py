"""Who may take back what a link has ended. A token can be found in mail - in a report that quotes it, in a forwarded message, at the
application that has sent it - so whoever has one may end mail with it and never begin it. Kind: a bearer's right to both directions."""

import time

import pytest
from conftest import Shim, wait_for
from test_page import HOW, ask, exchange, link, listed, refusal, serve

FORM = {"Content_Type": "application/x-www-form-urlencoded"}
ONE_CLICK = "List-Unsubscribe=One-Click"
ACTIONS = ["stream", "all", "flood"]


@pytest.fixture
def page(relay_factory, dns, sink_factory):
    return serve(relay_factory, dns, sink_factory, "none")


class Browser:
    """Keeps cookies as a browser does, by name; what it has been given is also in `given`."""

    def __init__(self, page):
        self.page, self.cookies, self.given = page, {}, []

    def go(self, path, body=None, **headers):
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        status, answered, text = ask(self.page, "GET" if body is None else "POST", path, body, **headers, **FORM)
        cookie = answered.get("Set-Cookie")
        if cookie:
            (name, value), *attributes = [part.strip().partition("=")[::2] for part in cookie.split(";")]
            self.given.append((name, value, dict(attributes)))
            self.cookies[name] = value
            if dict(attributes)["Max-Age"] == "0":
                del self.cookies[name]
        return status, text


def offers(text):
    return 'value="undo"' in text


@pytest.mark.parametrize("action", ACTIONS)
def test_who_did_it_takes_it_back_at_any_later_visit_and_nobody_else(page, action):
    path = link(page)
    bob, other = Browser(page), Browser(page)
    status, text = bob.go(path, f"action={action}")
    assert status == 200 and offers(text) and len(listed(page)) == 1
    for who, may in ((bob, True), (other, False), (bob, True)):
        status, text = who.go(path)
        assert status == 200 and offers(text) == may and 'role="status"' in text
    for headers in ({}, {"Sec_Fetch_Site": "same-origin"}, {"Origin": "https://u.club.test"}):
        status, text = other.go(path, "action=undo", **headers)
        assert status == 403 and 'role="alert"' in text and 'role="status"' in text  # an error, and how things stand
        assert other.given == [] and len(listed(page)) == 1
    status, text = bob.go(path, "action=undo", Sec_Fetch_Site="same-origin")
    assert status == 200 and listed(page) == [] and bob.cookies == {} and not offers(text)
    assert refusal(page, "news") == refusal(page, "party") == ""


def test_the_cookie_is_for_this_host_and_this_site_alone(page):
    bob = Browser(page)
    for action in ACTIONS:
        bob.go(link(page), f"action={action}")
    assert len({name for name, _, _ in bob.given}) == 3
    for name, value, attributes in bob.given:
        assert name.startswith("__Host-") and "Domain" not in attributes and attributes["Path"] == "/"
        assert {"Secure", "HttpOnly"} <= set(attributes) and attributes["SameSite"] == "Strict" and attributes["Max-Age"] == "86400"
        assert "bob" not in name + value and "news" not in name + value and len(name + value) < 200
    assert offers(bob.go(link(page))[1])
    assert len(listed(page)) == 3 and bob.go(link(page), "action=undo")[0] == 200 and listed(page) == []  # all three are theirs


@pytest.mark.parametrize("action", ACTIONS)
def test_ending_again_gives_no_right_over_what_somebody_else_has_ended(page, action):
    """The application has the token: it ends what is ended already, and has no permit for it. From then on nobody has."""
    path = link(page)
    bob, application = Browser(page), Browser(page)
    bob.go(path, f"action={action}")
    status, text = application.go(path, f"action={action}")
    assert status == 200 and application.given == [] and not offers(text)
    assert application.go(path, "action=undo")[0] == 403
    assert bob.go(path, "action=undo")[0] == 403  # two have wished it
    assert [entry[4] for entry in listed(page)] == ["page, repeated"]


@pytest.mark.parametrize("again", ["action=stream", ONE_CLICK])
def test_who_ended_first_cannot_take_back_the_wish_of_who_came_later(page, again):
    """The application ends it first, keeps its permit, and waits for the recipient to end it."""
    path = link(page)
    bob, application = Browser(page), Browser(page)
    application.go(path, "action=stream")
    assert offers(application.go(path)[1])
    assert bob.go(path, again)[0] == 200
    assert application.go(path, "action=undo")[0] == 403 and not offers(application.go(path)[1])
    assert len(listed(page)) == 1


def test_a_permit_that_was_planted_is_void_once_its_victim_acts(page):
    """Fixation: an attacker's permit in the victim's browser makes the victim's wish look like a repetition of the attacker's."""
    path = link(page)
    attacker, victim = Browser(page), Browser(page)
    attacker.go(path, "action=all")
    victim.cookies = dict(attacker.cookies)
    time.sleep(0.01)
    victim.go(path, "action=all")
    assert attacker.go(path, "action=undo")[0] == 403 and len(listed(page)) == 1
    assert victim.go(path, "action=undo")[0] == 200 and listed(page) == []


def test_a_permit_is_good_once_and_for_what_it_was_given_for(page):
    path = link(page)
    bob = Browser(page)
    bob.go(path, "action=stream")
    old = dict(bob.cookies)
    assert bob.go(path, "action=undo")[0] == 200
    bob.go(path, "action=stream")
    thief = Browser(page)
    thief.cookies = old  # an older one
    assert thief.go(path, "action=undo")[0] == 403
    permit = list(bob.cookies.values())[0]
    for other_path, action in ((link(page, "amy@dest.test"), "stream"), (link(page, stream="party"), "stream"), (path, "all"), (path, "flood")):
        victim = Browser(page)
        victim.go(other_path, f"action={action}")
        name = list(victim.cookies)[0]
        thief.cookies = {name: permit}  # of another recipient, stream, kind, under the right name
        assert thief.go(other_path, "action=undo")[0] == 403, (other_path, action)
    assert len(listed(page)) == 5


def test_nothing_else_is_a_permit(page):
    path = link(page)
    bob = Browser(page)
    bob.go(path, "action=stream")
    (name, permit), = bob.cookies.items()
    forged = ["", "x", path[1:], permit[:-1], permit + "A", permit[1:], permit.swapcase(), "A" * len(permit), "%00", "A" * 3000]
    for value in forged:
        thief = Browser(page)
        thief.cookies = {name: value}
        assert thief.go(path, "action=undo")[0] == 403, value
    assert ask(page, "GET", "/" + permit)[0] == 404  # and a permit is no token
    # Tossed by another host of the domain, in front of ours: it takes nothing away.
    status, _, text = ask(page, "GET", path, Cookie=f"{name}=forged; {name}={permit}; x=y")
    assert status == 200 and offers(text)
    status, _, _ = ask(page, "POST", path, "action=undo", Cookie=f"{name}=forged; {name}={permit}", **FORM)
    assert status == 200 and listed(page) == []


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", "other"])
def test_another_site_can_end_and_not_begin(page, site):
    """A form on another site, in a browser that sends a strict cookie all the same."""
    path = link(page)
    bob = Browser(page)
    bob.go(path, "action=flood", Sec_Fetch_Site="same-origin")
    assert bob.go(path, "action=undo", Sec_Fetch_Site=site)[0] == 403 and len(listed(page)) == 1
    assert bob.go(path, "action=all", Sec_Fetch_Site=site)[0] == 200 and len(listed(page)) == 2


def test_one_click_gives_nothing_and_is_not_undone(page):
    """RFC 8058: no cookie, no redirect, 200 - and nobody who can take it back, as nobody knows who it was."""
    path = link(page)
    answer = exchange(page, HOW["gmail"](b"").replace(b"%s", path.encode()))
    assert answer.startswith(b"HTTP/1.1 200 ") and b"Set-Cookie" not in answer and b"Location" not in answer
    bob = Browser(page)
    status, text = bob.go(path)
    assert status == 200 and "since" in text and not offers(text) and "please contact" in text
    assert bob.go(path, "action=stream")[0] == 200 and bob.go(path, "action=undo")[0] == 403
    assert [entry[4] for entry in listed(page)] == ["one-click"]


def test_what_others_have_put_on_the_list_stays(page):
    path = link(page)
    bob = Browser(page)
    bob.go(path, "action=stream")
    page.command("suppress", "add", "bob@dest.test", "--reason", "bounce")
    page.command("suppress", "add", "bob@dest.test", "--reason", "unsubscribe", "--tenant", "default")
    assert bob.go(path, "action=undo")[0] == 200
    assert sorted(entry[3] for entry in listed(page)) == ["bounce", "unsubscribe"]
    assert 'role="status"' in bob.go(path)[1]


def test_a_permit_outlives_a_restart_and_a_new_key(page):
    path = link(page)
    bob = Browser(page)
    bob.go(path, "action=stream")
    page.command("unsubscribe", "rotate")
    page.stop()
    page.start()
    assert offers(bob.go(path)[1]) and bob.go(path, "action=undo")[0] == 200 and listed(page) == []


def test_what_could_not_be_written_down_changes_no_permit(page, shim):
    """A full disk shows when all of it has been done but the commit."""
    path = link(page)
    page.stop()
    page.environment = shim.environment
    page.start()
    bob, amy = Browser(page), Browser(page)
    assert bob.go(path, "action=stream")[0] == 200 and len(bob.cookies) == 1
    shim.set(action=Shim.ENOSPC, countdown=1, times=1000000)
    shim.set(point=Shim.LOG_WRITE)
    assert bob.go(path, "action=undo")[0] == 503 and len(bob.cookies) == 1
    assert amy.go(path, "action=all")[0] == 503 and amy.cookies == {}
    shim.set(point=0)
    wait_for(lambda: bob.go(path, "action=undo")[0] == 200)
    assert listed(page) == []


def test_who_ends_and_takes_back_in_turn_must_wait(page):
    """Each end is an event, a row of the list and a post for the tenant's endpoints: a recipient makes no more than a few."""
    bob, path = Browser(page), link(page)
    for _ in range(3):
        assert bob.go(path, "action=stream")[0] == 200 and offers(bob.go(path)[1])
        assert bob.go(path, "action=undo")[0] == 200 and listed(page) == []
    assert bob.go(path, "action=all")[0] == 200 and len(listed(page)) == 1
    assert not offers(bob.go(path)[1]) and bob.go(path, "action=undo")[0] == 403 and len(listed(page)) == 1
    other = Browser(page)  # another cookie jar is the same recipient
    assert other.go(path, "action=stream")[0] == 200 and other.go(path, "action=undo")[0] == 403
    assert len([e for e in page.json("events", "--limit", "100") if e["kind"] == "suppress_removed"]) == 3
