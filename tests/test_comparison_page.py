"""`leadscore diff A B --html`: one page with the answer, only what differs, and who moved."""

import re

import pytest

from leadscore.record.find import read_run
from leadscore.report.plots import canvas
from leadscore.verbs import main


@pytest.fixture(scope="module")
def page(three_runs, tmp_path_factory):
    path = tmp_path_factory.mktemp("pages") / "a.html"
    assert main(["diff", str(three_runs / "base"), str(three_runs / "sessions"), "--html", str(path)]) == 0
    return path.read_text(encoding="utf-8")


def words(page):
    """The text of a page, its pictures' included."""
    body = re.sub(r"<(style|script).*?</\1>", "", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def test_the_answer_comes_first_with_the_difference_and_its_interval(page):
    head, said = map(words, page.split("<main"))
    assert re.search(r"^ ?[^.]*(better|worse)[^.]*: ROC AUC 0\.\d{3} against 0\.\d{3}, [+-]0\.\d{3,4} \[[+-]", head)
    assert said.index("Method: paired DeLong test") < said.index("How much better") < said.index("What was asked")


def test_only_what_differs_is_shown_and_the_override_can_be_copied(page):
    assert re.search(r"A becomes B with\s*<code[^>]*>&#39;\+features.session_share_last_7_days=\{\}&#39; ", page)
    assert "(read off the two configs; composing it was not possible)" in page  # no command line started these
    assert "config.features" in page
    assert "model.C" not in page
    assert "features.sessions_last_7_days" in page


def test_new_code_stands_in_the_page_line_by_line_with_its_sign(page):
    added = re.findall(r"<ins>(.*?)</ins>", page)
    assert any(line.startswith("+def sessions_last_7_days(") for line in added)
    assert "<del>" not in page


def test_every_metric_has_its_paired_difference_and_every_picture_its_words(page):
    for title in ("ROC AUC", "Average precision", "Brier score (lower is better)", "Lift in the top 10%"):
        row = re.search(rf"<tr><td>{re.escape(title)}</td>(.*?)</tr>", page)
        assert re.search(r"[+-]\d\.\d+</td><td[^>]*>\[[+-]\d\.\d+, [+-]\d\.\d+\]", row[1])
    assert set(re.findall(r'<figure id="(\w+)"', page)) == {"differences", "roc", "gains", "calibration", "ranks"}
    assert len(re.findall(r"<desc id=", page)) == 5


def test_points_of_leads_are_named_and_those_that_moved_most_stand_in_a_table(page):
    named = re.findall(r"<title>(L\d+), 20[^<]*: rank [\d,]+ in A, [\d,]+ in B; ", page)
    assert len(named) == len(set(named)) > 100
    moved = re.search(r"features that differ</th>.*?</table>", page, re.DOTALL)[0]
    assert len(re.findall(r"<tr><td>L\d+</td>", moved)) == 10


def test_without_file_it_lies_in_the_first_root_and_is_the_same_again(three_runs, page, tmp_path, capsys):
    line = ["diff", "--html", str(three_runs / "base"), str(three_runs / "sessions"), "--root", str(tmp_path)]
    assert main(line) == 0
    ids = [read_run(three_runs / name).run_id for name in ("base", "sessions")]
    path = tmp_path / "comparisons" / f"{ids[0]}..{ids[1]}.html"
    assert capsys.readouterr().out.splitlines()[-1] == f"wrote {path}"
    assert path.read_text(encoding="utf-8") == page
    assert path.stat().st_size < 1_500_000


def test_a_page_about_another_metric_has_a_name_of_its_own(three_runs, tmp_path):
    line = [str(three_runs / "base"), str(three_runs / "sessions"), "--root", str(tmp_path), "--metric", "brier"]
    assert main(["diff", *line, "--html"]) == 0
    (path,) = (tmp_path / "comparisons").iterdir()
    assert path.name.endswith(".brier.html")
    assert "Brier score 0." in path.read_text(encoding="utf-8").split("<h1>")[1].split("</h1>")[0]


def test_without_matplotlib_the_pictures_are_told_in_words(three_runs, tmp_path, monkeypatch):
    monkeypatch.setattr(canvas, "can_draw", lambda: False)
    path = tmp_path / "words.html"
    assert main(["diff", str(three_runs / "base"), str(three_runs / "sessions"), f"--html={path}"]) == 0
    page = path.read_text(encoding="utf-8")
    assert "<svg" not in page
    assert "matplotlib cannot be imported here" in page
    assert "share of those that converted against share of those that did not convert: at 10% A reaches" in page


def test_runs_of_other_rows_show_no_numbers_side_by_side(three_runs, tmp_path):
    path = tmp_path / "b.html"
    assert main(["diff", str(three_runs / "base"), str(three_runs / "quick"), f"--html={path}"]) == 0
    page = path.read_text(encoding="utf-8")
    assert "<h1>A and B are not comparable</h1>" in page
    assert "so none are shown side by side" in words(page)
    assert "How much better" not in page
    assert "window.horizon=14d" in page
    assert 'id="roc"' not in page
