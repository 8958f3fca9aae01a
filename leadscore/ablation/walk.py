"""The walk of an ablation: the run's table built once, its model fitted again on parts of it, and judged."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leadscore.ablation.parts import parts_to_ablate
from leadscore.ablation.results import Ablation, Measured, Worth
from leadscore.config.ranges import with_values
from leadscore.config.schema import BaselineModel, Config, ModelConfig, SearchConfig
from leadscore.errors import ConfigError, ModelError, RecordError, did_you_mean
from leadscore.fitting import fit_again
from leadscore.pipeline import add_features, plan_run, walk_to_folds
from leadscore.repetition import commit_of, compare_predictions, config_of, moved_code
from leadscore.results import Dataset

if TYPE_CHECKING:
    import pandas as pd

    from leadscore.compare import Verdict
    from leadscore.record import Run

__all__ = ["ablate_run"]

log = logging.getLogger(__name__)
Step = Callable[[str], None]  # told what is being done

WAYS = ("feature", "set")


def ablate_run(
    run: "Run",
    by: str = "feature",
    *,
    plugins: Sequence[str] = (),
    data_dir: str | Path | None = None,
    tracking_root: str | Path | None = None,
    step: Step = log.info,
) -> Ablation:
    """Fit a run's model without each of its features, and on each alone, and judge every variant on the same rows.

    Folds, seeds, refits and, where the run searched, the parameters found are the run's; features are computed once.
    Each variant is a look at the run's validation rows: it is entered in the ledger before anybody sees a number, once,
    however often it is repeated. What is returned is also kept in the run's folder, in `ablation.json`.

    Parameters
    ----------
    run : Run
        Done; from `open_run`.
    by : {"feature", "set"}
    plugins : sequence of str
        Modules that register what the run used; a record's own list is never imported.
    data_dir : path, optional
        Where the data lie now; default: as recorded, from the current directory.
    tracking_root : path, optional
        The folder with `ledger.jsonl`; default: the run's `tracking.root`, from the current directory.
    step : callable, optional
        Told what is being done.

    Raises
    ------
    RecordError
        When code, data or predictions are not those of the run, or its looks are counted elsewhere.
    """
    if by not in WAYS:
        raise ConfigError(f"--by {by}: {did_you_mean(by, WAYS, 'Allowed')}")
    if run.identity.get("status") != "done":
        raise RecordError(f"run {run.run_id} is {run.identity.get('status')}: only a finished run can be taken apart")
    config = replace(config_of(run, plugins, data_dir, tracking_root), audit="off")
    root = Path(config.tracking.root)
    _refuse_other_ledger(run, root)
    _refuse_other_code(run, config)
    dataset = _dataset(run, config, step)
    parts, notes = parts_to_ablate(run, config, list(dataset.X.columns), by)
    lab = _Lab(dataset, _as_fitted(run, config), step)
    full = lab.predictions(list(dataset.X.columns))
    _refuse_other_predictions(run, full)
    variants = {(name, way): columns for name, way, columns in _variants(parts, list(dataset.X.columns))}
    measured = {key: lab.measure(key, columns) for key, columns in variants.items()}
    seen = [variants[key] for key, each in measured.items() if each.predictions is not None]
    looks, earlier = _enter(run, root, [each for each in seen if 0 < len(each) < dataset.X.shape[1]])
    base = lab.predictions([])
    against = {"without": ("all", full), "alone": ("none", base)}
    verdicts = {
        key: _judge(against[key[1]], each.predictions, config.metrics.resamples)
        for key, each in measured.items()
        if each.predictions is not None
    }
    adjusted = _adjusted(verdicts, earlier)
    worths = [_worth(name, columns, measured, verdicts, adjusted) for name, columns in parts.items()]
    some = next(iter(verdicts.values()), None)
    found = Ablation(
        run_id=run.run_id,
        by=by,
        model=config.model.name,
        auc=next((each.a for (_, way), each in verdicts.items() if way == "without"), None),
        n=some.n if some else None,
        leads=some.leads if some else None,
        positives=some.positives if some else None,
        folds=len(dataset.folds),
        seeds=config.validation.seeds,
        worths=sorted(worths, key=_by_worth),
        comparisons=len(adjusted),
        earlier=earlier,
        looks=looks,
        method=some.method if some else None,
        refits=some.refit.text if some and some.refit else None,
        notes=notes,
    )
    _keep(run, found)
    return found


# --- what is compared must be comparable ---------------------------------------------------------------


def _refuse_other_ledger(run: "Run", root: Path) -> None:
    """Refuse where the run's own look was not counted: these looks would be counted in the wrong place."""
    from leadscore.record.ledger import check_ledger, read_ledger

    if run.run_id not in {row.get("run_id") for row in read_ledger(root)}:
        raise RecordError(
            f"an ablation is so many looks at the validation rows, and {root / 'ledger.jsonl'} does not know run "
            f"{run.run_id}: start it from the directory where the run was trained, or name the folder with "
            f"--tracking-root"
        )
    check_ledger(root)


def _refuse_other_code(run: "Run", config: Config) -> None:
    moved = moved_code(run, config, plan_run(config))
    if moved:
        raise RecordError(
            f"run {run.run_id} was trained with other code: {', '.join(moved.values())}. Its variants would differ "
            f"from it by more than a feature; check out {commit_of(run)}, or train again"
        )


def _dataset(run: "Run", config: Config, step: Step) -> Dataset:
    """Build the run's own table; data that are not its own are refused before any feature is computed."""
    from leadscore.identity.content import data_hash

    windows = walk_to_folds(config, step)
    now, was = data_hash(windows.tables), str(run.identity["data_hash"])
    if now != was:
        raise RecordError(
            f"the data are not those of run {run.run_id} (data_hash {was[:8]}, now {now[:8]}), so a difference would "
            f"not be the feature's: name the folder of its data with --data-dir, or train again"
        )
    return add_features(windows, step)


def _refuse_other_predictions(run: "Run", full: "pd.DataFrame") -> None:
    same, rows, differing, largest = compare_predictions(run.predictions, full)
    if not same:
        by = "" if largest is None else f", by {largest:.2g} at most"
        raise RecordError(
            f"run {run.run_id}, fitted again, does not give its own predictions: {differing:,} of {rows:,} differ{by}; "
            f"leadscore verify {run.run_id} says what moved (versions of packages, perhaps)"
        )


def _as_fitted(run: "Run", config: Config) -> Config:
    """Return the config with the parameters that a search found, and nothing left to search."""
    if config.search.name == "none":
        return config
    found = run.search
    winner = next(trial for trial in found["trials"] if trial["number"] == found["winner"])
    return replace(config, model=with_values(config.model, winner["parameters"]), search=SearchConfig())


# --- variants ---------------------------------------------------------------------------------------------


def _variants(parts: Mapping[str, list[str]], columns: list[str]) -> Iterator[tuple[str, str, list[str]]]:
    """Yield what is fitted for each part: all columns but its own, and its own alone."""
    for name, own in parts.items():
        yield name, "without", [column for column in columns if column not in own]
        yield name, "alone", own


@dataclass(frozen=True)
class _Variant:
    """One variant's predictions, or why there are none; and what else had to go with its columns."""

    predictions: "pd.DataFrame | None"
    reasons: list[str]


class _Lab:
    """Fits the run's model on some of its columns; each choice of columns once."""

    def __init__(self, dataset: Dataset, config: Config, step: Step) -> None:
        self.dataset, self.config, self.step = dataset, config, step
        self._known: dict[tuple[str, ...], pd.DataFrame] = {}

    def measure(self, what: tuple[str, str], columns: list[str]) -> _Variant:
        """Fit a variant; a model that cannot do without a column says so."""
        name, way = what
        self.step(f"without {name}" if way == "without" else f"{name} alone")
        _, gone = _bound_to(self.config.model, columns)
        reasons = [f"{key} goes with it" for key in gone] if way == "without" else []
        try:
            return _Variant(self.predictions(columns), reasons)
        except ModelError as error:
            return _Variant(None, [f"{'without it' if way == 'without' else 'alone'}: {error}"])

    def predictions(self, columns: list[str]) -> "pd.DataFrame":
        """Return the validation predictions of all folds and fits, as a run keeps them."""
        key = tuple(columns)
        if key not in self._known:
            self._known[key] = self._fit(columns)
        return self._known[key]

    def _fit(self, columns: list[str]) -> "pd.DataFrame":
        import pandas as pd

        # Of no feature at all every model makes the base rate; it needs a table, and looks at none of it.
        model = _bound_to(self.config.model, columns)[0] if columns else BaselineModel()
        X = self.dataset.X[columns] if columns else self.dataset.X
        dataset = replace(self.dataset, table=replace(self.dataset.table, X=X))
        config, pieces = replace(self.config, model=model), []
        for number in range(len(dataset.folds)):
            for again in range(config.validation.seeds if columns else 1):
                fitted = fit_again(dataset, config, number, again)
                label = dataset.y[fitted.valid].to_numpy()
                rows = fitted.probability.rename("probability").reset_index()
                pieces.append(rows.assign(fold=number, seed=config.seed + again, label=label))
        return pd.concat(pieces, ignore_index=True)


def _bound_to(model: ModelConfig, columns: list[str]) -> tuple[ModelConfig, list[str]]:
    """Return the model without constraints on columns that are not there, and the keys of these constraints."""
    changed: dict[str, Any] = {}
    gone: list[str] = []
    monotone = getattr(model, "monotone", {})
    if any(name not in columns for name in monotone):
        changed["monotone"] = {name: word for name, word in monotone.items() if name in columns}
        gone += [f"model.monotone.{name}" for name in monotone if name not in columns]
    if members := getattr(model, "members", {}):
        bound = {label: _bound_to(member, columns) for label, member in members.items()}
        changed["members"] = {label: member for label, (member, _) in bound.items()}
        gone += [
            key.replace("model", f"model.members.{label}", 1) for label, (_, keys) in bound.items() for key in keys
        ]
    return replace(model, **changed), gone


# --- judging ------------------------------------------------------------------------------------------------


def _enter(run: "Run", root: Path, variants: Sequence[list[str]]) -> tuple[int, int]:
    """Enter the looks that are new, and return how many they are and how many others there were before."""
    from leadscore.identity.asked import digest
    from leadscore.record.ledger import enter, read_ledger

    rows, own = str(run.identity["validation_hash"]), str(run.identity["identity"])
    named = [digest([own, sorted(each)]) for each in variants]
    names = {f"{run.run_id}~{name[:8]}": name for name in named}
    seen = {str(row.get("run_id")) for row in read_ledger(root) if row.get("validation_hash") == rows}
    new = sorted({*names} - seen)
    for name in new:
        enter(root, {"run_id": name, "identity": names[name]}, rows, "ablated")
    return len(new), len(seen - {run.run_id, *names})


def _judge(against: "tuple[str, pd.DataFrame]", variant: "pd.DataFrame | None", resamples: int) -> "Verdict":
    from leadscore.compare import Scores, verdict

    assert variant is not None
    name, other = against
    return verdict(Scores(other, name=name), Scores(variant, name="it"), resamples=resamples)


def _adjusted(verdicts: "Mapping[Any, Verdict]", earlier: int) -> dict[Any, float]:
    """Return Holm's p of each comparison; earlier looks at the rows count as comparisons that showed nothing."""
    from leadscore.compare import holm

    alone = {key: each.p for key, each in verdicts.items() if each.p is not None}
    return dict(zip(alone, map(float, holm([*alone.values(), *[1.0] * earlier])), strict=False))


def _worth(
    name: str,
    columns: list[str],
    measured: Mapping[Any, _Variant],
    verdicts: "Mapping[Any, Verdict]",
    adjusted: Mapping[Any, float],
) -> Worth:
    keys = (name, "without"), (name, "alone")
    found = [Measured.of(verdicts[key], adjusted.get(key)) if key in verdicts else None for key in keys]
    return Worth(name, columns, found[0], found[1], [reason for key in keys for reason in measured[key].reasons])


def _by_worth(worth: Worth) -> tuple[bool, float, str]:
    difference = worth.without.difference if worth.without else None
    return difference is None, difference or 0.0, worth.name


def _keep(run: "Run", found: Ablation) -> None:
    """Add it to the run's folder; the numbers are worth showing also where that cannot be written."""
    import json

    from leadscore.record.shelf import ABLATION, write_json

    path = run.folder / ABLATION
    try:
        kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (OSError, ValueError):  # damaged: made anew
        kept = {}
    try:
        write_json(path, {**kept, found.by: found.to_json()})
    except RecordError as error:
        log.warning("%s", error)
