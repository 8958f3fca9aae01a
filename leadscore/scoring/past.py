"""A score file of some time ago, read back: whole, as its job wrote it, and of one run that can still be opened."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from leadscore.bands import BANDS
from leadscore.config.score_checks import SUFFIXES
from leadscore.errors import RecordError, did_you_mean, examples, raise_all
from leadscore.scoring.output import report_path
from leadscore.tables import TIME_DTYPE

if TYPE_CHECKING:
    from leadscore.record import Run

__all__ = ["PastScores", "read_scores"]

TEXTS = ("user_id", "band", "code_1", "run")
NEEDED = ("user_id", "as_of", "probability", "band", "code_1", "run")
RUN_ID = re.compile(r"\d{8}T\d{6}-[0-9a-f]{8}")
ZONED = re.compile(r"(?:Z|[+-]\d\d:?\d\d)$")
ROW = ["user_id", "as_of"]


@dataclass(frozen=True)
class PastScores:
    """What `python -m leadscore.score` wrote once, in one file or in several of one run.

    Attributes
    ----------
    paths : tuple of Path
    frame : DataFrame (n, 5)
        `user_id`, `as_of`, `probability` (NaN for a lead that got none), `band` and `code_1`, by user_id and as_of,
        RangeIndex; a row stands once.
    run : Run
        Whose model gave the probabilities.
    data_end : Timestamp or None
        Up to which the tables were complete that were scored; of several files the latest, None where no report says.
    notes : list of str
    """

    paths: tuple[Path, ...]
    frame: pd.DataFrame
    run: "Run"
    data_end: pd.Timestamp | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What messages call it."""
        more = f" and {len(self.paths) - 1} more" if len(self.paths) > 1 else ""
        return f"{self.paths[0].name}{more}"


def read_scores(
    paths: str | Path | Sequence[str | Path], roots: Sequence[str | Path] = ("outputs", "multirun")
) -> PastScores:
    """Read score files of one run.

    Parameters
    ----------
    paths : path or sequence of path
        `.parquet` or `.csv`, each with the report beside it that its job wrote; without one, whether the file is as
        it was written is not known, and a note says so.
    roots : sequence of path
        Where runs lie.

    Raises
    ------
    RecordError
        When a file is not whole, was changed after it was written, or does not hold scores of one run that is there.
    """
    listed = tuple(Path(each) for each in ([paths] if isinstance(paths, str | Path) else paths))
    notes: list[str] = []
    pieces, ends, told = [], [], []
    for path in listed:
        report = _report(path, notes)
        frame = _columns_of(path)
        raise_all(RecordError, [f"{path}: {problem}" for problem in _problems(frame)])
        pieces.append(frame)
        told.append({*frame["run"].unique(), *([str(report["run"])] if report else [])})
        if report and "data_end" in report.get("data", {}):
            ends.append(pd.Timestamp(report["data"]["data_end"]).as_unit("us"))
    run = _run_of(listed, told, roots)
    frame = _joined(pieces, listed, notes)
    _refuse_other_bands(frame, run, listed)
    end = max(ends) if ends and len(ends) == len(listed) else None
    return PastScores(listed, frame.drop(columns="run"), run, end, notes)


def _report(path: Path, notes: list[str]) -> dict[str, Any] | None:
    from leadscore.sealed import file_hash

    if path.suffix.lower() not in SUFFIXES:
        raise RecordError(f"{path}: a score file ends in {' or '.join(SUFFIXES)}")
    if not path.is_file():
        raise RecordError(f"{path}: no such file; name one that python -m leadscore.score wrote")
    beside = report_path(path)
    if not beside.is_file():
        notes.append(f"{path.name} has no {beside.name} beside it: whether it is as it was written is not known")
        return None
    try:
        report = json.loads(beside.read_bytes())
        written = report["sha256"]
        report["run"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordError(f"{beside} cannot be read as a report of scores: {type(error).__name__}: {error}") from None
    found = file_hash(path)
    if found != written:
        raise RecordError(
            f"{path} is not the file that {beside.name} tells of (sha256 {found[:8]}, the report says "
            f"{str(written)[:8]}): it was changed after it was written, or the report is another job's. Bring the file "
            f"back; if the change is meant, move the report away"
        )
    return dict(report)


def _columns_of(path: Path) -> pd.DataFrame:
    """Return the columns that are needed, typed."""
    try:
        frame = _csv(path) if path.suffix.lower() == ".csv" else _parquet(path)
    except (OSError, ValueError) as error:  # pyarrow's and pandas' own are ValueErrors
        raise RecordError(f"{path} cannot be read: {str(error).splitlines()[0]}") from None
    return frame


def _refuse_missing(path: Path, names: Sequence[str]) -> None:
    missing = [name for name in NEEDED if name not in names]
    if missing:
        raise RecordError(
            f"{path} has no column {', '.join(missing)}: it is no score file, or columns were taken out. "
            f"{did_you_mean(missing[0], names, 'It has')}"
        )


def _parquet(path: Path) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pq.read_schema(path)
    _refuse_missing(path, schema.names)
    kinds = {name: schema.field(name).type for name in NEEDED}
    wrong = [
        f"{path}: column '{name}' is {kind}, and {due} is due"
        for name, kind in kinds.items()
        for due, holds in (_due(name, kind),)
        if not holds
    ]
    raise_all(RecordError, wrong)
    table = pq.read_table(path, columns=list(NEEDED))
    columns = {name: pd.array(table.column(name).cast(pa.string()).to_numpy(), dtype="str") for name in TEXTS}
    times = pd.Series(table.column("as_of").to_numpy()).dt.tz_localize("UTC").astype(TIME_DTYPE)
    frame = pd.DataFrame({**columns, "as_of": times})
    return frame.assign(probability=table.column("probability").to_numpy())[list(NEEDED)]


def _due(name: str, kind: Any) -> tuple[str, bool]:
    from pyarrow import types

    if name in TEXTS:
        return "text", types.is_string(kind) or types.is_large_string(kind) or types.is_dictionary(kind)
    if name == "as_of":
        return "a time with a zone", types.is_timestamp(kind) and kind.tz is not None
    return "float64", types.is_float64(kind)


def _csv(path: Path) -> pd.DataFrame:
    from leadscore.record.log import original

    names = list(pd.read_csv(path, nrows=0).columns)
    _refuse_missing(path, names)
    frame = pd.read_csv(path, usecols=list(NEEDED), dtype="str", keep_default_na=False)[list(NEEDED)]
    for name in TEXTS:
        guarded = frame[name].str.startswith("'")
        if guarded.any():
            frame.loc[guarded, name] = frame.loc[guarded, name].map(original)
    zoned = frame["as_of"].str.contains(ZONED)
    if not zoned.all():
        raise RecordError(
            f"{path}: as_of is no time with a zone in {int((~zoned).sum()):,} of {len(frame):,} rows "
            f"({examples(frame.loc[~zoned, 'as_of'].head(4))})"
        )
    frame["as_of"] = pd.to_datetime(frame["as_of"], utc=True, format="ISO8601").astype(TIME_DTYPE)
    # by Python's own parser: a text written from a float64 gives that float64 again, to the last bit
    frame["probability"] = np.array([float(text) if text else np.nan for text in frame["probability"]], "float64")
    return frame


def _problems(frame: pd.DataFrame) -> list[str]:
    problems = []
    for name in ("user_id", "as_of"):
        empty = frame[name].isna() | (frame[name] == "") if name == "user_id" else frame[name].isna()
        if empty.any():
            problems.append(f"{name} is missing in {int(empty.sum()):,} of {len(frame):,} rows")
    p = frame["probability"]
    wrong = p.notna() & ~p.between(0, 1)
    if wrong.any():
        shown = examples(f"{who} {value:g}" for who, value in zip(frame["user_id"][wrong], p[wrong], strict=True))
        problems.append(f"{int(wrong.sum()):,} of {len(frame):,} probabilities are not in [0, 1] ({shown})")
    doubled = frame.duplicated(ROW)
    if doubled.any():
        shown = examples(frame.loc[doubled, "user_id"].head(4))
        problems.append(
            f"{int(doubled.sum()):,} of {len(frame):,} rows repeat a user_id and as_of ({shown}), and would count "
            f"twice: the job writes each once"
        )
    odd = [text for text in frame["run"].unique() if not RUN_ID.fullmatch(str(text))]
    if odd:
        problems.append(f"{int(frame['run'].isin(odd).sum()):,} rows name no run ({examples(odd)})")
    bands = set(frame.loc[p.notna(), "band"]) - set(BANDS)
    if bands:
        problems.append(f"band is one of {', '.join(BANDS)}, and {examples(sorted(bands))} is none")
    return problems


def _run_of(paths: Sequence[Path], told: Sequence[set[str]], roots: Sequence[str | Path]) -> "Run":
    """Open the one run that all files are of."""
    from leadscore.record import open_run

    every = {run for runs in told for run in runs}
    if not every:
        raise RecordError(f"{paths[0]} has no row, and no report beside it: nothing says which run scored nobody")
    if len(every) > 1:
        which = "; ".join(f"{path.name}: {', '.join(sorted(runs))}" for path, runs in zip(paths, told, strict=True))
        raise RecordError(
            f"these scores are of {len(every)} runs ({which}), and one answer is about one: ask about each run's files "
            f"alone"
        )
    (run_id,) = every
    if not RUN_ID.fullmatch(run_id):
        raise RecordError(f"{report_path(paths[0])} names no run: {run_id[:40]!r}")
    try:
        run = open_run(run_id, roots)
    except RecordError:
        where = ", ".join(str(root) for root in roots)
        raise RecordError(
            f"{paths[0]} was scored with run {run_id}, and no such run lies under {where}: bring its folder back, or "
            f"name the folder of its runs with --root"
        ) from None
    if run.run_id != run_id:
        raise RecordError(f"{run.folder} should hold run {run_id}, and holds {run.run_id}")
    return run


def _joined(pieces: Sequence[pd.DataFrame], paths: Sequence[Path], notes: list[str]) -> pd.DataFrame:
    """Return all rows, those that stand in several files once."""
    frame = pd.concat(pieces, ignore_index=True) if len(pieces) > 1 else pieces[0]
    again = frame.duplicated(ROW)
    if again.any():
        n = frame.groupby(ROW, sort=False)["probability"].nunique(dropna=False)
        if (n > 1).any():
            shown = examples(f"{who} {when:%Y-%m-%d %H:%M}" for who, when in n[n > 1].index[:4])
            raise RecordError(
                f"{int((n > 1).sum()):,} leads have different probabilities at one as_of in different files ({shown}): "
                f"leave out the files that do not count"
            )
        notes.append(f"{int(again.sum()):,} rows stand in several of the {len(paths)} files and are counted once")
        frame = frame[~again]
    return frame.sort_values(ROW, kind="stable", ignore_index=True)


def _refuse_other_bands(frame: pd.DataFrame, run: "Run", paths: Sequence[Path]) -> None:
    scored = frame[frame["probability"].notna()]
    other = scored["band"].to_numpy() != run.serving.bands.of(scored["probability"])
    if other.any():
        raise RecordError(
            f"{paths[0]}: {int(other.sum()):,} of {len(scored):,} rows are in another band than run {run.run_id} gives "
            f"their probability ({examples(scored.loc[other, 'user_id'].head(4))}): bands or probabilities were edited"
        )
