"""Composing a run, and refusing it in words."""

from pathlib import Path

import pytest

from leadscore.config.checks import check_job
from leadscore.config.compose import config_loader
from leadscore.config.schema import Config
from leadscore.errors import ConfigError


def compose(*overrides: str, config_dir: Path | None = None) -> Config:
    with config_loader(config_dir) as loader:
        return check_job(list(overrides), loader)


def refusal(*overrides: str, config_dir: Path | None = None) -> str:
    with pytest.raises(ConfigError) as refused:
        compose(*overrides, config_dir=config_dir)
    return str(refused.value)


def features_of(choice: str) -> dict[str, object]:
    return dict(compose(f"features={choice}").features)


def test_plus_means_the_base_set_and_the_named_one():
    assert features_of("+sessions") == {**features_of("base"), **features_of("sessions")}
    assert compose("features=+sessions").feature_sets == ["base", "sessions"]


@pytest.mark.parametrize("choice", ["+recency+sessions", "[base,sessions,recency]", "[recency,sessions,base]"])
def test_the_order_and_spelling_of_sets_do_not_matter(choice):
    assert features_of(choice) == features_of("+sessions+recency")


def test_a_set_without_plus_is_that_set_alone():
    assert "events_last_7_days" not in features_of("sessions")


@pytest.mark.parametrize("choice", ["+base", "+a+", "+", "++sessions"])
def test_a_plus_without_a_set_behind_it_is_refused(choice):
    assert f"features={choice}: write +NAME or +NAME+NAME" in refusal(f"features={choice}")


def test_a_users_set_joins_by_its_name_alone(tmp_path):
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "mine.yaml").write_text("logins: {aggregate: count, event_type: login}\n")
    chosen = compose("features=+mine+sessions", config_dir=tmp_path)
    assert "logins" in chosen.features
    assert "sessions_last_7_days" in chosen.features


def test_two_sets_that_disagree_on_a_feature_are_refused_naming_both(tmp_path):
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "one.yaml").write_text("logins: {aggregate: count, lookback: 7d}\n")
    (tmp_path / "features" / "two.yaml").write_text("logins: {aggregate: count, lookback: 30d}\n")
    for choice in ("+one+two", "[base,one,two]"):
        said = refusal(f"features={choice}", config_dir=tmp_path)
        assert "feature 'logins' stands in the sets 'one'" in said
        assert "'two'" in said


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("model=lightgmb", "unknown choice 'lightgmb' of model. Did you mean 'lightgbm'?"),
        ("features=+sessoins", "unknown set 'sessoins'. Did you mean 'sessions'?"),
        ("model.num_leafs=3", "unknown key 'model.num_leafs'"),
        ("modle=lightgbm", "unknown key 'modle' (modle=lightgbm). Did you mean 'model'?"),
        (
            "+model.foo=1",
            "unknown key 'model.foo'. Keys in model: C, calibration, class_weight, max_iter, name,",
        ),
        ("+nonsense=1", "unknown key 'nonsense'"),
        ("+experiment=foo", "unknown choice 'foo' of experiment"),
        ("experiment=foo", "unknown choice 'foo' of experiment"),
        ("+model=lightgbm", "'model' has a choice already; change it with model=lightgbm"),
        ("seed=abc", "seed=abc: Value 'abc' of type 'str' could not be converted to Integer"),
        ("window.horizon=30", "window.horizon: '30' is not a duration: write a number and a unit"),
        ("window.horizon=0d", "an outcome needs time to happen"),
        ("window.start=2024-03-10T09:00", "has no zone"),
        ("model.C=-1", "model.C: -1.0 must be above 0"),
        ("model.C=nan", "model.C: nan is not a finite number"),
        ("data.timezone=Europe/Berlin", "unknown key 'data.timezone'"),  # simulated times have their zone
        ("data.statuses={trial: maybe}", "data.statuses.trial: 'maybe' is not one of its words"),
        ("window=snapshots", "window.max_age has no value and no default"),
        ("model=logistic,lightgbm", "several values are several runs; add -m"),
        ("nonsense", "'nonsense' is not an override"),
        ("validation.share=1", "validation.share: 1.0 must be below 1"),
    ],
)
def test_a_mistake_is_named_with_what_would_be_right(override, said):
    assert said in refusal(override)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("data.policy.null_ids=ignore", "data.policy.null_ids: 'ignore' is not one of its words"),
        ("data.timezone=Mars/Base", "'Mars/Base' is not a zone of the IANA database"),
        ("+data.leads.columns.created_at=row_order", "data.row_order does not say its start and step"),
        ("+data.labels.expired=2", "data.labels.expired: 2 is not 0 or 1"),
    ],
)
def test_a_mistake_about_files_is_named_too(override, said):
    assert said in refusal("data=bpic2012", "data.dir=.", override)


def test_all_mistakes_are_listed_at_once():
    said = refusal("model=lightgbm", "model.num_leafs=3", "seed=abc")
    assert said.startswith("2 problems:")
    values = refusal("window.horizon=30", "validation.embargo=1month", "model.C=0")
    assert values.startswith("3 problems:")


def test_borders_in_the_wrong_order_are_both_named():
    said = refusal("window.start=2024-06-01", "window.end=2024-03-01")
    assert "window.start 2024-06-01T00:00:00Z is not before window.end 2024-03-01T00:00:00Z" in said


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("+model._target_=os.system", "model._target_: _target_ is not allowed"),
        ("+notes2=[{_target_: os.system}]", "notes2.0._target_: _target_ is not allowed"),
        ("hydra.launcher._target_=os.system", "neither Hydra's own nor an installed Hydra plugin's"),
        ("+hydra.callbacks.mine._target_=os.system", "callbacks would run foreign code"),
        ("hydra/job_logging=stdout", "hydra/job_logging=stdout is not allowed"),
        ("hydra.job_logging.handlers.file.class=os.system", "logging is chosen"),
    ],
)
def test_a_config_cannot_carry_code(override, said):
    assert said in refusal(override)


def test_a_users_folder_cannot_smuggle_code_into_an_experiment(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "bad.yaml").write_text(
        "# @package _global_\nhydra:\n  job_logging:\n    handlers:\n      console:\n        class: os.system\n"
    )
    assert "logging is chosen" in refusal("experiment=bad", config_dir=tmp_path)


def test_an_experiment_overrides_and_the_command_line_has_the_last_word(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "trees.yaml").write_text(
        "# @package _global_\n# do trees help?\ndefaults:\n  - override /model: lightgbm\nnotes: trees\nseed: 3\n"
    )
    config = compose("experiment=trees", "seed=4", config_dir=tmp_path)
    assert (config.model.name, config.notes, config.seed) == ("lightgbm", "trees", 4)


def test_a_duration_has_one_spelling():
    assert compose("window.horizon=719h").window.horizon == compose("window.horizon=29d23h").window.horizon == "29d23h"


def test_the_shipped_experiments_compose():
    for file in (Path(__file__).parents[1] / "conf" / "experiment").glob("*.yaml"):
        assert compose(f"experiment={file.stem}").features


def test_every_choice_of_every_group_composes():
    given = {
        "window=snapshots": ["window.max_age=90d"],
        "data=bpic2012": ["data.dir=."],
        "data=bank_marketing": ["data.dir=."],
    }
    with config_loader() as loader:
        from leadscore.config.compose import group_choices

        choices = [f"{group}={name}" for group, names in group_choices(loader).items() for name in names]
    assert len(choices) > 20
    for choice in choices:
        assert compose(choice, *given.get(choice, [])).features, choice


def test_a_missing_folder_of_configs_is_named(tmp_path):
    assert "no such folder" in refusal(config_dir=tmp_path / "nowhere")


def test_a_set_may_build_on_another_and_still_disagree_with_a_third(tmp_path):
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "inner.yaml").write_text("logins: {aggregate: count, lookback: 7d}\n")
    (tmp_path / "features" / "outer.yaml").write_text("defaults: [inner, _self_]\ntickets: {aggregate: count}\n")
    (tmp_path / "features" / "third.yaml").write_text("logins: {aggregate: count, lookback: 30d}\n")
    assert {"logins", "tickets"} <= set(compose("features=+outer", config_dir=tmp_path).features)
    assert "feature 'logins' stands in the sets 'outer'" in refusal("features=+outer+third", config_dir=tmp_path)


def test_a_free_mapping_takes_a_new_key_with_a_plus():
    assert "data.rates has no such key yet; a plus adds it: +data.rates.CHF=1.1" in refusal("data.rates.CHF=1.1")
    assert compose("+data.rates.CHF=1.1").data.rates["CHF"] == 1.1


def test_only_features_are_taken_away():
    assert "only features can be taken away with ~" in refusal("~data.labels")
    assert "attributes" not in compose("~features.attributes").features


def test_unquoted_words_that_yaml_reads_as_something_else_are_explained(tmp_path):
    (tmp_path / "data").mkdir()
    text = (
        "defaults: [/schema/data/files@_here_, _self_]\nname: x\ndir: .\nlabels: {0: 0, 1: 1}\nleads: {path: x.csv}\n"
    )
    (tmp_path / "data" / "mine.yaml").write_text(text)
    assert "quote yes, no, on, off and numbers" in refusal("data=mine", config_dir=tmp_path)


@pytest.mark.parametrize(
    "override", ["window.name=given", "validation.name=rolling", "data.source=files", "window.name=foo"]
)
def test_a_name_is_chosen_not_edited(override):
    assert "does not belong to the other keys of" in refusal(override)
