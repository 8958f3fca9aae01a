"""The leads of two batches under both models: what each part of the move was, and which columns made it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from leadscore.scoring.again import Again
from leadscore.scoring.past import PastScores

if TYPE_CHECKING:
    from leadscore.record import Run

__all__ = ["NAMED", "PARTS", "Splitting", "points_of"]

Array = np.ndarray[Any, Any]
PARTS = ("data", "model", "calibration", "rewritten")
NAMED = 3  # columns of a lead
SAME = 1e-12  # scoring alone, in chunks and as a whole agree to this
STILL = 1e-9  # log-odds: what moves less has not moved


@dataclass(frozen=True)
class _Piece:
    """Some leads with old and new data under both models; `X` by model, then old and new."""

    log_odds: Array
    X: list[list[pd.DataFrame]]
    columns: pd.DataFrame


class Splitting:
    """Splits the moves of leads that have a score in both batches.

    Parameters
    ----------
    models : sequence of Again
        The old run's and the new one's, or the one of both.
    pasts : (PastScores, PastScores)
    """

    def __init__(self, models: Sequence[Again], pasts: tuple[PastScores, PastScores]) -> None:
        self.models, self.pasts = list(models), pasts
        self.runs = [each.run for each in self.models]
        self._tables = self.models[:1] if self.models[-1].computes_like(self.models[0]) else self.models
        self.size = self.models[0].config.chunk_rows
        self._whole: _Piece | None = None  # of all leads, where one piece holds them

    def all(self, leads: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, int]]:
        """Return each lead's parts, what each column added in sum, and how many rows are not what was recorded.

        Parameters
        ----------
        leads : DataFrame (n, 7)
            `user_id`, `as_of_old`, `as_of_new`, `old`, `new`, `band_old`, `band_new`; all can be computed again.
        """
        frames, otherwise = [], {"old": 0, "new": 0}
        sums: pd.DataFrame | None = None
        for rows in self._chunks(leads):
            piece = self._piece(rows)
            self._whole = piece if len(rows) == len(leads) else None
            frame = _parts(rows, piece.log_odds)
            named, strongest = _strongest(piece.columns)
            frames.append(frame.join(named))
            for side, at in (("old", 0), ("new", 1)):
                again = 1 / (1 + np.exp(-piece.log_odds[at, at, at]))
                otherwise[side] += int((np.abs(again - rows[side].to_numpy()) > SAME).sum())
            told = pd.DataFrame({
                "sum": piece.columns.sum(), "size": piece.columns.abs().sum(), "strongest_for": strongest,
            })  # fmt: skip
            sums = told if sums is None else sums + told
        if sums is None:
            none = _parts(leads, np.zeros((2, 2, 2, 0))).join(_strongest(pd.DataFrame(index=leads.index))[0])
            return none, pd.DataFrame(columns=["column", "sum", "mean_size", "strongest_for"]), otherwise
        sums["mean_size"] = sums.pop("size") / len(leads)
        sums = sums.rename_axis("column").reset_index().astype({"strongest_for": "int64"})
        sums = sums.sort_values(["mean_size", "column"], ascending=[False, True], ignore_index=True)
        return pd.concat(frames, ignore_index=True), sums[["column", "sum", "mean_size", "strongest_for"]], otherwise

    def pages(self, leads: pd.DataFrame, frame: pd.DataFrame, chosen: Sequence[int]) -> list[dict[str, Any]]:
        """Return a few leads with all their columns: value before, value now, what it added; the strongest first.

        Parameters
        ----------
        leads : DataFrame (n, 7)
            As for `all`.
        frame : DataFrame (n, ...)
            What `all` returned for them.
        chosen : sequence of int
            Rows of both.
        """
        if not len(chosen):
            return []
        piece, places = self._whole, list(chosen)
        if piece is None:
            piece, places = self._piece(leads.iloc[places].reset_index(drop=True)), list(range(len(places)))
        pages = []
        for at, row in zip(places, frame.iloc[list(chosen)].to_dict("records"), strict=True):
            parts = piece.columns.iloc[at]
            columns = [
                {"column": name, **_values(piece.X, name, at), "part": float(parts[name])}
                for name in parts.abs().sort_values(ascending=False, kind="stable").index
            ]
            whole = {key: value for key, value in row.items() if not key.startswith(("column_", "moved_"))}
            times = {key: whole[key].isoformat() for key in ("as_of_old", "as_of_new")}
            pages.append({**whole, **times, "columns": columns})
        return pages

    def _chunks(self, leads: pd.DataFrame) -> Iterator[pd.DataFrame]:
        size = len(leads) if any(each.across_leads for each in self.models) else self.size
        for first in range(0, len(leads), max(size, 1)):
            yield leads.iloc[first : first + size].reset_index(drop=True)

    def _piece(self, rows: pd.DataFrame) -> _Piece:
        from leadscore.explain import split_columns

        sides = points_of(rows)
        X = [[each.features(past, side) for past, side in zip(self.pasts, sides, strict=True)] for each in self._tables]
        X = [X[-1]] * len(self.models) if len(X) < len(self.models) else X
        inner = [run.model.uncalibrated for run in self.runs]
        scores = [[model.predict_proba(x) for x in both] for model, both in zip(inner, X, strict=True)]
        log_odds = np.empty((2, 2, 2, len(rows)))
        for data, model, calibration in np.ndindex(2, 2, 2):
            score = scores[model % len(X)][data]
            log_odds[data, model, calibration] = _calibrated(self.runs[calibration % len(X)], score)
        moved = [tuple(model.explain(x).contributions for x in both) for model, both in zip(inner, X, strict=True)]
        columns = split_columns(log_odds, [moved[0], moved[-1]])
        return _Piece(log_odds, X, columns.reset_index(drop=True))


def points_of(leads: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the leads' observations in the old and in the new batch: `user_id` and `as_of`."""
    old, new = (
        leads[["user_id", f"as_of_{side}"]].rename(columns={f"as_of_{side}": "as_of"}) for side in ("old", "new")
    )
    return old, new


def _calibrated(run: "Run", score: pd.Series) -> Array:
    from leadscore.model.log_odds import log_odds_of

    calibration = run.model.calibration
    found: Array = log_odds_of(score if calibration is None else calibration.apply(score)).to_numpy()
    return found


def _parts(rows: pd.DataFrame, log_odds: Array) -> pd.DataFrame:
    """Return the leads with their parts, whose sum is the move of what was recorded."""
    from leadscore.explain import split_move
    from leadscore.model.log_odds import log_odds_of

    total = log_odds_of(rows["new"]) - log_odds_of(rows["old"])
    data, model, calibration = split_move(log_odds)
    rewritten = total - (log_odds[1, 1, 1] - log_odds[0, 0, 0])
    frame = rows.assign(total=total, data=data, model=model, calibration=calibration, rewritten=rewritten)
    size = frame[list(PARTS)].abs().to_numpy()
    largest = np.array(PARTS, dtype=object)[size.argmax(axis=1)] if len(frame) else []
    still = size.max(axis=1, initial=0.0) <= STILL
    return frame.assign(cause=pd.array(np.where(still, "", largest), dtype="str"))


def _strongest(columns: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """Return each lead's strongest columns with what they added, and for how many leads each is the strongest."""
    parts, names = columns.to_numpy(dtype="float64"), np.array(columns.columns, dtype=object)
    order = np.argsort(-np.abs(parts), axis=1, kind="stable")[:, :NAMED]
    named: dict[str, Any] = {}
    first = pd.Series(0, index=columns.columns)
    for place in range(NAMED):
        at = order[:, place] if place < order.shape[1] else None
        added = np.zeros(len(parts)) if at is None else parts[np.arange(len(parts)), at]
        speaks = np.abs(added) > STILL
        words = np.full(len(parts), "", dtype=object)
        if at is not None:
            words[speaks] = names[at[speaks]]
        named[f"column_{place + 1}"] = pd.array(words, dtype="str")
        named[f"moved_{place + 1}"] = np.where(speaks, added, 0.0)
        if place == 0 and at is not None:
            first += pd.Series(names[at[speaks]]).value_counts().reindex(columns.columns, fill_value=0)
    return pd.DataFrame(named, index=columns.index), first


def _values(X: Sequence[Sequence[pd.DataFrame]], name: str, at: int) -> dict[str, Any]:
    both = next(each for each in reversed(X) if name in each[0])
    return {side: _plain(frame[name].iloc[at]) for side, frame in zip(("old", "new"), both, strict=True)}


def _plain(value: Any) -> float | str | None:
    if value is None or value != value:  # noqa: PLR0124 - only NaN differs from itself
        return None
    return value if isinstance(value, str) else float(value)
