"""What a run leaves for scoring: whole, under the model's manifest, and true to its training rows."""

import dataclasses
import html
import json
import subprocess
import sys

import numpy as np
import pytest

from leadscore.errors import ModelError, RecordError
from leadscore.model import load_serving, save_model
from leadscore.pipeline import compose, run
from leadscore.record import open_run
from leadscore.serving import Serving
from leadscore.verbs import main
from leadscore.verbs.show_lead import lead_page, say_lead

SMALL = ["data.n_leads=700", "audit=off", "metrics.resamples=100", "features=+sessions+recency"]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    trained = run(compose([*SMALL, "validation=rolling", f"tracking.root={root}"]), root / "demo")
    return trained, open_run(root / "demo")


@pytest.fixture
def opened(recorded):
    return recorded[1]


# --- serving.json -----------------------------------------------------------------------------------


def test_a_run_knows_what_it_was_trained_on(recorded):
    trained, opened = recorded
    serving, rows = opened.serving, trained.dataset.observations.frame
    train = trained.folds[-1].fold.train(rows)

    assert [each.name for each in serving.dictionary] == list(opened.model.columns)
    assert serving.window == dataclasses.asdict(trained.config.window)
    assert serving.horizon == "30d"
    assert serving.trained_until == rows["as_of"][train].max().isoformat()
    assert serving.base_rate == rows["label"][train].mean()
    assert serving.identity == {key: opened.identity[key] for key in ("run_id", "config_hash", "code_hash", "identity")}
    assert serving.feature_hash == opened.identity["code_hash"]
    assert serving.bands == trained.bands
    sessions = trained.dataset.X["sessions_last_7_days"][train.to_numpy()]
    assert serving.profile["sessions_last_7_days"].psi(sessions) == 0
    assert serving.profile["sessions_last_7_days"].typical == sessions.median()
    assert serving.score_profile.psi(trained.folds[-1].probability) == 0


def test_json_gives_all_of_it_back(opened):
    again = Serving.from_json(json.loads(json.dumps(opened.serving.to_json(), allow_nan=False)))

    assert again == opened.serving


def test_it_lies_under_the_models_manifest(opened, tmp_path):
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(opened.folder / "model", folder)
    path = folder / "serving.json"
    path.write_text(path.read_text().replace('"horizon": "30d"', '"horizon": "60d"'))

    with pytest.raises(ModelError, match=r"serving\.json is damaged or was edited"):
        load_serving(folder)


def test_a_model_saved_without_it_says_so(opened, tmp_path):
    save_model(opened.model, tmp_path / "bare", {})

    with pytest.raises(ModelError, match=r"has no serving\.json: .*train it again"):
        load_serving(tmp_path / "bare")


def test_a_document_never_replaces_a_file_of_the_model(opened, tmp_path):
    with pytest.raises(ModelError, match="could not be written"):
        save_model(opened.model, tmp_path / "model", {}, {"logistic.json": {}})

    assert list(tmp_path.iterdir()) == []


def test_serving_of_another_shape_is_refused_with_its_version(opened, tmp_path):
    save_model(opened.model, tmp_path / "model", {}, {"serving.json": {"dictionary": []}})

    with pytest.raises(ModelError, match=r"is intact, but this leadscore .* cannot read it \(KeyError"):
        load_serving(tmp_path / "model")


def test_reading_its_shape_needs_no_heavy_library():
    code = "import sys, leadscore.serving; print(sorted({'pandas', 'numpy', 'scipy', 'sklearn'} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


# --- metrics.json, the report -----------------------------------------------------------------------


def test_importance_has_its_spread_over_the_folds(recorded):
    trained, opened = recorded

    assert len(trained.folds) > 1
    for each in opened.metrics["importance"]:
        assert each["least"] <= each["importance"] <= each["most"]
    assert any(each["least"] < each["most"] for each in opened.metrics["importance"])
    first = opened.metrics["importance"][0]
    assert opened.metrics["importance_scale"] == "log-odds"
    page = (opened.folder / "report.html").read_text(encoding="utf-8")
    assert "a validation lead's score, on average (log-odds)" in html.unescape(page)
    cells = "".join(f'<td class="number">{first[key]:.3f}</td>' for key in ("importance", "least", "most"))
    assert cells in page


def test_the_five_strongest_features_have_their_effect(recorded):
    trained, opened = recorded
    effects = opened.metrics["effects"]

    assert [each["feature"] for each in effects] == [each["feature"] for each in opened.metrics["importance"][:5]]
    rows = trained.dataset.observations.frame
    last = trained.folds[-1]
    valid = trained.dataset.X[last.fold.valid(rows).to_numpy()]
    number = next(each for each in effects if each["kind"] == "number")
    for value, probability in zip(number["values"], number["probability"], strict=True):
        moved = valid.assign(**{number["feature"]: np.nan if value is None else value})
        assert last.model.predict_proba(moved).mean() == pytest.approx(probability)


def test_bands_are_recorded_and_drawn(recorded):
    trained, opened = recorded
    page = (opened.folder / "report.html").read_text(encoding="utf-8")

    assert opened.metrics["bands"] == trained.bands.to_json()
    assert "What sales can count on" in page
    for note in trained.bands.notes:
        assert f"{note[:1].upper()}{note[1:]}" in html.unescape(page)


# --- one lead ---------------------------------------------------------------------------------------


def test_a_leads_page_adds_up_to_its_recorded_probability(opened):
    predictions = opened.predictions
    for user_id in predictions[predictions["fold"] == predictions["fold"].max()]["user_id"].head(5):
        page = lead_page(opened, user_id)
        mine = predictions[predictions["user_id"] == user_id].iloc[-1]

        assert page.probability == mine["probability"]
        assert page.note == ""
        assert page.base + sum(row.contribution for row in page.rows) == pytest.approx(page.log_odds, abs=1e-6)
        assert np.log(page.probability / (1 - page.probability)) == pytest.approx(page.log_odds, abs=1e-6)
        stories = {row.story: row.story_contribution for row in page.rows}
        assert page.base + sum(stories.values()) == pytest.approx(page.log_odds, abs=1e-6)
        assert page.band == opened.serving.bands.of([page.probability])[0]


def test_the_table_shows_value_typical_value_contribution_and_words(opened, capsys):
    user_id = opened.predictions["user_id"].iloc[-1]
    page = lead_page(opened, user_id)

    say_lead(page)

    told = capsys.readouterr().out
    assert f"lead {user_id} in run {opened.run_id}" in told
    assert page.reasons[0] in told
    strongest = page.rows[0]
    line = next(line for line in told.splitlines() if line.startswith(strongest.column))
    assert f"{strongest.contribution:+.3f}" in line
    assert strongest.words in line
    say_lead(page, as_json=True)
    assert json.loads(capsys.readouterr().out) == page.to_json()


def test_the_command_shows_a_lead(opened, capsys):
    user_id = opened.predictions["user_id"].iloc[-1]

    assert main(["show", str(opened.folder), "--lead", user_id, "--json"]) == 0

    assert json.loads(capsys.readouterr().out) == lead_page(opened, user_id).to_json()
    assert main(["show", str(opened.folder), "--lead", "nobody"]) == 1
    assert "none of the" in capsys.readouterr().err


def test_isotonic_calibration_is_said_to_come_after_the_sum(tmp_path, capsys):
    run(
        compose(
            [
                "data.n_leads=700",
                "audit=off",
                "report=false",
                "metrics.resamples=100",
                "tracking=none",
                "model.calibration=isotonic",
                "bands.cut=share",
            ]
        ),
        tmp_path / "demo",
    )
    opened = open_run(tmp_path / "demo")
    page = lead_page(opened, opened.predictions["user_id"].iloc[-1])

    say_lead(page)

    assert "log-odds before calibration: " in capsys.readouterr().out
    assert opened.metrics["importance_scale"] == "log-odds before calibration"
    assert main(["show", str(tmp_path / "demo")]) == 0
    assert "(log-odds before calibration)" in " ".join(capsys.readouterr().out.split())
    assert page.probability == opened.predictions["probability"].iloc[-1]
    assert opened.serving.bands.n_cut


def test_a_lead_of_an_earlier_fold_is_shown_with_a_warning(opened):
    predictions = opened.predictions
    user_id = predictions[predictions["fold"] == 0]["user_id"].iloc[0]

    assert "validated in fold 0, where another model gave it" in lead_page(opened, user_id).note


def test_a_model_that_no_longer_gives_what_was_recorded_is_said(opened, tmp_path):
    import shutil

    shutil.copytree(opened.folder, tmp_path / "run")
    predictions = opened.predictions.copy()
    user_id = predictions["user_id"].iloc[-1]
    predictions.loc[predictions.index[-1], "probability"] = 0.5
    predictions.to_parquet(tmp_path / "run" / "predictions.parquet")

    assert "recorded was 0.5, and the saved model gives 0." in lead_page(open_run(tmp_path / "run"), user_id).note


def test_a_lead_or_an_instant_that_is_not_there_is_named(opened):
    user_id = opened.predictions["user_id"].iloc[-1]

    with pytest.raises(RecordError, match=r"lead 'nobody' is none of the \d+ leads that run .* validated on"):
        lead_page(opened, "nobody")
    with pytest.raises(RecordError, match=f"Did you mean '{user_id}'"):
        lead_page(opened, f"{user_id}x")
    with pytest.raises(RecordError, match=r"was not validated at 2020-01-01 .*, but at 20"):
        lead_page(opened, user_id, "2020-01-01")


def test_a_run_without_features_says_why(opened, tmp_path):
    import shutil

    shutil.copytree(opened.folder, tmp_path / "run")
    (tmp_path / "run" / "features.parquet").unlink()

    with pytest.raises(RecordError, match=r"has no features\.parquet .* too many validation rows"):
        lead_page(open_run(tmp_path / "run"), "anyone")


def test_what_was_made_up_of_a_column_is_refused_when_it_is_read(opened, tmp_path):
    whole = opened.serving.to_json()
    first = whole["dictionary"][0]["name"]

    def described(**changes):
        return {**whole, "dictionary": [{**whole["dictionary"][0], **changes}, *whole["dictionary"][1:]]}

    def profiled(**changes):
        return {**whole, "profile": {**whole["profile"], first: {**whole["profile"][first], **changes}}}

    def cut(*cuts):
        return {**whole, "bands": {**whole["bands"], "cuts": list(cuts)}}

    forged = {
        "another form": described(form="loud"),
        "a phrase that is no text": described(phrases={"raises": 1}),
        "an age in no unit": described(form="age", unit="fortnights"),
        "another name": described(name="x"),
        "shares that are none": profiled(shares=[-1.0] * len(whole["profile"][first]["shares"])),
        "bins too few": profiled(shares=[1.0]),
        "edges that fall": profiled(edges=whole["profile"][first]["edges"][::-1]),
        "cuts that rise": cut(0.1, 0.2, 0.3),
        "cuts beyond": cut(1e308, 0.2, 0.1),
        "no time": {**whole, "trained_until": "yesterday"},
        "no window": {**whole, "window": {}},
        "other columns": {**whole, "dictionary": [], "profile": {}},
    }
    for number, (what, document) in enumerate(forged.items()):
        save_model(opened.model, tmp_path / f"{number}", {}, {"serving.json": document})
        with pytest.raises(ModelError, match="cannot read it"):
            pytest.fail(f"{what} was read: {load_serving(tmp_path / f'{number}')}")
