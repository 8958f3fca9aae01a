"""The seal: a last period kept away from training and choosing, frozen at its first use, and each look recorded."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from conftest import utc
from hypothesis import given
from hypothesis import strategies as st

from leadscore.confirmation import confirm_run
from leadscore.errors import ConfigError, RecordError, WindowError
from leadscore.pipeline import build_dataset, compose, run, walk_to_folds
from leadscore.record import open_run
from leadscore.record.ledger import family, read_ledger
from leadscore.record.seals import FrozenSeal, find_seal, freeze_seal
from leadscore.split import Seal, keep_off
from leadscore.verbs import main
from leadscore.window import Observations

DAY = timedelta(days=1)
START = pd.Timestamp("2024-01-01", tz="UTC")


def observed(*as_of: str, horizon: timedelta = 30 * DAY) -> Observations:
    frame = pd.DataFrame(
        {"user_id": [f"u{n}" for n in range(len(as_of))], "as_of": utc(*as_of), "label": 0, "lead_row": 0}
    )
    counts = {"candidates": len(as_of) + 2, "closed before as_of": 2, "observations": len(as_of)}
    return Observations(frame, pd.Timedelta(horizon), counts)


# --- which observations -----------------------------------------------------------------------------------


def test_the_seal_is_the_last_period_whose_outcomes_are_known():
    seal = Seal.at_the_end(pd.Timestamp("2024-07-01T13:20", tz="UTC"), 30 * DAY, 20 * DAY)
    assert seal.start == pd.Timestamp("2024-05-12", tz="UTC")
    assert seal.end + 30 * DAY <= pd.Timestamp("2024-07-01T13:20", tz="UTC")


def test_outcomes_that_reach_the_seal_are_left_out_and_every_row_is_counted_once():
    seal = Seal(pd.Timestamp("2024-05-01", tz="UTC"), 10 * DAY)
    observations = observed(
        "2024-03-01",
        "2024-04-01",
        "2024-04-01T00:00:00.000001Z",
        "2024-04-30",
        "2024-05-01",
        "2024-05-10",
        "2024-05-11",
    )
    kept, sealed = keep_off(observations, seal)
    assert kept.frame["user_id"].tolist() == ["u0", "u1"]  # 1 April + 30 days is the border itself, which is allowed
    assert sealed.frame["user_id"].tolist() == ["u4", "u5"]
    assert kept.counts == {
        "candidates": 9,
        "closed before as_of": 2,
        "outcome reaches the seal": 2,
        "sealed": 2,
        "after the seal": 1,
        "observations": 2,
    }


def test_the_embargo_keeps_the_same_distance_from_the_seal():
    seal = Seal(pd.Timestamp("2024-05-01", tz="UTC"), 10 * DAY)
    kept, _ = keep_off(observed("2024-03-01", "2024-04-01"), seal, embargo=DAY)
    assert kept.frame["user_id"].tolist() == ["u0"]


@given(
    hours=st.lists(st.integers(0, 200 * 24), min_size=1, max_size=40),
    horizon=st.integers(0, 60),
    start=st.integers(60, 150),
    length=st.integers(1, 40),
)
def test_no_open_outcome_reaches_the_seal_and_nothing_is_lost(hours, horizon, start, length):
    as_of = pd.Series([START, *(START + timedelta(hours=hour) for hour in hours)], dtype="datetime64[us, UTC]")
    frame = pd.DataFrame({"user_id": [f"u{n}" for n in range(len(as_of))], "as_of": as_of})
    observations = Observations(
        frame, pd.Timedelta(horizon * DAY), {"candidates": len(frame), "observations": len(frame)}
    )
    seal = Seal(START + start * DAY, length * DAY)
    kept, sealed = keep_off(observations, seal)
    assert (kept.frame["as_of"] + observations.horizon <= seal.start).all()
    assert sealed.frame["as_of"].between(seal.start, seal.end, inclusive="left").all()
    assert sum(n for reason, n in kept.counts.items() if reason != "candidates") == len(frame)
    assert len(sealed.frame) == kept.counts["sealed"]


def test_a_seal_that_leaves_nothing_says_what_decides():
    with pytest.raises(WindowError, match=r"2 sealed; validation.seal, window.horizon and the data's end decide"):
        keep_off(observed("2024-05-01", "2024-05-02"), Seal(pd.Timestamp("2024-05-01", tz="UTC"), 10 * DAY))


# --- frozen -----------------------------------------------------------------------------------------------


def test_the_first_use_freezes_a_date_and_later_ones_get_it(tmp_path):
    first, later = (FrozenSeal(datetime(2024, month, 1, tzinfo=UTC), 30 * DAY) for month in (5, 6))
    assert find_seal(tmp_path, "crm", 30 * DAY) is None
    assert freeze_seal(tmp_path, "crm", first, "run-1") == first
    assert freeze_seal(tmp_path, "crm", later, "run-2") == first
    assert freeze_seal(tmp_path, "other", later, "run-3") == later
    assert find_seal(tmp_path, "crm", 30 * DAY) == first


def test_another_length_is_refused_with_the_frozen_one(tmp_path):
    freeze_seal(tmp_path, "crm", FrozenSeal(datetime(2024, 5, 1, tzinfo=UTC), 30 * DAY), "run-1")
    with pytest.raises(ConfigError, match=r"'crm' is sealed for 30d from 2024-05-01 .*; keep validation.seal=30d"):
        find_seal(tmp_path, "crm", 20 * DAY)


@pytest.mark.parametrize("damage", ["{ torn", '{"seals": []}', "{}", '{"seals": {"crm": {"start": "soon"}}}'])
def test_a_damaged_book_of_seals_stops_every_run_and_stays(tmp_path, damage):
    (tmp_path / "seals.json").write_text(damage)
    with pytest.raises(RecordError, match="cannot be read"):
        freeze_seal(tmp_path, "crm", FrozenSeal(datetime(2024, 5, 1, tzinfo=UTC), 30 * DAY), "run-1")
    assert (tmp_path / "seals.json").read_text() == damage


# --- runs -------------------------------------------------------------------------------------------------


def config_of(root, *more):
    small = ["data.n_leads=900", "report=false", "audit=off", "validation.seal=60d", f"tracking.root={root}"]
    return compose([*small, *more])


@pytest.fixture(scope="module")
def sealed_run(tmp_path_factory):
    """A run with a seal: (its root, its folder)."""
    root = tmp_path_factory.mktemp("sealed") / "kept"
    run(config_of(root), root / "one")
    return root, root / "one"


def test_a_run_keeps_off_its_seal_and_says_so(sealed_run):
    root, folder = sealed_run
    windows = json.loads((folder / "windows.json").read_text())
    seal = windows["seal"]
    assert seal["data_set"] == "demo (n_leads 900, seed 23)"
    assert json.loads((root / "seals.json").read_text())["seals"][seal["data_set"]]["start"] == seal["start"]
    rows = windows["rows"]["window"]
    assert rows["sealed"] > 0 < rows["outcome reaches the seal"]
    assert rows["candidates"] == sum(n for reason, n in rows.items() if reason != "candidates")
    start = pd.Timestamp(seal["start"])
    assert start == (pd.Timestamp(windows["data_end"]) - 90 * DAY).floor("D")
    assert (open_run(folder).predictions["as_of"] + 30 * DAY <= start).all()


def test_without_a_seal_nothing_is_frozen_and_looking_alone_freezes_nothing(tmp_path):
    walk_to_folds(config_of(tmp_path))
    build_dataset(config_of(tmp_path))
    assert not (tmp_path / "seals.json").exists()
    run(config_of(tmp_path, "validation.seal=null", "model=baseline"), tmp_path / "one")
    assert not (tmp_path / "seals.json").exists()
    assert json.loads((tmp_path / "one" / "windows.json").read_text())["seal"] is None


def test_a_seal_stays_where_it_was_when_the_data_grow(tmp_path):
    early = config_of(tmp_path, "data.data_end=2025-04-01")
    run(replace(early, model=compose(["model=baseline"]).model), tmp_path / "one")
    frozen = json.loads((tmp_path / "one" / "windows.json").read_text())["seal"]
    grown = walk_to_folds(config_of(tmp_path))
    assert grown.seal.start.isoformat() == frozen["start"]
    assert grown.observations.counts["after the seal"] > 0


def test_each_protocol_keeps_off_the_seal(tmp_path):
    for protocol in ("holdout", "rolling", "grouped", "random"):
        windows = walk_to_folds(config_of(tmp_path, f"validation={protocol}"))
        assert (windows.observations.frame["as_of"] + 30 * DAY <= windows.seal.start).all()


# --- the look ---------------------------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path):
    """A cheap sealed run of this test alone, where looks may be taken: (root, folder)."""
    run(config_of(tmp_path, "model=baseline", "model.rank_by=days_since_last_event"), tmp_path / "one")
    return tmp_path, tmp_path / "one"


def test_a_look_scores_the_sealed_rows_as_the_simulator_made_them(sealed_run):
    _, folder = sealed_run
    looked = open_run(folder)
    confirmed = confirm_run(looked)
    plain = build_dataset(config_of(sealed_run[0], "validation.seal=null"))
    as_of = plain.observations.frame["as_of"]
    mask = ((as_of >= confirmed.start) & (as_of < confirmed.end)).to_numpy()
    expected = looked.model.predict_proba(plain.X[mask])
    assert confirmed.predictions["probability"].tolist() == expected.tolist()
    assert confirmed.predictions["label"].tolist() == plain.y[mask].tolist()
    assert (confirmed.evaluation.n, confirmed.evaluation.positives) == (int(mask.sum()), int(plain.y[mask].sum()))
    assert confirmed.evaluation.n == looked.windows["rows"]["window"]["sealed"]


def test_the_second_look_is_called_the_second(own, capsys):
    root, folder = own
    for _ in range(3):
        assert main(["confirm", str(folder)]) == 0
    said = capsys.readouterr().out
    places = [said.index(f"{word} look at this seal") for word in ("first", "second", "third")]
    assert places == sorted(places)
    assert said.count("the last one by") == 2
    looks = [json.loads(line) for line in (root / "looks.jsonl").read_text().splitlines()]
    assert [look["look"] for look in looks] == [1, 2, 3]
    assert {look["run_id"] for look in looks} == {open_run(folder).run_id}
    assert looks[0]["n"] > looks[0]["positives"] > 0
    assert looks[0]["metrics"]["auc"] > 0
    assert [row["status"] for row in read_ledger(root)] == ["evaluated"] + ["confirmed"] * 3
    assert family(root, looks[0]["validation_hash"]) == 1


def test_another_run_on_the_same_seal_takes_the_second_look(own, capsys):
    root, folder = own
    run(config_of(root, "model=baseline"), root / "two")
    main(["confirm", str(folder)])
    capsys.readouterr()
    assert main(["confirm", "latest", "--root", str(root), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["look"] == 2
    assert told["earlier"][0]["run_id"] == open_run(folder).run_id
    assert told["metrics"]["auc"] == 0.5  # the base rate for everyone


def test_a_run_without_a_seal_is_refused_in_words(tmp_path, capsys):
    run(config_of(tmp_path, "validation.seal=null", "model=baseline"), tmp_path / "one")
    assert main(["confirm", str(tmp_path / "one")]) == 1
    said = capsys.readouterr()
    assert "was trained without a seal, so no period was kept away" in said.err
    assert said.out == ""
    assert not (tmp_path / "looks.jsonl").exists()


def test_a_failed_run_is_refused(tmp_path):
    with pytest.raises(Exception, match="no_such_column"):
        run(config_of(tmp_path, "model=baseline", "model.rank_by=no_such_column"), tmp_path / "one")
    with pytest.raises(RecordError, match="is failed: only a finished run can be confirmed"):
        confirm_run(open_run(tmp_path / "one"))


@pytest.mark.parametrize(
    ("key", "words"), [("code_hash", "feature or model code"), ("engine_hash", "leadscore's own code")]
)
def test_other_code_is_refused_and_no_look_is_taken(own, key, words):
    root, folder = own
    looked = open_run(folder)
    looked.identity[key] = "0" * 64
    with pytest.raises(RecordError, match=rf"was trained with other code: {words} \(00000000, now"):
        confirm_run(looked)
    assert not (root / "looks.jsonl").exists()


def test_a_seal_that_is_not_in_the_book_is_refused(own, tmp_path_factory):
    _, folder = own
    with pytest.raises(RecordError, match=r"and there is none in .*seals.json: confirm it from the directory where"):
        confirm_run(open_run(folder), tracking_root=tmp_path_factory.mktemp("elsewhere"))


def test_plugins_of_a_record_are_never_imported_unasked(own):
    looked = open_run(own[1])
    looked.config["plugins"] = ["their_features"]
    with pytest.raises(RecordError, match=r"used their_features: .* add --plugin their_features"):
        confirm_run(looked)


# --- data that grew, and data that changed ----------------------------------------------------------------


def write_tables(folder, until=200, edit=None):
    """One lead a day, its events known in full; those of days before `until` are in the files."""
    first = pd.Timestamp("2024-01-01", tz="UTC")
    created = [first + day * DAY for day in range(until)]
    converted = [at + 12 * DAY if day % 3 == 0 else None for day, at in enumerate(created)]
    end = first + until * DAY
    leads = pd.DataFrame({"user_id": [f"u{day:03d}" for day in range(until)], "created_at": created})
    leads["converted_at"] = [at if at is not None and at < end else None for at in converted]
    leads["status"] = ["paid" if at is not None and at < end else "new" for at in converted]
    events = [
        (f"u{day:03d}", at + hour * timedelta(hours=1))
        for day, at in enumerate(created)
        for hour in range(1, 2 + day % 5)
    ]
    frame = pd.DataFrame(events, columns=["user_id", "timestamp"]).assign(event_type="login")
    if edit is not None:
        leads, frame = edit(leads, frame)
    folder.mkdir(exist_ok=True)
    leads.to_csv(folder / "leads.csv", index=False)
    frame[frame["timestamp"] < end].to_csv(folder / "events.csv", index=False)


@pytest.fixture
def crm(tmp_path):
    """A data config over files that a test may write anew: returns compose(data_end, ...)."""
    (tmp_path / "conf" / "data").mkdir(parents=True)
    (tmp_path / "conf" / "data" / "crm.yaml").write_text(
        "defaults: [/schema/data/files@_here_, _self_]\n"
        f"name: crm\ndir: {tmp_path / 'crm'}\nstatuses: {{new: open, paid: converted}}\n"
        "leads:\n  path: leads.csv\n  columns: {user_id: user_id, created_at: created_at, status: status, "
        "converted_at: converted_at}\n"
        "events:\n  path: events.csv\n  columns: {user_id: user_id, timestamp: timestamp, event_type: event_type}\n"
    )
    (tmp_path / "conf" / "features").mkdir()
    (tmp_path / "conf" / "features" / "own.yaml").write_text("logins: {aggregate: count, lookback: 7d}\n")
    asked = ["data=crm", "features=own", "window.delay=3d", "window.horizon=20d", "validation.seal=30d", "report=false"]
    asked += [f"tracking.root={tmp_path / 'kept'}", "audit=off"]
    return lambda *more: compose([*asked, *more], config_dir=tmp_path / "conf")


@pytest.fixture
def crm_run(crm, tmp_path):
    """A run on the first 200 days: (its folder, the folder of the files)."""
    write_tables(tmp_path / "crm")
    run(crm(), tmp_path / "kept" / "one")
    return tmp_path / "kept" / "one", tmp_path / "crm"


def test_data_that_only_grew_are_confirmed_with_a_note(crm_run):
    folder, files = crm_run
    before = confirm_run(open_run(folder))
    assert before.notes == []
    write_tables(files, until=260)
    after = confirm_run(open_run(folder))
    assert after.look == 2
    assert "the data have grown since the run" in after.notes[0]
    assert (after.start, after.end) == (before.start, before.end)
    pd.testing.assert_frame_equal(after.predictions, before.predictions)


def test_data_whose_labels_changed_are_refused(crm_run):
    folder, files = crm_run

    def relabelled(leads, events):
        other = leads["user_id"] != "u120"
        status, at = leads["status"].where(other, "new"), leads["converted_at"].where(other)
        return leads.assign(status=status, converted_at=at), events

    write_tables(files, until=260, edit=relabelled)
    with pytest.raises(RecordError, match=r"its validation rows or their labels differ \(validation_hash"):
        confirm_run(open_run(folder))
    assert not (folder.parent / "looks.jsonl").exists()


def test_data_whose_past_events_changed_are_refused_with_a_lead(crm_run):
    folder, files = crm_run

    def fewer(leads, events):
        return leads, events.drop_duplicates("user_id")

    write_tables(files, until=260, edit=fewer)
    with pytest.raises(RecordError, match=r"validation scores moved \(user_id 'u\d+' at 2024-"):
        confirm_run(open_run(folder))
    assert not (folder.parent / "looks.jsonl").exists()
