"""From a path in the config to one raw table: which files, whether they can be read, and what they hold."""

import glob
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from omegaconf import MISSING

from leadscore.config.schema import TableConfig
from leadscore.data.origin import Column, Origin
from leadscore.data.remote import RemoteFile, find_remote, is_url, stamp_of
from leadscore.errors import DataError, did_you_mean, examples, raise_all

if TYPE_CHECKING:
    from leadscore.data.csv_file import CsvFile
    from leadscore.data.parquet_file import ParquetFile

__all__ = ["RawTable", "find_files", "header_of", "piece_of", "read_files"]

KINDS = {".csv": "CSV", ".csv.gz": "CSV", ".parquet": "Parquet"}
READABLE = ", ".join(KINDS)


class Columns(Mapping[str, Column]):
    """Columns that are read when they are asked for, and not held: a long log's fit in memory one by one."""

    def __init__(self, names: Sequence[str], read: Callable[[str], Column]) -> None:
        self._names, self._read = names, read

    def __getitem__(self, name: str) -> Column:
        return self._read(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@dataclass(frozen=True)
class RawTable:
    """The columns asked for, as the files have them, and the names of all the others."""

    columns: Mapping[str, Column]
    origin: Origin
    unused: tuple[str, ...]
    head: pa.Table | None = None  # the columns' types, as they are in all files together
    files: "Sequence[CsvFile | ParquetFile]" = ()


def find_files(table: TableConfig, folder: str, key: str) -> list[Path] | list[RemoteFile]:
    """Return the files that a table's path names, sorted by path.

    Parameters
    ----------
    table : TableConfig
        Its `path` is a file, a folder or a glob, relative to `folder`, or a URL of these.
    folder : str or None
        `data.dir`, a URL perhaps; None is the current directory.
    key : str
        `data.leads` or `data.events`, for messages.

    Raises
    ------
    DataError
        Nothing there, nothing readable, not a regular file, or files of two kinds.
    """
    if table.path == MISSING:
        raise DataError(f"{key}.path is not set: name a file, a folder or a glob, relative to data.dir")
    if is_url(table.path) or is_url(folder):
        url = table.path if is_url(table.path) else f"{folder.rstrip('/')}/{table.path}"
        return find_remote(url, key)
    path = Path(folder or ".").expanduser() / Path(table.path).expanduser()
    try:
        found = _candidates(path, key)
        problems = [problem for each in found if (problem := _unreadable(each))]
    except OSError as error:  # a symlink loop, no permission
        raise DataError(f"{key}.path {path}: {error.strerror}") from None
    raise_all(DataError, [f"{key}.path: {problem}" for problem in problems])
    kinds = {_kind(each) for each in found}
    if len(kinds) > 1:
        raise DataError(
            f"{key}.path {path} holds CSV and Parquet files ({examples(each.name for each in found)}); all files of "
            f"one table are of one kind: name them by a glob, such as {table.path}/*.parquet"
        )
    return found


def _candidates(path: Path, key: str) -> list[Path]:
    if _exists(path):
        if not path.is_dir():
            return [path]
        found = sorted(each for each in path.iterdir() if not each.name.startswith((".", "_")))
        if not found:
            raise DataError(f"{key}.path {path} is a folder without files; files in it may be {READABLE}")
        return found
    if glob.has_magic(str(path)):
        found = sorted(Path(each) for each in glob.glob(str(path), recursive=True))
        if not found:
            raise DataError(f"{key}.path: no file matches {path}")
        return found
    if not path.parent.is_dir():
        raise DataError(f"{key}.path: {path} does not exist, and neither does its folder; data.dir decides the folder")
    beside = [each.name for each in path.parent.iterdir() if _kind(each) or each.is_dir()]
    raise DataError(f"{key}.path: {path} does not exist. {did_you_mean(path.name, beside[:20], 'In its folder')}")


def _exists(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _unreadable(path: Path) -> str | None:
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        return f"{path} is a folder inside the table's folder; name the files by a glob, such as {path.parent}/**/*.csv"
    if not stat.S_ISREG(mode):
        return f"{path} is not a regular file (a pipe, a socket or a device), which could keep a run waiting for ever"
    if _kind(path) is None:
        return f"{path} is of no kind that is read ({READABLE}); name the table's files by a glob to leave others out"
    return None


def _kind(path: Path | RemoteFile) -> str | None:
    return next((kind for ending, kind in KINDS.items() if path.name.lower().endswith(ending)), None)


def read_files(
    paths: Sequence[Path | RemoteFile],
    table: TableConfig,
    key: str,
    choose: Callable[[Sequence[str], str], Sequence[str]],
) -> RawTable:
    """Read the columns chosen of all files of a table.

    Parameters
    ----------
    paths : sequence of Path or RemoteFile
        From `find_files`.
    choose : callable
        `(names in the files, hint) -> names to read`; raises when a name is missing. The hint is about a
        wrong separator, ready to end a message with.

    Returns
    -------
    RawTable
        At least one row.

    Raises
    ------
    DataError
        A broken file, a doubled or missing column, no rows, types that differ between the files, or a file that
        changed while it was read; a column may raise it when it is asked for.
    """
    before = {path: stamp_of(path) for path in paths}
    files = [_open(path, table, key) for path in paths]
    names = list(dict.fromkeys(name for file in files for name in file.names))
    chosen = list(dict.fromkeys(choose(names, files[0].separator_hint()))) or names[:1]  # one, to count the rows
    raise_all(DataError, [problem for file in files for problem in _column_problems(file, chosen)])
    heads = [file.head(chosen) for file in files]
    _check_unchanged(before)
    origin = Origin(table.path, tuple(part for _, part in heads))
    if not origin.n_rows:
        raise DataError(
            f"{origin.label} has a header and no rows" if _kind(paths[0]) == "CSV" else f"{origin.label} has no rows"
        )
    head = _joined([head for head, _ in heads], chosen, origin)

    def column(name: str) -> Column:
        cells = _joined([file.read(name) for file in files], [name], origin).column(name)
        _check_unchanged(before)
        pa.default_memory_pool().release_unused()  # what the column before it took
        return Column(cells, name, key, origin)

    unused = tuple(name for name in names if name not in chosen)
    return RawTable(Columns(chosen, column), origin, unused, head, files)


def piece_of(file: "ParquetFile", groups: tuple[int, int], head: pa.Table, key: str, origin: Origin) -> RawTable:
    """Return the rows of some row groups of one file of a table.

    Parameters
    ----------
    file : ParquetFile
    groups : tuple of int
        The first one, and the one after the last.
    head : Table
        `RawTable.head` of the whole table.
    key : str
        `data.leads` or `data.events`.
    origin : Origin
        Of the whole table, `within` it these rows.
    """

    def column(name: str) -> Column:
        cells = _joined([head.select([name]), file.read_groups(name, *groups)], [name], origin).column(name)
        return Column(cells, name, key, origin)

    return RawTable(Columns(head.column_names, column), origin, ())


def header_of(paths: Sequence[Path | RemoteFile], table: TableConfig, key: str) -> list[str]:
    """Return the names of the columns that any of a table's files has."""
    return list(dict.fromkeys(name for path in paths for name in _open(path, table, key).names))


def _check_unchanged(before: Mapping[Path | RemoteFile, tuple[int, ...]]) -> None:
    changed = [path for path, stamp in before.items() if stamp_of(path) != stamp]
    if changed:
        raise DataError(
            f"{examples(path.name for path in changed)} changed while being read: start again when the export is done"
        )


def _open(path: Path | RemoteFile, table: TableConfig, key: str) -> "CsvFile | ParquetFile":
    try:
        if isinstance(path, Path) and _kind(path) == "CSV":
            from leadscore.data.csv_file import CsvFile

            return CsvFile(path, table, key)
        from leadscore.data.parquet_file import ParquetFile

        return ParquetFile(path)
    except OSError as error:
        raise DataError(f"{key}.path: {path} cannot be read: {error.strerror or error}") from None


def _column_problems(file: "CsvFile | ParquetFile", chosen: Sequence[str]) -> list[str]:
    problems = []
    for name in chosen:
        times = file.names.count(name)
        if times > 1:
            problems.append(f"{file.name}: column '{name}' stands {times} times in the header; a column is named once")
        elif not times:
            problems.append(f"{file.name} has no column '{name}', which other files of the table have")
    return problems


def _joined(tables: Sequence[pa.Table], names: Sequence[str], origin: Origin) -> pa.Table:
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        problems = []
        for name in names:
            kinds: dict[str, str] = {}
            for table, part in zip(tables, origin.parts, strict=True):
                kind = table.schema.field(name).type
                kinds.setdefault(str(kind.value_type if pa.types.is_dictionary(kind) else kind), part.name)
            if len(kinds) > 1:
                found = ", ".join(f"{kind} in {file}" for kind, file in kinds.items())
                problems.append(f"{origin.label}, column '{name}': {found}; a column has one type in all files")
        raise_all(DataError, problems)
        raise
