"""One call of each function: the rows it is handed, the call itself, its values, and what is said when it fails."""

import re
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from leadscore.errors import FeatureError
from leadscore.features.contract import checked_values
from leadscore.features.plan import Planned
from leadscore.features.registry import Feature
from leadscore.features.rows import Call, Chunk, as_text

__all__ = ["compute_call"]

Array = np.ndarray[Any, Any]


def compute_call(
    steps: Sequence[Planned],
    call: Call,
    chunk: Chunk | None,
    inputs: Mapping[str, Array],
    *,
    text: Collection[str] = (),
    seconds: dict[str, float] | None = None,
) -> dict[str, Array]:
    """Call each step's function once and return the values, one for each of the call's observations, with the inputs.

    Parameters
    ----------
    steps : sequence of Planned
        Inputs before their users.
    call : Call
    chunk : Chunk or None
        The events of the call's leads; None where no step reads events.
    inputs : mapping of str to array (n,)
        Values that the steps take and that are none of theirs.
    text : collection of str
        Features that are handed ids and texts as plain text from the start.
    seconds : dict of str to float, optional
        Gets the time spent in each function added.

    Raises
    ------
    FeatureError
        When a function raises or breaks its contract, also over plain text.
    """
    handed = _Handed(call, chunk, steps)
    values = dict(inputs)
    for step in steps:
        invoked = _Invoked(step, call, handed, values, {} if seconds is None else seconds)
        if step.feature.source == "events" and step.feature.name not in text:
            try:
                values[step.feature.name] = invoked.values(text=False)
                continue
            except (Exception, SystemExit):  # noqa: S110 - some operations need texts (`.str`, `max`); said below if not that
                pass
        values[step.feature.name] = invoked.values_or_words()
    return values


class _Handed:
    """A call's rows by event types and lookback: features that ask for the same rows share them."""

    def __init__(self, call: Call, chunk: Chunk | None, steps: Sequence[Planned]) -> None:
        self.call, self.chunk = call, chunk
        self.columns: dict[Any, list[str]] = {}
        self.n_users: Counter[Any] = Counter()
        for each in (step.feature for step in steps if step.feature.source == "events"):
            wanted = self.columns.setdefault((each.event_types, each.lookback), ["timestamp", "event_type"])
            wanted += [name for name in each.columns if name not in wanted]
            self.n_users[each.event_types, each.lookback] += 1
        self.frames: dict[Any, pd.DataFrame] = {}

    def rows(self, each: Feature) -> pd.DataFrame:
        """Return a feature's rows with numbers for ids and categories for texts."""
        key = (each.event_types, each.lookback)
        if self.n_users[key] == 1:
            return self.fresh(each)
        if key not in self.frames:
            self.frames[key] = self._made(key, self.columns[key])
        # A Series taken into a frame is copied once it is written to: a function cannot spoil the next one's rows.
        names = ["user_id", "timestamp", "event_type", *each.columns]
        return pd.DataFrame({name: self.frames[key][name] for name in names}, copy=False)

    def fresh(self, each: Feature) -> pd.DataFrame:
        """Return a feature's rows as nobody has had them yet."""
        return self._made((each.event_types, each.lookback), ["timestamp", "event_type", *each.columns])

    def _made(self, key: Any, columns: Sequence[str]) -> pd.DataFrame:
        assert self.chunk is not None
        return self.chunk.frame(self.call, *self.chunk.rows_of(self.call, *key), columns)


class _Invoked:
    """A function about to be called: its rows are made anew for every try, for a failed one may have changed them."""

    def __init__(
        self, step: Planned, call: Call, handed: _Handed, values: Mapping[str, Array], seconds: dict[str, float]
    ) -> None:
        self.step, self.call, self.handed, self.known, self.seconds = step, call, handed, values, seconds

    def values(self, *, text: bool) -> Array:
        """Call the function and check what it returns."""
        each = self.step.feature
        rows = self._text_rows() if text else self.handed.rows(each)
        inputs = self._inputs(self.call.user_ids if text else self.call.numbers)
        started = time.perf_counter()
        result = self._result(rows, inputs)
        self.seconds[each.name] = self.seconds.get(each.name, 0.0) + time.perf_counter() - started
        return checked_values(each, result, self.call)

    def values_or_words(self) -> Array:
        """Call the function over plain text; say in words what it raises, and for which lead."""
        name = self.step.feature.name
        try:
            return self.values(text=True)
        except FeatureError:
            raise
        except (Exception, SystemExit) as error:  # a feature that exits must not end a sweep
            said = f"feature '{name}' raised {type(error).__name__}: {error}{self._hint(error) or self._for_whom()}"
            raise FeatureError(f"{said} (now = {self.call.instant})") from error

    def _text_rows(self) -> pd.DataFrame:
        each = self.step.feature
        return self.call.lead_rows(each) if each.source == "leads" else as_text(self.handed.fresh(each), self.call)

    def _inputs(self, index: pd.Index) -> dict[str, pd.Series]:
        taken = self.step.inputs.items()
        return {argument: pd.Series(self.known[needed.name].copy(), index=index) for argument, needed in taken}

    def _result(self, rows: pd.DataFrame, inputs: Mapping[str, pd.Series]) -> Any:
        arguments = (rows, self.call.instant) if self.step.feature.takes_now else (rows,)
        result = self.step.feature.function(*arguments, **self.step.parameters, **inputs)
        if isinstance(result, pd.DataFrame) and not len(result) and not len(rows):
            return pd.Series(dtype="float64")  # what groupby.apply makes of no rows
        return result

    def _hint(self, error: BaseException) -> str:
        """Return words for a column that the log has and the function is not handed."""
        chunk = self.handed.chunk
        if not isinstance(error, KeyError) or not error.args or chunk is None:
            return ""
        handed = self._text_rows().columns
        others = {*chunk.part.columns, *self.call.observed.tables.attributes} - set(handed)
        if not any(re.search(rf"\b{re.escape(name)}\b", str(error.args[0])) for name in others):
            return ""
        return f"; it is handed {', '.join(handed)}: declare others with columns=[...]"

    def _for_whom(self) -> str:
        culprit = self._culprit()
        return f" for lead {culprit!r} alone" if culprit is not None else ""

    def _culprit(self) -> Any:
        """Return a lead for which the function raises alone, by halving; None when it takes several to raise."""
        ids = self.call.user_ids
        while len(ids) > 1:
            halves = (ids[: len(ids) // 2], ids[len(ids) // 2 :])
            ids = next((half for half in halves if self._raises(half)), pd.Index([]))
        return ids[0] if len(ids) and self._raises(ids) else None

    def _raises(self, ids: pd.Index) -> bool:
        rows = self._text_rows()
        some = rows[rows["user_id"].isin(ids)].reset_index(drop=True)
        inputs = {name: values.loc[ids] for name, values in self._inputs(self.call.user_ids).items()}
        try:
            self._result(some, inputs)
        except (Exception, SystemExit):
            return True
        return False
