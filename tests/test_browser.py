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
        assert reader.faint() == []
        assert reader.overflow() == 0
