"""What a reader of `report.html` finds of the numbers that `metrics.json` holds."""

import json
import re

import pytest

from leadscore import compose, run
from leadscore.record.find import open_run


def words(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


@pytest.fixture
def root(tmp_path):
    return tmp_path / "runs"


def recorded(root, *overrides):
    run(compose(["data.n_leads=800", f"tracking.root={root}", *overrides]))
    return open_run("latest", [root])


def beats_the_baseline(opened):
    checks = json.loads((opened.folder / "checks.json").read_text(encoding="utf-8"))["checks"]
    return next(check["sentence"] for check in checks if check["code"] == "LS001")


def test_the_report_shows_how_sure_what_calls_catch_and_where(root):
    opened = recorded(root, "metrics.capacity=20", "metrics.slices=[country]", "metrics.resamples=200")

    page = words((opened.folder / "report.html").read_text(encoding="utf-8"))
    (fold,) = opened.metrics["folds"]
    auc, capacity = fold["intervals"]["auc"], fold["capacity"]
    assert f"ROC AUC {auc['value']:.3f} [{auc['low']:.3f}, {auc['high']:.3f}]" in page
    assert f"20 a week, catch {capacity['caught']:.1f} conversions [{capacity['caught_low']:.1f}" in page
    for each in fold["slices"]:
        assert re.search(
            rf"{each['column']} {each['value']} \S+ .* {each['auc']['n']} {each['auc']['positives']} ", page
        )


def test_several_folds_show_each_its_own_interval(root):
    opened = recorded(root, "validation=rolling", "metrics.resamples=200")

    page = words((opened.folder / "report.html").read_text(encoding="utf-8"))
    for fold in opened.metrics["folds"]:
        auc = fold["intervals"]["auc"]
        shown = "\N{EN DASH}" if auc["low"] is None else f"[{auc['low']:.3f}, {auc['high']:.3f}]"
        assert f"{auc['value']:.3f} {shown}" in page


def test_beating_the_baseline_is_judged_by_how_often_these_rows_were_looked_at(root):
    first = recorded(root)
    second = recorded(root, "model=lightgbm")

    said = [beats_the_baseline(opened) for opened in (first, second)]
    assert "looks" not in said[0]
    assert said[1].endswith("after 2 looks at these rows.")
