"""A saved model is whole or refused, and reading one runs nothing."""

import json
import os
import pickle

import numpy as np
import pandas as pd
import pytest
from forgery import forge

from leadscore.config.schema import LightgbmModel, LogisticModel
from leadscore.errors import ModelError
from leadscore.model import load_model, make_model, read_manifest, save_model


@pytest.fixture
def model():
    X = pd.DataFrame({"sessions": np.arange(40.0), "country": pd.Series(["DE", "FR"] * 20, dtype="str")})
    return make_model(LogisticModel(), seed=0).fit(X, pd.Series([0, 0, 1, 1] * 10))


@pytest.fixture
def folder(model, tmp_path):
    save_model(model, tmp_path / "model", {"run_id": "r1"})
    return tmp_path / "model"


def test_the_manifest_says_what_lies_there(folder):
    manifest = read_manifest(folder)

    assert manifest["format_version"] == 1
    assert manifest["model"] == "logistic"
    assert manifest["columns"] == [["sessions", "number"], ["country", "category"]]
    assert manifest["extra"] == {"run_id": "r1"}
    assert sorted(manifest["versions"]) == ["leadscore", "numpy", "pandas", "python", "scikit-learn"]
    assert sorted(path.name for path in folder.iterdir()) == ["logistic.json", "manifest.json"]


def test_any_byte_that_is_flipped_is_found(folder):
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        for position in range(0, len(whole), 7):
            path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
            with pytest.raises(ModelError, match=f"{path.name} is damaged or was edited"):
                load_model(folder)
        path.write_bytes(whole)
    load_model(folder)


def test_a_manifest_that_says_the_same_in_other_bytes_is_refused(folder):
    path = folder / "manifest.json"
    path.write_text(path.read_text() + " ")

    with pytest.raises(ModelError, match=r"manifest\.json is damaged or was edited"):
        load_model(folder)


@pytest.mark.parametrize("kept", [0, 1, 100])
@pytest.mark.parametrize("name", ["manifest.json", "logistic.json"])
def test_a_truncated_file_is_refused(folder, name, kept):
    (folder / name).write_bytes((folder / name).read_bytes()[:kept])

    with pytest.raises(ModelError, match=f"{name} is damaged or was edited"):
        load_model(folder)


def test_missing_and_added_files_are_named(folder):
    (folder / "logistic.json").unlink()
    (folder / "notes.txt").write_text("hello")

    with pytest.raises(ModelError, match=r"logistic\.json is missing; notes\.txt is not in the manifest"):
        load_model(folder)


def test_a_link_or_a_folder_inside_is_refused(folder, tmp_path):
    (folder / "more").mkdir()
    with pytest.raises(ModelError, match="more is not a plain file"):
        load_model(folder)
    (folder / "more").rmdir()

    (folder / "logistic.json").rename(tmp_path / "elsewhere.json")
    (folder / "logistic.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(ModelError, match=r"logistic\.json is not a plain file"):
        load_model(folder)


def test_a_pickle_in_disguise_is_never_opened(folder, tmp_path):
    class Mine:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "ran"),))

    for name in ("logistic.json", "manifest.json"):
        (folder / name).write_bytes(pickle.dumps(Mine()))
        with pytest.raises(ModelError):
            load_model(folder)

    assert not (tmp_path / "ran").exists()


def test_a_folder_that_is_no_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"is not a saved model that can be read: .*manifest\.json"):
        load_model(tmp_path)
    with pytest.raises(ModelError, match="is not a saved model that can be read"):
        load_model(tmp_path / "absent")


@pytest.mark.parametrize("text", ["[]", "null", '"x"', "[" * 100_000, '{"sha256": 1}', "NaN"])
def test_a_manifest_of_another_shape_is_refused(folder, text):
    (folder / "manifest.json").write_text(text)

    with pytest.raises(ModelError, match=r"manifest\.json is damaged or was edited"):
        load_model(folder)


def test_another_format_version_names_both(folder):
    forge(folder, format_version=2)

    with pytest.raises(ModelError, match=r"has the format version 2, and this leadscore \(.*\) reads 1"):
        load_model(folder)


def test_a_model_that_nobody_registered_is_refused_by_name(folder):
    forge(folder, model="os.system")

    with pytest.raises(ModelError, match=r"Unknown model 'os\.system'\."):
        load_model(folder)


def test_the_files_of_another_model_are_refused(folder):
    forge(folder, model="lightgbm")

    with pytest.raises(ModelError, match=r"is intact, but this leadscore .* cannot read it .*FileNotFoundError"):
        load_model(folder)


def test_an_existing_model_is_never_overwritten(folder, model):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    with pytest.raises(ModelError, match="is not empty, and a saved model is never overwritten"):
        save_model(model, folder, {})

    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_save_that_fails_leaves_nothing_behind(model, tmp_path):
    def half(folder):
        (folder / "logistic.json").write_text("{")
        raise OSError(28, "No space left on device")

    model.inner.save = half
    with pytest.raises(ModelError, match=r"logistic could not be written to .*No space left on device"):
        save_model(model, tmp_path / "model", {})

    assert list(tmp_path.iterdir()) == []


def test_a_parent_that_does_not_exist_is_a_model_error(model, tmp_path):
    with pytest.raises(ModelError, match="could not be written"):
        save_model(model, tmp_path / "absent" / "model", {})


def test_a_bare_class_cannot_be_saved(model, tmp_path):
    with pytest.raises(ModelError, match="Only a model made by make_model can be saved"):
        save_model(model.inner, tmp_path / "model", {})


def test_lightgbm_text_is_guarded_too(tmp_path):
    X = pd.DataFrame({"sessions": np.arange(100.0)})
    model = make_model(LightgbmModel(n_estimators=3), seed=0).fit(X, pd.Series([0, 1] * 50))
    manifest = save_model(model, tmp_path / "model", {})

    assert sorted(manifest["files"]) == ["lightgbm.json", "trees.txt"]
    assert "num_threads" not in json.loads((tmp_path / "model" / "lightgbm.json").read_text())["config"]
    trees = tmp_path / "model" / "trees.txt"
    trees.write_text(trees.read_text().replace("learning_rate: 0.03", "learning_rate: 0.04"))
    with pytest.raises(ModelError, match=r"trees\.txt is damaged or was edited"):
        load_model(tmp_path / "model")
