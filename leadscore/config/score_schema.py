"""The keys, types and defaults of a batch of scores: who is scored, when, and what stops it.

A field of kind `moment` is an instant or one of `MOMENTS`: `now` is the clock, `data_end` the instant up to which the
tables are complete, `column` each lead's own `as_of` in the lead table.
"""

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from leadscore.config.fields import choice, duration, instant, kept_as, number
from leadscore.config.schema import ComputeConfig, DataConfig
from leadscore.times import parse_instant

__all__ = ["MOMENTS", "POLICIES", "RUNS_OWN", "ComposedScore", "DriftConfig", "ScoreConfig", "spelled_moment"]

POLICIES = ("default", "abstain")
MOMENTS = ("now", "data_end", "column")
# The run's own are used. A data config may choose some of them for training, so they are composed, and dropped.
RUNS_OWN = ("window", "definitions", "features", "model", "validation")


def spelled_moment(text: str) -> str:
    """Return an instant in one spelling, or the word.

    Examples
    --------
    >>> spelled_moment("now"), spelled_moment("2026-11-23T07:00+01:00")
    ('now', '2026-11-23T06:00:00Z')
    """
    word = text.strip()
    if word in MOMENTS:
        return word
    try:
        return parse_instant(word).isoformat().replace("+00:00", "Z")
    except ValueError as error:
        raise ValueError(f"{error}; or one of {', '.join(MOMENTS)}") from None


@dataclass
class DriftConfig:
    """From where a batch that lies otherwise than the training rows is told, and from where it is refused."""

    warn: float | None = number(0.1, above=0)  # population stability index of a feature or of the score; null: never
    fail: float | None = number(0.25, above=0)  # null: never refused
    volume: float | None = number(0.1, above=0)  # warn below this share of the rows a day that training had


@dataclass
class ScoreConfig:
    """One batch of scores."""

    run: str = "champion"  # a name of a run, as `leadscore show` takes
    roots: list[str] = field(default_factory=lambda: ["outputs", "multirun"])  # where runs lie
    data: DataConfig = MISSING
    compute: ComputeConfig = MISSING
    as_of: str = kept_as("moment", "now")
    since: str = duration("1d")  # a lead with a point of its own is scored when that lies in (as_of - since, as_of]
    who: str = choice("window", "window", "open")  # open: every open lead at as_of, whatever its own point
    output: str = "scores.parquet"  # or .csv; a report lies beside it, scores.report.json
    scored_at: str | None = instant(None)  # null: the as_of of the batch, so that the same inputs give the same bytes
    max_staleness: str = duration("1d")  # how far as_of may lie after the instant up to which the tables are complete
    allow_age_shift: bool = False  # score leads of an age that the model never saw
    allow_code_change: bool = False  # score although the code of the features is not the run's
    allow_other_versions: bool = False  # score although another major version of a library saved the model
    allow_writable: bool = False  # score although every user of the machine may write the run's files
    allow_missing_ends: bool = False  # score although status, converted_at or closed_at of training is missing
    allow_empty: bool = False  # write a file without a row where no lead is due
    missing: dict[str, str] = field(default_factory=dict)  # feature -> default | abstain, where its source is missing
    max_unseen_share: float = number(0.2, at_least=0, at_most=1)  # of a category's rows with a level training had not
    drift: DriftConfig = field(default_factory=DriftConfig)
    chunk_rows: int = number(50_000, at_least=1)  # leads whose features stand in memory at once
    plugins: list[str] = field(default_factory=list)  # modules that register what the run used
    validate_only: bool = False  # say who would be scored, and write nothing


@dataclass
class ComposedScore(ScoreConfig):
    """What Hydra composes: a batch, and the groups that a data config may choose for training."""

    window: Any = None
    definitions: Any = None
    features: Any = None
    model: Any = None
    validation: Any = None
