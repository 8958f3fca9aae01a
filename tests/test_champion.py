"""The champion: a gate before it, one file that says which run it is and was, and a way back in a second."""

import getpass
import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace

import pandas as pd
import pytest

import leadscore
from leadscore import promotion
from leadscore.errors import ConfigError, RecordError
from leadscore.pipeline import compose, run
from leadscore.promotion import GATE, Condition, promote
from leadscore.record import champion as champion_file
from leadscore.record import open_run
from leadscore.record.champion import HISTORY, champion_at, history, rollback
from leadscore.verbs import main

QUICK = "from leadscore import promotion; promotion.parity = lambda *_, **__: (True, 'not asked here')\n"
KILLED_HALFWAY = f"""{QUICK}
import os, signal, sys
from leadscore.verbs import main
write = os.write
def half(descriptor, content):
    write(descriptor, content[: int(len(content) * float(sys.argv[1]))])
    os.kill(os.getpid(), signal.SIGKILL)
os.write = half
main(sys.argv[2:])
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """One finished run; its file of checks has no problem."""
    folder = tmp_path_factory.mktemp("trained")
    small = ["data.n_leads=600", "features=base", "report=false", "audit=off", f"tracking.root={folder}"]
    run(compose(small), folder / "run")
    return folder / "run"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


@pytest.fixture
def parity(monkeypatch):
    """Every run's parity holds, at once: scoring takes seconds, and test_score.py asks the real one."""
    asked = []

    def holds(run, **where):
        asked.append((run.run_id, where))
        return True, "not asked here"

    monkeypatch.setattr(promotion, "parity", holds)
    return asked


@pytest.fixture
def leave(trained, home, parity):
    """Leave a run under outputs/: leave("a") is as trained; its scores, identity or checks may be others."""

    def copied(name, *, score=None, under="outputs", problem=None, **identity):
        folder = home / under / name
        shutil.copytree(trained, folder)
        rewrite(folder / "identity.json", run_id=run_id(name), started=f"2026-01-01T00:00:{len(name):02}", **identity)
        if score is not None:
            frame = pd.read_parquet(folder / "predictions.parquet")
            frame.assign(probability=score(frame["probability"])).to_parquet(folder / "predictions.parquet")
        if problem is not None:
            (folder / "checks.json").write_text(json.dumps({"checks": [problem], "audit": None}))
        return folder

    return copied


@pytest.fixture
def ask(capsys):
    """Run a verb: (exit status, what it printed, what it complained)."""

    def asked(*words):
        try:
            status = main(words)
        except SystemExit as left:
            status = left.code
        said = capsys.readouterr()
        return SimpleNamespace(status=status, out=said.out, err=said.err)

    return asked


def run_id(name):
    return f"20260101T000000-{name.encode().hex():0<8}"


def rewrite(path, **changed):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))


def worse(probability):
    return 1 - probability


def names(root="outputs"):
    return [entry.run_id for entry in history(root)]


# --- the gate ---------------------------------------------------------------------------------------------


def test_the_first_champion_needs_no_comparison_and_all_is_recorded(leave, ask, home):
    leave("a")
    done = ask("promote", run_id("a"), "--why", "the first one")
    assert (done.status, done.err) == (0, "")
    assert "there is no champion yet to compare it with" in done.out
    (row,) = [json.loads(line) for line in (home / "outputs" / HISTORY).read_text().splitlines()]
    told = json.loads((home / "outputs" / "a" / "identity.json").read_text())
    assert (row["action"], row["run_id"], row["folder"]) == ("promote", run_id("a"), "a")
    assert (row["config_hash"], row["identity"]) == (told["config_hash"], told["identity"])
    assert (row["who"], row["why"]) == (getpass.getuser(), "the first one")
    assert (row["replaces"], row["previous"], row["verdict"], row["forced"]) == (None, None, None, False)
    assert [each["condition"] for each in row["gate"]] == ["finished", "complete", "checks", "verdict", "parity"]
    assert datetime.now(UTC) - datetime.fromisoformat(row["time"]) < timedelta(minutes=1)


def test_a_challenger_that_is_not_worse_replaces_the_champion_and_the_verdict_is_kept(leave, ask):
    leave("a")
    leave("b", score=lambda p: p**2)
    ask("promote", run_id("a"), "--why", "first")
    done = ask("promote", run_id("b"), "--why", "calmer scores", "--json")
    assert done.status == 0
    entry = json.loads(done.out)
    assert (entry["run_id"], entry["replaces"]) == (run_id("b"), run_id("a"))
    assert entry["verdict"]["answer"] == "no evidence"
    assert f"{run_id('b')} is better or worse than {run_id('a')}" in entry["verdict"]["sentence"]
    shown = json.loads(ask("diff", run_id("a"), run_id("b"), "--json").out)["verdict"]
    assert entry["verdict"]["sentence"] == shown["text"]


def test_a_worse_challenger_is_refused_and_promoted_only_by_force(leave, ask, home):
    leave("a")
    leave("b", score=worse)
    ask("promote", run_id("a"), "--why", "first")
    before = (home / "outputs" / HISTORY).read_bytes()
    refused = ask("promote", run_id("b"), "--why", "hope")
    assert refused.status == 1
    assert f"run {run_id('b')} is not promoted: 1 of 5 conditions of the gate failed" in refused.err
    assert f"verdict: {run_id('b')} is worse than {run_id('a')}" in refused.err
    assert "--force promotes it all the same" in refused.err
    assert (home / "outputs" / HISTORY).read_bytes() == before
    forced = ask("promote", run_id("b"), "--why", "the director wants it", "--force")
    assert forced.status == 0
    assert "FAILED  verdict" in forced.out
    entry = champion_at("outputs")
    assert (entry.run_id, entry.forced, entry.verdict["answer"]) == (run_id("b"), True, "worse")
    assert [each["condition"] for each in entry.gate if not each["passed"]] == ["verdict"]
    assert "promote (forced)" in ask("champion", "--history").out
    assert "forced past" in ask("champion").out


def test_force_that_was_not_needed_is_not_called_so(leave):
    assert not promote(open_run(leave("a")), "first", force=True).forced


def test_every_failed_condition_is_listed_at_once(leave, ask, home):
    found = {"code": "LS007", "title": "t", "result": "problem", "sentence": "A leak.", "action": ""}
    folder = leave("a", status="failed", problem=found)
    (folder / "metrics.json").unlink()
    model = next(each for each in (folder / "model").iterdir() if each.name != "manifest.json")
    model.write_bytes(model.read_bytes().replace(b"1", b"2", 1))
    refused = ask("promote", run_id("a"), "--why", "hope")
    assert refused.status == 1
    assert "4 of 5 conditions of the gate failed" in refused.err
    assert "finished: the run is failed" in refused.err
    assert "has no metrics.json" in refused.err
    assert f"{model.name} is damaged or was edited" in refused.err
    assert "checks: LS007 A leak." in refused.err
    assert "parity: not asked, because finished and complete failed" in refused.err
    assert not (home / "outputs" / HISTORY).exists()


def test_a_muted_check_stops_nobody_and_is_listed(leave, ask):
    leave("a", problem={"code": "LS007", "result": "problem", "sentence": "A leak.", "muted": True})
    done = ask("promote", run_id("a"), "--why", "known and looked at")
    assert done.status == 0
    assert "checks: no check that is heard found a problem; muted: LS007 A leak." in done.out


def test_runs_that_cannot_be_compared_are_said_to_be_so(leave, ask):
    leave("a")
    rewrite(leave("b", score=worse) / "windows.json", horizon="14d")
    ask("promote", run_id("a"), "--why", "first")
    done = ask("promote", run_id("b"), "--why", "another question")
    assert done.status == 0
    assert "are not comparable: the horizon is 30d" in done.out
    assert champion_at("outputs").verdict["answer"] == "not comparable"


def test_a_champion_whose_folder_is_gone_cannot_be_judged_against(leave, ask):
    gone = leave("a")
    leave("b")
    ask("promote", run_id("a"), "--why", "first")
    shutil.rmtree(gone)
    refused = ask("promote", run_id("b"), "--why", "second")
    assert refused.status == 1
    assert f"verdict: cannot be told: run {run_id('a')}, champion since" in refused.err
    assert f"should lie in {os.path.join('outputs', 'a')}, and no run is there" in refused.err
    assert ask("promote", run_id("b"), "--why", "second", "--force").status == 0
    assert champion_at("outputs").verdict is None


def test_another_condition_joins_the_list(leave, monkeypatch):
    monkeypatch.setattr(promotion, "GATE", [*GATE, Condition("signed", lambda contest: (False, "nobody did"))])
    with pytest.raises(RecordError, match="1 of 6 conditions of the gate failed\n  signed: nobody did"):
        promote(open_run(leave("a")), "first")


def test_parity_is_asked_where_the_data_lie_now_and_not_in_vain(leave, ask, parity):
    leave("a")
    assert ask("promote", run_id("a"), "--why", "first", "--data-dir", "moved").status == 0
    assert parity == [(run_id("a"), {"plugins": (), "data_dir": "moved"})]
    leave("b", status="killed")
    assert ask("promote", run_id("b"), "--why", "second").status == 1
    assert len(parity) == 1


def test_the_champion_is_not_promoted_again(leave, ask):
    leave("a")
    ask("promote", run_id("a"), "--why", "first")
    again = ask("promote", "champion", "--why", "once more", "--force")
    assert again.status == 1
    assert f"run {run_id('a')} is the champion already, since" in again.err
    assert len(names()) == 1


@pytest.mark.parametrize(("words", "said"), [(["--why", " \t"], "--why: it is blank"), ([], "required: --why")])
def test_a_promotion_says_why(leave, ask, words, said):
    leave("a")
    done = ask("promote", run_id("a"), *words)
    assert done.status == 2
    assert said in done.err
    with pytest.raises(RecordError, match="why is blank"):
        promote(open_run(run_id("a")), "  ")
    assert names() == []


def test_a_module_with_the_runs_model_is_imported_when_it_is_asked_for(leave, ask, home):
    leave("a")
    (home / "my_champion_models.py").write_text("from pathlib import Path\nPath('imported').touch()\n")
    refused = ask("promote", run_id("a"), "--why", "x", "--plugin", "no_such_module")
    assert refused.status == 1
    assert "plugins: module 'no_such_module' cannot be imported" in refused.err
    assert ask("promote", run_id("a"), "--why", "x", "--plugin", "my_champion_models").status == 0
    assert (home / "imported").exists()


# --- the way back -----------------------------------------------------------------------------------------


@pytest.fixture
def three(leave):
    """Three champions, one after the other."""
    for name in "abc":
        promote(open_run(leave(name)), f"because of {name}")


def test_each_rollback_goes_one_champion_further_back(three, ask):
    assert ask("rollback", "--why", "scores look odd").status == 0
    assert champion_at("outputs").run_id == run_id("b")
    assert "rolled back to" in ask("rollback").out
    assert champion_at("outputs").run_id == run_id("a")
    refused = ask("rollback")
    assert refused.status == 1
    assert f"run {run_id('a')} is the first champion" in refused.err
    assert names() == [run_id(name) for name in "abcba"]
    last = history("outputs")[3]
    assert (last.action, last.replaces, last.why) == ("rollback", run_id("c"), "scores look odd")
    assert (last.verdict, last.gate, last.forced) == (None, [], False)


def test_a_run_promoted_after_a_rollback_stands_on_the_champion_of_then(three, leave):
    rollback()
    promote(open_run(leave("d")), "a better idea")
    assert rollback().run_id == run_id("b")
    assert rollback().run_id == run_id("a")


def test_a_rollback_is_undone_by_promoting_again(three):
    rollback()
    promote(open_run(run_id("c")), "it was not the model")
    assert rollback().run_id == run_id("b")


@pytest.mark.parametrize("lost", ["b", "b/model"])
def test_a_rollback_to_what_is_gone_says_where_it_should_be(three, ask, home, lost):
    shutil.rmtree(home / "outputs" / lost)
    refused = ask("rollback")
    assert refused.status == 1
    assert f"run {run_id('b')}, to which a rollback goes, should lie in {os.path.join('outputs', 'b')}" in refused.err
    assert champion_at("outputs").run_id == run_id("c")


def test_a_rollback_from_a_champion_whose_folder_is_gone_works(three, home):
    shutil.rmtree(home / "outputs" / "c")
    assert rollback().run_id == run_id("b")


def test_without_a_champion_nothing_is_written(home, ask):
    for words in (["rollback"], ["champion"], ["champion", "--json"]):
        refused = ask(*words)
        assert refused.status == 1
        assert 'leadscore promote RUN --why "..." makes a run champion' in refused.err
    assert ask("champion", "--history").out.startswith("no run was ever champion")
    assert ask("champion", "--history", "--json").out == "[]\n"
    assert list(home.iterdir()) == []
    assert ask("rollback", "--why", " ").status == 2


@pytest.mark.parametrize("root", ["a" * 300, "file", "file/below"])
def test_a_root_that_cannot_be_one_is_a_refusal(leave, ask, home, root):
    leave("a")
    (home / "file").touch()
    for words in (["rollback"], ["champion"], ["champion", "--history"], ["promote", run_id("a"), "--why", "x"]):
        done = ask(*words, "--tracking-root", root)
        assert done.status == (0 if words[-1] == "--history" and "file" in root else 1)
        assert root in done.out + done.err


def test_a_rollback_waits_for_no_heavy_library(three):
    code = (
        "import sys\nfrom leadscore.verbs import main\n"
        "assert main(['rollback', '--why', 'now']) == 0\n"
        "assert main(['champion', '--history', '--json']) == 0\n"
        "print('IMPORTED', *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split("IMPORTED")[1].split())
    assert not loaded & {"pandas", "numpy", "pyarrow", "sklearn", "scipy", "hydra", "rich"}


# --- what was, and when -----------------------------------------------------------------------------------


@pytest.fixture
def dated(three, home):
    """The three champions, since 1 April, 1 May and 1 June."""
    path = home / "outputs" / HISTORY
    text = path.read_text()
    for entry, month in zip(history("outputs"), (4, 5, 6), strict=True):
        text = text.replace(entry.to_json()["time"], f"2026-{month:02}-01T00:00:00.000000+00:00")
    path.write_text(text)
    return path


def test_the_champion_of_an_instant(dated, ask):
    assert json.loads(ask("champion", "--at", "2026-05-01", "--json").out)["run_id"] == run_id("b")
    assert json.loads(ask("champion", "--at", "2026-05-01T01:00+02:00", "--json").out)["run_id"] == run_id("a")
    assert champion_at("outputs", "2030-01-01").run_id == run_id("c")
    assert champion_at("outputs", datetime(2026, 5, 31, tzinfo=UTC)).run_id == run_id("b")
    early = ask("champion", "--at", "2026-03-31")
    assert early.status == 1
    assert f"there was no champion at 2026-03-31 00:00 UTC: the first one, {run_id('a')}, was promoted at" in early.err
    for wrong in ("yesterday", "2026-05-01T09:00", "0001-01-01T00:00+14:00"):
        assert ask("champion", "--at", wrong).status == 2
    assert ask("champion", "--at", "2026-05-01", "--history").status == 2


def test_the_champion_is_shown_with_its_figures_and_reasons(dated, ask, home):
    said = ask("champion").out
    metrics = json.loads((home / "outputs" / "c" / "metrics.json").read_text())
    auc = metrics["intervals"]["auc"]
    assert f"{metrics['metrics']['auc']:.3f} [{auc['low']:.3f}, {auc['high']:.3f}]" in said
    assert "logistic" in said
    assert "events_last_7_days" in said
    assert f"2026-06-01 00:00 UTC, promoted, by {getpass.getuser()}" in said
    assert "because of c" in said
    told = json.loads(ask("champion", "--json").out)
    assert (told["model"], told["metrics"]) == ("logistic", metrics["metrics"])
    lines = ask("champion", "--history").out.splitlines()
    assert [line.split()[4] for line in lines[1:]] == [run_id(name) for name in "abc"]


def test_a_champion_whose_folder_is_gone_is_still_told_of(dated, ask, home, caplog):
    shutil.rmtree(home / "outputs" / "c")
    said = ask("champion")
    assert said.status == 0
    assert "where it is no more" in said.out
    assert "bring the folder back" in caplog.text


def test_a_clock_set_back_does_not_turn_the_order_round(dated, leave, home):
    text = dated.read_text().replace("2026-06-01", "2096-06-01")
    dated.write_text(text)
    entry = promote(open_run(leave("d")), "later all the same")
    assert entry.time == datetime(2096, 6, 1, 0, 0, 0, 1, tzinfo=UTC)
    assert champion_at("outputs").run_id == run_id("d")
    assert rollback().run_id == run_id("c")


def test_a_user_without_a_name_is_unknown(leave, monkeypatch):
    def nobody():
        raise KeyError("getpwuid(): uid not found: 1234")

    monkeypatch.setattr(champion_file.getpass, "getuser", nobody)
    assert promote(open_run(leave("a")), "first").who == "unknown"


def test_a_reason_in_bytes_that_are_no_text_is_kept_readable(leave):
    promote(open_run(leave("a")), os.fsdecode(b"caf\xe9 | \n=1"))
    assert champion_at("outputs").why == "caf\\udce9 | \n=1"


# --- one truth, whatever happens --------------------------------------------------------------------------


def test_a_write_cut_at_any_byte_leaves_the_old_or_the_new_champion(three, home):
    path = home / "outputs" / HISTORY
    whole = path.read_bytes()
    start = whole.rstrip(b"\n").rfind(b"\n") + 1
    for cut in range(start, len(whole) + 1):
        path.write_bytes(whole[:cut])
        expected = "c" if cut >= len(whole) - 1 else "b"
        assert champion_at("outputs").run_id == run_id(expected)
        assert open_run("champion").run_id == run_id(expected)
    for cut in (start + 1, start + 200, len(whole) - 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        rollback(why="after the cut")
        assert path.read_bytes().startswith(whole[:start])
        assert names() == [run_id(name) for name in ("abcb" if cut == len(whole) - 1 else "aba")]


@pytest.mark.parametrize("share", ["0", "0.5", "1"])
def test_a_killed_promotion_leaves_a_champion_and_the_next_needs_no_hand(three, leave, home, share):
    leave("d")
    before = (home / "outputs" / HISTORY).read_bytes()
    line = [sys.executable, "-c", KILLED_HALFWAY, share, "promote", run_id("d"), "--why", "x"]
    assert subprocess.run(line, check=False, capture_output=True).returncode == -9
    assert (home / "outputs" / HISTORY).read_bytes().startswith(before)
    assert champion_at("outputs").run_id == run_id("d" if share == "1" else "c")
    if share != "1":
        assert promote(open_run(run_id("d")), "again").replaces == run_id("c")
    assert names() == [run_id(name) for name in "abcd"]


def test_promotions_at_once_are_all_recorded_each_judged_against_the_one_it_replaces(leave):
    for name in "abcd":
        leave(name)
    code = QUICK + "import sys; from leadscore.verbs import main; sys.exit(main(['promote', sys.argv[1], '--why=x']))"
    racers = [subprocess.Popen([sys.executable, "-c", code, run_id(name)]) for name in "abcd"]
    assert [racer.wait(timeout=120) for racer in racers] == [0, 0, 0, 0]
    entries = history("outputs")
    assert sorted(entry.run_id for entry in entries) == sorted(run_id(name) for name in "abcd")
    assert entries[0].replaces is None
    for before, after in pairwise(entries):
        assert after.replaces == before.run_id
        assert after.previous == before.time < after.time
        assert before.run_id in after.verdict["sentence"]


def test_a_champion_that_changes_while_it_is_judged_against_is_judged_anew(leave, monkeypatch, parity):
    promote(open_run(leave("a")), "first")
    leave("b", score=worse)
    leave("c", score=lambda p: worse(p) ** 2)
    judge, judged = promotion.judge, []

    def slowly(champion, challenger, *, root):
        found = judge(champion, challenger, root=root)
        judged.append((champion.run_id, found.answer))
        if len(judged) == 1:  # somebody promotes another run meanwhile
            promote(open_run(run_id("b")), "meanwhile", force=True)
        return found

    monkeypatch.setattr(promotion, "judge", slowly)
    entry = promote(open_run(run_id("c")), "forced past a", force=True)
    assert judged == [(run_id("a"), "worse"), (run_id("a"), "worse"), (run_id("b"), "no evidence")]
    assert [run for run, _ in parity] == [run_id(name) for name in "abc"]  # once each, however often it is judged
    assert (entry.replaces, entry.verdict["answer"], entry.forced) == (run_id("b"), "no evidence", False)


ODD = dict.fromkeys(["config_hash", "identity", "replaces", "previous", "verdict"]) | {"gate": [1], "forced": False}
ODD |= {"time": "2026-05-01", "action": "promote", "run_id": "x", "folder": "b", "who": "x", "why": "x"}


@pytest.mark.parametrize(
    "damage", [b"someone was here", b'{"run_id": "x"}', b"[1]", b"\xff\xfe", json.dumps(ODD).encode()]
)
def test_a_damaged_line_stops_only_what_depends_on_it(dated, ask, caplog, damage):
    first, _, third, _ = dated.read_bytes().split(b"\n")
    dated.write_bytes(b"\n".join([first, damage, third, b""]))
    assert champion_at("outputs").run_id == run_id("c")  # the last line says so, whatever came before
    assert champion_at("outputs", "2026-06-01").run_id == run_id("c")
    assert names() == [run_id("a"), run_id("c")]
    assert "line 2 is damaged; passed over" in caplog.text
    with pytest.raises(RecordError, match=r"line 2 is damaged, and it may say which run is asked for"):
        champion_at("outputs", "2026-05-15")
    refused = ask("rollback")
    assert refused.status == 1
    assert "the entry of 2026-05-01T00:00:00.000000+00:00, to which a rollback goes, is damaged or gone" in refused.err


def test_a_damaged_last_line_is_never_guessed_away(dated, leave, ask):
    leave("d")
    whole = dated.read_bytes()
    dated.write_bytes(whole.replace(b'"run_id": "' + run_id("c").encode(), b'"run_id": ', 1))
    damaged = dated.read_bytes()
    for words in (
        ["champion"],
        ["rollback"],
        ["promote", run_id("d"), "--why", "x", "--force"],
        ["diff", "champion", run_id("d")],
    ):
        refused = ask(*words)
        assert refused.status == 1
        assert "line 3 is damaged" in refused.err
    assert dated.read_bytes() == damaged
    assert champion_at("outputs", "2026-04-15").run_id == run_id("a")
    dated.write_bytes(whole + b"\n \n")  # an editor's blank lines are no damage
    assert rollback().run_id == run_id("b")


def test_what_a_later_leadscore_writes_more_is_no_damage(dated):
    lines = [json.dumps({**json.loads(line), "parity": 1}) for line in dated.read_text().splitlines()]
    dated.write_text("\n".join(lines))
    assert champion_at("outputs").run_id == run_id("c")


def test_a_project_can_be_moved_with_its_sweeps(leave, home, monkeypatch):
    leave("a", under="multirun/2026-01-01/0")
    leave("b")
    for name in "ab":
        promote(open_run(run_id(name)), "x")
    assert rollback().folder.as_posix() == "multirun/2026-01-01/0/a"
    (home / "moved").mkdir()
    for part in ("outputs", "multirun"):
        shutil.move(home / part, home / "moved" / part)
    monkeypatch.chdir(home / "moved")
    assert open_run("champion").run_id == run_id("a")
    monkeypatch.chdir("/")
    assert open_run("champion", [home / "moved" / "outputs"]).run_id == run_id("a")


def test_a_run_from_elsewhere_keeps_its_whole_path(leave, home, monkeypatch):
    elsewhere = leave("a", under="elsewhere/kept")
    (home / "project").mkdir()
    monkeypatch.chdir(home / "project")
    promote(open_run(elsewhere), "x")
    assert json.loads((home / "project" / "outputs" / HISTORY).read_text())["folder"] == str(elsewhere)
    assert open_run("champion").run_id == run_id("a")


# --- the name champion, and names in general --------------------------------------------------------------


def test_the_champion_is_a_name_wherever_runs_are_named(leave, ask, home):
    leave("a")
    leave("bb")
    with pytest.raises(RecordError, match=r"there is no champion yet \(outputs/champion.jsonl, multirun/champion"):
        open_run("champion")
    leadscore.promote(leadscore.open_run(run_id("a")), "first")
    assert open_run("champion").run_id == run_id("a")
    assert f"than {run_id('a')}" in ask("diff", "champion", "latest").out
    (home / "champion").mkdir()
    shutil.copy(home / "outputs" / "bb" / "identity.json", home / "champion")
    assert open_run("champion").run_id == run_id("a")  # no folder of that name gets in its way
    assert open_run("./champion").run_id == run_id("bb")
    assert leadscore.champion_at("outputs").run_id == run_id("a")


def test_two_roots_with_a_champion_each_are_ambiguous(leave):
    promote(open_run(leave("a")), "x")
    promote(open_run(leave("b", under="multirun")), "x", root="multirun")
    with pytest.raises(RecordError, match=r"champion is ambiguous: .* under outputs, .* under multirun; --root"):
        open_run("champion")
    assert open_run("champion", ["multirun"]).run_id == run_id("b")


def test_another_run_in_the_champions_folder_is_not_taken_for_it(leave):
    folder = leave("a")
    promote(open_run(folder), "x")
    rewrite(folder / "identity.json", run_id=run_id("z"))
    with pytest.raises(RecordError, match=f"should hold run {run_id('a')}, and holds {run_id('z')}"):
        open_run("champion")


HOSTILE = [
    "../x",
    "..%2fx",
    "%252e%252e/x",
    "a/b",
    "C:\\x",
    "CON",
    "nul\0",
    "a" * 300,
    "a/" * 5000,
    "..\u2215x",
    "2026.",
    "*",
]


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_a_name_that_is_no_folder_of_a_run_is_only_compared(leave, ask, home, name):
    leave("a")
    before = sorted(home.rglob("*"))
    with pytest.raises(RecordError, match="no run under outputs, multirun is named") as refused:
        open_run(name)
    assert len(str(refused.value)) < 400
    if "\0" not in name:
        done = ask("promote", name, "--why", "x", "--force")
        assert (done.status, done.out) == (1, "")
    assert sorted(home.rglob("*")) == before


def test_a_folder_of_a_run_is_named_by_any_path_to_it(leave, home, monkeypatch):
    leave("a", under="elsewhere")
    (home / "here").mkdir()
    monkeypatch.chdir(home / "here")
    assert open_run("../elsewhere/a").run_id == run_id("a")


def test_a_link_out_of_a_root_is_passed_over_when_runs_are_looked_for(leave, home, caplog):
    leave("a")
    away = leave("b", under="elsewhere")
    (home / "outputs" / "out").symlink_to(away)
    (home / "outputs" / "in").symlink_to(home / "outputs" / "a")
    (home / "outputs" / "file").mkdir()
    (home / "outputs" / "file" / "identity.json").symlink_to(away / "identity.json")
    assert open_run("latest").run_id == run_id("a")
    with pytest.raises(RecordError, match="only 1 runs lie under"):
        open_run("latest~1")
    with pytest.raises(RecordError, match="is named"):
        open_run(run_id("b"))
    assert "out is a link out of outputs; passed over" in caplog.text
    assert "identity.json is a link out of outputs; passed over" in caplog.text
    assert "outputs/in" not in caplog.text
    (home / "linked").symlink_to(home / "elsewhere")
    assert open_run("latest", ["linked"]).run_id == run_id("b")  # a root may be a link itself


# --- what depends on what ---------------------------------------------------------------------------------


def test_impact_reaches_down_to_the_champion(leave, ask, home):
    leave("a")
    words = ["features", "impact", "events_last_7_days"]
    assert "champion     none yet" in ask(*words).out
    assert json.loads(ask(*words, "--json").out)["champion"] is None
    promote(open_run(run_id("a")), "x")
    said = ask(*words).out
    assert f"champion     {run_id('a')} uses it" in said
    assert "done, champion" in said
    assert json.loads(ask(*words, "--json").out)["champion"] == {"run_id": run_id("a"), "uses": True}
    assert f"{run_id('a')} does not use it" in ask("features", "impact", "active_user").out
    shutil.rmtree(home / "outputs" / "a")
    assert json.loads(ask(*words, "--json").out)["champion"] == {"run_id": run_id("a"), "uses": None}
    assert "nobody knows whether it uses it" in ask(*words).out


def test_a_secret_in_the_reason_is_refused_and_not_repeated(leave, home):
    leave("a")
    with pytest.raises(ConfigError, match=r"why .*a GitHub token") as refused:
        promote(open_run(run_id("a")), "deployed with ghp_0123456789abcdefghijklmnopqrstuvwxyz")
    assert "ghp_" not in str(refused.value)
    assert not (home / "outputs" / "champion.jsonl").exists()
