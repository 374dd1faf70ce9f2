"""The unsubscribe page in Chromium: as people use it. Pictures are kept beside the build, in artefacts/."""

import pathlib

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
    assert driver.title == "Mail from Sports Club <Süd>"
    assert press(driver, "stream") == "Done. You will get no more “Club news” from Sports Club <Süd>."
    keep(driver, "stopped")
    assert [entry[2:4] for entry in listed(page)] == [("news", "unsubscribe")] and refusal(page, "news")
    driver.refresh()  # Chromium posts it again: nothing changes
    assert len(listed(page)) == 1
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
    assert "24 hours" in said(driver)
    assert [entry[3] for entry in listed(page)] == ["flood"]
    ActionChains(driver).send_keys(Keys.TAB).perform()
    assert driver.switch_to.active_element.get_attribute("value") == "undo"
    ActionChains(driver).send_keys(Keys.ENTER).perform()
    WebDriverWait(driver, 10).until(lambda d: "again" in said(d))
    assert listed(page) == []


@pytest.mark.parametrize("language,lead", [("de-AT,de", "Was sollen wir Ihnen nicht mehr schicken?"), ("fr", "Que ne devons-nous plus vous envoyer ?"),
                                           ("es-MX", "¿Qué no debemos enviarle más?"), ("ja", "どのメールを停止しますか。")])
def test_in_the_readers_language(page, browser, language, lead):
    driver = browser(language)
    driver.get(f"http://127.0.0.1:{page.web}{link(page)}")
    assert driver.find_element(By.TAG_NAME, "p").text == lead
    assert driver.find_element(By.TAG_NAME, "html").get_attribute("lang") == language[:2]
    assert driver.execute_script("return document.documentElement.scrollWidth") <= 320
    keep(driver, language[:2])
    press(driver, "all")
    keep(driver, language[:2] + "-stopped")


def test_a_link_that_is_none(page, browser):
    driver = browser()
    driver.get(f"http://127.0.0.1:{page.web}{link(page)[:-3]}")
    assert driver.find_elements(By.TAG_NAME, "button") == [] and "not valid" in driver.title
    keep(driver, "invalid")
    driver.get_log("browser")  # Chromium writes down that it was a 404
