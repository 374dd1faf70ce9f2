"""The unsubscribe page in Chromium: as people use it. Pictures are kept beside the build, in artefacts/."""

import http.server
import pathlib
import threading

import pytest
from conftest import SEALPOST
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait
from test_page import link, listed, refusal, serve

ARTEFACTS = pathlib.Path(SEALPOST).resolve().parent / "artefacts"


@pytest.fixture
def page(relay_factory, dns, sink_factory):
    return serve(relay_factory, dns, sink_factory, "none")


@pytest.fixture
def browser():
    made = []

    def make(language="en", width=320, height=640):
        options = webdriver.ChromeOptions()
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", f"--lang={language}"):
            options.add_argument(argument)
        options.add_experimental_option("prefs", {"intl.accept_languages": language})
        options.add_experimental_option("mobileEmulation", {"deviceMetrics": {"width": width, "height": height, "pixelRatio": 2.0}})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        made.append(webdriver.Chrome(service=webdriver.chrome.service.Service("/usr/bin/chromedriver"), options=options))
        return made[-1]

    yield make
    complaints = [entry for driver in made for entry in driver.get_log("browser")]
    for driver in made:
        driver.quit()
    assert complaints == []  # nothing on the console, of the Content-Security-Policy neither


def keep(driver, name):
    ARTEFACTS.mkdir(exist_ok=True)
    driver.save_screenshot(str(ARTEFACTS / f"page-{name}.png"))


def press(driver, action):
    """Press a button with the mouse and wait for the answer."""
    button = driver.find_element(By.CSS_SELECTOR, f"button[value={action}]")
    button.click()

    def is_gone(_):
        try:
            button.is_enabled()
            return False
        except WebDriverException:  # stale, or of no document any more: both are said
            return True

    WebDriverWait(driver, 10).until(is_gone)
    return said(driver)


def said(driver):
    """What the page says now; it may be on its way out while it is read."""
    return WebDriverWait(driver, 10, ignored_exceptions=[WebDriverException]).until(
        lambda d: d.find_element(By.CSS_SELECTOR, "[role=status]").text)


def test_click_and_undo(page, browser):
    driver = browser()
    driver.get(f"http://127.0.0.1:{page.web}{link(page)}")
    keep(driver, "ask")
    assert driver.title == "Emails from Sports Club <Süd>"
    assert driver.find_elements(By.CSS_SELECTOR, "[role]") == []
    assert press(driver, "stream") == "You have been unsubscribed. You will no longer receive “Club news”."
    keep(driver, "stopped")
    assert [entry[2:4] for entry in listed(page)] == [("news", "unsubscribe")] and refusal(page, "news")
    driver.refresh()  # Chromium posts it again: nothing changes
    assert len(listed(page)) == 1
    driver.get(f"http://127.0.0.1:{page.web}{link(page)}")
    assert "since" in said(driver)
    keep(driver, "later")
    other = browser()  # that was somebody else
    other.get(f"http://127.0.0.1:{page.web}{link(page)}")
    assert "since" in said(other) and other.find_elements(By.CSS_SELECTOR, "button[value=undo]") == []
    keep(other, "somebody-else")
    assert "again" in press(driver, "undo")
    keep(driver, "undone")
    assert listed(page) == [] and refusal(page, "news") == ""


def test_it_fits_a_small_screen(page, browser):
    driver = browser(width=320)
    driver.get(f"http://127.0.0.1:{page.web}{link(page)}")
    assert driver.execute_script("return document.documentElement.scrollWidth") <= 320
    buttons = driver.find_elements(By.TAG_NAME, "button")
    assert len(buttons) == 3 and all(button.size["height"] >= 44 and button.size["width"] >= 200 for button in buttons)


def test_with_the_keyboard_alone(page, browser):
    driver = browser(width=1024, height=800)
    driver.get(f"http://127.0.0.1:{page.web}{link(page)}")
    seen = []
    for _ in range(3):
        ActionChains(driver).send_keys(Keys.TAB).perform()
        seen.append(driver.switch_to.active_element.get_attribute("value"))
    assert seen == ["stream", "all", "flood"]
    keep(driver, "focus")
    ActionChains(driver).send_keys(Keys.SPACE).perform()
    assert "paused until" in said(driver)
    assert [entry[3] for entry in listed(page)] == ["flood"]
    ActionChains(driver).send_keys(Keys.TAB).perform()
    assert driver.switch_to.active_element.get_attribute("value") == "undo"
    ActionChains(driver).send_keys(Keys.ENTER).perform()
    WebDriverWait(driver, 10).until(lambda d: "again" in said(d))
    assert listed(page) == []


class Elsewhere(threading.Thread):
    """Another site, as a web mailer is: a link to the page, and a form that posts to it."""

    def __init__(self, url):
        super().__init__(daemon=True)
        body = f'<!doctype html><title>mail</title><link rel="icon" href="data:,"><a href="{url}">unsubscribe</a>' \
               f'<form method="post" action="{url}"><button name="action" value="undo">undo</button></form>'

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://localhost:{self.server.server_port}/"  # 127.0.0.1 is another site
        self.start()

    def run(self):
        self.server.serve_forever(0.05)


def test_from_a_web_mailer(page, browser):
    """The link is followed from another site, and the cookie is a strict one: the page asks once more. A form there gets nowhere."""
    driver = browser()
    url = f"http://127.0.0.1:{page.web}{link(page)}"
    mailer = Elsewhere(url)
    driver.get(url)
    press(driver, "stream")
    driver.get(mailer.url)
    driver.find_element(By.TAG_NAME, "a").click()
    WebDriverWait(driver, 10, ignored_exceptions=[WebDriverException]).until(lambda d: d.find_elements(By.CSS_SELECTOR, "button[value=undo]"))
    cookies = driver.get_cookies()
    assert [(c["secure"], c["httpOnly"], c["sameSite"], c["path"]) for c in cookies] == [(True, True, "Strict", "/")]
    driver.get(mailer.url)
    driver.find_element(By.TAG_NAME, "button").click()
    alert = WebDriverWait(driver, 10, ignored_exceptions=[WebDriverException]).until(lambda d: d.find_element(By.CSS_SELECTOR, "[role=alert]"))
    assert "same browser" in alert.text and len(listed(page)) == 1
    driver.get_log("browser")  # Chromium writes down that it was a 403
    driver.get(url)
    assert "again" in press(driver, "undo") and listed(page) == [] and driver.get_cookies() == []
    mailer.server.shutdown()


LANGUAGES = sorted(path.stem for path in (pathlib.Path(__file__).resolve().parents[2] / "policy/unsubscribe/languages").glob("*.txt"))


def test_every_language_on_a_small_screen(page, browser):
    """Nothing sticks out at 320 pixels, in either direction, before and after a press."""
    assert len(LANGUAGES) == 20
    driver = browser()
    driver.execute_cdp_cmd("Network.enable", {})
    for language in LANGUAGES:
        driver.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": {"Accept-Language": language}})
        path = link(page, f"{language}.reader@dest.test")
        driver.get(f"http://127.0.0.1:{page.web}{path}")
        html = driver.find_element(By.TAG_NAME, "html")
        assert html.get_attribute("lang").startswith(language)
        assert html.get_attribute("dir") == ("rtl" if language in ("ar", "fa") else "ltr")
        keep(driver, language)
        for action in ("stream", None):
            assert driver.execute_script("return document.documentElement.scrollWidth") <= 320, language
            if action:
                press(driver, action)
        keep(driver, language + "-stopped")


def test_a_link_that_is_none(page, browser):
    driver = browser()
    driver.get(f"http://127.0.0.1:{page.web}{link(page)[:-3]}")
    assert driver.find_elements(By.TAG_NAME, "button") == [] and "not valid" in driver.title
    keep(driver, "invalid")
    driver.get_log("browser")  # Chromium writes down that it was a 404
