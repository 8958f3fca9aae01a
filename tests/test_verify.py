"""`leadscore verify`: the same identity gives the same predictions, and what moved is named when it does not."""

import json
import shutil

import pandas as pd
import pytest

from leadscore.errors import RecordError
from leadscore.pipeline import compose, run
from leadscore.record import open_run
from leadscore.repetition import verify_run
from leadscore.verbs import main


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    small = ["data.n_leads=400", "report=false", "audit=off", "model=lightgbm", "model.n_estimators=8"]
    run(compose([*small, "validation.seeds=2", f"tracking.root={root}"]), root / "demo")
    return root


def edited(root, tmp_path, edit):
    """A copy of the run whose folder somebody has edited."""
    folder = tmp_path / "edited"
    shutil.copytree(root / "demo", folder)
    edit(folder)
    return open_run(folder)


def test_a_run_gives_the_same_predictions_again_and_leaves_nothing(root, capsys):
    before = sorted(path.name for path in root.iterdir())
    assert main(["verify", str(root / "demo")]) == 0
    said = capsys.readouterr().out
    assert "gave the same" in said
    assert "bit for bit" in said
    assert "moved" not in said
    assert sorted(path.name for path in root.iterdir()) == before
    assert len((root / "ledger.jsonl").read_text().splitlines()) == 1


def test_one_prediction_moved_by_its_last_bit_is_found(root, tmp_path):
    def edit(folder):
        import numpy as np

        frame = pd.read_parquet(folder / "predictions.parquet")
        frame.loc[3, "probability"] = np.nextafter(frame.loc[3, "probability"], 1)
        frame.to_parquet(folder / "predictions.parquet")

    found = verify_run(edited(root, tmp_path, edit))
    assert (found.same, found.differing, found.moved) == (False, 1, [])
    assert 0 < found.largest < 1e-15


def test_a_config_that_was_edited_after_the_run_is_named(root, tmp_path, capsys):
    def edit(folder):
        text = (folder / "config.yaml").read_text()
        assert "num_leaves: 7" in text
        (folder / "config.yaml").write_text(text.replace("num_leaves: 7", "num_leaves: 3"))

    assert main(["verify", str(edited(root, tmp_path, edit).folder), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert not found["same"]
    assert found["differing"] > 0
    assert [each.partition(":")[0] for each in found["moved"]] == ["config_hash"]


def test_a_run_with_a_module_of_its_own_asks_for_it(root, tmp_path):
    def edit(folder):
        text = (folder / "config.yaml").read_text()
        (folder / "config.yaml").write_text(text.replace("plugins: []", "plugins: [os]"))

    with pytest.raises(RecordError, match=r"used os: modules of a record are never imported unasked; add --plugin os"):
        verify_run(edited(root, tmp_path, edit))


def test_a_repetition_that_fails_says_why(root, tmp_path):
    def edit(folder):
        text = (folder / "config.yaml").read_text()
        (folder / "config.yaml").write_text(text.replace("n_leads: 400", "n_leads: 5"))

    with pytest.raises(RecordError) as refused:
        verify_run(edited(root, tmp_path, edit))
    assert "could not be run again: " in str(refused.value)
    assert "Traceback" not in str(refused.value)
