"""Why each lead got its score, in words that need no table beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from leadscore.errors import ModelError, examples
from leadscore.serving import HOURS, Described

if TYPE_CHECKING:
    from leadscore.model.base import Explanation

__all__ = ["group_contributions", "reasons", "said_values"]

Array = np.ndarray[Any, Any]
LEAST = 0.01  # log-odds: what moves the odds by less than one part in a hundred is no reason
WAYS = ("lowers", "raises")


def reasons(
    explanation: "Explanation", X: pd.DataFrame, dictionary: Sequence[Described], *, top: int = 3
) -> pd.DataFrame:
    """Return the strongest reasons of each row, up or down, in words and as codes.

    Columns of one group tell one story: their contributions are summed, and the member that adds most in the sum's
    direction speaks. `raises` and `lowers` are against the average lead (`explanation.base`). A story that moves the
    log-odds by less than 0.01 is no reason.

    Parameters
    ----------
    explanation : Explanation
        Of the rows in `X`.
    X : DataFrame (n, n_features)
        The values explained.
    dictionary : sequence of Described
        Of the columns of `X`, in any order.
    top : int

    Returns
    -------
    DataFrame (n, 2 * top)
        Index of `X`; text columns `reason_1` to `reason_{top}` ("3 sessions in the last 7 days: raises") and `code_1`
        to `code_{top}` ("sessions_last_7_days:raises"), "" where there is none.

    Examples
    --------
    >>> from leadscore.model.base import Explanation
    >>> X = pd.DataFrame({"sessions": [4.0], "country": ["DE"]})
    >>> moved = pd.DataFrame({"sessions": [0.7], "country": [-0.2]})
    >>> words = reasons(Explanation(moved, -1.0), X, [Described("sessions"), Described("country")], top=2)
    >>> words.iloc[0].tolist()
    ['sessions is 4: raises', 'country is DE: lowers', 'sessions:raises', 'country:lowers']
    """
    named = _by_column(X, dictionary)
    groups = _groups(named)
    contributions = explanation.contributions[list(X.columns)].to_numpy()
    sums = _sums(contributions, list(groups.values()))
    first = np.argsort(-np.abs(sums), axis=1, kind="stable")[:, :top]
    reason, code = _Texts(len(X), top), _Texts(len(X), top)
    rows = np.arange(len(X))
    for place, group in enumerate(first.T):
        moved = sums[rows, group]
        speaker = _speakers(contributions, list(groups.values()), group, moved)
        speaker[np.abs(moved) < LEAST] = -1
        for at, each in enumerate(named):
            speaks = speaker == at
            for raises, way in enumerate(WAYS):
                mine = np.flatnonzero(speaks & ((moved > 0) == bool(raises)))
                if len(mine):
                    which, sentences = _worded(each, X[each.name].take(mine), way)
                    reason.put(place, mine, which, [f"{sentence}: {way}" for sentence in sentences])
                    code.put(place, mine, np.zeros(len(mine), dtype=int), [f"{each.name}:{way}"])
    return pd.DataFrame({**reason.columns("reason"), **code.columns("code")}, index=X.index)


class _Texts:
    """Columns of texts that repeat, kept as numbers until all are known; 0 is the empty one."""

    def __init__(self, n: int, columns: int) -> None:
        self.known = {"": 0}
        self.numbers = np.zeros((columns, n), dtype=int)

    def put(self, column: int, rows: Array, which: Array, texts: Sequence[str]) -> None:
        places = np.array([self.known.setdefault(text, len(self.known)) for text in texts])
        self.numbers[column, rows] = places[which]

    def columns(self, name: str) -> "dict[str, Any]":
        texts = pd.array(list(self.known), dtype="str")
        return {f"{name}_{place}": texts.take(numbers) for place, numbers in enumerate(self.numbers, 1)}


def group_contributions(explanation: "Explanation", dictionary: Sequence[Described]) -> pd.DataFrame:
    """Return each story's contribution (n, n_groups); with the base they add up to the log-odds as columns do."""
    contributions = explanation.contributions
    groups = _groups(_by_column(contributions, dictionary))
    sums = _sums(contributions.to_numpy(), list(groups.values()))
    return pd.DataFrame(sums, index=contributions.index, columns=list(groups))


def said_values(each: Described, values: pd.Series, way: str) -> Array:
    """Return each value of a column as its sentence, `raises` or `lowers`, an object array of str (n,)."""
    which, sentences = _worded(each, values, way)
    said: Array = np.array(sentences, dtype=object)[which]
    return said


def _worded(each: Described, values: pd.Series, way: str) -> tuple[Array, list[str]]:
    """Return the place of each value's sentence, and the sentences: values that read alike are worded once."""
    is_number = pd.api.types.is_numeric_dtype(values.dtype)
    which, different = pd.factorize(_shown(each, values.to_numpy(dtype="float64")) if is_number else values.array)
    missing = each.phrases.get("missing") or f"{_title(each)} is missing"
    # a missing value is -1: the last
    return which, [*(_sentence(each, value, way) for value in different), missing]


def _by_column(X: pd.DataFrame, dictionary: Sequence[Described]) -> list[Described]:
    known = {each.name: each for each in dictionary}
    unknown = [name for name in X.columns if name not in known]
    if unknown:
        raise ModelError(
            f"the dictionary does not describe {len(unknown)} of {X.shape[1]} columns: {examples(unknown)}"
        )
    return [known[name] for name in X.columns]


def _groups(named: Sequence[Described]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = {}
    for at, each in enumerate(named):
        groups.setdefault(each.group or each.name, []).append(at)
    return groups


def _sums(contributions: Array, groups: Sequence[Sequence[int]]) -> Array:
    sums = np.zeros((len(contributions), len(groups)))
    for place, members in enumerate(groups):
        for at in members:
            sums[:, place] += contributions[:, at]
    return sums


def _speakers(contributions: Array, groups: Sequence[list[int]], group: Array, moved: Array) -> Array:
    """Return the member of each row's group that adds most in the direction of its sum."""
    speaker = np.zeros(len(group), dtype="int64")
    for place, members in enumerate(groups):
        mine = np.flatnonzero(group == place)
        if len(members) == 1:
            speaker[mine] = members[0]
        elif len(mine):
            own = contributions[mine][:, members] * np.sign(moved[mine])[:, None]
            speaker[mine] = np.array(members)[own.argmax(axis=1)]
    return speaker


def _shown(each: Described, numbers: Array) -> Array:
    """Return numbers rounded to what is said of them, so that few differ."""
    if each.form == "age":  # in hours
        hours = numbers * HOURS[each.unit]
        whole = np.where(hours < 48, np.round(hours), np.round(hours / 24) * 24)
        age: Array = np.where(hours < 1, np.round(hours * 60) / 60, whole)
        return age
    step = np.full(len(numbers), 0.01)
    if each.form != "share":  # three digits, and none before the point is lost
        step = 10.0 ** np.minimum(np.floor(np.log10(np.maximum(np.abs(numbers), 1e-12))) - 2, 0)
    rounded: Array = np.round(numbers / step) * step
    return rounded


def _sentence(each: Described, value: Any, way: str) -> str:
    phrases = each.phrases
    if each.form == "count" and value in (0, 1):
        key = "one" if value else "none"
    else:
        key = way if way in phrases else "raises"
    phrase = phrases.get(key) or f"{_title(each)} is {{value}}"
    return phrase.replace("{value}", _spelled(each, value), 1)


def _spelled(each: Described, value: Any) -> str:
    if isinstance(value, str):
        return value
    if each.form == "age":
        return _age(float(value))
    if each.form == "yes_no":
        return {0.0: "no", 1.0: "yes"}.get(float(value), f"{value:g}")
    if each.form == "share":
        return f"{value:.0%}"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.12g}"


def _age(hours: float) -> str:
    size, unit = (hours * 60, "minute") if hours < 1 else (hours, "hour") if hours < 48 else (hours / 24, "day")
    whole = round(size)
    return f"{whole:,} {unit}{'' if whole == 1 else 's'}"


def _title(each: Described) -> str:
    return each.name.replace("_", " ")
