"""From leads with their features to scores in words, in this process or in a cluster's."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from leadscore.scoring.gaps import Gaps
from leadscore.scoring.output import COLUMNS, REASONS

if TYPE_CHECKING:
    from leadscore.cluster import Cluster
    from leadscore.serving import Serving

__all__ = ["Chunk", "Scorer", "scored"]

WORDS = [name for name in COLUMNS if name.startswith(("reason_", "code_"))]


@dataclass(frozen=True)
class Chunk:
    """Some leads with their features and scores; `probability` has only those that got one."""

    frame: pd.DataFrame
    X: pd.DataFrame
    probability: pd.Series


@dataclass(frozen=True)
class Scorer:
    """A saved model and what puts its scores into words.

    Attributes
    ----------
    model : Model
    serving : Serving
    gaps : Gaps
    run, config_hash : str
        Of the run whose model it is.
    scored_at : Timestamp
    """

    model: "Any"
    serving: "Serving"
    gaps: Gaps
    run: str
    config_hash: str
    scored_at: pd.Timestamp

    def score(self, rows: pd.DataFrame, X: pd.DataFrame) -> Chunk:
        """Score leads.

        Parameters
        ----------
        rows : DataFrame (n_leads, ...)
            `user_id` and `as_of`, RangeIndex.
        X : DataFrame (n_leads, n_features)
            What could be computed.
        """
        from leadscore.explain import reasons

        X = self.gaps.filled(X, self.model.columns)
        silent = self.gaps.silent(X)
        speaks = (silent == "").to_numpy()
        asked = X if speaks.all() else X[speaks]
        frame = rows[["user_id", "as_of"]].copy()
        p, words = np.full(len(rows), np.nan), dict.fromkeys(WORDS, "")
        probability = pd.Series(dtype="float64")
        if len(asked):
            probability, explanation = self.model.predict_and_explain(asked)
            p[speaks] = probability.to_numpy()
            told = reasons(explanation, asked, self.serving.dictionary, top=REASONS)
            words = told.set_axis(np.flatnonzero(speaks))
        frame["probability"] = p
        frame["score"] = np.round(100 * p, 1)
        frame["band"] = pd.Series(np.where(speaks, self.serving.bands.of(p), ""), dtype="str")
        for name in WORDS:
            frame[name] = words[name]
        if not speaks.all():
            mute = silent.set_axis(frame.index)[~speaks]
            frame[WORDS] = frame[WORDS].fillna("")
            frame.loc[~speaks, "reason_1"] = "no score: " + mute.str.replace("_", " ") + " is missing"
            frame.loc[~speaks, "code_1"] = mute + ":abstained"
        frame["run"], frame["config_hash"] = self.run, self.config_hash
        frame["scored_at"] = self.scored_at
        return Chunk(frame[list(COLUMNS)], X, probability)


def scored(
    scorer: Scorer, rows: pd.DataFrame, X: pd.DataFrame, size: int, cluster: "Cluster | None"
) -> Iterator[Chunk]:
    """Yield leads in their order, `size` at once; by a cluster's workers where there is one.

    A chunk is the same rows either way: some models' last bits depend on the rows that are asked about together.
    """
    chunks = (
        (first, scorer, rows.iloc[first : first + size].reset_index(drop=True), X.iloc[first : first + size])
        for first in range(0, len(rows), size)
    )
    done: dict[int, Chunk] = {}
    due = 0
    for first, chunk in map(_scored, chunks) if cluster is None else cluster.map(_scored, chunks):
        done[first] = chunk
        while due in done:
            yield done.pop(due)
            due += size


def _scored(unit: tuple[int, Scorer, pd.DataFrame, pd.DataFrame]) -> tuple[int, Chunk]:
    first, scorer, rows, X = unit
    return first, scorer.score(rows, X)
