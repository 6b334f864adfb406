"""The report in a real browser."""

import base64

import pytest

pytestmark = pytest.mark.web

PLOTS = "document.querySelectorAll('.plot').length"
DRAWN = "document.querySelectorAll('.plot .main-svg:first-child').length"
OVERFLOW = "document.documentElement.scrollWidth - window.innerWidth"


@pytest.fixture(scope="module")
def page(written):
    from planted import make_report

    return written("report", make_report())


@pytest.fixture(scope="module")
def hostile_page(written):
    from planted import hostile_report

    return written("hostile", hostile_report())


@pytest.fixture(scope="module")
def attacked_page(written):
    from planted_attacks import attacked, leak

    return written("attacked", attacked(leak()))


@pytest.fixture(scope="module")
def hostile_attacks(written):
    from planted_attacks import attacked, hostile_red_team

    return written("hostile-attacks", attacked(hostile_red_team()))


def fresh(browser):
    browser.driver.get("about:blank")
    browser.complaints()
    browser.requests()


def test_the_page_loads_quietly_and_draws_every_plot(browser, page):
    fresh(browser)
    browser.open(page)
    assert browser.ask(DRAWN) == browser.ask(PLOTS) == 25
    assert browser.complaints() == []
    asked = [address for address in browser.requests() if not address.startswith(("data:", "blob:"))]
    assert asked == [page.as_uri()]


def test_what_attackers_can_find_out_is_drawn_on_log_axes(browser, attacked_page):
    fresh(browser)
    browser.open(attacked_page)
    assert browser.ask("document.querySelector('#attackers').getBoundingClientRect().height") > 1000
    assert browser.ask(DRAWN) == browser.ask(PLOTS)
    plot = "document.querySelector('#attackers .plot')"
    assert browser.ask(f"{plot}._fullLayout.xaxis.type + {plot}._fullLayout.yaxis.type") == "loglog"
    assert browser.ask(f"{plot}.querySelectorAll('.scatterlayer .js-line').length") == 3
    ticks = browser.ask(f"[...{plot}.querySelectorAll('.xtick text')].map(t => t.textContent).join()")
    assert ticks.replace("\xa0", " ") == "1 %,2 %,5 %,10 %,20 %,50 %,100 %"
    colours = f"[...new Set({plot}._fullData.map(d => d.line.color))].length"
    assert browser.ask(colours) == 3
    browser.open(attacked_page, dark=True)
    assert browser.ask(colours) == 3
    assert browser.complaints() == []


def test_what_an_attacker_does_opens_by_keyboard(browser, attacked_page):
    from selenium.webdriver.common.keys import Keys

    browser.open(attacked_page)
    name = browser.driver.find_element("css selector", "#attackers .threat summary")
    assert browser.ask("document.querySelector('.threat p').checkVisibility()") is False
    name.send_keys(Keys.ENTER)
    assert browser.ask("document.querySelector('.threat').open") is True


def test_attacks_stand_without_javascript(browser, attacked_page):
    browser.open(attacked_page, scripts=False)
    text = browser.ask("document.querySelector('#attackers').innerText")
    assert "names 63 of 100 members at 1 false alarm in 100" in text
    assert "of the members it names" in text


def test_a_request_would_be_refused(browser, page):
    fresh(browser)
    browser.open(page)
    browser.ask("new Image().src = 'https://example.invalid/x.png'")
    browser.ask("fetch('https://example.invalid/y').catch(() => 0)")
    assert any("Content Security Policy" in message for message in browser.complaints())


def test_no_button_uploads_a_plot(browser, page):
    browser.open(page)
    buttons = browser.ask("[...document.querySelectorAll('.modebar-btn')].map(b => b.dataset.title).join()")
    assert "hare" not in buttons
    assert "loud" not in buttons
    assert browser.ask("document.querySelector('.plot')._context.plotlyServerURL") == ""


def test_dark_mode_reaches_page_and_plots(browser, page):
    colour = (
        "[getComputedStyle(document.body).backgroundColor,"
        " getComputedStyle(document.querySelector('.plot .xtick text')).fill,"
        " document.querySelector('.plot')._fullData[0].line.color].join()"
    )
    browser.open(page)
    light = browser.ask(colour)
    browser.open(page, dark=True)
    dark = browser.ask(colour)
    assert light.startswith("rgb(255, 255, 255)")
    assert dark.startswith("rgb(20, 23, 27)")
    assert light.split(",")[-1] == "#0072b2"
    assert dark.split(",")[-1] == "#56b4e9"


def test_the_theme_can_change_while_the_page_is_open(browser, page):
    browser.open(page)
    scheme = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", scheme)
    browser.settle()
    assert browser.ask("document.querySelector('.plot')._fullData[0].line.color") == "#56b4e9"


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_no_width_scrolls_sideways(browser, page, hostile_page, attacked_page, hostile_attacks, width):
    for path in (page, hostile_page, attacked_page, hostile_attacks):
        browser.open(path, width=width)
        assert browser.ask(OVERFLOW) <= 0
        assert browser.ask("document.querySelectorAll('details').forEach(d => { d.open = true; })") is None
        assert browser.ask(OVERFLOW) <= 0


def test_text_and_tables_stand_without_javascript(browser, page):
    browser.open(page, scripts=False)
    assert browser.ask(DRAWN) == 0
    text = browser.ask("document.body.innerText")
    assert "Not judged: no attacks run" in text
    assert "The drawing needs JavaScript" in text
    assert "genes are differential in the real data" in text
    assert browser.ask("document.querySelectorAll('table.metrics tbody tr').length") == 15
    assert browser.ask("document.querySelectorAll('.scale .value').length") == 14
    assert browser.ask("getComputedStyle(document.querySelector('.plot')).display") == "none"
    assert browser.ask(OVERFLOW) <= 0


def test_hostile_names_of_attacks_are_inert(browser, hostile_attacks):
    fresh(browser)
    browser.open(hostile_attacks)
    assert browser.ask(DRAWN) == browser.ask(PLOTS)
    browser.ask("document.querySelectorAll('*').forEach(e => e.dispatchEvent(new Event('mouseover')))")
    assert browser.ask("typeof window.pwned") == "undefined"
    assert browser.complaints() == []


def test_hostile_names_are_inert(browser, hostile_page):
    fresh(browser)
    browser.open(hostile_page)
    assert browser.ask("typeof window.pwned") == "undefined"
    assert browser.complaints() == []
    assert browser.ask(DRAWN) >= 10
    assert browser.ask("document.querySelectorAll('.plot a, .plot img, main img, main a[href^=\"h\"]').length") == 0
    tick = "[...document.querySelectorAll('.plot .ytick text')].map(t => t.textContent).join(' ')"
    assert "</script>" in browser.ask(tick)
    browser.ask(
        "document.querySelectorAll('*').forEach(e => ['mouseover', 'error', 'click'].forEach("
        "t => e.dispatchEvent(new Event(t))))"
    )
    assert browser.ask("typeof window.pwned") == "undefined"


def test_everything_can_be_reached_by_keyboard(browser, page):
    browser.open(page)
    boxes = "[...document.querySelectorAll('.scroll')].every(b => b.tabIndex === 0 && b.getAttribute('aria-label'))"
    assert browser.ask(boxes) is True
    assert browser.ask("document.querySelector('a').getAttribute('href')") == "#main"
    assert browser.ask("[...document.querySelectorAll('summary')].every(s => s.tabIndex === 0)") is True


def test_print_is_light_and_unfolded(browser, page):
    browser.open(page, dark=True)
    browser.settle()
    reply = browser.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    assert base64.b64decode(reply["data"]).startswith(b"%PDF")
    line = "document.querySelector('.plot')._fullData[0].line.color"
    folded = "document.querySelectorAll('details:not([open])').length"
    browser.ask("dispatchEvent(new Event('beforeprint'))")
    assert browser.ask("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.ask("getComputedStyle(document.querySelector('.contents')).display") == "none"
    assert browser.ask(line) == "#0072b2"
    assert browser.ask(folded) == 0
    paper = 180 / 25.4 * 96
    assert browser.ask("Math.max(...[...document.querySelectorAll('.main-svg')].map(s => s.clientWidth))") <= paper
    browser.ask("dispatchEvent(new Event('afterprint'))")
    assert browser.ask(line) == "#56b4e9"
    assert browser.ask(folded) > 0


def test_plots_follow_the_width_of_the_window(browser, page):
    browser.open(page, width=1280)
    size = {"width": 390, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.settle()
    assert browser.ask("document.querySelector('.main-svg').clientWidth") < 390
    assert browser.ask(OVERFLOW) <= 0
