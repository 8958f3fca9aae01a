"""What each feature is worth on a run's leads: fitted again without it and on it alone, every look counted."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from leadscore.ablation import ablate_run
from leadscore.ablation.parts import parts_to_ablate
from leadscore.compare import holm
from leadscore.errors import ConfigError, RecordError
from leadscore.pipeline import build_dataset, compose, run, train_model
from leadscore.record import open_run
from leadscore.record.ledger import family, read_ledger
from leadscore.verbs import main

CONFIG = """\
defaults:
  - /schema/data/files@_here_
  - override /features@_global_.features: attributes
  - _self_
name: mine
timezone: UTC
data_end: "2024-06-01"
statuses: {open: open, won: converted}
known_at_creation: {signal: number, twin: number, other: number, noise: number}
leads: {path: leads.csv}
"""
LINE = ["data=mine", "window.delay=1d", "window.horizon=5d", "report=false", "audit=off", "tracking=none"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Leads of which `signal` and `other` tell whether they convert; `twin` is `signal` once more."""
    home, rng, n = tmp_path_factory.mktemp("home"), np.random.default_rng(11), 900
    created = pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(np.arange(n) * 4, unit="h")
    signal, other = rng.normal(size=n), rng.normal(size=n)
    won = rng.random(n) < 1 / (1 + np.exp(1 - 1.8 * signal - 1.4 * other))
    leads = pd.DataFrame(
        {
            "user_id": [f"u{number}" for number in range(n)],
            "created_at": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "status": np.where(won, "won", "open"),
            "converted_at": np.where(won, (created + pd.Timedelta(days=3)).strftime("%Y-%m-%dT%H:%M:%SZ"), ""),
            "signal": signal,
            "twin": signal + rng.normal(size=n) * 0.01,
            "other": other,
            "noise": rng.normal(size=n),
        }
    )
    (home / "conf" / "data").mkdir(parents=True)
    (home / "conf" / "data" / "mine.yaml").write_text(CONFIG)
    leads.to_csv(home / "leads.csv", index=False)
    return home


@pytest.fixture(scope="module")
def made(home):
    """`made("name", "model.C=2")` is a finished run of that name, made once."""

    def make(name, *more):
        root = home / name
        if not root.exists():
            line = [*LINE, f"data.dir={home}", f"tracking.root={root}", *more]
            run(compose(line, config_dir=home / "conf"), root / "run")
        return open_run(root / "run")

    return make


def three(*names):
    """Features by their columns, without the set."""
    entries = [f"+features.{name}={{aggregate: attribute, column: {name}}}" for name in names]
    return ["~features.attributes", *entries]


@pytest.fixture(scope="module")
def plain(made):
    return made("plain", *three("signal", "other", "noise"))


@pytest.fixture(scope="module")
def found(plain):
    return ablate_run(plain)


def test_what_tells_is_worth_keeping_and_noise_is_not_shown_to_add_anything(found):
    assert [each.name for each in found.worths] == ["signal", "other", "noise"]
    signal, other, noise = found.worths
    assert (signal.sentence, other.sentence) == ("worth keeping", "worth keeping")
    assert noise.sentence == "no evidence that it adds anything"
    assert signal.without.high < 0 < signal.alone.low
    assert noise.without.low < 0 < noise.without.high
    assert signal.without.difference == pytest.approx(signal.without.auc - found.auc)
    assert signal.alone.difference == pytest.approx(signal.alone.auc - 0.5)


def test_p_is_after_holm_for_all_that_was_compared(found):
    sides = [side for each in found.worths for side in (each.without, each.alone)]
    assert found.comparisons == len(sides) == 6
    assert [side.p_adjusted for side in sides] == pytest.approx(holm([side.p for side in sides]).tolist())


def test_a_variant_is_a_run_of_fewer_features(home, found):
    """The AUC without `other` is that of a run which was never given it."""
    line = [*LINE, f"data.dir={home}", f"tracking.root={home / 'elsewhere'}", *three("noise", "signal")]
    config = compose(line, config_dir=home / "conf")
    less = train_model(build_dataset(config), config)
    assert found.worths[1].without.auc == pytest.approx(less.metrics["metrics"]["auc"], abs=1e-12)


def test_each_variant_is_one_look_and_stays_one_when_it_is_repeated(plain, found):
    rows = read_ledger(plain.folder.parent)
    assert found.looks == 6
    assert len(rows) == 7 == family(plain.folder.parent, plain.identity["validation_hash"])
    assert {row["status"] for row in rows[1:]} == {"ablated"}
    again = ablate_run(plain)
    assert (again.looks, again.earlier) == (0, 0)
    assert again.worths == found.worths
    assert len(read_ledger(plain.folder.parent)) == 7


def test_other_looks_at_the_rows_count_against_it(home, plain, found, tmp_path):
    shutil.copytree(home / "plain", tmp_path / "plain")
    ledger = tmp_path / "plain" / "ledger.jsonl"
    row = json.loads(ledger.read_text().splitlines()[0])
    more = [json.dumps({**row, "run_id": f"another {number}"}) for number in range(200)]
    ledger.write_text("\n".join([ledger.read_text().rstrip(), *more]) + "\n")
    strict = ablate_run(open_run(tmp_path / "plain" / "run"), tracking_root=tmp_path / "plain")
    assert strict.earlier == 200
    other, before = (next(each for each in one.worths if each.name == "other").without for one in (strict, found))
    assert (other.p, other.low) == (before.p, before.low)
    assert other.p_adjusted > 30 * before.p_adjusted


def test_the_folder_keeps_what_was_found(plain, found):
    kept = json.loads((plain.folder / "ablation.json").read_text())
    assert kept["feature"]["worths"][0]["sentence"] == "worth keeping"
    assert plain.identity["status"] == "done"


def test_of_two_features_that_say_the_same_neither_is_missed_and_both_tell_something(made):
    found = ablate_run(made("twins"))
    says = {each.name: each.sentence for each in found.worths}
    assert says["signal"] == says["twin"] == "no evidence that it adds anything (alone it tells something)"
    assert says["other"] == "worth keeping"


def test_a_table_for_people_and_one_for_a_pull_request(made, found, capsys):
    folder = made("plain").folder
    options = [str(folder), "--tracking-root", str(folder.parent)]
    assert main(["ablate", *options]) == 0
    said = capsys.readouterr().out
    assert f"AUC {found.auc:.3f} with all features" in said
    (row,) = [line for line in said.splitlines() if line.startswith("signal")]
    assert row.endswith("worth keeping")
    assert "p is after Holm for 6 comparisons" in said
    assert "Refit noise was not checked" in said
    assert main(["ablate", *options, "--md"]) == 0
    assert "| signal | 0." in capsys.readouterr().out
    assert main(["ablate", *options, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["comparisons"] == 6


def test_refits_are_part_of_the_interval(made):
    found = ablate_run(made("refits", *three("signal", "noise"), "validation.seeds=3"))
    assert found.seeds == 3
    assert found.refits.startswith("Refits of the same config scatter")


def test_the_parameters_that_a_search_found_are_kept_and_constraints_go_with_their_feature(made):
    searched = made(
        "searched",
        *three("signal", "noise"),
        "model=lightgbm",
        "+model.monotone={signal: rises, noise: falls}",
        "model.n_estimators=5",
        "search=random",
        "search.trials=3",
        "search.folds=1",
        "model.search_space.n_estimators=[3, 9]",
    )
    found = ablate_run(searched)
    assert found.auc == pytest.approx(searched.metrics["metrics"]["auc"], abs=1e-12)
    reasons = {each.name: each.reasons for each in found.worths}
    assert reasons == {"signal": ["model.monotone.signal goes with it"], "noise": ["model.monotone.noise goes with it"]}


def test_a_model_that_cannot_do_without_a_column_says_so_and_the_others_are_measured(made):
    found = ablate_run(made("ranks", *three("signal", "noise"), "model=baseline", "model.rank_by=signal"))
    by = {each.name: each for each in found.worths}
    assert by["signal"].without is None
    assert by["noise"].alone is None
    assert by["signal"].sentence == "not measured"
    assert "without it: model.rank_by names 'signal', which is not a column" in by["signal"].reasons[0]
    assert by["noise"].without.difference == 0
    assert found.comparisons == 2


def test_the_only_feature_is_compared_with_none(made):
    found = ablate_run(made("single", *three("signal")))
    (signal,) = found.worths
    assert signal.without.auc == 0.5
    assert signal.without.difference == -signal.alone.difference
    assert found.looks == 0  # the run itself, and the base rate


# --- what makes it another question -----------------------------------------------------------------------


def copy_of(made, tmp_path):
    root = tmp_path / "copied"
    shutil.copytree(made("plain").folder.parent, root)
    return root, open_run(root / "run")


def test_other_data_or_code_or_predictions_are_refused_by_name(home, made, tmp_path, monkeypatch):
    root, copied = copy_of(made, tmp_path)
    (tmp_path / "leads.csv").write_text((home / "leads.csv").read_text().replace("u0,", "v0,", 1))
    with pytest.raises(RecordError, match=r"the data are not those of run .* --data-dir"):
        ablate_run(copied, tracking_root=root, data_dir=tmp_path)
    text = (root / "run" / "config.yaml").read_text()
    (root / "run" / "config.yaml").write_text(text.replace("C: 1.0", "C: 2.0"))
    with pytest.raises(RecordError, match=r"was trained with other code: the config \("):
        ablate_run(open_run(root / "run"), tracking_root=root)
    (root / "run" / "config.yaml").write_text(text)
    frame = pd.read_parquet(root / "run" / "predictions.parquet")
    frame.loc[0, "probability"] = np.nextafter(frame.loc[0, "probability"], 1)
    frame.to_parquet(root / "run" / "predictions.parquet")
    with pytest.raises(RecordError, match=r"does not give its own predictions: 1 of 2\d\d differ"):
        ablate_run(open_run(root / "run"), tracking_root=root)
    assert len(read_ledger(root)) == 7  # nothing was looked at


def test_looks_are_not_counted_where_the_run_was_not(made, tmp_path):
    with pytest.raises(RecordError, match=r"does not know run .* --tracking-root"):
        ablate_run(made("plain"), tracking_root=tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_unfinished_run_and_a_third_way_are_refused(made, tmp_path):
    with pytest.raises(ConfigError, match=r"--by featur: Did you mean 'feature'\?"):
        ablate_run(made("plain"), by="featur")
    _, copied = copy_of(made, tmp_path)
    copied.identity["status"] = "failed"
    with pytest.raises(RecordError, match="only a finished run"):
        ablate_run(copied)


# --- by set -----------------------------------------------------------------------------------------------


class Composed:
    """A run's names, without its training."""

    def __init__(self, tmp_path, sets):
        self.run_id, self.folder, self.identity = "20240101T000000-aaaaaaaa", tmp_path, {"feature_sets": sets}


def parts_of(tmp_path, *line):
    config = compose(list(line))
    from leadscore.pipeline import plan_run

    columns = [each.name for each in plan_run(config).columns]
    return parts_to_ablate(Composed(tmp_path, config.feature_sets), config, columns, "set")


def test_a_set_is_left_out_with_all_that_it_alone_brings(tmp_path):
    parts, notes = parts_of(
        tmp_path, "features=+sessions", "+features.lead_age_days={}", "~features.sessions_trend_7_days"
    )
    assert list(parts) == ["base", "sessions", "lead_age_days"]
    assert parts["sessions"] == ["session_share_last_7_days", "sessions_last_24_hours", "sessions_last_7_days"]
    assert "country" in parts["base"]
    assert notes == ["no set brings lead_age_days: each stands by itself"]


def test_what_two_sets_bring_goes_with_neither(tmp_path):
    parts, notes = parts_of(tmp_path, "features=[base,attributes]")
    assert "country" not in parts["base"]
    assert "attributes" not in parts
    assert notes[0] == "set 'attributes' brings no feature that the other sets do not bring"
    assert notes[1].startswith("several sets bring company_size, country, ")


def test_sets_that_are_not_named_or_gone_are_refused(tmp_path):
    config = compose([])
    with pytest.raises(RecordError, match="not composed of named feature sets: leadscore ablate --by feature"):
        parts_to_ablate(Composed(tmp_path, []), config, [], "set")
    with pytest.raises(RecordError, match="gone is not among the configs any more"):
        parts_to_ablate(Composed(tmp_path, ["base", "gone"]), config, [], "set")


def test_a_teams_own_sets_are_found_where_the_run_was_composed(home, command, tmp_path, monkeypatch, capsys):
    (home / "conf" / "features").mkdir(parents=True)
    for name, columns in (("strong", ["signal", "other"]), ("weak", ["noise"])):
        entries = [f"{column}: {{aggregate: attribute, column: {column}}}\n" for column in columns]
        (home / "conf" / "features" / f"{name}.yaml").write_text("".join(entries))
    line = [*LINE[:-1], f"data.dir={home}", "features=[strong,weak]"]
    done = command("--config-dir", str(home / "conf"), *line)
    assert done.returncode == 0, done.stderr
    monkeypatch.chdir(tmp_path)
    assert main(["ablate", "latest", "--by", "set", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(each["name"], each["columns"]) for each in told["worths"]] == [
        ("strong", ["other", "signal"]),
        ("weak", ["noise"]),
    ]
    assert told["worths"][0]["sentence"] == "worth keeping"
