"""What became of scored leads: what is known and what is not, promises kept and broken, files that are not whole."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from scored_world import World

from leadscore import compose, compose_score, diff_scores, open_run, outcomes_of
from leadscore.compare import independent_difference, share_interval
from leadscore.errors import ConfigError, DataError, RecordError, WindowError
from leadscore.evaluate import evaluate
from leadscore.pipeline import run as train
from leadscore.scoring import prepare_batch, write_scores
from leadscore.verbs import main

HORIZON = pd.Timedelta(days=30)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Trained on what was known on 1 March; the leads of February and March scored on the 31st."""
    world = World(tmp_path_factory.mktemp("world"), 1200)
    world.train("delay", "model=logistic")
    world.score("delay", world.root / "march.parquet", "2025-03-31")
    (world.root / "csv").mkdir()
    world.score("delay", world.root / "csv" / "march.csv", "2025-03-31")
    return world


@pytest.fixture
def past(world, tmp_path):
    return Past(world, tmp_path)


class Past:
    """The score file of March, and today's lead table, both to be edited."""

    def __init__(self, world, folder):
        self.world, self.folder, self.file = world, folder, folder / "march.parquet"
        for name in ("march.parquet", "march.report.json"):
            shutil.copy(world.root / name, folder / name)
        self.frame, self.leads = pd.read_parquet(self.file), world.leads()

    def outcomes(self, *overrides, files=None, today="2025-07-01"):
        self.leads.to_csv(self.folder / "leads.csv", index=False)
        where = [f"data.dir={self.folder}", "data.events=null", f"data.data_end={today}"]
        return outcomes_of(files or self.file, [*where, *overrides], roots=self.world.roots)

    def unreported(self):
        """Write the edited file, without a report beside it."""
        path = self.folder / "edited.parquet"
        self.frame.to_parquet(path, index=False)
        return path


def known(found):
    return found.frame[found.frame["left_out"] == ""]


# --- what is known ---------------------------------------------------------------------------------


@pytest.mark.parametrize("today", ["2025-03-31", "2025-04-10", "2025-04-25T12:00:00Z", "2025-07-01"])
def test_an_outcome_is_known_when_its_horizon_has_passed_and_never_before(past, today):
    found = past.outcomes(today=today)
    frame, end = found.frame, pd.Timestamp(today, tz="UTC") if len(today) == 10 else pd.Timestamp(today)
    converted = pd.to_datetime(past.leads.set_index("user_id")["converted_at"], format="ISO8601")[frame["user_id"]]
    truth = (converted.to_numpy() >= frame["as_of"].to_numpy()) & (
        converted.to_numpy() < (frame["as_of"] + HORIZON).to_numpy()
    )
    mature = (frame["as_of"] + HORIZON <= end).to_numpy()
    assert (frame["left_out"] == "").tolist() == mature.tolist()
    assert frame["label"].isna().tolist() == (~mature).tolist()
    assert frame.loc[mature, "label"].tolist() == truth[mature].astype(float).tolist()
    assert sum(n for reason, n in found.counts.items() if reason != "scored") == found.counts["scored"] == len(frame)


def test_where_nothing_is_known_yet_it_says_when(past):
    found = past.outcomes(today="2025-03-01T00:00:01Z", files=past.unreported())
    early = past.outcomes(today="2025-03-31")
    assert found.counts["known"] == 0
    assert found.metrics == {}
    assert found.rate is None
    waiting = early.frame[early.frame["left_out"] != ""]
    assert f"mature between {waiting['matures_at'].min():%Y-%m-%d %H:%M} UTC" in early.sentence
    json.dumps(found.to_json(), allow_nan=False)


def test_tables_older_than_those_that_were_scored_are_refused(past):
    with pytest.raises(
        DataError, match=r"complete up to 2025-03-01 00:00 UTC, and those that march.parquet was scored"
    ):
        past.outcomes(today="2025-03-01")


def test_metrics_are_those_of_the_labels_beside_what_the_run_promised(past):
    found = past.outcomes()
    rows = known(found)
    own = evaluate(rows["label"].astype(int), rows["probability"])
    promised = open_run(past.world.root / "outputs" / "delay").metrics
    for name, metric in found.metrics.items():
        assert metric.value == own.metrics[name].value
        assert metric.promised == promised["metrics"][name]
    assert found.rate == rows["label"].mean()
    assert found.expected == rows["probability"].mean()
    auc = found.metrics["auc"]
    assert auc.low < auc.value < auc.high
    assert auc.difference == pytest.approx(auc.value - auc.promised)
    assert "AUC" in found.sentence


def test_each_band_is_held_to_its_own_promise(past):
    found = past.outcomes()
    promises = open_run(past.world.root / "outputs" / "delay").serving.bands.promises
    for band, promise in zip(found.bands, promises, strict=True):
        rows = known(found).query("band == @band.band")
        assert (band.n, band.positives) == (len(rows), rows["label"].sum())
        assert (band.promised, band.promised_low, band.promised_n) == (promise.rate, promise.low, promise.n)
        if band.level is not None:
            way = {"fell short": band.difference_high < 0, "exceeded": band.difference_low > 0}
            assert way.get(band.verdict, band.difference_low <= 0 <= band.difference_high)
    judged = [band.level for band in found.bands if band.level is not None]
    assert judged == [1 - 0.05 / len(judged)] * len(judged)


def test_a_broken_promise_is_said(past):
    """Whom the scores expected least converts, and hardly anybody else."""
    by_band = past.frame.set_index("user_id").groupby("band")["as_of"]
    worst = pd.concat([by_band.get_group("D"), by_band.get_group("A")[:2]])
    past.leads["converted_at"], past.leads["status"] = None, "trial"
    soon = (worst + pd.Timedelta(days=1)).dt.strftime("%FT%TZ")
    past.leads["converted_at"] = past.leads["user_id"].map(soon)
    past.leads["closed_at"] = None
    found = past.outcomes()
    verdicts = {band.band: band.verdict for band in found.bands}
    assert verdicts["D"] == "exceeded"
    assert f"{len(worst)} converted within 30d" in found.sentence
    assert "They ranked worse than validation promised: AUC 0." in found.sentence
    assert "The probabilities were too low by" in found.sentence
    assert "Band D exceeded: 100.0% [" in found.sentence


def test_one_in_twenty_reports_wrongs_a_band_and_no_more():
    """Both sides of each of four bands are drawn at the same rate."""
    rng, wronged, level = np.random.default_rng(3), 0, 1 - 0.05 / 4
    for _ in range(600):
        apart = []
        for rate in (0.35, 0.18, 0.1, 0.045):
            sides = [(rng.random(n) < rate).astype(float) for n in (300, 150)]
            shares = [(side.mean(), *share_interval(side, level=level)) for side in sides]
            _, low, high = independent_difference(*shares)
            apart.append(low > 0 or high < 0)
        wronged += any(apart)
    assert 0.02 < wronged / 600 < 0.08


def test_the_order_of_rows_and_the_format_of_the_file_change_nothing(past):
    plain = past.outcomes().to_json()
    past.frame = past.frame.sample(frac=1, random_state=1)
    shuffled = past.outcomes(files=past.unreported()).to_json()
    assert "whether it is as it was written is not known" in shuffled["notes"][0]
    text = past.outcomes(files=past.world.root / "csv" / "march.csv").to_json()
    for other in (shuffled, text):
        assert {**other, "files": 0, "notes": 0} == {**plain, "files": 0, "notes": 0}


# --- what is left out --------------------------------------------------------------------------------


def test_what_cannot_count_is_counted_by_reason(past):
    gone, before, closed = past.frame["user_id"][:3], past.frame["user_id"][3:5], past.frame["user_id"][5]
    past.leads = past.leads[~past.leads["user_id"].isin(gone)]
    past.leads.loc[past.leads["user_id"].isin(before), "converted_at"] = "2025-01-30T00:00:00Z"
    past.leads.loc[past.leads["user_id"].isin([*before, closed]), "created_at"] = "2025-01-20T00:00:00Z"
    past.leads.loc[past.leads["user_id"] == closed, "closed_at"] = "2025-01-25T00:00:00Z"
    found = past.outcomes()
    assert found.counts["not in today's lead table"] == 3
    assert found.counts["converted before as_of"] == 2
    assert found.counts["closed before as_of"] == 1
    assert found.counts["known"] == len(past.frame) - 6
    assert any("3 scored leads were not at risk when they were scored" in note for note in found.notes)
    assert any("3 scored leads are not in today's lead table" in note for note in found.notes)


def test_leads_without_a_score_are_counted_by_the_column_that_was_missing(past, tmp_path):
    scored = past.world.score("delay", tmp_path / "a.parquet", "2025-03-31", "+missing.company_size=abstain")
    silent = int(scored["probability"].isna().sum())
    found = past.outcomes(files=tmp_path / "a.parquet")
    assert found.counts["without a score"] == silent > 0
    assert found.abstained == {"company_size": silent}
    assert found.counts["known"] == len(scored) - silent


def test_one_class_has_no_ranking_and_no_traceback(past, capsys):
    past.leads["converted_at"], past.leads["status"] = None, "trial"
    found = past.outcomes()
    assert found.rate == 0
    assert found.metrics["auc"].value is None
    assert "How well they ranked cannot be said (one class only: 0 of" in found.sentence
    assert found.metrics["calibration_in_the_large"].low > 0
    json.dumps(found.to_json(), allow_nan=False)


def test_two_known_leads_are_too_few_and_say_so(past):
    past.frame = past.frame.head(2)
    found = past.outcomes(files=past.unreported())
    assert found.counts["known"] == 2
    assert "No band has enough rows" in found.sentence


def test_a_batch_of_nobody(past, tmp_path):
    past.world.score("delay", tmp_path / "none.parquet", "2025-03-31", "since=1s", "allow_empty=true")
    found = past.outcomes(files=tmp_path / "none.parquet")
    assert found.sentence == "No lead was scored, so there is nothing to wait for."
    assert found.to_json()["counts"] == {"scored": 0, "known": 0}


def test_rows_that_the_run_has_seen_are_said(past, tmp_path):
    past.world.score("delay", tmp_path / "early.parquet", "2025-01-25", "since=500d")
    notes = past.outcomes(files=tmp_path / "early.parquet").notes
    assert any("validation rows of the run: that they keep its promises is no news" in note for note in notes)
    assert any("may be its training rows" in note for note in notes)


def test_a_batch_of_the_past_scores_who_was_open_then_whichever_way_the_past_is_asked_for(past, tmp_path):
    """By tables that end then, or by an earlier instant on those of today: no status tells of the time after."""
    full = past.world.score("delay", tmp_path / "full.parquet", "2025-03-31", "data.data_end=2025-07-01")
    pd.testing.assert_frame_equal(full, past.frame)
    later = past.leads.set_index("user_id")["converted_at"][full["user_id"]].notna()
    assert later.sum() > 5


# --- several files -----------------------------------------------------------------------------------


def test_nights_are_taken_together_and_a_row_in_two_of_them_counts_once(past, tmp_path):
    for name, day, since in (("1.parquet", "2025-03-16", "45d"), ("2.csv", "2025-03-31", "20d")):
        past.world.score("delay", tmp_path / name, day, f"since={since}")
    found = past.outcomes(files=[tmp_path / "1.parquet", tmp_path / "2.csv"])
    assert any("stand in several of the 2 files and are counted once" in note for note in found.notes)
    assert found.frame["user_id"].tolist() == past.frame["user_id"].tolist()
    assert found.metrics["auc"].value == past.outcomes().metrics["auc"].value


def test_two_probabilities_of_one_lead_at_one_instant_are_refused(past):
    past.frame.loc[0, "probability"] = np.nextafter(past.frame.loc[0, "probability"], 1)
    with pytest.raises(RecordError, match="1 leads have different probabilities at one as_of"):
        past.outcomes(files=[past.file, past.unreported()])


# --- files that are not whole ------------------------------------------------------------------------


def repeat(frame):
    return pd.concat([frame, frame.tail(1)])


def mixed(frame):
    return frame.assign(run=["20250101T000000-00000000", *frame["run"][1:]])


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda frame: frame.drop(columns="as_of"), r"has no column as_of: it is no score file.*It has: band"),
        (repeat, r"1 of \d+ rows repeat a user_id and as_of"),
        (lambda frame: frame.assign(probability=1.2), r"probabilities are not in \[0, 1\] \('L\d+ 1.2'"),
        (lambda frame: frame.assign(probability=frame["probability"][::-1].to_numpy()), "in another band than run"),
        (lambda frame: frame.assign(as_of=frame["as_of"].dt.tz_localize(None)), "column 'as_of' is .* zone is due"),
        (lambda frame: frame.assign(user_id=range(len(frame))), "column 'user_id' is int64, and text is due"),
        (mixed, r"these scores are of 2 runs \(edited.parquet: "),
        (lambda frame: frame.assign(run="20250101T000000-00000000"), "no such run lies under .*--root"),
        (lambda frame: frame.assign(run="../elsewhere"), r"rows name no run \('../elsewhere'\)"),
        (lambda frame: frame[:0], "nothing says which run scored nobody"),
    ],
)
def test_a_file_that_no_job_wrote_is_refused(past, edit, said):
    past.frame = edit(past.frame)
    with pytest.raises(RecordError, match=said):
        past.outcomes(files=past.unreported())


def test_a_file_that_was_changed_is_not_the_one_of_its_report(past):
    past.frame.loc[0, "probability"] = 0.5
    past.frame.to_parquet(past.file, index=False)
    with pytest.raises(RecordError, match=r"is not the file that march.report.json tells of \(sha256"):
        past.outcomes()
    (past.folder / "march.report.json").write_text("{")
    with pytest.raises(RecordError, match="cannot be read as a report of scores"):
        past.outcomes()


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("as_of", "2025-03-02 07:00:00", "as_of is no time with a zone in 1 of"),
        ("probability", "high", "cannot be read"),
    ],
)
def test_a_csv_that_a_spreadsheet_has_changed(past, tmp_path, column, value, said):
    text = pd.read_csv(past.world.root / "csv" / "march.csv", dtype="str")
    text.loc[0, column] = value
    text.to_csv(tmp_path / "s.csv", index=False)
    with pytest.raises(RecordError, match=said):
        past.outcomes(files=tmp_path / "s.csv")


def test_a_file_that_is_none(past, tmp_path):
    (tmp_path / "x.parquet").write_bytes(b"PAR1 not really")
    for name, said in (("x.parquet", "cannot be read"), ("y.parquet", "no such file"), ("z.xlsx", "ends in .parquet")):
        with pytest.raises(RecordError, match=said):
            past.outcomes(files=tmp_path / name)


def test_keys_that_would_be_ignored_are_refused(past):
    with pytest.raises(ConfigError, match=r"since=2d: what was scored is scored.*Keys: compute, data, plugins"):
        past.outcomes("since=2d")
    with pytest.raises(ConfigError, match=r"data\.datta_end"):
        past.outcomes("data.datta_end=2025-04-01")


def test_another_data_config_is_named_as_in_scoring(past):
    from leadscore.config.compose import config_loader, group_choices

    own = past.outcomes().to_json()
    where = ["data=exported", f"data.dir={past.folder}", "data.events=null", "data.data_end=2025-07-01"]
    named = outcomes_of(past.file, where, config_dir=past.world.conf, roots=past.world.roots)
    assert named.to_json() == own
    with config_loader() as loader:
        assert "as_the_run_recorded" not in group_choices(loader)["data"]


# --- the other windows -------------------------------------------------------------------------------


def test_given_rows_wait_for_their_own_label(tmp_path):
    """The table says when each row was scored and, later, what came of it."""
    rng = np.random.default_rng(5)
    n = 240
    size = rng.integers(1, 100, n)
    frame = pd.DataFrame({"user_id": [f"u{i % 120:03d}" for i in range(n)], "created_at": "2024-01-01T00:00:00Z"})
    frame["as_of"] = (pd.Timestamp("2024-02-01", tz="UTC") + pd.to_timedelta(np.arange(n), "D")).strftime("%FT%TZ")
    frame["size"], frame["label"] = size, np.where(rng.random(n) < size / 120, "yes", "no")
    early = frame.assign(label=frame["label"].where(frame.index < 200, ""))
    (tmp_path / "conf" / "data").mkdir(parents=True)
    (tmp_path / "conf" / "data" / "deals.yaml").write_text(
        "defaults: [/schema/data/files@_here_, _self_]\nname: deals\ndir: ???\ndata_end: '2025-01-01'\n"
        "labels: {'yes': 1, 'no': 0}\n"
        "known_at_creation: {size: number}\nleads: {path: deals.csv, columns: {as_of: as_of, label: label}}\n"
    )
    early.to_csv(tmp_path / "deals.csv", index=False)
    where = ["data=deals", f"data.dir={tmp_path}"]
    model = ["window=given", "window.horizon=0d", "features=attributes", "report=false", "audit=off"]
    train(compose([*where, *model, f"tracking.root={tmp_path}"], config_dir=tmp_path / "conf"), tmp_path / "run")
    output = tmp_path / "late.parquet"
    config = compose_score(
        [*where, "as_of=column", "drift.fail=null", f"output={output}", "since=10d"], config_dir=tmp_path / "conf"
    )
    write_scores(prepare_batch(open_run(tmp_path / "run"), config))
    scored = pd.read_parquet(output)
    assert scored["user_id"].duplicated().any()
    moved = diff_scores(output, output, roots=[tmp_path])
    assert moved.counts["both"] == len(moved.frame) == 240
    assert "leads have several rows in a file" in moved.notes[0]
    found = outcomes_of(output, roots=[tmp_path])
    assert found.counts["undecided (no label yet)"] == 40
    frame.to_csv(tmp_path / "deals.csv", index=False)
    found = outcomes_of(output, roots=[tmp_path])
    assert found.counts["known"] == 240
    assert found.frame["label"].sum() == (frame["label"] == "yes").sum()
    frame.drop(columns="label").to_csv(tmp_path / "deals.csv", index=False)
    with pytest.raises(DataError, match="learned the lead table's own label, and today's has none"):
        outcomes_of(output, roots=[tmp_path])
    frame.drop(columns="as_of").to_csv(tmp_path / "deals.csv", index=False)
    with pytest.raises((WindowError, DataError), match="as_of"):
        outcomes_of(output, roots=[tmp_path])


# --- the verb ----------------------------------------------------------------------------------------


def test_the_verb_prints_tables_markdown_and_json(past, capsys):
    past.outcomes()
    line = ["outcomes", str(past.file), f"data.dir={past.folder}", "data.events=null", "data.data_end=2025-07-01"]
    line += ["--root", str(past.world.roots[0])]
    assert main(line) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"Of {len(past.frame)} leads scored between 2025-01-30")
    assert "Calibration in the large" in said
    assert [each.split()[0] for each in said.splitlines()[-5:]] == ["band", "A", "B", "C", "D"]
    assert main([*line, "--md"]) == 0
    assert "| ROC AUC |" in capsys.readouterr().out
    assert main([*line, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["n"] == len(past.frame)
    assert told["metrics"]["auc"]["low"] < told["metrics"]["auc"]["value"]
    assert main(["outcomes", "nothing.parquet"]) == 1
    assert "no such file" in capsys.readouterr().err
