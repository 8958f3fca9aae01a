"""What became of leads that were scored some time ago: the outcomes that are known by now, beside what was promised."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from leadscore.errors import DataError
from leadscore.preparing import Step, load_checked
from leadscore.scoring.past import PastScores, read_scores
from leadscore.scoring.promises import BandKept, MetricKept, bands_kept, metrics_kept
from leadscore.scoring.today import config_today, recorded_today, refuse_older, rows_of_leads, window_of_life
from leadscore.times import parse_duration
from leadscore.window import IMMATURE, label_points

if TYPE_CHECKING:
    from leadscore.config.schema import Config, DataConfig
    from leadscore.tables import Tables

__all__ = ["HEEDED", "Outcomes", "outcomes_of"]

log = logging.getLogger(__name__)
HEEDED = ("data", "compute", "plugins")  # the keys that say how to read today's tables
NO_SCORE, GONE = "without a score", "not in today's lead table"
CONTRADICT = ("created after as_of", "converted before as_of", "closed before as_of")


@dataclass(frozen=True)
class Outcomes:
    """What came of scored leads.

    Attributes
    ----------
    files : list of str
    run_id, horizon : str
    data_end : Timestamp
        Up to which today's tables are complete.
    frame : DataFrame (n, 7)
        `user_id`, `as_of`, `probability`, `band`, `matures_at`, `label` (0, 1, or NaN while it is not known) and
        `left_out` (why it is not, "" where it is), by user_id and as_of.
    counts : mapping of str to int
        `scored`, each reason why an outcome does not count, and `known`; the reasons and `known` add up to `scored`.
    abstained : mapping of str to int
        Leads without a score by the column that was missing.
    rate, low, high : float or None
        The share that converted, with its 95% interval.
    expected : float or None
        The mean probability of the same rows.
    metrics : mapping of str to MetricKept
        Empty while no outcome is known.
    bands : list of BandKept
    notes : list of str
    """

    files: list[str]
    run_id: str
    horizon: str
    data_end: pd.Timestamp
    frame: pd.DataFrame
    counts: Mapping[str, int]
    abstained: Mapping[str, int]
    rate: float | None
    low: float | None
    high: float | None
    expected: float | None
    metrics: Mapping[str, MetricKept]
    bands: list[BandKept]
    notes: list[str]

    @property
    def known(self) -> pd.DataFrame:
        """The rows whose outcome is known."""
        return self.frame[self.frame["left_out"] == ""]

    @property
    def sentence(self) -> str:
        """How it went, in plain words."""
        from leadscore.scoring.outcome_words import sentence_of

        return sentence_of(self)

    def to_json(self) -> dict[str, Any]:
        """Return JSON values, without the rows."""
        known, frame = self.known, self.frame
        waiting = frame.loc[frame["left_out"] == IMMATURE, "matures_at"]
        return {
            "sentence": self.sentence,
            "files": self.files,
            "run": self.run_id,
            "horizon": self.horizon,
            "as_of": _ends(frame["as_of"]),
            "data_end": self.data_end.isoformat(),
            "counts": dict(self.counts),
            "abstained": dict(self.abstained),
            "matures": {"all": _ends(frame["matures_at"]), "waiting": _ends(waiting)},
            "n": len(known),
            "leads": int(known["user_id"].nunique()),
            "positives": int(known["label"].sum()),
            "rate": self.rate,
            "low": self.low,
            "high": self.high,
            "expected": self.expected,
            "metrics": {name: metric.to_json() for name, metric in self.metrics.items()},
            "bands": [band.to_json() for band in self.bands],
            "notes": self.notes,
        }


def _ends(times: pd.Series) -> list[str] | None:
    return [times.min().isoformat(), times.max().isoformat()] if len(times) else None


def outcomes_of(
    scores: str | Path | Sequence[str | Path],
    overrides: Sequence[str] = (),
    *,
    config_dir: str | Path | None = None,
    roots: Sequence[str | Path] = ("outputs", "multirun"),
    step: Step = log.info,
) -> Outcomes:
    """Say what became of the leads in past score files, as far as today's tables know.

    A row's outcome is conversion in `[as_of, as_of + horizon)`, the horizon being the run's; it is known once the
    tables are complete up to its end, and no earlier.

    Parameters
    ----------
    scores : path or sequence of path
        Files that `python -m leadscore.score` wrote with one run.
    overrides : sequence of str
        Where today's tables are, as the scoring door takes it: `["data=crm"]`. By default the run's own data config.
    config_dir : path, optional
        A folder with your own configs.
    roots : sequence of path
        Where runs lie.
    step : callable, optional
        Told what is being done.

    Raises
    ------
    LeadscoreError
        When a file is not as it was written, its run is gone, or today's tables cannot be read.
    """
    from leadscore.compare import share_interval
    from leadscore.data.absent import without_absent
    from leadscore.store import open_store

    past = read_scores(scores, roots)
    recorded = recorded_today(past.run, overrides)
    config = config_today(recorded, overrides, HEEDED, config_dir)
    data, absent = without_absent(config.data)
    tables = load_checked(data, open_store(config.compute), step)
    refuse_older(tables, past)
    _refuse_other_outcome(tables, absent, recorded, past)
    step("looking what became of the leads")
    frame, counts = _judged(past, tables, recorded, config.data)
    known = frame[frame["left_out"] == ""]
    share: tuple[float | None, float | None, float | None, float | None] = (None, None, None, None)
    if len(known):
        low, high = share_interval(known["label"].to_numpy(), known["user_id"].to_numpy())
        share = float(known["label"].mean()), low, high, float(known["probability"].mean())
    unscored = past.frame.loc[past.frame["probability"].isna(), "code_1"].str.removesuffix(":abstained")
    return Outcomes(
        [str(path) for path in past.paths],
        past.run.run_id,
        recorded.window.horizon,
        tables.data_end,
        frame,
        counts,
        {str(name): int(n) for name, n in unscored.value_counts().sort_index().items()},
        *share,
        metrics_kept(known, past.run.metrics, recorded.metrics.resamples) if len(known) else {},
        bands_kept(known, past.run) if len(known) else [],
        [*past.notes, *_notes(past, known, counts)],
    )


def _refuse_other_outcome(tables: "Tables", absent: Mapping[str, str], recorded: "Config", past: PastScores) -> None:
    """Refuse tables without the label that was learned: another outcome would be counted in its place."""
    if recorded.data.labels and "label" not in tables.leads:
        why = absent.get("label", "data.leads.columns maps no label")
        raise DataError(f"run {past.run.run_id} learned the lead table's own label, and today's has none: {why}")


def _judged(
    past: PastScores, tables: "Tables", recorded: "Config", data: "DataConfig"
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Label each row that can be, and give each other row the first reason that holds."""
    window = window_of_life(recorded.window)
    frame = past.frame.drop(columns="code_1")
    frame["matures_at"] = frame["as_of"] + pd.Timedelta(parse_duration(window.horizon))
    rows = rows_of_leads(tables, window, frame)
    here = np.flatnonzero(rows >= 0)
    points = frame.loc[here, ["as_of"]].assign(lead_row=rows[here]).reset_index(drop=True)
    label, reasons = label_points(tables, points, window, data.statuses, data.labels)
    labels, why = np.full(len(frame), np.nan), np.full(len(frame), "", dtype=object)
    labels[here] = label.to_numpy()
    why[rows < 0] = GONE
    for reason, holds in reversed(reasons.items()):  # the first that holds is the one that stands at the end
        why[here[holds]] = reason
    why[frame["probability"].isna().to_numpy()] = NO_SCORE
    labels[why != ""] = np.nan  # an outcome that does not count is never a 0
    frame["label"], frame["left_out"] = labels, pd.array(why, dtype="str")
    n = frame["left_out"].value_counts()
    found = {reason: int(n.get(reason, 0)) for reason in (NO_SCORE, GONE, *reasons)}
    counts = {"scored": len(frame), **{each: m for each, m in found.items() if m}, "known": int(n.get("", 0))}
    return frame, counts


def _notes(past: PastScores, known: pd.DataFrame, counts: Mapping[str, int]) -> list[str]:
    told = []
    n = sum(counts.get(reason, 0) for reason in CONTRADICT)
    if n:
        told.append(
            f"{n:,} scored leads were not at risk when they were scored, as today's tables have it: what happened "
            f"before came into the tables afterwards, or they were rewritten; they are left out"
        )
    if counts.get(GONE):
        told.append(f"{counts[GONE]:,} scored leads are not in today's lead table: merged, deleted, or another export")
    seen = past.run.predictions[["user_id", "as_of"]].drop_duplicates()
    again = len(known[["user_id", "as_of"]].merge(seen, on=["user_id", "as_of"])) if len(known) else 0
    if again:
        told.append(f"{again:,} of these rows are validation rows of the run: that they keep its promises is no news")
    trained = int((known["as_of"] <= pd.Timestamp(past.run.serving.trained_until)).sum())
    if trained:
        told.append(
            f"{trained:,} of these rows lie in the time that the model was trained on, and may be its training rows"
        )
    return told
