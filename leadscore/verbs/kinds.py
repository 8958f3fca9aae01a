"""What `features new` can write: each kind's one line of pandas, its declaration, and its story worked out by hand.

The story has two leads: `a` with events three and one steps before the score, `b` with one event two steps before it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

__all__ = ["AMOUNTS", "KINDS", "WORDS", "Kind"]

AMOUNTS = (30.0, 10.0, 5.0)  # what the story's three events carry in a column of numbers: a, a, b
WORDS = ("red", "blue", "red")  # and in one of texts
DAY = timedelta(days=1)

Expected = Callable[[timedelta, tuple[str, str, str]], tuple[object, object]]


@dataclass(frozen=True)
class Kind:
    """One kind of feature.

    Attributes
    ----------
    what : str
        For `--help`.
    meaning : str
        The docstring's first line, with `{events}`, `{column}` and `{when}`.
    body : str
        What the function returns, with `{column}`.
    unit : str
        With `{events}` and `{column}`.
    declared : str
        What a lead without such events has.
    expected : callable
        `expected(step, words)`: the story's values for `a` and `b`; `words` is what a column of texts holds.
    column : {'', 'number', 'text'}
        What the column it reads holds; empty when it reads none.
    """

    what: str
    meaning: str
    body: str
    unit: str
    declared: str
    expected: Expected
    column: str = ""

    @property
    def dtype(self) -> str:
        """Of the feature's own values."""
        return "category" if self.what.startswith("the latest") else "number"


def _given(a: object, b: object) -> Expected:
    return lambda _step, _words: (a, b)


NONE = 'missing="has no such event"'
KINDS: dict[str, Kind] = {
    "count": Kind(
        what="how many events",
        meaning="Number of {events} {when}.",
        body='events_df.groupby("user_id").size()',
        unit="{events}",
        declared="no_events=0",
        expected=_given(2, 1),
    ),
    "days_since": Kind(
        what="days since the last event",
        meaning="Days since the last of the {events} {when}.",
        body='(now - events_df.groupby("user_id")["timestamp"].max()).dt.total_seconds() / 86_400',
        unit="days",
        declared=NONE,
        expected=lambda step, _words: (step / DAY, 2 * step / DAY),
    ),
    "active_days": Kind(
        what="days with an event, a day being 24 hours counted back from the score",
        meaning="Days with {events} {when}.",
        body='(now - events_df["timestamp"]).dt.days.groupby(events_df["user_id"]).nunique()',
        unit="days",
        declared="no_events=0",
        expected=lambda step, _words: (len({step // DAY, 3 * step // DAY}), 1),
    ),
    "sum": Kind(
        what="the sum of a column",
        meaning="Sum of {column} over the {events} {when}.",
        body='events_df.groupby("user_id")["{column}"].sum()',
        unit="{column}",
        declared="no_events=0",
        expected=_given(40.0, 5.0),
        column="number",
    ),
    "mean": Kind(
        what="the mean of a column",
        meaning="Mean {column} of the {events} {when}.",
        body='events_df.groupby("user_id")["{column}"].mean()',
        unit="{column}",
        declared=NONE,
        expected=_given(20.0, 5.0),
        column="number",
    ),
    "max": Kind(
        what="the largest value of a column",
        meaning="Largest {column} of the {events} {when}.",
        body='events_df.groupby("user_id")["{column}"].max()',
        unit="{column}",
        declared=NONE,
        expected=_given(30.0, 5.0),
        column="number",
    ),
    "distinct": Kind(
        what="how many different values of a column",
        meaning="Different values of {column} among the {events} {when}.",
        body='events_df.groupby("user_id")["{column}"].nunique()',
        unit="values",
        declared="no_events=0",
        expected=lambda _step, words: (len(set(words[:2])), 1),
        column="text",
    ),
    "last": Kind(
        what="the latest value of a column, a category",
        meaning="Latest {column} of the {events} {when}.",
        body='events_df.groupby("user_id")["{column}"].last()',
        unit="",
        declared=NONE,
        expected=lambda _step, words: (words[1], words[2]),
        column="text",
    ),
}
