"""One CSV file to columns of exact text, or words for how it is broken.

Nothing is guessed: `007`, `1e5`, `9007199254740993` and the country `NA` stay what they are; an empty value is
missing.
"""

import csv
import gzip
import io
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv

from leadscore.config.schema import TableConfig
from leadscore.data.origin import Origin, Part, plural
from leadscore.errors import DataError

__all__ = ["CsvFile"]

SEPARATORS = (",", ";", "\t", "|")
BLOCK = 1 << 24  # bytes; one row may not be longer


class CsvFile:
    """A CSV file's whole text, checked to be text in the stated encoding.

    Parameters
    ----------
    path : Path
        `.csv` or `.csv.gz`.
    table : TableConfig
        Its separator and encoding.
    key : str
        `data.leads` or `data.events`, for messages.

    Raises
    ------
    DataError
        Empty, cut gzip, not in the encoding, or with a NUL.
    """

    def __init__(self, path: Path, table: TableConfig, key: str) -> None:
        if len(table.separator) != 1:
            raise DataError(f"{key}.separator {table.separator!r}: give one character, such as ',' or \"\\t\"")
        self.name, self.key, self.separator = path.name, key, table.separator
        data = _bytes(path)
        self.text = self._decoded(data, table.encoding)
        if not self.text.strip():
            raise DataError(f"{self.name} is empty ({len(data)} bytes): not even a header is in it")
        if "\0" in self.text:
            line = _line(self.text, self.text.index("\0"))
            raise DataError(
                f"{self.name}, line {line}: a NUL character; {self.key}.encoding is {table.encoding}: is the file in "
                f"another, such as utf-16, or damaged?"
            )
        self.names = self._header()

    def _decoded(self, data: bytes, encoding: str) -> str:
        try:
            return data.decode(encoding).removeprefix("\ufeff")  # a byte order mark is no part of the header
        except LookupError:
            raise DataError(f"{self.key}.encoding {encoding!r} is not an encoding that Python knows") from None
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise DataError(
                f"{self.name} is not {encoding}: byte {error.start} (0x{data[error.start]:02x}, line {line}) has no "
                f"meaning in it; state {self.key}.encoding, often latin-1 or cp1252"
            ) from None
        except UnicodeError:
            raise DataError(f"{self.key}.encoding {encoding!r} cannot be read with; state the file's own") from None

    def _header(self) -> list[str]:
        head = csv.reader(io.StringIO(self.text[: 1 << 20], newline=""), delimiter=self.separator)
        try:
            return next(record for record in head if record)
        except csv.Error as error:
            raise DataError(f"{self.name}: its header cannot be read ({error}): is a quote not closed in it?") from None

    def separator_hint(self) -> str:
        """Return words about the separator when the header looks unsplit, else nothing."""
        other = [sep for sep in SEPARATORS if sep != self.separator and sep in self.names[0]]
        if len(self.names) > 1 or not other:
            return ""
        return (
            f"; the header is one column, {self.names[0][:60]!r}, when split at {self.separator!r}: "
            f"{self.key}.separator decides, should it be {other[0]!r}?"
        )

    def read(self, name: str) -> pa.Table:
        """Return one column of those whose head was asked for."""
        return self._table.select([name])

    def head(self, names: Sequence[str]) -> tuple[pa.Table, Part]:
        """Read the named columns as text; return them without their rows, and where their rows stand.

        Raises
        ------
        DataError
            A row with too many or too few values, or a quote that is not closed.
        """
        ragged: list[Any] = []
        try:
            table = self._parse(names, ragged)
        except pa.ArrowInvalid as error:
            self._lines()  # says more, where quotes are the reason
            raise DataError(f"{self.name} cannot be read as CSV: {str(error).splitlines()[0]}") from None
        n_rows = table.num_rows + len(ragged)
        breaks = self.text.count("\n") + (not self.text.endswith("\n"))
        # Quoted line breaks, blank lines or an unclosed quote: only then is a slower, stricter reader needed.
        lines = self._lines() if breaks != n_rows + 1 or self.text.count('"') % 2 else None
        part = Part(self.name, table.num_rows, lines)
        if ragged:
            raise DataError(self._ragged(ragged, Part(self.name, n_rows, lines)))
        self._table, self.text = table, ""  # of a long file, text and columns together are a burden
        return table.slice(0, 0), part

    def _parse(self, names: Sequence[str], ragged: list[Any]) -> pa.Table:
        def keep(row: Any) -> str:
            ragged.append(row)
            return "skip"

        return arrow_csv.read_csv(
            pa.BufferReader(self.text.encode()),
            read_options=arrow_csv.ReadOptions(use_threads=False, block_size=BLOCK),
            parse_options=arrow_csv.ParseOptions(
                delimiter=self.separator, newlines_in_values=True, invalid_row_handler=keep
            ),
            convert_options=arrow_csv.ConvertOptions(
                include_columns=list(names), column_types={name: pa.large_string() for name in names}
            ),
        )

    def _lines(self) -> Any:
        """Return the line at which each row begins, by Python's strict reader."""
        reader = csv.reader(io.StringIO(self.text, newline=""), delimiter=self.separator, strict=True)
        lines, begins = [], 1
        limit = csv.field_size_limit(len(self.text) + 1)
        try:
            for record in reader:
                if record:
                    lines.append(begins)
                begins = reader.line_num + 1
        except csv.Error:
            raise DataError(
                f'{self.name}, row {begins}: a value opens a quote (") that is not closed where the value ends; '
                f'a quote inside a quoted value is written twice ("")'
            ) from None
        finally:
            csv.field_size_limit(limit)
        return np.array(lines[1:], dtype="int64")

    def _ragged(self, ragged: Sequence[Any], part: Part) -> str:
        origin = Origin(self.name, (part,))
        counts = sorted({row.actual_columns for row in ragged})
        found = ", ".join(str(count) for count in counts[:3])
        return (
            f"{self.name}: {plural(len(ragged), 'row')} ({origin.rows(row.number - 2 for row in ragged)}) with {found} "
            f"values where the header has {len(self.names)} columns; a value that holds {self.separator!r} needs "
            f"quotes, and a last row cut short means the file was not written to its end ({self.key}.separator decides)"
        )


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _bytes(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix != ".gz":
        return data
    try:
        return gzip.decompress(data)
    except EOFError:
        rows = zlib.decompressobj(wbits=31).decompress(data).count(b"\n")
        raise DataError(
            f"{path.name} is truncated: its gzip data end early, after {len(data)} bytes and about {rows} lines"
        ) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path.name} is not a whole gzip file: {error}") from None
