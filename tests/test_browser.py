"""Pages in a real browser, from disk: nothing leaves, nothing complains, everybody can read them."""

from pathlib import Path

import pytest
from browser import DESK, PHONE, a_browser


@pytest.fixture(scope="module")
def browser():
    with a_browser() as opened:
        yield opened


@pytest.fixture
def report(reported: Path) -> Path:
    return reported / "report.html"


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_report_opens_from_disk_and_every_text_stands_out(browser, report, size, dark):
    with browser.open(report, size, dark=dark) as reader:
        assert reader.requests == [report.resolve().as_uri()]
        assert reader.complaints == []
        assert reader.overflow() == 0
        reader.unfold()
        assert reader.faint() == []
        assert reader.overflow() == 0


def test_a_report_prints_on_white_and_without_buttons(browser, report):
    with browser.open(report, dark=True) as reader:
        reader.page.emulate_media(media="print")
        assert reader.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert reader.faint() == []
        assert not reader.page.locator("button, nav").first.is_visible()


def test_the_keyboard_reaches_everything_and_shows_where_it_is(browser, report):
    with browser.open(report) as reader:
        stops = reader.tab_stops()
        assert stops[0].name == "A Skip to the content"
        for kind in ("a[href]", "summary", "button", "[role=region]"):
            visible = [each for each in reader.page.locator(kind).all() if each.is_visible()]
            reached = [stop for stop in stops if stop.matches(kind)]
            assert len(reached) == len(visible) > 0, kind
        assert all(stop.outlined for stop in stops)


def test_without_scripts_all_is_there_but_the_copy_buttons(browser, report):
    with browser.open(report, javascript=False) as reader:
        assert reader.page.locator("figure svg").count() >= 14
        assert reader.page.locator("button").count() == 0
        assert reader.page.get_by_text("ROC AUC").first.is_visible()


def test_a_button_copies_what_it_stands_beside(browser, report):
    with browser.open(report) as reader:
        reader.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        button = reader.page.get_by_role("button", name="copy the lines")
        button.click()
        button.filter(has_text="copied").wait_for()
        copied = reader.page.evaluate("navigator.clipboard.readText()")
        assert copied.startswith("from leadscore import open_run, run")


def test_pictures_follow_the_dark_mode(browser, report):
    def colour(reader):
        return reader.page.evaluate("getComputedStyle(document.querySelector('#roc svg text')).fill")

    with browser.open(report) as light, browser.open(report, dark=True) as dark:
        assert colour(light) != colour(dark)


def test_nothing_that_a_user_wrote_comes_alive(browser, planted):
    with browser.open(planted / "report.html") as reader:
        reader.page.on("dialog", lambda dialog: reader.complaints.append(dialog.message))
        assert reader.page.evaluate("document.images.length + document.forms.length + document.scripts.length") == 1
        assert reader.complaints == []
        assert reader.overflow() == 0
        reader.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=alert(1)>')")
        reader.page.wait_for_timeout(100)
        assert any("Content Security Policy" in each for each in reader.complaints)  # and would be stopped if it did
        assert "1" not in reader.complaints
