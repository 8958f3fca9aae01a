"""`leadscore diff`: one answer, what it rests on, and what moved."""

import dataclasses
import json

import pytest

from leadscore.changes import diff_runs
from leadscore.changes.config import Change
from leadscore.pipeline import compose, run
from leadscore.record import open_run
from leadscore.verbs import main
from leadscore.verbs.diff_markdown import LIMIT, markdown


def test_two_runs_on_the_same_leads_get_a_verdict_and_what_moved(three_runs, capsys):
    assert main(["diff", str(three_runs / "base"), str(three_runs / "sessions"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["part"] for each in found["moved"]] == ["config.features", "code_hash"]
    verdict = found["verdict"]
    assert verdict["answer"] in ("better", "worse", "no evidence")
    assert verdict["method"] == "paired DeLong test"
    assert verdict["low"] < verdict["difference"] < verdict["high"]
    assert verdict["smallest_detectable"] > 0
    assert verdict["n"] == verdict["leads"]
    assert verdict["family"] == 1


def test_the_table_is_for_people_and_for_pull_requests(three_runs, capsys):
    assert main(["diff", str(three_runs / "base"), str(three_runs / "sessions")]) == 0
    said = capsys.readouterr().out
    assert "ROC AUC *" in said
    assert "moved     config.features, code_hash" in said
    assert "A becomes B with" in said
    assert "only B    leadscore.features.activity.sessions_last_24_hours" in said
    assert "only A" not in said.split("leads     ")[0]
    assert "in the top 10% are the same" in said
    assert "sessions_last_7_days 2 (only B)" in said or "sessions_last_7_days 0 (only B)" in said
    assert main(["diff", str(three_runs / "base"), str(three_runs / "sessions"), "--md", "--metric", "brier"]) == 0
    said = capsys.readouterr().out
    assert "| Brier score * |" in said
    assert "<details><summary>Leads that moved</summary>" in said
    assert len(said.encode()) < 60_000


def test_a_comment_that_grows_too_long_names_what_it_leaves_out(three_runs):
    found = diff_runs(*(open_run(three_runs / name) for name in ("base", "sessions")))
    long = [Change(f"features.f{number}", "<b>" * 500, "@everyone") for number in range(40)]
    said = markdown(dataclasses.replace(found, config=long))
    assert len(said.encode()) < LIMIT
    assert "Too long for a comment and left out: What was asked; `leadscore diff` prints all." in said
    assert "<summary>Leads that moved</summary>" in said
    short = markdown(dataclasses.replace(found, config=long[:3]))
    assert "<b>" not in short
    assert "@everyone" not in short


def test_the_best_of_several_runs_is_said_to_have_been_lucky(three_runs, tmp_path):
    root, strengths = tmp_path / "sweep", (0.01, 0.1, 1.0)
    small = ["data.n_leads=1200", "report=false", "audit=off", f"tracking.root={root}"]
    for strength in strengths:
        run(compose([*small, f"model.C={strength}"]), root / str(strength))
    auc = {each: open_run(root / str(each)).metrics["metrics"]["auc"] for each in strengths}
    worst, *_, best = sorted(auc, key=auc.get)
    found = diff_runs(open_run(root / str(worst)), open_run(root / str(best))).verdict
    assert found.best_of == 3
    assert found.expected_by_luck > 0
    assert "best of 3" in found.text
    assert diff_runs(open_run(root / str(best)), open_run(root / str(worst))).verdict.best_of is None


def test_other_horizons_are_not_compared(three_runs, capsys):
    pair = [str(three_runs / "base"), str(three_runs / "quick")]
    assert main(["diff", *pair]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "are not comparable: the horizon is 30d in" in said
    assert "14d" in said
    assert "ROC AUC" not in said
    assert main(["diff", *pair, "--exit-code"]) == 2


def test_the_exit_status_says_whether_anything_moved(three_runs, capsys):
    base, sessions = str(three_runs / "base"), str(three_runs / "sessions")
    assert main(["diff", base, base, "--exit-code"]) == 0
    assert main(["diff", base, sessions, "--exit-code"]) == 1
    assert main(["diff", base, sessions, "--metric", "acu"]) == 1
    assert "--metric acu: Did you mean 'auc'?" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["diff", base])
