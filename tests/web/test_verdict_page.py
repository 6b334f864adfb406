"""Page one in a real browser: for every eye and hand, on every width, in the dark and on paper."""

from dataclasses import replace

import pytest

pytestmark = pytest.mark.web

OVERFLOW = "document.documentElement.scrollWidth - window.innerWidth"
PAPER = "getComputedStyle(document.body).backgroundColor"
WHITE, DARK = "rgb(255, 255, 255)", "rgb(20, 23, 27)"
SHEET = (297 - 14 - 16) / 25.4 * 96
"""Height of what can be printed on A4, in pixels."""


@pytest.fixture(scope="module")
def page(written):
    from planted_verdict import released, settings_table

    report = released()
    kept = ("library_size", "covariates", "attack_roc", "de_genes")
    tables = {**{name: report.tables[name] for name in kept}, "frontier": settings_table()}
    return written("released", replace(report, tables=tables))


@pytest.fixture(scope="module")
def failed_page(written):
    from planted_attacks import leak
    from planted_verdict import under_policy

    report = under_policy(leak())
    return written("failed", replace(report, tables={"attack_roc": report.tables["attack_roc"]}))


@pytest.fixture(scope="module")
def hostile_page(written):
    from planted import HOSTILE
    from planted_verdict import released, settings_table

    report = released()
    verdict = {
        **report.verdict, "policy": HOSTILE[2], "title": HOSTILE[0], "reasons": list(HOSTILE),
        "checks": [dict.fromkeys(report.verdict["checks"][0], text) for text in HOSTILE],
    }  # fmt: skip
    table = settings_table()
    table["setting"] = [HOSTILE[place % len(HOSTILE)] for place in range(len(table))]
    provenance = {"files": dict.fromkeys(HOSTILE, HOSTILE[0]), "release": dict.fromkeys(HOSTILE, HOSTILE[2])}
    return written(
        "hostile-verdict", replace(report, verdict=verdict, tables={"frontier": table}, provenance=provenance)
    )


def fresh(browser):
    browser.driver.get("about:blank")
    browser.complaints()
    browser.requests()


def focused(browser, what):
    return browser.ask(f"document.activeElement.{what}")


def press(browser, *keys):
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(browser.driver).send_keys(*keys).perform()


def test_the_verdict_stands_first_in_colour_word_and_sign(browser, page, failed_page):
    fresh(browser)
    for path, word, colour in ((page, "Pass", "rgb(0, 102, 77)"), (failed_page, "Fail", "rgb(163, 39, 12)")):
        browser.open(path)
        assert browser.ask("document.querySelector('main h2').innerText").endswith(word)
        assert browser.ask("getComputedStyle(document.querySelector('main h2')).color") == colour
        assert browser.ask("document.querySelector('main .band .sign').getBoundingClientRect().width") > 40
        assert browser.ask("document.querySelectorAll('.why li').length") == 3
        assert browser.ask("document.querySelectorAll('#verdict .plot .main-svg').length") > 0
        assert browser.ask("document.querySelectorAll('.checks tbody tr').length") >= 7
    assert browser.complaints() == []
    asked = [address for address in browser.requests() if not address.startswith(("data:", "blob:", "about:"))]
    assert asked == [page.as_uri(), failed_page.as_uri()]


def test_nothing_serious_stands_in_the_way_of_anybody(browser, page):
    browser.open(page)
    browser.ask("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert browser.barriers() == []
    browser.ask("document.querySelector('#theme').click()")
    assert browser.barriers() == []
    # Axe would have seen it.
    browser.ask("document.querySelector('.band .eyebrow').style.color = '#223'")
    assert {line.split(":")[0] for line in browser.barriers()} == {"color-contrast"}


def test_a_press_turns_the_page_dark_and_back(browser, page):
    line = "document.querySelector('#fidelity .plot')._fullData[0].line.color"
    pressed = "document.querySelector('#theme').getAttribute('aria-pressed')"
    for dark in (False, True):
        browser.open(page, dark=dark)
        seen = []
        for _ in range(3):
            seen.append((browser.ask(PAPER), browser.ask(line), browser.ask(pressed)))
            browser.driver.find_element("id", "theme").click()
        light, night = (WHITE, "#0072b2", "false"), (DARK, "#56b4e9", "true")
        assert seen == ([night, light, night] if dark else [light, night, light])


def test_what_is_printed_is_light_whatever_was_pressed(browser, page):
    browser.open(page)
    browser.driver.find_element("id", "theme").click()
    browser.ask("dispatchEvent(new Event('beforeprint'))")
    assert browser.ask(PAPER) == WHITE
    browser.ask("dispatchEvent(new Event('afterprint'))")
    assert browser.ask(PAPER) == DARK


def test_the_keyboard_reaches_everything(browser, page):
    from selenium.webdriver.common.keys import Keys

    browser.open(page)
    press(browser, Keys.TAB)
    assert focused(browser, "className") == "skip"
    assert browser.ask("document.activeElement.getBoundingClientRect().left") >= 0
    outline = browser.ask("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    press(browser, Keys.ENTER)
    assert focused(browser, "id") == "main"
    browser.driver.refresh()
    wanted = browser.ask(
        "[...document.querySelectorAll('a, button, summary, .scroll')].filter(e => e.checkVisibility()).length"
    )
    browser.ask("window.reached = new Set(); addEventListener('focusin', e => reached.add(e.target)), 0")
    press(browser, *[Keys.TAB] * wanted)
    assert browser.ask("reached.size") == wanted
    browser.driver.refresh()
    press(browser, Keys.TAB, Keys.TAB)
    assert focused(browser, "id") == "theme"
    press(browser, Keys.SPACE)
    assert browser.ask(PAPER) == DARK


def test_landmarks_and_names(browser, page):
    browser.open(page)
    assert browser.ask(
        "['header', 'nav', 'main', 'footer'].every(n => document.querySelectorAll('body ' + n).length === 1)"
    )
    unnamed = "[...document.querySelectorAll('section, nav, [role=region], [role=img]')].filter(e => "
    unnamed += "!e.getAttribute('aria-label') && !document.getElementById(e.getAttribute('aria-labelledby'))).length"
    assert browser.ask(unnamed) == 0
    assert browser.ask("[...document.querySelectorAll('figure')].every(f => f.querySelector('figcaption').innerText)")


def test_the_contents_tell_where_the_reader_is(browser, page):
    browser.open(page)
    here = "document.querySelector('.contents [aria-current]').hash"
    assert browser.ask(here) == "#verdict"
    browser.driver.execute_script("document.querySelector('#attackers').scrollIntoView({behavior: 'instant'})")
    browser.settle()
    assert browser.ask(here) == "#attackers"
    assert browser.ask("document.querySelectorAll('.contents [aria-current]').length") == 1


@pytest.mark.parametrize("width", [320, 390])
def test_no_width_scrolls_sideways(browser, page, hostile_page, width):
    for path in (page, hostile_page):
        browser.open(path, width=width)
        browser.ask("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        assert browser.ask(OVERFLOW) <= 0
    cut = "[...document.querySelectorAll('#verdict .scroll')].filter(b => b.scrollWidth > b.clientWidth + 1).length"
    browser.open(page, width=width)
    assert browser.ask(cut) == 0


def test_hostile_names_are_inert(browser, hostile_page):
    fresh(browser)
    browser.open(hostile_page)
    assert browser.complaints() == []
    browser.ask(
        "document.querySelectorAll('*').forEach(e => ['mouseover', 'error', 'click'].forEach("
        "t => e.dispatchEvent(new Event(t))))"
    )
    assert browser.ask("typeof window.pwned") == "undefined"
    assert browser.ask("document.querySelectorAll('main img, main a[href^=\"h\"]').length") == 0


def test_page_one_is_one_sheet_of_paper(browser, page, failed_page):
    for path in (page, failed_page):
        browser.open(path, width=int(180 / 25.4 * 96))
        browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        browser.ask("dispatchEvent(new Event('beforeprint'))")
        browser.settle()
        assert browser.ask("document.querySelector('#verdict').getBoundingClientRect().bottom + scrollY") < SHEET
        assert browser.ask("getComputedStyle(document.querySelector('#verdict')).breakAfter") == "page"
        left = "[...document.querySelectorAll('button, .skip, nav, .modebar, .screen-only')]"
        assert browser.ask(f"{left}.filter(e => e.checkVisibility()).length") == 0
        assert browser.ask("document.querySelector('#in-short .reading-list').checkVisibility()")
        tallest = "Math.max(...[...document.querySelectorAll('.panel, figure tr')].map(e => e.clientHeight))"
        assert browser.ask(tallest) < SHEET
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_the_verdict_stands_without_javascript(browser, page):
    browser.open(page, scripts=False)
    text = browser.ask("document.querySelector('#verdict').innerText").replace("\xa0", " ")
    assert "Every check of the policy is met." in text
    assert "The policy allows an AUC of at most 0.70" in text
    assert browser.ask("document.querySelector('#theme').checkVisibility()") is False
    assert browser.ask("document.querySelectorAll('.checks tbody tr').length") == 7
