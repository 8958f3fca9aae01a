"""Why scores moved: parts that add up, to whom each belongs, and what today's tables no longer explain."""

import itertools
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from scored_world import World

from leadscore import diff_scores
from leadscore.errors import RecordError
from leadscore.explain import split_move
from leadscore.model.log_odds import log_odds_of
from leadscore.scoring.splitting import PARTS
from leadscore.verbs import main

WEEKLY = ["window=snapshots", "window.max_age=60d", "window.every=28d"]
TREES = ["model=lightgbm", "model.n_estimators=10"]
RANK = '''
from leadscore.features import feature

@feature(source="leads", columns=["company_size"], missing="not given", across_leads=True)
def size_rank(leads_df, now):
    """Place of the company's size among the leads of an instant."""
    return leads_df.set_index("user_id")["company_size"].rank(pct=True)
'''


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Two models of 1 March; batches of 2 and 16 March, the second by each of them."""
    world = World(tmp_path_factory.mktemp("world"), 700)
    world.train("trees", *WEEKLY, *TREES, "model.calibration=isotonic")
    world.train("line", *WEEKLY, "model=logistic", "features=+sessions", "model.calibration=sigmoid")
    world.score("trees", world.root / "old.parquet", "2025-03-02")
    for name in ("trees", "line"):
        world.score(name, world.root / f"{name}.parquet", "2025-03-16")
    return world


@pytest.fixture(scope="module")
def same(world):
    """One model two weeks later."""
    return moved(world)


@pytest.fixture(scope="module")
def other(world):
    """Another model two weeks later."""
    return moved(world, new="line")


def moved(world, old="old", new="trees", *overrides, lead=None, where=None):
    files = [each if hasattr(each, "suffix") else world.root / f"{each}.parquet" for each in (old, new)]
    today = [f"data.dir={where or world.root}", "data.data_end=2025-07-01"]
    return diff_scores(*files, [*today, *overrides], lead=lead, roots=world.roots)


# --- the split ---------------------------------------------------------------------------------------


def test_each_part_is_the_mean_over_all_orders_in_which_things_can_change():
    log_odds = np.random.default_rng(0).normal(size=(2, 2, 2, 5))
    parts = np.zeros((3, 5))
    for order in itertools.permutations(range(3)):
        state = [0, 0, 0]
        for axis in order:
            before = log_odds[tuple(state)]
            state[axis] = 1
            parts[axis] += (log_odds[tuple(state)] - before) / 6
    assert np.allclose(split_move(log_odds), parts, atol=1e-12)
    assert np.allclose(sum(split_move(log_odds)), log_odds[1, 1, 1] - log_odds[0, 0, 0], atol=1e-12)


def test_what_did_not_change_gets_exactly_nothing():
    log_odds = np.zeros((2, 2, 2, 1))
    log_odds[:, :, 1] = 0.7  # calibration alone
    assert [float(part[0]) for part in split_move(log_odds)] == [0, 0, 0.7]


@pytest.mark.parametrize("which", ["same", "other"])
def test_parts_add_up_to_the_move_and_columns_to_the_part_of_the_data(which, request):
    found = request.getfixturevalue(which)
    frame = found.frame
    assert len(frame) > 30
    total = log_odds_of(frame["new"]) - log_odds_of(frame["old"])
    assert np.abs(frame[list(PARTS)].sum(axis=1) - total).max() < 1e-9
    assert found.recomputed == {"old": 0, "new": 0}
    assert np.abs(frame["rewritten"]).max() < 1e-9
    for page in found.leads:
        assert sum(each["part"] for each in page["columns"]) == pytest.approx(page["data"], abs=1e-6)
    sums = found.parts
    assert sum(sums[part]["sum"] for part in PARTS) == pytest.approx(sums["total"]["sum"], abs=1e-9)
    assert found.columns["sum"].sum() == pytest.approx(sums["data"]["sum"], abs=1e-5)


def test_with_one_model_only_the_data_can_have_moved_a_score(same):
    found = same
    assert (found.frame[["model", "calibration"]] == 0).all(axis=None)
    assert set(found.frame["cause"]) <= {"data", ""}
    assert "only the leads' own data can have moved them" in found.sentence


def test_at_one_instant_only_the_model_can_have_moved_a_score(world):
    found = moved(world, "trees", "line")
    assert (found.frame["data"] == 0).all()
    assert (found.frame["model"] != 0).any()
    assert (found.frame["column_1"] == "").all()


def test_a_file_held_against_itself_did_not_move(world):
    found = moved(world, "trees", "trees")
    assert (found.frame["total"] == 0).all()
    assert f"The scores of all {len(found.frame)} are the same." in found.sentence


def test_the_strongest_columns_are_named_with_what_they_were_and_are(world, other):
    row = other.frame.loc[other.frame["data"].abs().idxmax()]
    (page,) = moved(world, new="line", lead=row["user_id"]).leads
    assert page["columns"][0]["column"] == row["column_1"]
    assert page["columns"][0]["part"] == pytest.approx(row["moved_1"], abs=1e-12)
    assert {each["column"] for each in page["columns"]} > {"sessions_last_7_days", "events_last_7_days"}
    leads = world.leads().set_index("user_id")
    country = next(each for each in page["columns"] if each["column"] == "country")
    assert country["old"] == country["new"] == leads.loc[row["user_id"], "country"]


# --- who is compared ---------------------------------------------------------------------------------


def test_leads_of_one_file_alone_are_counted_and_bands_are_crossed(world, same):
    found = same
    old, new = (pd.read_parquet(world.root / f"{name}.parquet") for name in ("old", "trees"))
    both = old.merge(new, on="user_id")
    assert found.counts["both"] == len(both) == len(found.frame)
    assert found.counts["only_old"] == len(old) - len(both) > 0
    assert found.counts["only_new"] == len(new) - len(both) > 0
    for was, now in itertools.product("ABCD", repeat=2):
        assert found.bands.loc[was, now] == ((both["band_x"] == was) & (both["band_y"] == now)).sum()


def test_the_order_of_rows_changes_nothing(world, same, tmp_path):
    pd.read_parquet(world.root / "old.parquet").sample(frac=1, random_state=2).to_parquet(tmp_path / "old.parquet")
    found = moved(world, tmp_path / "old.parquet")
    pd.testing.assert_frame_equal(found.frame, same.frame)
    assert "whether it is as it was written" in found.notes[0]


def test_chunks_give_what_one_batch_gives(world, other):
    pd.testing.assert_frame_equal(moved(world, "old", "line", "chunk_rows=40").frame, other.frame)


def test_no_lead_in_both_files_is_an_answer(world, tmp_path):
    world.score("trees", tmp_path / "early.parquet", "2024-06-01")
    found = moved(world, tmp_path / "early.parquet")
    assert found.counts["both"] == 0
    assert "There is no lead whose score could have moved." in found.sentence
    world.score("trees", tmp_path / "nobody.parquet", "2023-06-01", "allow_empty=true")
    assert moved(world, tmp_path / "nobody.parquet").counts["only_new"] == len(
        pd.read_parquet(world.root / "trees.parquet")
    )
    json.dumps(found.to_json(), allow_nan=False)


def test_leads_without_a_score_in_one_file_are_counted(world, tmp_path):
    policy = "+missing.company_size=abstain"
    scored = world.score("trees", tmp_path / "some.parquet", "2025-03-16", policy)
    found = moved(world, "old", tmp_path / "some.parquet", policy)
    silent = set(scored.loc[scored["probability"].isna(), "user_id"])
    both = set(pd.read_parquet(world.root / "old.parquet")["user_id"]) & silent
    assert found.counts["unscored"] == len(both) > 0
    assert found.bands["none"].sum() == len(both)
    assert not both & set(found.frame["user_id"])


# --- what was rewritten ------------------------------------------------------------------------------


def test_what_todays_tables_do_not_explain_stands_apart(world, same, tmp_path):
    """One lead's plan is written anew, and another lead is deleted."""
    first, second = same.frame["user_id"][:2]
    leads = world.leads()
    leads = leads[leads["user_id"] != second]
    plan = leads.loc[leads["user_id"] == first, "plan"].item()
    leads.loc[leads["user_id"] == first, ["plan", "source"]] = ["free" if plan != "free" else "business", "partner"]
    leads.to_csv(tmp_path / "leads.csv", index=False)
    shutil.copy(world.root / "events.csv", tmp_path)
    found = moved(world, "old", "line", where=tmp_path)
    assert found.counts["gone"] == 1
    assert found.recomputed["new"] == 1
    row = found.frame.set_index("user_id").loc[first]
    assert abs(row["rewritten"]) > 0.01
    assert row[list(PARTS)].sum() == pytest.approx(
        log_odds_of(pd.Series([row["new"]]))[0] - log_odds_of(pd.Series([row["old"]]))[0]
    )
    assert "have since been rewritten. That part stands apart." in found.sentence


def test_facts_that_came_after_the_tables_of_then_are_not_taken_for_known(world, tmp_path):
    """A batch of noon on tables of midnight did not see the morning, and today's tables have it."""
    late = ["data.data_end=2025-03-20", "as_of=2025-03-20T23:00Z"]
    world.score("trees", tmp_path / "noon.parquet", "2025-03-20", *late)
    found = moved(world, "old", tmp_path / "noon.parquet")
    assert found.recomputed == {"old": 0, "new": 0}


def test_a_feature_that_compares_leads_is_computed_on_the_whole_batch(world, tmp_path, monkeypatch):
    (tmp_path / "size_ranks.py").write_text(RANK)
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins = "plugins=[size_ranks]"
    world.train("rank", *WEEKLY, *TREES, plugins, "features=attributes", "+features.size_rank={}")
    for name, day in (("r1", "2025-03-02"), ("r2", "2025-03-16")):
        world.score("rank", world.root / f"{name}.parquet", day, plugins)
    found = moved(world, "r1", "r2", plugins, "chunk_rows=5")
    assert len(found.frame) > 30
    assert found.recomputed == {"old": 0, "new": 0}
    with pytest.raises(RecordError, match=r'add "plugins=\[size_ranks\]"'):
        moved(world, "r1", "r2")


# --- the verb ----------------------------------------------------------------------------------------


def test_the_verb_says_it_for_all_and_for_one(world, capsys):
    line = ["score-diff", str(world.root / "old.parquet"), str(world.root / "line.parquet"), "data.data_end=2025-07-01"]
    line += ["--root", str(world.roots[0])]
    assert main(line) == 0
    said = capsys.readouterr().out
    assert "leads are in both files" in said
    assert "the leads' own data" in said
    assert "was A" in said
    assert main([*line, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told["parts"]) == {*PARTS, "total"}
    lead = told["leads"][0]["user_id"]
    assert main([*line, "--lead", lead]) == 0
    assert f"lead {lead}" in capsys.readouterr().out
    assert main([*line, "--lead", lead[:-1]]) == 1
    assert "Did you mean" in capsys.readouterr().err
    only = set(pd.read_parquet(world.root / "old.parquet")["user_id"]) - set(
        pd.read_parquet(world.root / "line.parquet")["user_id"]
    )
    assert main([*line, "--lead", min(only)]) == 1
    assert "is only in old.parquet: there is no second score" in capsys.readouterr().err
