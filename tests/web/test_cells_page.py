"""The section of single cells in a real browser."""

import pytest

pytestmark = pytest.mark.web

PLOTS = "document.querySelectorAll('.plot').length"
DRAWN = "document.querySelectorAll('.plot .main-svg:first-child').length"
OVERFLOW = "document.documentElement.scrollWidth - window.innerWidth"


@pytest.fixture(scope="module")
def page(written):
    from planted_cells import make_cells_report

    return written("cells", make_cells_report())


@pytest.fixture(scope="module")
def hostile_page(written):
    from planted_cells import hostile_cells_report

    return written("hostile-cells", hostile_cells_report())


def test_every_plot_is_drawn_without_complaint(browser, page):
    browser.driver.get("about:blank")
    browser.complaints()
    browser.open(page)
    assert browser.ask(DRAWN) == browser.ask(PLOTS) >= 15
    assert browser.ask("document.querySelectorAll('#cells .plot').length") == 12
    assert browser.ask("document.querySelectorAll('#cells .plot .js-fill').length") > 5
    assert browser.complaints() == []


def test_hexagons_follow_the_theme(browser, page):
    colour = "getComputedStyle(document.querySelector('#cells .plot .js-fill')).fill"
    browser.open(page)
    assert browser.ask(colour) == "rgb(0, 114, 178)"
    browser.open(page, dark=True)
    assert browser.ask(colour) == "rgb(86, 180, 233)"


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_no_width_scrolls_sideways(browser, page, hostile_page, width):
    for path in (page, hostile_page):
        browser.open(path, width=width)
        assert browser.ask("document.querySelectorAll('details').forEach(d => { d.open = true; })") is None
        assert browser.ask(OVERFLOW) <= 0


def test_hostile_names_are_inert(browser, hostile_page):
    browser.driver.get("about:blank")
    browser.complaints()
    browser.open(hostile_page)
    browser.ask("document.querySelectorAll('*').forEach(e => e.dispatchEvent(new Event('mouseover')))")
    assert browser.ask("typeof window.pwned") == "undefined"
    assert browser.complaints() == []


def test_what_the_maps_show_is_said_without_javascript(browser, page):
    browser.open(page, scripts=False)
    assert "of the twin's cells lie where real cells are less than a third as dense" in browser.ask(
        "document.querySelector('#cells').innerText"
    ).replace("\xa0", " ")
