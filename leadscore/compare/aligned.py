"""Two runs' predictions side by side, row by row; or what keeps them from being compared."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from leadscore.compare.inputs import check_rows
from leadscore.errors import DataError, ModelError, examples
from leadscore.times import format_duration, parse_duration

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FoldPair", "Pair", "Scores", "align", "differences_of_rows", "one_run"]

NEEDED = ("user_id", "as_of", "label", "probability")
KEY = ["user_id", "as_of"]


@dataclass(frozen=True)
class Scores:
    """The validation predictions of one run.

    Attributes
    ----------
    predictions : DataFrame
        `user_id, as_of, label, probability`, and where there are several, `fold` and `seed`: as in
        `predictions.parquet`.
    horizon : str or timedelta, optional
        How long the outcome could take, such as "30d". Runs of different horizons are not comparable.
    name : str, optional
        What the verdict calls the run; "A" or "B" when left out.
    """

    predictions: "pd.DataFrame"
    horizon: str | timedelta | None = None
    name: str | None = None

    @classmethod
    def of(
        cls,
        label: Any,
        probability: Any,
        user_id: Any = None,
        as_of: Any = None,
        horizon: str | timedelta | None = None,
        name: str | None = None,
    ) -> "Scores":
        """Return the scores that arrays hold.

        Parameters
        ----------
        label : array-like (n,)
            0 or 1.
        probability : array-like (n,) or (n, k)
            A column a seed.
        user_id : array-like (n,), optional
            Without it each row is a lead of its own.
        as_of : array-like (n,), optional
            Needed where a lead has several rows.

        Examples
        --------
        >>> Scores.of([0, 1], [0.2, 0.9]).predictions[["label", "probability"]].values.tolist()
        [[0.0, 0.2], [1.0, 0.9]]
        """
        import pandas as pd

        labels, columns = check_rows(label, probability)
        n, k = columns.shape
        ids = [f"row {number:0{len(str(n))}d}" for number in range(n)] if user_id is None else np.asarray(user_id)
        frame = pd.DataFrame({"user_id": ids, "as_of": 0 if as_of is None else as_of, "label": labels.astype(int)})
        seeds = [frame.assign(seed=seed, probability=columns[:, seed]) for seed in range(k)]
        return cls(pd.concat(seeds, ignore_index=True), horizon, name)


@dataclass(frozen=True)
class FoldPair:
    """One fold's rows with the scores of both runs.

    Attributes
    ----------
    number : int
    label : bool (n,)
    a, b : float64 (n, seeds)
    lead : int64 (n,)
        Codes that all folds share.
    """

    number: int
    label: np.ndarray
    a: np.ndarray
    b: np.ndarray
    lead: np.ndarray


@dataclass(frozen=True)
class Pair:
    """Both runs on the same rows, in the order of fold, lead and instant.

    Attributes
    ----------
    folds : list of FoldPair
    n, positives, leads : int
        Of all folds together.
    """

    folds: list[FoldPair]
    n: int
    positives: int
    leads: int

    @property
    def one_row_a_lead(self) -> bool:
        """Whether no lead has a second row, in any fold."""
        return self.leads == self.n


@dataclass(frozen=True)
class _Run:
    """A checked run: one row an observation, the seeds side by side."""

    rows: "pd.DataFrame"  # user_id, as_of, fold, label; sorted
    scores: np.ndarray  # (n, seeds)


def one_run(scores: Scores, name: str, takes: str) -> _Run:
    """Return a run's rows in canonical order; a DataError lists what is wrong with them."""
    frame = _checked(scores.predictions, name)
    try:
        check_rows(frame["label"], frame["probability"], takes)
    except ModelError as wrong:
        raise ModelError(f"{name}: {wrong}") from None
    frame = frame.sort_values(["seed", "fold", *KEY], kind="stable", ignore_index=True)
    seeds = [each.reset_index(drop=True) for _, each in frame.groupby("seed", sort=True)]
    first = seeds[0][[*KEY, "fold", "label"]]
    for other in seeds[1:]:
        if not other[[*KEY, "fold", "label"]].equals(first):
            raise DataError(
                f"the seeds of {name} have different rows, folds or labels: seed {seeds[0]['seed'][0]} has "
                f"{len(first)} rows, seed {other['seed'][0]} has {len(other)}; refits are compared on the same rows"
            )
    return _Run(first, np.column_stack([each["probability"].to_numpy(dtype=np.float64) for each in seeds]))


def _checked(frame: "pd.DataFrame", name: str) -> "pd.DataFrame":
    """Return the predictions with a fold and a seed; refuse columns that lack and rows that repeat."""
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        raise DataError(
            f"the predictions of {name} are a {type(frame).__name__}: a DataFrame of {_list(NEEDED)} is needed"
        )
    lacking = [column for column in NEEDED if column not in frame.columns]
    if lacking:
        raise DataError(f"the predictions of {name} lack {_list(lacking)}; they have {_list(map(str, frame.columns))}")
    if frame.empty:
        raise DataError(f"the predictions of {name} have no rows")
    frame = frame.assign(**{column: 0 for column in ("fold", "seed") if column not in frame.columns})
    for column in KEY:
        if isinstance(frame[column].dtype, pd.CategoricalDtype):  # categories have an order of their own
            frame[column] = frame[column].astype(frame[column].cat.categories.dtype)
    gaps = frame[[*KEY, "fold", "seed"]].isna().any(axis=1)
    if gaps.any():
        raise DataError(f"{gaps.sum()} of {len(frame)} rows of {name} have no user_id, as_of, fold or seed")
    doubled = frame.duplicated([*KEY, "seed"])
    if doubled.any():
        raise DataError(
            f"{doubled.sum()} rows of {name} repeat a (user_id, as_of) of the same seed: {_rows(frame[doubled])}"
        )
    return frame


def differences_of_rows(a: _Run, b: _Run, names: tuple[str, str]) -> list[str]:
    """Return what differs between the rows of two runs, a sentence each; empty when they are the same."""
    if a.rows.equals(b.rows):
        return []
    for column in KEY:
        kinds = [
            (str(dtype.kind), getattr(dtype, "tz", None) is None)
            for dtype in (a.rows[column].dtype, b.rows[column].dtype)
        ]
        if kinds[0] != kinds[1]:
            return [f"{column} is {a.rows[column].dtype} in {names[0]} and {b.rows[column].dtype} in {names[1]}"]
    merged = a.rows.merge(b.rows, on=KEY, how="outer", suffixes=("_a", "_b"), indicator=True)
    found = []
    for side, name in (("left_only", names[0]), ("right_only", names[1])):
        alone = merged[merged["_merge"] == side]
        if len(alone):
            found.append(f"{len(alone):,} {'row' if len(alone) == 1 else 'rows'} only in {name}: {_rows(alone)}")
    both = merged[merged["_merge"] == "both"]
    for column in ("label", "fold"):
        changed = both[both[f"{column}_a"] != both[f"{column}_b"]]
        if len(changed):
            found.append(f"another {column} in {len(changed):,} of {len(both):,} shared rows: {_rows(changed)}")
    return found


def differences_of_horizon(a: Scores, b: Scores, names: tuple[str, str]) -> list[str]:
    """Return a sentence when the horizons differ; one that is not stated cannot."""
    if a.horizon is None or b.horizon is None:
        return []
    lengths = [parse_duration(each) if isinstance(each, str) else each for each in (a.horizon, b.horizon)]
    if lengths[0] == lengths[1]:
        return []
    return [
        f"the horizon is {format_duration(lengths[0])} in {names[0]} and {format_duration(lengths[1])} in {names[1]}"
    ]


def align(a: _Run, b: _Run) -> Pair:
    """Return the pair of two runs whose rows are the same."""
    import pandas as pd

    assert all((a.rows[column] == b.rows[column]).all() for column in [*KEY, "fold", "label"])
    label = a.rows["label"].to_numpy().astype(bool)
    codes, known = pd.factorize(a.rows["user_id"], sort=True)
    fold = a.rows["fold"].to_numpy()
    folds = []
    for number in pd.unique(fold):
        rows = fold == number
        folds.append(FoldPair(int(number), label[rows], a.scores[rows], b.scores[rows], codes[rows].astype(np.int64)))
    return Pair(folds, len(label), int(label.sum()), len(known))


def _rows(frame: "pd.DataFrame") -> str:
    return examples([f"{row.user_id} at {row.as_of}" for row in frame.head(4).itertuples()])


def _list(names: Any) -> str:
    return ", ".join(names)
