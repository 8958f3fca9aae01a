"""The score file: written whole under another name, then renamed; one job at a time."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leadscore.errors import RecordError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS", "REASONS", "refuse_taken", "report_path", "writing"]

REASONS = 3
COLUMNS = {
    "user_id": "string",
    "as_of": "time",
    "probability": "float64",
    "score": "float64",
    "band": "string",
    **{f"reason_{place}": "string" for place in range(1, REASONS + 1)},
    **{f"code_{place}": "string" for place in range(1, REASONS + 1)},
    "run": "string",
    "config_hash": "string",
    "scored_at": "time",
}


def report_path(output: Path) -> Path:
    """Return where the report of a score file lies: `scores.report.json` beside `scores.parquet`."""
    return output.with_name(f"{output.stem}.report.json")


def refuse_taken(output: Path) -> None:
    """Refuse an output that would take the place of anything but an earlier score file and its report.

    Raises
    ------
    RecordError
        Naming what lies there: a table, a folder, a link, or whatever else is no score file. Or saying that its folder
        is not there: a share that is not mounted, or a typing mistake, is never made up.
    """
    if not output.parent.is_dir():
        found = "is no folder" if output.parent.exists() else "does not exist; make it first"
        raise RecordError(f"output {output}: {output.parent} {found}, or name another")
    try:
        for path, is_ours in ((output, _is_scores), (report_path(output), _is_report)):
            if path.is_symlink():
                raise RecordError(f"{path} is a link, to {os.path.realpath(path)}: output names the file itself")
            if path.exists() and not (path.is_file() and (path.stat().st_size == 0 or is_ours(path))):
                what = "a folder" if path.is_dir() else "a file that leadscore.score did not write"
                raise RecordError(f"{path} is {what}, and nothing is written over it: output names another")
        other = _told(report_path(output)).get("output", output.name)
        if other != output.name and output.with_name(other).exists():
            raise RecordError(f"{report_path(output)} is the report of {other}: output names a file of another name")
    except OSError as error:
        raise _unwritable(output, error) from None


def _is_scores(path: Path) -> bool:
    if path.suffix.lower() == ".csv":
        header = (",".join(COLUMNS) + "\n").encode()
        with path.open("rb") as file:
            return file.read(len(header)) == header
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            return list(file.schema_arrow.names) == list(COLUMNS)
    except pa.ArrowInvalid:
        return False


def _is_report(path: Path) -> bool:
    return {"run", "run_identity", "scored_at", "sha256"} <= set(_told(path))


def _told(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


@contextmanager
def writing(output: Path) -> Iterator["ScoreFile"]:
    """Give a file to add frames to; `publish` lets it and its report take their names.

    Raises
    ------
    RecordError
        When another job is writing the same output, or the disk refuses. What stood there stays as it was.
    """
    from filelock import FileLock, Timeout

    lock = output.with_name(f".{output.name}.lock")
    refuse_taken(output)
    try:
        lock.touch()  # what a lock cannot be made for is said as it is, and not as a lock that another job holds
        with FileLock(lock, timeout=0):
            file = ScoreFile(output)
            try:
                yield file
            finally:
                file.discard()
    except Timeout:
        raise RecordError(
            f"another job is writing {output} at this moment: two jobs need two outputs, or one after the other"
        ) from None
    except OSError as error:
        raise _unwritable(output, error) from None


def _unwritable(output: Path, error: OSError) -> RecordError:
    return RecordError(
        f"{output} cannot be written: {error.strerror or error}; what stood there is untouched, and output decides"
    )


class ScoreFile:
    """Frames of scores on their way to a file."""

    def __init__(self, output: Path) -> None:
        self.output = output
        for left in output.parent.glob(f".{escape(output.name)}.*.partial"):  # by a killed job: the lock is ours
            left.unlink(missing_ok=True)
        self.partial = output.with_name(f".{output.name}.{os.getpid()}.partial")
        self._sink = _Csv(self.partial) if output.suffix.lower() == ".csv" else _Parquet(self.partial)

    def add(self, frame: "pd.DataFrame") -> None:
        """Write the next rows; without a row this writes nothing but the header."""
        self._sink.add(frame)

    def publish(self, report: Mapping[str, Any]) -> dict[str, Any]:
        """Finish the file and its report, give both their names, and return the report with the file's sha256."""
        self._sink.close()
        told = {**report, "sha256": _synced(self.partial)}
        beside = report_path(self.output)
        temporary = beside.with_name(f".{self.output.name}.report.{os.getpid()}.partial")
        try:
            temporary.write_text(json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")
            _synced(temporary)
            os.replace(self.partial, self.output)
            os.replace(temporary, beside)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(self.output.parent)
        return told

    def discard(self) -> None:
        """Close and remove what has not taken its name."""
        try:
            self._sink.close()
        finally:
            self.partial.unlink(missing_ok=True)


class _Parquet:
    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        kinds = {"string": pa.string(), "float64": pa.float64(), "time": pa.timestamp("us", "UTC")}
        self.schema = pa.schema([(name, kinds[kind]) for name, kind in COLUMNS.items()])
        self.writer = pq.ParquetWriter(path, self.schema)

    def add(self, frame: "pd.DataFrame") -> None:
        import pyarrow as pa

        if len(frame):
            self.writer.write_table(pa.Table.from_pandas(frame, self.schema, preserve_index=False))

    def close(self) -> None:
        self.writer.close()


class _Csv:
    """Ids and numbers as they are; what a spreadsheet would run as a formula gets a leading apostrophe."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("w", encoding="utf-8", newline="")
        self.file.write(",".join(COLUMNS) + "\n")

    def add(self, frame: "pd.DataFrame") -> None:
        from leadscore.record.log import safe_text

        columns = {}
        for name, kind in COLUMNS.items():
            values = frame[name]
            if kind == "time":
                values = values.dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ").str.replace(".000000Z", "Z")
            elif kind == "string":
                different = values.drop_duplicates()
                safe = {text: safe_text(text) for text in different.dropna()}
                risky = {text for text, made in safe.items() if made != text}
                values = values.map(safe) if risky else values
            columns[name] = values
        import pandas as pd

        pd.DataFrame(columns).to_csv(self.file, header=False, index=False, lineterminator="\n")

    def close(self) -> None:
        self.file.close()


def _synced(path: Path) -> str:
    """Wait until the disk has a file, and return its sha256."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
