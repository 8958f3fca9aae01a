"""`leadscore diff`: one answer, what it rests on, and what moved."""

import json

import pytest

from leadscore.pipeline import compose, run
from leadscore.verbs import main


@pytest.fixture(scope="module")
def three_runs(tmp_path_factory):
    """A base run, one with sessions, and one that asks about another horizon."""
    root = tmp_path_factory.mktemp("runs")
    small = ["data.n_leads=1200", "report=false", "audit=off", f"tracking.root={root}"]
    for name, overrides in {
        "base": ["features=base"],
        "sessions": ["features=+sessions"],
        "quick": ["window.horizon=14d"],
    }.items():
        run(compose([*small, *overrides]), root / name)
    return root


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
    assert "sessions_last_24_hours, sessions_last_7_days" in said
    assert "moved     config.features, code_hash" in said
    assert "only B    session" in said
    assert "only A" not in said
    assert main(["diff", str(three_runs / "base"), str(three_runs / "sessions"), "--md", "--metric", "brier"]) == 0
    said = capsys.readouterr().out
    assert "| Brier score * |" in said
    assert "Features only in B: `session" in said


def test_other_horizons_are_not_compared(three_runs, capsys):
    pair = [str(three_runs / "base"), str(three_runs / "quick")]
    assert main(["diff", *pair]) == 0
    said = capsys.readouterr().out
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
