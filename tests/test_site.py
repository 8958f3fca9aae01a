"""`leadscore report`: a static site over all runs, brought up to date without touching what is not its own."""

import json
import re
import time

import pytest
from many_runs import ManyRuns, run_id_of

from leadscore.errors import RecordError, WindowError
from leadscore.pipeline import compose, run
from leadscore.site import build, build_site, index
from leadscore.verbs import main


@pytest.fixture
def runs(tmp_path):
    return ManyRuns(tmp_path / "outputs")


@pytest.fixture
def made(runs, tmp_path):
    """Bring the site up to date and return what was done."""

    def make(newest=0):
        return build_site([runs.root, tmp_path / "multirun"], tmp_path / "site", newest=newest)

    return make


def rows(page):
    """The index's lines as texts, a list of cells each."""
    table = page[page.index('<table id="runs">') :]
    lines = re.findall(r"<tr(?: class=\"job\")?>(.*?)</tr>", table[: table.index("</table>")], re.DOTALL)[1:]
    return [[words(cell) for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", line, re.DOTALL)] for line in lines]


def words(html):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).strip()


def everything(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- the index ----------------------------------------------------------------------------------------


def test_the_index_says_of_each_run_how_good_how_sure_and_what_speaks(runs, made):
    runs.add(0, notes="the baseline", auc=0.7)
    check = {"code": "LS005", "result": "problem", "title": "Too few of one class"}
    runs.add(1, model="lightgbm", feature_sets=["base", "sessions"], auc=0.72, checks=[check], report=False)

    page = made().index.read_text()
    newest, oldest = rows(page)
    assert newest == [
        f"{run_id_of(1)} try 1",
        "0.720 0.690\N{EN DASH}0.750",
        "1 problem LS005",
        "300 50.0% crm aaaaaaaa",
        "lightgbm",
        "base+sessions",
        "done",
        "2024-05-01 01:03",
        "",
    ]
    assert oldest[0] == f"{run_id_of(0)} the baseline"
    assert oldest[2] == "ok"
    assert "<dt>LS005</dt><dd>Too few of one class</dd>" in page
    assert f'<a href="runs/{run_id_of(0)}.html">' in page  # the other left no report
    assert f"runs/{run_id_of(1)}.html" not in page


def test_what_did_not_end_well_says_why(runs, made):
    runs.add(0, status="failed", error="no observation is left: 0 of 6,000")
    runs.add(1, status="running")  # and no process is at work
    (runs.add(2) / "metrics.json").write_text("{")
    (runs.add(3) / "identity.json").write_text("{")

    page = made().index.read_text()
    damaged, killed, failed = rows(page)
    assert failed[0].endswith("failed : no observation is left: 0 of 6,000")
    assert killed[0].endswith("interrupted : the process ended before the run did")
    assert "damaged : its files are not as a run leaves them" in damaged[0]
    assert "1 damaged, 1 interrupted, 1 failed" in words(page)


def test_a_sweep_stands_together_and_its_best_run_is_said_to_have_been_lucky(runs, made):
    runs.add(0, auc=0.7)
    runs.add_sweep(1, 4)
    page = made().index.read_text()
    (sweep,) = re.findall(r'<tbody class="sweep">(.*?)</tbody>', page, re.DOTALL)
    assert sweep.count('class="job"') == 4
    assert "4 done; best" in words(sweep)
    assert "<code>model=lightgbm seed=3</code>" in sweep  # not what all of them have
    assert "best of 4" in sweep
    assert re.search(r"demo|crm, 300 rows, 50.0% converted aaaaaaaa 5 2024", words(page))


def test_equal_models_have_a_luck_of_their_own(runs, made):
    folders = [runs.add(number, auc=0.7 + number / 100) for number in range(3)]
    for number, folder in enumerate(folders):
        runs.rescore(folder, 0.1 * number)
    family = re.search(r"aaaaaaaa</span></td>(.*?)</tr>", made().index.read_text(), re.DOTALL)[1]
    measured, best, auc, lead, luck = words(family).split()
    assert (measured, best, auc, lead) == ("3", run_id_of(2), "0.720", "0.0100")
    assert 0.0 < float(luck) < 0.1


def test_more_runs_than_a_page_holds_go_on_in_older_ones(runs, made, monkeypatch):
    monkeypatch.setattr(index, "RUNS", 4)
    for number in range(6):
        runs.add(number)
    runs.add_sweep(6, 3)
    site = made().index.parent
    lengths = [len(rows((site / name).read_text())) for name in ("index.html", "runs-2.html", "runs-3.html")]
    assert lengths == [4, 4, 1]
    assert '<a href="runs-2.html">page 2</a>' in (site / "index.html").read_text()
    for number in range(6):
        runs.remove(runs.root / "2024-05-01" / run_id_of(number))
    assert sorted(made().removed)[:2] == ["runs-2.html", "runs-3.html"]


# --- the champion and comparisons ---------------------------------------------------------------------


def test_the_champions_history_is_told_with_what_each_was_set_against(runs, made):
    for number in range(3):
        runs.add(number)
    runs.promote(0)
    runs.promote(1, why="asked for by sales", forced=True)
    done = made(newest=3)
    page = done.index.read_text()
    history = page[page.index('id="champion"') : page.index('id="all"')]
    assert f'<a href="runs/{run_id_of(1)}.html">' in history
    assert "<title id=" in history  # the timeline
    assert "forced" in history
    assert "asked for by sales" in history
    assert done.failed == {}
    pairs = {name for name in done.written if name.startswith("comparisons/")}
    assert pairs == {
        f"comparisons/{run_id_of(0)}..{run_id_of(1)}.html",  # a promotion
        f"comparisons/{run_id_of(1)}..{run_id_of(2)}.html",  # the newest against the champion
    }
    assert rows(page)[0][-1].startswith("champion")
    compared = (done.index.parent / sorted(pairs)[1]).read_text()
    assert f'href="../runs/{run_id_of(2)}.html"' in compared
    assert 'href="../index.html"' in compared


def test_a_history_that_cannot_be_read_is_told_and_the_runs_are_listed_all_the_same(runs, made):
    runs.add(0)
    runs.promote(0)
    with (runs.root / "champion.jsonl").open("a") as file:
        file.write("{torn\n")
    page = made().index.read_text()
    assert "champion.jsonl, line 2 is damaged" in words(page)
    assert 'id="champion"' not in page
    assert len(rows(page)) == 1


def test_without_champion_a_run_is_set_against_the_one_before_on_the_same_rows(runs, made, monkeypatch):
    monkeypatch.setattr(build._Site, "_comparison", lambda *_: b"drawn")
    runs.add(0)
    runs.add(1, validation_hash="b" * 64)
    runs.add(2)
    runs.add_sweep(3, 2, validation_hash="b" * 64)
    done = made(newest=3)
    assert {name for name in done.written if name.startswith("comparisons/")} == {
        f"comparisons/{run_id_of(0)}..{run_id_of(2)}.html",
        f"comparisons/{run_id_of(1)}..{run_id_of(3)}.html",
        f"comparisons/{run_id_of(1)}..{run_id_of(4)}.html",
    }


def test_a_page_that_cannot_be_drawn_says_so_in_its_place_and_is_tried_again(runs, made):
    runs.add(0)
    (runs.add(1) / "windows.json").unlink()
    place = f"comparisons/{run_id_of(0)}..{run_id_of(1)}.html"
    for _ in range(2):
        done = made(newest=1)
        assert "has no windows.json" in done.failed[place]
        assert "has no windows.json" in (done.index.parent / place).read_text()


# --- what is made again, and what is not touched ------------------------------------------------------


def test_nothing_is_written_when_nothing_changed_and_little_when_little_did(runs, made, monkeypatch):
    monkeypatch.setattr(build._Site, "_comparison", lambda *_: b"drawn")
    before_compared = f"comparisons/{run_id_of(2)}..{run_id_of(3)}.html"  # its p-value counts the looks at these rows
    for number in range(4):
        runs.add(number)
    first = made(newest=2)
    before = everything(first.index.parent)
    assert made(newest=2).written == []
    assert everything(first.index.parent) == before

    folder = runs.root / "2024-05-01" / run_id_of(0)
    (folder / "report.html").write_text("<!doctype html><title>drawn anew</title>")
    assert made(newest=2).written == [f"runs/{run_id_of(0)}.html"]

    runs.add(4, report=False)
    new, now_compared = run_id_of(4), f"comparisons/{run_id_of(3)}..{run_id_of(4)}.html"
    assert set(made(newest=2).written) == {f"runs/{new}.html", now_compared, before_compared, "index.html"}

    monkeypatch.setattr(build, "drawing_version", lambda: "of a later leadscore")
    assert set(made(newest=2).written) == {f"runs/{new}.html", now_compared, before_compared, "index.html"}


def test_the_same_runs_give_the_same_bytes(runs, made, tmp_path, monkeypatch):
    monkeypatch.setattr(build._Site, "_comparison", lambda *_: b"drawn")
    for number in range(3):
        runs.add(number)
    runs.promote(0)
    runs.promote(1)
    first = everything(made(newest=2).index.parent)
    other = build_site([runs.root, tmp_path / "multirun"], tmp_path / "other", newest=2)
    assert everything(other.index.parent) == first


def test_a_page_that_was_lost_or_cut_is_written_again(runs, made):
    runs.add(0)
    site = made().index.parent
    (site / "runs" / f"{run_id_of(0)}.html").write_text("cut")
    (site / "index.html").unlink()
    assert sorted(made().written) == ["index.html", f"runs/{run_id_of(0)}.html"]


def test_the_page_of_a_run_that_is_gone_goes_and_what_others_made_stays(runs, made):
    folders = [runs.add(number) for number in range(3)]
    site = made().index.parent
    (site / "runs" / "mine.html").write_text("mine")
    (site / "CNAME").write_text("scores.example.com")
    (site / "runs" / f"{run_id_of(1)}.html").write_text("with a remark of mine")
    for folder in folders[:2]:
        runs.remove(folder)
    done = made()
    assert done.removed == [f"runs/{run_id_of(0)}.html"]
    assert done.spared == [f"runs/{run_id_of(1)}.html"]
    assert (site / "runs" / "mine.html").read_text() == "mine"
    assert (site / "CNAME").exists()
    assert (site / "runs" / f"{run_id_of(1)}.html").read_text() == "with a remark of mine"


def test_a_page_of_somebody_else_is_never_replaced(runs, made, tmp_path):
    runs.add(0)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("my home page")
    with pytest.raises(RecordError, match=r"1 of the site's pages would replace files .*'index.html'.*nothing was"):
        made()
    assert [path.name for path in (tmp_path / "site").iterdir() if path.suffix == ".html"] == ["index.html"]
    assert (tmp_path / "site" / "index.html").read_text() == "my home page"


@pytest.mark.parametrize("place", ["../../etc/passwd", "/etc/passwd", "runs/../../x.html", "notes.txt"])
def test_a_manifest_cannot_make_it_remove_what_is_none_of_a_sites_pages(runs, made, tmp_path, place):
    runs.add(0)
    site = made().index.parent
    (tmp_path / "x.html").write_text("mine")
    (site / "notes.txt").write_text("mine")
    manifest = json.loads((site / "site-manifest.json").read_text())
    manifest["files"][place] = {"key": "", "size": 4, "sha256": ""}
    (site / "site-manifest.json").write_text(json.dumps(manifest))
    assert made().removed == []
    assert (tmp_path / "x.html").exists()
    assert (site / "notes.txt").exists()


def test_a_damaged_manifest_stops_everything(runs, made):
    runs.add(0)
    site = made().index.parent
    (site / "site-manifest.json").write_text("{")
    with pytest.raises(RecordError, match=r"site-manifest.json is damaged.*choose another --out"):
        made()


def test_a_site_that_was_killed_half_way_goes_on_the_next_time(runs, made, monkeypatch):
    for number in range(3):
        runs.add(number)

    def killed(run):
        if run.run_id == run_id_of(1):
            raise KeyboardInterrupt
        return b"copied"

    with monkeypatch.context() as patch:
        patch.setattr(build, "_copy", killed)
        with pytest.raises(KeyboardInterrupt):
            made()
    assert len(made().written) == 4  # the page that was there is not known to be whole


@pytest.mark.parametrize("place", ["", "2024-05-01/{run}", "2024-05-01/{run}/model/site"])
def test_it_is_not_made_where_runs_lie(runs, place):
    runs.add(0)
    out = runs.root / place.format(run=run_id_of(0))
    with pytest.raises(RecordError, match=r"choose a folder of the site's own"):
        build_site([runs.root], out)
    assert not list(runs.root.rglob("site*"))


def test_two_folders_with_one_run_are_one_run_and_a_name_that_is_none_has_no_page(runs, made):
    runs.add(0)
    runs.add(0, runs.root / "copied")
    stray = runs.add(1)
    identity = json.loads((stray / "identity.json").read_text())
    (stray / "identity.json").write_text(json.dumps({**identity, "run_id": "../../../x"}))
    done = made()
    assert done.runs == 1
    assert len(done.notes) == 2
    assert any(note == f"{stray} holds a run_id that is none, and is left out" for note in done.notes)
    assert any(f" holds run {run_id_of(0)}, as " in note for note in done.notes)


# --- the verb -----------------------------------------------------------------------------------------


def test_the_verb_says_what_it_did(runs, tmp_path, capsys):
    runs.add(0)
    line = ["report", "--root", str(runs.root), "--out", str(tmp_path / "public"), "--newest", "0"]
    assert main(line) == 0
    assert capsys.readouterr().out.splitlines() == [f"{tmp_path}/public/index.html: 1 run", "written  2"]
    assert main(line) == 0
    assert "nothing: all is as it was" in capsys.readouterr().out
    assert main([*line, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"] == 1
    assert main([*line[:-1], "-1"]) == 1
    assert "--newest -1: a number of runs" in capsys.readouterr().err


def test_one_runs_page_is_drawn_anew(tmp_path, capsys):
    folder = tmp_path / "outputs" / "late"
    with pytest.raises(WindowError):
        run(compose(["data.n_leads=300", "window.start=2030-01-01", f"tracking.root={folder.parent}"]), folder)
    assert main(["report", str(folder)]) == 0
    assert capsys.readouterr().out == f"wrote {folder / 'report.html'}\n"
    drawn = (folder / "report.html").read_bytes()
    assert b"no observation is left" in drawn
    assert main(["report", str(folder), "--out", str(tmp_path / "copy.html")]) == 0
    assert (tmp_path / "copy.html").read_bytes() == drawn


def test_a_run_whose_files_are_not_as_a_run_leaves_them_is_refused_in_a_sentence(runs, capsys):
    folder = runs.add(0)
    assert main(["report", str(folder)]) == 1
    assert f"{folder}: its files are not as a run leaves them (KeyError: 'window')" in capsys.readouterr().err
    assert (folder / "report.html").read_text().endswith("its own report</p>")


def test_a_root_without_runs_makes_an_index_that_says_so(made):
    assert "No run lies here yet." in words(made().index.read_text())


# --- many ---------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_thousand_unchanged_runs_take_seconds_and_one_page(runs, made):
    for number in range(1_000):
        runs.add(number, notes="a note of a usual length, why this was tried, and what came of it")
    first = made()
    assert len(rows(first.index.read_text())) == 1_000
    assert first.index.stat().st_size < 1_500_000
    started = time.perf_counter()
    assert made().written == []
    assert time.perf_counter() - started < 10
