"""Labels, scores and lead ids as arrays, or one error that lists all that is wrong with them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from leadscore.errors import ModelError, examples, raise_all

__all__ = ["Labels", "Rows", "check_level", "check_rows", "lead_codes", "one_class"]

Labels = np.ndarray  # bool (n,), True where the lead converted
Rows = np.ndarray  # float64 (n, k), a column a model


def check_rows(label: Any, scores: Any, takes: str = "score") -> tuple[Labels, Rows]:
    """Return labels (n,) as bool and scores (n, k) as float64.

    Parameters
    ----------
    label : array-like (n,)
        0 or 1, or bool.
    scores : array-like (n,) or (n, k)
        Finite; a column a model.
    takes : {"score", "probability"}
        A probability also lies in [0, 1].

    Raises
    ------
    ModelError
        Lists lengths that differ, labels other than 0 and 1, and scores that are missing or not allowed.

    Examples
    --------
    >>> label, scores = check_rows([0, 1], [0.2, 0.9])
    >>> label.tolist(), scores.shape
    ([False, True], (2, 1))
    """
    labels = np.asarray(label)
    try:
        columns = np.asarray(scores, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ModelError(f"scores are not all numbers: {error}") from None
    problems = []
    if labels.ndim != 1 or columns.ndim not in (1, 2):
        raise ModelError(
            f"labels have shape {labels.shape} and scores {columns.shape}: labels are (n,), scores (n,) or (n, k)"
        )
    columns = columns[:, None] if columns.ndim == 1 else columns
    if len(labels) != len(columns):
        problems.append(f"{len(labels)} labels and {len(columns)} scores: one score a label is needed")
    if not len(labels):
        problems.append("no rows")
    wrong = (
        np.array([each not in (0, 1) for each in labels.tolist()], dtype=bool)
        if labels.dtype == object
        else (~np.isin(labels, [0, 1]))
    )
    if wrong.any():
        problems.append(
            f"{wrong.sum()} of {len(labels)} labels are neither 0 nor 1: {examples(labels[wrong].tolist())}"
        )
    bad = ~np.isfinite(columns)
    if takes == "probability":
        bad |= (columns < 0) | (columns > 1)
    if bad.any():
        allowed = "a probability in [0, 1]" if takes == "probability" else "a finite number"
        problems.append(f"{bad.sum()} of {bad.size} scores are not {allowed}: {examples(columns[bad].tolist())}")
    raise_all(ModelError, problems)
    return labels.astype(bool), columns


def one_class(label: Labels) -> str | None:
    """Return why a ranking of these labels is undefined, or None."""
    converted = int(label.sum())
    return f"one class only: {converted} of {len(label)} rows converted" if converted in (0, len(label)) else None


def lead_codes(lead: Any, n: int) -> tuple[np.ndarray, int]:
    """Return each row's lead as a code (n,), int64, in the order of the sorted ids, and the number of leads.

    Examples
    --------
    >>> codes, leads = lead_codes(["b", "a", "b"], 3)
    >>> codes.tolist(), leads
    ([1, 0, 1], 2)
    >>> lead_codes(None, 3)[1]  # without ids each row is a lead of its own
    3
    """
    if lead is None:
        return np.arange(n), n
    ids = np.asarray(lead)
    if ids.ndim != 1 or len(ids) != n:
        raise ModelError(f"{len(ids)} lead ids for {n} rows: one id a row is needed")
    missing = np.array([each is None or each != each for each in ids.tolist()])  # noqa: PLR0124 - only NaN differs from itself
    if missing.any():
        raise ModelError(f"{missing.sum()} of {n} lead ids are missing, first at row {int(missing.argmax())}")
    known, codes = np.unique(ids, return_inverse=True)
    return codes.astype(np.int64), len(known)


def check_level(level: float) -> None:
    """Refuse a confidence level outside (0, 1)."""
    if not 0 < level < 1:
        raise ModelError(f"the confidence level is {level}: it lies between 0 and 1, such as 0.95")


def check_probabilities(p: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return p-values (k,) as float64; refuse what is none."""
    values = np.asarray(p, dtype=np.float64).ravel()
    wrong = ~((values >= 0) & (values <= 1))
    if wrong.any():
        raise ModelError(
            f"{wrong.sum()} of {len(values)} p-values are not in [0, 1]: {examples(values[wrong].tolist())}"
        )
    return values
