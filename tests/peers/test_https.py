"""The page over its own TLS, by a release build: ALPN as real clients send it, curl, Chromium; and what a visitor hears when the store cannot be read."""

import socket
import sqlite3
import ssl
import subprocess

import pytest
from conftest import wait_for
from selenium import webdriver
from selenium.webdriver.common.by import By
from test_browser import press
from test_page import ask, link, listed, serve

STREAM = "List-Unsubscribe=One-Click"


@pytest.fixture
def page(release, relay_factory, dns, sink_factory):
    return serve(relay_factory, dns, sink_factory, "implicit")


def speak(relay, port, protocols, version, starttls=False, name="mail.club.test"):
    """The protocol that was agreed on (None: none), or "refused"."""
    context = relay.context()
    context.minimum_version = context.maximum_version = version
    context.verify_mode = ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(protocols)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as raw:
        if starttls:
            raw.recv(1000)
            raw.sendall(b"EHLO x\r\n")
            raw.recv(4000)
            raw.sendall(b"STARTTLS\r\n")
            assert raw.recv(1000).startswith(b"220 ")
        try:
            with context.wrap_socket(raw, server_hostname=name) as s:
                return s.selected_alpn_protocol()
        except ssl.SSLError as e:
            assert "no application protocol" in str(e).lower().replace("_", " "), e
            return "refused"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_each_listener_speaks_its_own_protocol(page, version):
    """RFC 7301: what a client speaks must be what is spoken there, whatever certificate its SNI chooses."""
    certificate = f'certificate "other" {{ file = "{page.path}/cert.pem" key = "{page.path}/key.pem" server = "u.club.test" }}\n'
    page.config.write_text(page.config.read_text() + certificate)
    page.reload()
    offers = {None: (None, None), ("http/1.1",): ("http/1.1", "refused"), ("h2", "http/1.1"): ("http/1.1", "refused"),
              ("http/1.1", "smtp"): ("http/1.1", "smtp"), ("smtp",): ("refused", "smtp"), ("h2",): ("refused", "refused"),
              ("http/1.0",): ("refused", "refused"), ("http/1.1x", "http"): ("refused", "refused"), ("acme-tls/1",): ("refused", "refused")}
    for offer, (web, mail) in offers.items():
        for name in ("mail.club.test", "u.club.test", "nobody.test"):
            assert speak(page, page.web, offer, version, name=name) == web, (offer, name)
            assert speak(page, page.submissions, offer, version, name=name) == mail, (offer, name)
        assert speak(page, page.submission, offer, version, starttls=True) == mail, offer


def curl(relay, *options):
    done = subprocess.run(["curl", "-sS", "--max-time", "20", "--cacert", str(relay.path / "cert.pem"), "--resolve",
                           f"mail.club.test:{relay.web}:127.0.0.1", "-w", "\n%{http_code} %{http_version}", *options,
                           f"https://mail.club.test:{relay.web}{link(relay)}"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("options", [[], ["--http1.1"], ["--no-alpn"], ["--tls-max", "1.2"]])
def test_curl_asks_posts_and_asks_again(page, options):
    text = curl(page, *options)
    assert 'value="stream"' in text and text.endswith("200 1.1")
    assert curl(page, *options, "-d", STREAM).startswith("Unsubscribed.")
    for _ in range(3):  # a second visit reads what the first has written
        text = curl(page, *options)
        assert 'role="status"' in text and 'value="stream"' not in text and text.endswith("200 1.1")
    assert [entry[2:4] for entry in listed(page)] == [("news", "unsubscribe")]


def test_chromium_presses_and_comes_back(page):
    options = webdriver.ChromeOptions()
    options.accept_insecure_certs = True
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--lang=en"):
        options.add_argument(argument)
    driver = webdriver.Chrome(service=webdriver.chrome.service.Service("/usr/bin/chromedriver"), options=options)
    try:
        driver.get(f"https://127.0.0.1:{page.web}{link(page)}")
        assert len(driver.find_elements(By.TAG_NAME, "button")) == 3
        press(driver, "stream")
        assert [entry[2:4] for entry in listed(page)] == [("news", "unsubscribe")]
        driver.get(f"https://127.0.0.1:{page.web}{link(page)}")
        assert driver.find_elements(By.CSS_SELECTOR, "[role=status]") and not driver.find_elements(By.CSS_SELECTOR, "button[value=stream]")
    finally:
        driver.quit()


def test_who_asks_while_the_store_cannot_be_read_hears_that_and_nothing_else(page):
    """Never "you still get it" because a lookup has failed; and it is logged."""
    assert ask(page, "POST", link(page), STREAM)[0] == 200

    def rename(old, new):
        with sqlite3.connect(page.path / "state" / "state.db", timeout=20) as db:
            db.execute(f"ALTER TABLE {old} RENAME TO {new}")
        db.close()

    rename("suppression", "gone")
    for method, body, expected in (("GET", None, 503), ("HEAD", None, 503), ("POST", "nothing=known", 503), ("POST", "action=stream", 503)):
        status, _, text = ask(page, method, link(page), body, Content_Type="application/x-www-form-urlencoded")
        assert status == expected and "You will get" not in text and (method == "HEAD" or "again in a minute" in text), (method, status, text)
    wait_for(lambda: page.log().count("error store_unreadable") >= 3)
    rename("gone", "suppression")
    status, _, text = ask(page, "GET", link(page))
    assert status == 200 and 'value="stream"' not in text and 'role="status"' in text
