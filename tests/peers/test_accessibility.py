"""The unsubscribe page under axe-core, in each of its states, light and dark, from left to right and from right to left."""

import os
import pathlib

import pytest
from selenium.webdriver.common.by import By
from test_browser import browser, keep, page, press  # noqa: F401 (fixtures)
from test_page import link

AXE = pathlib.Path(os.environ.get("NODE_MODULES", "node_modules")) / "axe-core" / "axe.min.js"
RUN = """const done = arguments[arguments.length - 1];
axe.run(document, {resultTypes: ["violations", "incomplete"]}).then(
    r => done([...r.violations, ...r.incomplete].map(v => [v.id, v.help, v.nodes.map(n => [n.html, n.any.map(a => a.message)])])), e => done([String(e)]))"""


def examine(driver, name):
    """What axe has to say, in both colour schemes; what it could not decide counts, too."""
    for scheme in ("light", "dark"):
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
        driver.execute_script(AXE.read_text())
        found = driver.execute_async_script(RUN)
        keep(driver, f"axe-{name}-{scheme}")
        assert found == [], (name, scheme, found)


def post(driver, url, body):
    """Ask as no button of the page does."""
    driver.get(url)
    driver.execute_script("""const button = document.createElement("button");
        button.name = "action"; button.value = arguments[0]; document.querySelector("form").append(button); button.click()""", body)


@pytest.mark.parametrize("language", ["en", "ar"])
def test_axe_finds_nothing_in_any_state(page, browser, language):  # noqa: F811
    if not AXE.exists():
        pytest.fail(f"{AXE} is missing: npm install in tests/peers")
    driver = browser(language, width=1024, height=800)
    driver.set_script_timeout(60)
    url = f"http://127.0.0.1:{page.web}{link(page)}"
    driver.get(url)
    assert driver.find_element(By.TAG_NAME, "html").get_attribute("dir") == {"en": "ltr", "ar": "rtl"}[language]
    examine(driver, f"{language}-ask")
    press(driver, "stream")
    examine(driver, f"{language}-stream")
    driver.get(url)
    examine(driver, f"{language}-later")
    press(driver, "flood")
    examine(driver, f"{language}-flood")
    press(driver, "all")
    examine(driver, f"{language}-everything")
    press(driver, "undo")
    examine(driver, f"{language}-undone")
    page.command("suppress", "add", "bob@dest.test", "--reason", "unsubscribe", "--tenant", "default")
    driver.get(url)
    examine(driver, f"{language}-not-theirs")
    for action in ("undo", "nonsense"):
        post(driver, url, action)
        examine(driver, f"{language}-{action}-refused")
    driver.get(url[:-2])
    examine(driver, f"{language}-invalid")
    driver.get_log("browser")  # Chromium writes down 400, 403 and 404


@pytest.mark.parametrize("color", ["ffd400", "ffffff", "000000"])
def test_axe_finds_nothing_in_any_colour(relay_factory, dns, sink_factory, browser, color):  # noqa: F811
    import test_page
    config = test_page.CONFIG.replace('http {{', f'http {{{{ color = "#{color}" ')
    saved, test_page.CONFIG = test_page.CONFIG, config
    try:
        page = test_page.serve(relay_factory, dns, sink_factory, "none")  # noqa: F811
    finally:
        test_page.CONFIG = saved
    driver = browser(width=1024, height=800)
    driver.set_script_timeout(60)
    driver.get(f"http://127.0.0.1:{page.web}{link(page)}")
    examine(driver, color)
    press(driver, "stream")
    examine(driver, color + "-stopped")
    driver.execute_script('document.querySelector("main").append(document.createElement("img"))')
    with pytest.raises(AssertionError, match="image-alt"):  # and it does look
        examine(driver, color + "-broken")
