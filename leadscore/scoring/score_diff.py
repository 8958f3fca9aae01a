"""Why scores moved between two batches: each lead's own data, the model, or its calibration, in parts that add up."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from leadscore.bands import BANDS
from leadscore.errors import RecordError, did_you_mean
from leadscore.preparing import Step
from leadscore.scoring.again import Again, Shelved
from leadscore.scoring.past import PastScores, read_scores
from leadscore.scoring.splitting import PARTS, Splitting, points_of

__all__ = ["PARTS", "ScoreDiff", "diff_scores"]

log = logging.getLogger(__name__)
SHOWN = 10  # leads that moved most
NO_SCORE = "none"


@dataclass(frozen=True)
class ScoreDiff:
    """What moved between an old and a new score file.

    Attributes
    ----------
    old, new : PastScores
    frame : DataFrame (n_leads, 19)
        The leads that have a score in both and can be computed again: `user_id`, `as_of_old`, `as_of_new`, `old` and
        `new` (probabilities), `band_old`, `band_new`, `total` (the move of the log-odds) and its parts `data`, `model`,
        `calibration` and `rewritten`, `cause` (the largest part, "" where nothing moved), then the columns that moved
        the data's part most, `column_1` to `column_3` with `moved_1` to `moved_3`. By user_id and as_of.
    counts : mapping of str to int
        Of leads: `old`, `new`, `both`, `only_old`, `only_new`, `unscored` (in both, without a score in one), `gone`
        (in both, not in today's lead table), `split` (the rows of `frame`).
    bands : DataFrame
        Leads in both by their old band (rows) and their new one; `none` is without a score.
    columns : DataFrame (n_columns, 4)
        What each column added to the data's parts: `column`, `sum`, `mean_size` and `strongest_for` (leads), the
        largest first.
    recomputed : mapping of str to int
        `old` and `new`: rows of `frame` whose recorded probability the recomputation does not give to 1e-12.
    leads : list of dict
        The leads that moved most, or the one asked for, each with its columns: value before, value now, part.
    notes : list of str
    """

    old: PastScores
    new: PastScores
    frame: pd.DataFrame
    counts: Mapping[str, int]
    bands: pd.DataFrame
    columns: pd.DataFrame
    recomputed: Mapping[str, int]
    leads: list[dict[str, Any]]
    notes: list[str]

    @property
    def same_run(self) -> bool:
        """Whether one model gave both scores."""
        return self.old.run.run_id == self.new.run.run_id

    @property
    def parts(self) -> dict[str, dict[str, float]]:
        """Each part and the total over all leads: `sum`, `mean`, `mean_size`, and `largest_for` how many leads."""
        frame = self.frame
        told = {}
        for name in (*PARTS, "total"):
            part = frame[name]
            largest = frame["cause"] == name if name in PARTS else frame["cause"] != ""
            told[name] = {
                "sum": float(part.sum()),
                "mean": float(part.mean()) if len(frame) else 0.0,
                "mean_size": float(part.abs().mean()) if len(frame) else 0.0,
                "largest_for": int(largest.sum()),
            }
        return told

    @property
    def sentence(self) -> str:
        """What happened, in plain words."""
        from leadscore.scoring.diff_words import sentence_of

        return sentence_of(self)

    def to_json(self) -> dict[str, Any]:
        """Return JSON values, without the leads that moved less."""
        return {
            "sentence": self.sentence,
            **{side: _side_json(past) for side, past in (("old", self.old), ("new", self.new))},
            "counts": dict(self.counts),
            "mean_probability": {side: _mean(self.frame[side]) for side in ("old", "new")},
            "parts": self.parts,
            "columns": self.columns.to_dict("records"),
            "bands": {old: {new: int(n) for new, n in row.items()} for old, row in self.bands.iterrows()},
            "recomputed_otherwise": dict(self.recomputed),
            "leads": self.leads,
            "notes": self.notes,
        }


def _side_json(past: PastScores) -> dict[str, Any]:
    times = past.frame["as_of"]
    ends = [times.min().isoformat(), times.max().isoformat()] if len(times) else None
    return {"file": str(past.paths[0]), "run": past.run.run_id, "as_of": ends, "rows": len(past.frame)}


def _mean(column: pd.Series) -> float | None:
    return float(column.mean()) if len(column) else None


def diff_scores(
    old: str | Path,
    new: str | Path,
    overrides: Sequence[str] = (),
    *,
    lead: str | None = None,
    config_dir: str | Path | None = None,
    roots: Sequence[str | Path] = ("outputs", "multirun"),
    step: Step = log.info,
) -> ScoreDiff:
    """Say why scores moved between two score files, lead by lead and in sum.

    Each lead's features are computed again from today's tables at the instants of then. The move of its log-odds is
    split into what new data, the new model and the new calibration contributed, each the mean over all orders in which
    they could have changed (Shapley values), so that the parts add up whatever changed together. What today's tables
    do not explain, because they or the features' code are no longer those of then, stands apart as `rewritten`.

    Parameters
    ----------
    old, new : path
        Files that `python -m leadscore.score` wrote.
    overrides : sequence of str
        As the scoring door takes them: where today's tables are (`data=crm`), `missing.FEATURE=...`,
        `allow_code_change=true`. By default each run's own data config.
    lead : str, optional
        Only this lead, with all its columns.
    config_dir : path, optional
        A folder with your own configs.
    roots : sequence of path
        Where runs lie.
    step : callable, optional
        Told what is being done.

    Raises
    ------
    LeadscoreError
        When a file is not as it was written, its run is gone, the lead is not in both files, or features cannot be
        computed again.
    """
    pasts = read_scores(old, roots), read_scores(new, roots)
    both, counts, notes = _matched(*pasts)
    if lead is not None:
        both = _one(both, lead, *pasts)
    bands = _band_moves(both)
    scored = both[both["old"].notna() & both["new"].notna()].reset_index(drop=True)
    shelf = Shelved(step)
    models = [Again(pasts[0].run, overrides, config_dir, shelf)]
    if pasts[0].run.run_id != pasts[1].run.run_id:
        models.append(Again(pasts[1].run, overrides, config_dir, shelf, models[0]))
    here = np.ones(len(scored), dtype=bool)
    if len(scored):
        for model in models:
            for past, rows in zip(pasts, points_of(scored), strict=True):
                here &= model.rows(past, rows) >= 0
    split = scored[here].reset_index(drop=True)
    counts |= {"unscored": len(both) - len(scored), "gone": int((~here).sum()), "split": len(split)}
    step("computing the leads again")
    walk = Splitting(models, pasts)
    frame, columns, otherwise = walk.all(split)
    most = frame["total"].abs().sort_values(ascending=False, kind="stable").index[:SHOWN]
    leads = walk.pages(split, frame, most)
    told = [*pasts[0].notes, *pasts[1].notes, *notes, *(note for each in models for note in each.notes)]
    return ScoreDiff(*pasts, frame, counts, bands, columns, otherwise, leads, list(dict.fromkeys(told)))


def _matched(old: PastScores, new: PastScores) -> tuple[pd.DataFrame, dict[str, int], list[str]]:
    """Return the leads of both batches side by side."""
    once = old.frame["user_id"].is_unique and new.frame["user_id"].is_unique
    by = ["user_id"] if once else ["user_id", "as_of"]
    notes = [] if once else ["leads have several rows in a file: a row is held against the one of the same as_of"]
    frames = [past.frame.drop(columns="code_1").rename(columns={"probability": side})
              for past, side in ((old, "old"), (new, "new"))]  # fmt: skip
    if not once:
        frames = [each.assign(at=each["as_of"]).rename(columns={"as_of": f"as_of_{side}", "at": "as_of"})
                  for each, side in zip(frames, ("old", "new"), strict=True)]  # fmt: skip
    every = frames[0].merge(frames[1], on=by, how="outer", suffixes=("_old", "_new"), indicator=True)
    n = every["_merge"].value_counts()
    both = every[every["_merge"] == "both"].sort_values(["user_id", "as_of_new"], kind="stable", ignore_index=True)
    counts = {"old": len(old.frame), "new": len(new.frame), "both": len(both)}
    counts |= {"only_old": int(n["left_only"]), "only_new": int(n["right_only"])}
    wanted = ["user_id", "as_of_old", "as_of_new", "old", "new", "band_old", "band_new"]
    return both[wanted], counts, notes


def _one(both: pd.DataFrame, lead: str, old: PastScores, new: PastScores) -> pd.DataFrame:
    mine = both[both["user_id"] == lead]
    if len(mine):
        return mine.reset_index(drop=True)
    where = [past.name for past in (old, new) if (past.frame["user_id"] == lead).any()]
    if where:
        raise RecordError(f"lead '{lead}' is only in {where[0]}: there is no second score to hold it against")
    near = did_you_mean(lead, both["user_id"].head(10_000), "Leads").split("Leads:")[0]
    raise RecordError(f"lead '{lead}' is in neither {old.name} nor {new.name}. {near}".rstrip())


def _band_moves(both: pd.DataFrame) -> pd.DataFrame:
    """Return how many leads went from each band to each."""
    order = [*BANDS, NO_SCORE]
    old, new = (both[f"band_{side}"].where(both[side].notna(), NO_SCORE) for side in ("old", "new"))
    table = pd.crosstab(old, new).reindex(index=order, columns=order, fill_value=0)
    return table.rename_axis(index="old", columns="new")
