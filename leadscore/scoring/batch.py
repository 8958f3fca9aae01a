"""From a saved run and today's tables to scores: prepared once, computed in chunks, written whole or not at all."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from leadscore.cluster import cluster_of
from leadscore.config.score_schema import ScoreConfig
from leadscore.errors import RecordError, WindowError, examples
from leadscore.preparing import Step, load_checked, model_table
from leadscore.scoring.gaps import Gaps, find_gaps, missing_ends, refuse_other_data
from leadscore.scoring.output import COLUMNS, writing
from leadscore.scoring.population import Population, population_of
from leadscore.scoring.scorer import Chunk, Scorer, scored
from leadscore.scoring.watch import Watch
from leadscore.times import parse_instant

if TYPE_CHECKING:
    from leadscore.cluster import Cluster
    from leadscore.config.schema import Config
    from leadscore.features import Plan
    from leadscore.record import Run
    from leadscore.tables import Tables

__all__ = ["Batch", "Chunk", "moved_code_of", "prepare_batch", "recorded_config_of", "score_leads", "write_scores"]

log = logging.getLogger(__name__)
IN_WAVE = 4  # chunks for each worker of a cluster whose features are computed at once


@dataclass(frozen=True)
class Batch:
    """All that is known before any feature is computed.

    Attributes
    ----------
    run : Run
    config : ScoreConfig
    tables : Tables
    population : Population
    gaps : Gaps
    allowed : mapping of str to str
        What was let pass that is refused by default, in words.
    notes : list of str
    """

    run: "Run"
    config: ScoreConfig
    tables: "Tables"
    population: Population
    gaps: Gaps
    allowed: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def scored_at(self) -> pd.Timestamp:
        """What the rows say: the config's word, else the batch's `as_of`; never the clock, which no rerun repeats."""
        said = self.config.scored_at
        at = self.population.as_of if said is None else pd.Timestamp(parse_instant(said))
        return at.as_unit("us")

    def chunks(self, rows: pd.DataFrame | None = None, size: int | None = None) -> Iterator[Chunk]:
        """Score `rows` (default: the population), at most `size` of them at once (default: `chunk_rows`)."""
        frame = self.population.frame if rows is None else rows
        size = size or self.config.chunk_rows
        if any(step.feature.across_leads for step in self.gaps.plan.steps):
            size = max(len(frame), 1)  # a rank among the leads of an instant needs all of them
        cluster = cluster_of(self.config.compute)
        together = size * (1 if cluster is None else IN_WAVE * cluster.n_workers)
        for first in range(0, len(frame), together):
            rows = frame.iloc[first : first + together].reset_index(drop=True)
            yield from scored(self._scorer, rows, self._features(rows, cluster), size, cluster)

    @cached_property
    def _scorer(self) -> Scorer:
        run = self.run
        named = (run.run_id, run.identity["config_hash"])
        return Scorer(run.model, run.serving, self.gaps, *named, self.scored_at)

    def _features(self, rows: pd.DataFrame, cluster: "Cluster | None") -> pd.DataFrame:
        table = model_table(
            self.gaps.plan,
            self.tables,
            rows,
            workers=self.config.compute.workers,
            checked=True,
            cluster=cluster,
            step=log.debug,
        )
        return table.X


def prepare_batch(run: "Run", config: ScoreConfig, step: Step = log.info) -> Batch:
    """Read a saved run and today's tables, and find out who is scored.

    Parameters
    ----------
    run : Run
        Done; from `open_run`.
    config : ScoreConfig
        From `compose_score`.
    step : callable, optional
        Told what is being done.

    Raises
    ------
    LeadscoreError
        When the run, its code or the tables are not what the model needs.
    """
    from leadscore.data.absent import without_absent
    from leadscore.pipeline import plan_run
    from leadscore.store import open_store

    if run.identity.get("status") != "done":
        raise RecordError(f"run {run.run_id} is {run.identity.get('status')}: only a finished run can score")
    run = replace(run, any_version=config.allow_other_versions)
    recorded = recorded_config_of(run, config.plugins)
    plan = plan_run(recorded)
    allowed, notes = moved_code_of(run, recorded, plan, config)
    allowed |= _kept(run, config)
    trained = f"{run.model.name} of run {run.run_id}"
    refuse_other_data(recorded.data, config.data, plan, trained)
    if recorded.data.name != config.data.name:
        notes.append(f"the run was trained on data '{recorded.data.name}', and '{config.data.name}' are scored")
    data, absent = without_absent(config.data)
    tables = load_checked(data, open_store(config.compute), step, cluster_of(config.compute))
    allowed |= missing_ends(run, tables, config, trained)
    needed = {name for each in plan.steps for name in each.feature.columns}
    notes += [f"{said}; no feature of the model reads it" for name, said in absent.items() if name not in needed]
    gaps = find_gaps(plan, tables, absent, config, trained)
    population = population_of(tables, recorded.window, config.data.statuses, config)
    if not len(population.frame):
        _refuse_empty(population, config)
        allowed["allow_empty"] = "no lead is due: the file has its header and no rows"
    if population.notes:
        allowed["allow_age_shift"] = "; ".join(population.notes)
    return Batch(run, config, tables, population, gaps, allowed, notes)


def recorded_config_of(run: "Run", plugins: Sequence[str]) -> "Config":
    """Return a run's own config, for a caller who names modules by `plugins=[...]`."""
    from leadscore.repetition import config_of

    missing = [name for name in run.config.get("plugins", []) if name not in plugins]
    if missing:
        raise RecordError(
            f"run {run.run_id} used {', '.join(missing)}: modules of a record are never imported unasked; add "
            f'"plugins=[{",".join([*plugins, *missing])}]"'
        )
    return config_of(run, plugins, tracking_root=run.folder)  # where it was recorded may be on another machine


def _kept(run: "Run", config: ScoreConfig) -> dict[str, str]:
    """Refuse a model that is not in safe keeping, unless the config allows it; return what was allowed."""
    from leadscore.model.store import other_versions, read_manifest, writable_by_all
    from leadscore.record.shelf import MODEL

    allowed = {}
    if moved := other_versions(read_manifest(run.folder / MODEL)):
        allowed["allow_other_versions"] = f"the model was saved by {', '.join(moved)}"
    paths = list(dict.fromkeys([*writable_by_all(run.folder), *writable_by_all(run.folder / MODEL)]))
    if paths:
        shown = examples([str(path) for path in paths])
        said = f"every user of this machine may write {len(paths)} files and folders of run {run.run_id} ({shown})"
        if not config.allow_writable:
            raise RecordError(
                f"{said}, and so decide what is scored: chmod -R o-w {run.folder}; or, on a disk without such rights, "
                f"allow_writable=true, which the report records"
            )
        allowed["allow_writable"] = said
    return allowed


def _refuse_empty(population: Population, config: ScoreConfig) -> None:
    if config.allow_empty or config.validate_only:
        return
    out = [f"{n:,} {reason}" for reason, n in population.counts.items() if n and reason not in ("candidates", "scored")]
    raise WindowError(
        f"no lead is due at {population.as_of:%Y-%m-%d %H:%M} UTC, of {population.counts['candidates']:,} candidates: "
        f"{'; '.join(out) or 'the lead table is empty'}. as_of, since and who decide; allow_empty=true writes a file "
        f"without a row"
    )


def moved_code_of(
    run: "Run", recorded: "Config", plan: "Plan", config: ScoreConfig
) -> tuple[dict[str, str], list[str]]:
    """Return what of a run's code has moved and is allowed to, in words by the key that allows it, and what to know.

    Raises
    ------
    RecordError
        When the code of its features or of its model has moved, and `allow_code_change` does not say that it may.
    """
    from leadscore.repetition import commit_of, moved_code

    moved = moved_code(run, recorded, plan)
    notes = []
    if engine := moved.pop("engine_hash", None):
        notes.append(
            f"since the run {engine} has changed; leadscore verify --parity {run.run_id} tells whether a score has"
        )
    if not moved:
        return {}, notes
    if not config.allow_code_change:
        raise RecordError(
            f"run {run.run_id} was trained with other code: {', '.join(moved.values())}. Its features would be "
            f"computed otherwise than in training; check out {commit_of(run)}, promote a run of today's code, or "
            f"allow_code_change=true, which the report records"
        )
    return {"allow_code_change": ", ".join(moved.values())}, notes


def score_leads(run: "Run", config: ScoreConfig, step: Step = log.info) -> pd.DataFrame:
    """Score the leads that are due, and return what would be written.

    Parameters
    ----------
    run : Run
        Done; from `open_run`.
    config : ScoreConfig
        From `compose_score`; its `output` is not touched.
    step : callable, optional
        Told what is being done.

    Returns
    -------
    DataFrame (n_leads, 14)
        `user_id`, `as_of`, `probability`, `score` (0 to 100), `band`, `reason_1` to `reason_3`, `code_1` to `code_3`,
        `run`, `config_hash`, `scored_at`; by user_id and as_of.

    Raises
    ------
    LeadscoreError
        As `write_scores`.
    """
    batch = prepare_batch(run, config, step)
    step("scoring leads")
    frames: list[pd.DataFrame] = []
    _watched(batch, frames.append)
    if not frames:
        return pd.DataFrame({name: pd.Series(dtype="str") for name in COLUMNS})
    return pd.concat(frames, ignore_index=True)


def write_scores(batch: Batch, step: Step = log.info) -> dict[str, Any]:
    """Score a batch into its output, with a JSON report beside it, and return the report.

    Raises
    ------
    LeadscoreError
        When a limit of drift or of unseen levels is passed, or the output cannot be written. An earlier output and
        its report stay as they were.
    """
    with writing(Path(batch.config.output)) as file:
        step("scoring leads")
        report = _watched(batch, file.add)
        step("writing the scores")
        return file.publish(report)


def _watched(batch: Batch, take: Any) -> dict[str, Any]:
    watch = Watch(batch.run.serving, batch.config, frozenset(batch.gaps.lacking))
    abstained: Counter[str] = Counter()
    for chunk in batch.chunks():
        named = chunk.frame["probability"].notna().to_numpy()
        watch.add(chunk.X, chunk.probability, chunk.frame["band"].to_numpy()[named])
        abstained.update(chunk.frame["code_1"][~named].str.removesuffix(":abstained").tolist())
        take(chunk.frame)
    drift = watch.report(batch.population, batch.run)
    run, population, tables = batch.run, batch.population, batch.tables
    seen = int((population.frame["as_of"] <= pd.Timestamp(run.serving.trained_until)).sum())
    warnings = [
        *batch.allowed.values(),
        *([_of_training(seen, population, run)] if seen else []),
        *(f"{why} ({batch.config.missing[name]})" for name, why in batch.gaps.lacking.items()),
    ]
    return {
        "output": Path(batch.config.output).name,
        "run": run.run_id,
        "run_identity": {key: run.identity.get(key) for key in ("identity", "config_hash", "code_hash", "data_hash")},
        "model": run.model.name,
        "as_of": population.as_of.isoformat(),
        "since": None if population.since is None else population.since.isoformat(),
        "scored_at": batch.scored_at.isoformat(),
        "data": {
            "name": batch.config.data.name,
            "data_end": tables.data_end.isoformat(),
            "rows": dict(tables.counts),
            "notes": list(tables.notes),
        },
        "leads": dict(population.counts),
        "bands": {band: watch.bands[band] for band in batch.run.serving.bands.least},
        "abstained": dict(sorted(abstained.items())),
        "lacking": dict(batch.gaps.lacking),
        "allowed": dict(batch.allowed),
        "notes": batch.notes,
        "warnings": [*warnings, *drift.pop("warnings")],
        "drift": drift,
    }


def _of_training(seen: int, population: Population, run: "Run") -> str:
    return (
        f"{seen:,} of {population.counts['scored']:,} leads are scored at or before {run.serving.trained_until[:10]}, "
        f"up to which the model was trained: it may have seen how they ended"
    )
