"""The leaderboard in a real browser: sorting, filtering, what lies behind a row, on every width."""

import base64
from itertools import combinations

import pytest

from twinseq.benchmark.leaderboard import leaderboard

pytestmark = pytest.mark.web

ROWS = "[...document.querySelectorAll('#table tbody tr[data-row] th bdi')].map(n => n.textContent)"
OVERFLOW = "document.documentElement.scrollWidth - window.innerWidth"
AXIS = "document.querySelector('#plot .xtitle').textContent"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    from planted_store import benchmark

    folder = tmp_path_factory.mktemp("leaderboard")
    benchmark(folder)
    leaderboard(folder, weights={"utility": 2.0})
    return folder / "leaderboard.html"


@pytest.fixture(scope="module")
def hostile_page(tmp_path_factory):
    from planted import HOSTILE
    from planted_store import QUALITY, benchmark

    folder = tmp_path_factory.mktemp("hostile")
    names = [name for name in HOSTILE if "\ud800" not in name]
    quality = {name: list(QUALITY.values())[place % 4] for place, name in enumerate(names)}
    benchmark(folder, cohorts=(HOSTILE[0], HOSTILE[2]), splits=1, quality=quality)
    leaderboard(folder)
    return folder / "leaderboard.html"


@pytest.fixture
def opened(browser, page):
    browser.driver.get("about:blank")
    browser.complaints()
    browser.requests()
    browser.open(page)
    browser.settle()
    return browser


def choose(browser, control, value):
    from selenium.webdriver.support.select import Select

    Select(browser.driver.find_element("id", control)).select_by_visible_text(value)
    browser.settle()


def press(browser, element):
    """Click where the element is, once it is in sight; the page scrolls smoothly, and selenium does not wait."""
    browser.driver.execute_script("arguments[0].scrollIntoView({behavior: 'instant', block: 'center'})", element)
    element.click()


def heading(browser, key):
    return browser.driver.find_element("css selector", f"#table thead [data-key='{key}']")


def opener(browser, name):
    return next(
        button
        for button in browser.driver.find_elements("css selector", "#table .opener")
        if button.text.strip().endswith(name)
    )


def text_of(browser, name, column):
    """Return the text of a cell, by generator and by heading."""
    return browser.ask(
        "[...document.querySelectorAll('#table tbody tr[data-row]')]"
        f".find(r => r.querySelector('bdi').textContent === '{name}')"
        f".querySelector('td[data-head=\"{column}\"]').innerText"
    )


def test_the_page_loads_quietly_and_asks_for_nothing(opened, page):
    assert opened.ask("document.querySelectorAll('#plot .scatterlayer .point').length") == 4
    assert opened.complaints() == []
    asked = [address for address in opened.requests() if not address.startswith(("data:", "blob:"))]
    assert asked == [page.as_uri()]


def test_a_request_would_be_refused_and_no_button_uploads(opened):
    opened.ask("fetch('https://example.invalid/y').catch(() => 0)")
    opened.ask("new Image().src = 'https://example.invalid/x.png'")
    assert any("Content Security Policy" in message for message in opened.complaints())
    buttons = opened.ask("[...document.querySelectorAll('.modebar-btn')].map(b => b.dataset.title).join()")
    assert "hare" not in buttons
    assert "loud" not in buttons


def test_those_on_the_frontier_come_first(opened):
    assert set(opened.ask(ROWS)[:2]) == {"copula", "noisy"}
    assert opened.ask("document.querySelectorAll('#table [aria-sort]').length") == 1
    assert "in 100" in text_of(opened, "noisy", "On the frontier")
    front = opened.ask("document.getElementById('front').innerText")
    assert front.index("copula") < front.index("noisy")
    assert "Not drawn, for want of figures: broken." in front


def test_a_heading_sorts_and_turns_round_and_what_is_missing_stays_last(opened):
    press(opened, heading(opened, "axis utility"))
    assert opened.ask(ROWS) == ["copula", "mvn", "noisy", "worse", "broken"]
    place = "document.querySelector('#table [aria-sort]')"
    assert opened.ask(f"[{place}.getAttribute('aria-sort'), {place}.innerText.trim()].join()") == "descending,Utility"
    assert opened.ask("document.getElementById('sorted').textContent") == "Sorted by Utility, best first"
    press(opened, heading(opened, "axis utility"))
    assert opened.ask(ROWS) == ["worse", "noisy", "mvn", "copula", "broken"]
    press(opened, heading(opened, "attack"))
    assert opened.ask(ROWS) == ["noisy", "worse", "copula", "mvn", "broken"]
    press(opened, heading(opened, "name"))
    assert opened.ask(ROWS) == ["broken", "copula", "mvn", "noisy", "worse"]
    press(opened, heading(opened, "weighted"))
    assert opened.ask(ROWS) == ["copula", "mvn", "noisy", "worse", "broken"]
    assert opened.complaints() == []


def test_sorting_and_unfolding_by_keyboard_keep_the_focus(opened):
    from selenium.webdriver.common.keys import Keys

    heading(opened, "axis fidelity").send_keys(Keys.ENTER)
    assert opened.ask("document.querySelector('#table [aria-sort]').innerText.trim()") == "Fidelity"
    assert opened.ask("document.activeElement.dataset.key") == "axis fidelity"
    opener(opened, "mvn").send_keys(Keys.SPACE)
    assert opened.ask("document.activeElement.getAttribute('aria-expanded')") == "true"
    assert opened.ask("document.activeElement.textContent") == "mvn"


def test_filters_by_cohort_and_attack_level(opened):
    every = text_of(opened, "copula", "Strongest attack")
    choose(opened, "view", "tumour")
    alone = text_of(opened, "copula", "Strongest attack")
    assert alone != every
    strong = float(text_of(opened, "copula", "Strongest attack").split()[0])
    choose(opened, "level", "T0: the twin alone")
    weak = float(text_of(opened, "copula", "Strongest attack").split()[0])
    assert weak == pytest.approx(strong - 0.1, abs=0.002)
    assert "T0" in opened.ask("document.querySelector('#plot .ytitle').textContent")
    points = "[...document.querySelector('#plot')._fullData.at(-1).y].sort().join()"
    assert str(weak)[:5] in opened.ask(points)
    assert opened.complaints() == []


def test_usefulness_can_be_read_off_one_metric(opened):
    assert opened.ask(AXIS).startswith("Utility, from a known-bad twin (0)")
    choose(opened, "yardstick", "C2ST AUC trees (one metric)")
    assert opened.ask(AXIS).startswith("C2ST AUC trees, distance from 0.5")
    ends = "document.querySelector('#plot')._fullLayout.xaxis.range"
    assert opened.ask(f"{ends}[0] > {ends}[1]") is True
    choose(opened, "yardstick", "LFC Pearson (one metric)")
    assert text_of(opened, "noisy", "On the frontier").startswith("–")
    assert "noisy" in opened.ask("document.getElementById('front').innerText").split("Not drawn")[1]


def test_a_row_opens_on_what_lies_behind_it(opened, page):
    press(opened, opener(opened, "copula"))
    drill = "document.querySelector('.drill').innerText"
    assert "blood" in opened.ask(drill)
    assert "tumour" in opened.ask(drill)
    choose(opened, "view", "blood")
    assert opened.ask("document.querySelector('#table .opener[aria-expanded=true]').textContent") == "copula"
    assert "no report here" in opened.ask(drill)
    links = opened.ask("[...document.querySelectorAll('.drill a')].map(a => a.getAttribute('href'))")
    assert len(links) == 3
    assert all((page.parent / link).is_file() for link in links)
    summaries = opened.ask("[...document.querySelectorAll('.drill summary')].map(s => s.textContent)")
    assert summaries == [
        "Policies: 8 verdicts, with reasons", "Fidelity: 3 metrics", "Biology: 2 metrics", "Utility: 2 metrics",
        "Attacks at T1: 1",
    ]  # fmt: skip
    press(opened, opened.driver.find_element("css selector", ".drill details summary"))
    assert "the policy allows 0.85" in opened.ask("document.querySelector('.drill details[open]').innerText")
    press(opened, opened.driver.find_element("css selector", ".drill details summary"))
    press(opened, opened.driver.find_elements("css selector", ".drill details summary")[1])
    assert "Correlation r" in opened.ask("document.querySelector('.drill details[open]').innerText")
    press(opened, opened.driver.find_element("css selector", ".drill a"))
    assert opened.driver.title == "audit"
    opened.driver.back()
    opened.settle()
    press(opened, opener(opened, "copula"))
    press(opened, opener(opened, "copula"))
    assert opened.ask("document.querySelectorAll('.drill').length") == 0


def test_verdicts_have_a_column_that_can_be_sorted_by(opened):
    assert text_of(opened, "noisy", "Policy internal") == "pass"
    assert text_of(opened, "copula", "Policy internal") == "fail"
    assert text_of(opened, "broken", "Policy board.yaml").startswith("–")
    press(opened, heading(opened, "policy internal"))
    assert opened.ask(ROWS) == ["noisy", "worse", "copula", "mvn", "broken"]
    assert opened.complaints() == []


def test_a_dash_says_why(opened):
    why = opened.driver.find_element("css selector", "#table tr[data-row='0'] .why summary")
    assert "fit failed: broken: ended with 1" in why.get_attribute("title")
    press(opened, why)
    assert "fit failed: broken: ended with 1" in opened.ask("document.querySelector('.why[open] p').innerText")


def test_names_in_the_drawing_do_not_cover_each_other(opened):
    boxes = opened.ask(
        "[...document.querySelectorAll('#plot .annotation-text')].map(t => t.getBoundingClientRect())"
        ".map(b => [b.left, b.top, b.right, b.bottom])"
    )
    assert len(boxes) == 5
    for (left, top, right, bottom), (l2, t2, r2, b2) in combinations(boxes, 2):
        assert right <= l2 or r2 <= left or bottom <= t2 or b2 <= top


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_no_width_scrolls_sideways(browser, page, hostile_page, width):
    for path in (page, hostile_page):
        browser.open(path, width=width)
        browser.settle()
        assert browser.ask(OVERFLOW) <= 0
        for place in range(browser.ask("document.querySelectorAll('.opener').length")):
            browser.ask(f"document.querySelectorAll('.opener')[{place}].click()")
        assert browser.ask("document.querySelectorAll('.drill').length") >= 5
        browser.ask("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        assert browser.ask(OVERFLOW) <= 0


def test_a_phone_has_cards_that_can_be_sorted(browser, page):
    browser.open(page, width=390)
    browser.settle()
    assert browser.ask("getComputedStyle(document.querySelector('#table thead')).display") == "none"
    choose(browser, "sort", "Utility")
    assert browser.ask(ROWS) == ["copula", "mvn", "noisy", "worse", "broken"]
    press(browser, browser.driver.find_element("id", "turn"))
    assert browser.ask(ROWS) == ["worse", "noisy", "mvn", "copula", "broken"]
    heights = "[...document.querySelectorAll('.opener, .controls-bar select')].map(b => b.offsetHeight)"
    assert min(browser.ask(heights)) >= 40
    assert browser.ask("document.querySelectorAll('#numbered li').length") == 5
    browser.settle()
    numbers = "[...document.querySelectorAll('#plot .annotation-text')].map(t => t.textContent).sort().join()"
    assert browser.ask(numbers) == "2,3,4,5,guessing"


def test_dark_mode_reaches_page_and_drawing(browser, page):
    line = "document.querySelector('#plot')._fullData[0].line.color"
    colours = f"[getComputedStyle(document.body).backgroundColor, {line}].join()"
    browser.open(page)
    assert browser.ask(colours) == "rgb(255, 255, 255),#d55e00"
    browser.open(page, dark=True)
    assert browser.ask(colours) == "rgb(20, 23, 27),#f28c38"


def test_it_can_be_read_without_javascript(browser, page):
    browser.open(page, scripts=False)
    assert browser.ask("document.querySelectorAll('noscript table.plain').length") == 3
    assert browser.ask("document.querySelector('#standings').offsetHeight") == 0
    assert "copula" in browser.ask("document.querySelector('main noscript').innerText")


def test_print_is_light(browser, page):
    browser.open(page, dark=True)
    browser.settle()
    reply = browser.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    assert base64.b64decode(reply["data"]).startswith(b"%PDF")
    browser.ask("dispatchEvent(new Event('beforeprint'))")
    assert browser.ask("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.ask("getComputedStyle(document.querySelector('.controls-bar')).display") == "none"
    size = {"width": 680, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert (
        browser.ask("[...document.querySelectorAll('#table bdi')].every(n => n.getClientRects().length === 1)") is True
    )
    assert browser.ask("document.querySelector('#table').scrollWidth") <= 680
    browser.ask("dispatchEvent(new Event('afterprint'))")


def test_hostile_names_are_inert(browser, hostile_page):
    from planted import HOSTILE

    browser.driver.get("about:blank")
    browser.complaints()
    browser.requests()
    browser.open(hostile_page)
    browser.settle()
    assert HOSTILE[0] in browser.ask(ROWS)
    assert any("{{ 7 * 7 }}" in name for name in browser.ask(ROWS))
    for place in range(browser.ask("document.querySelectorAll('.opener').length")):
        browser.ask(f"document.querySelectorAll('.opener')[{place}].click()")
    for event in ("mouseover", "error"):
        browser.ask(f"document.querySelectorAll('*').forEach(e => e.dispatchEvent(new Event('{event}')))")
    assert browser.ask("typeof window.pwned") == "undefined"
    assert browser.ask("document.querySelectorAll('main img, main script, #plot a').length") == 0
    assert browser.complaints() == []
    asked = [address for address in browser.requests() if not address.startswith(("data:", "blob:"))]
    assert asked == [hostile_page.as_uri()]
