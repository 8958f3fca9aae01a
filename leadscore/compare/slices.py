"""How good a score is in parts of the leads: by country, by source, each with its interval, and which parts differ."""

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from leadscore.compare.auc import auc_interval, unpaired_auc_test
from leadscore.compare.inputs import check_rows
from leadscore.compare.intervals import metric_intervals
from leadscore.compare.multiple import holm
from leadscore.compare.results import Interval

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Slice", "measure_slices"]

MOST = 20  # values of a column, the most frequent first


@dataclass(frozen=True)
class Slice:
    """The AUC among the leads that share a value.

    Attributes
    ----------
    column, value : str
    auc : Interval
    base_rate, mean_probability : float
        Share that converted, and the mean score: in a slice that is scored too high the second is the larger.
    p, p_adjusted : float or None
        Of the slice's AUC being that of all other rows (unpaired DeLong test), alone and after Holm over all slices.
        None where a lead has several rows, or a class is too small.
    """

    column: str
    value: str
    auc: Interval
    base_rate: float
    mean_probability: float
    p: float | None = None
    p_adjusted: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)


def measure_slices(
    label: Any, score: Any, columns: "pd.DataFrame", *, lead: Any = None, level: float = 0.95
) -> list[Slice]:
    """Return the AUC in each slice, by column and then by size.

    Parameters
    ----------
    label : array-like (n,)
        0 or 1.
    score : array-like (n,)
        Probabilities.
    columns : DataFrame (n, k)
        The slices' columns, text; a missing value is a slice of its own, "missing".
    lead : array-like (n,), optional
        Each row's lead; without it each row is a lead of its own.
    level : float

    Examples
    --------
    >>> import pandas as pd
    >>> label, country = [0, 1] * 60, pd.DataFrame({"country": ["DE"] * 80 + ["FR"] * 40})
    >>> score = [0.1, 0.2] * 40 + [0.2, 0.1] * 20
    >>> [(each.value, each.auc.value, each.auc.n) for each in measure_slices(label, score, country)]
    [('DE', 1.0, 80), ('FR', 0.0, 40)]
    """
    labels, rows = check_rows(label, score, "probability")
    scores = rows[:, 0]
    leads = np.arange(len(labels)) if lead is None else np.asarray(lead)
    one_row_a_lead = len(np.unique(leads)) == len(leads)
    found = []
    for column in columns:
        values = columns[column].astype("str").fillna("missing").to_numpy(dtype=object)
        names, counts = np.unique(values.astype(str), return_counts=True)
        for name in names[np.argsort(-counts, kind="stable")][:MOST]:
            inside = values == name
            p = _p(labels, scores, inside) if one_row_a_lead else None
            found.append(
                Slice(
                    column=str(column),
                    value=str(name),
                    auc=_auc(labels[inside], scores[inside], leads[inside], one_row_a_lead, level),
                    base_rate=float(labels[inside].mean()),
                    mean_probability=float(scores[inside].mean()),
                    p=p,
                )
            )
    tested = [number for number, each in enumerate(found) if each.p is not None]
    adjusted: Any = holm([found[number].p for number in tested]) if tested else []
    for number, value in zip(tested, adjusted, strict=True):
        found[number] = replace(found[number], p_adjusted=float(value))
    return found


def _auc(label: np.ndarray, score: np.ndarray, lead: np.ndarray, one_row_a_lead: bool, level: float) -> Interval:
    if one_row_a_lead and 0 < label.sum() < len(label):
        return auc_interval(label, score, level=level)
    return metric_intervals(label, score, lead=lead, metrics=["auc"], level=level)["auc"]


def _p(label: np.ndarray, score: np.ndarray, inside: np.ndarray) -> float | None:
    sides = [label[inside], label[~inside]]
    if any(min(side.sum(), len(side) - side.sum()) < 10 for side in sides):  # as for intervals
        return None
    return unpaired_auc_test(label[~inside], score[~inside], label[inside], score[inside]).p
