"""One Parquet file to typed columns."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as arrow_parquet

from leadscore.data.origin import Part
from leadscore.data.remote import RemoteFile, stamp_of
from leadscore.errors import DataError

__all__ = ["ParquetFile"]

FEW = 1 << 15  # bytes of a row group's dictionary


class ParquetFile:
    """A Parquet file's columns, read as the file types them.

    Texts are dictionary-encoded with one dictionary, other dictionary columns become their values, zoned timestamps
    move to UTC; nothing else is converted here.

    Raises
    ------
    DataError
        When the file is empty, cut, or not Parquet.
    """

    def __init__(self, path: Path | RemoteFile) -> None:
        self.path, self.name, self.size = path, path.name, stamp_of(path)[0]
        if not self.size:
            raise DataError(f"{self.name} is empty (0 bytes)")
        try:
            with self._opened() as file:
                self.schema, metadata = file.schema_arrow, file.metadata
        except (pa.ArrowInvalid, OSError) as error:
            raise self._broken(error) from None
        self.names = list(self.schema.names)
        self.n_rows, self.n_groups = metadata.num_rows, metadata.num_row_groups
        self.group_rows = [metadata.row_group(number).num_rows for number in range(self.n_groups)]
        self.texts = {field.name for field in self.schema if _is_text(field.type)}
        self.few_words = sorted(self.texts & _with_few_words(metadata))

    def _broken(self, error: Exception) -> DataError:
        return DataError(
            f"{self.name} is truncated or not a Parquet file ({self.size:,} bytes): {str(error).splitlines()[0]}"
        )

    @contextmanager
    def _opened(self, **how: Any) -> Iterator[arrow_parquet.ParquetFile]:
        if isinstance(self.path, Path):
            with arrow_parquet.ParquetFile(self.path, **how) as file:
                yield file
        else:
            with self.path.open() as source, arrow_parquet.ParquetFile(source, pre_buffer=True, **how) as file:
                yield file

    def separator_hint(self) -> str:
        """Return nothing: Parquet has no separator."""
        return ""

    def head(self, names: Sequence[str]) -> tuple[pa.Table, Part]:
        """Return the named columns without their rows, and where their rows stand."""
        empty = self.schema.empty_table()
        return pa.table({name: _plain(empty.column(name)) for name in names}), Part(self.name, self.n_rows, header=0)

    def read(self, name: str) -> pa.Table:
        """Return one column."""
        try:
            if name in self.texts and name not in self.few_words and self.n_groups > 1:
                return pa.table({name: self._encoded(name)})
            with self._opened(read_dictionary=self.few_words) as file:
                table = file.read(columns=[name])
        except (pa.ArrowInvalid, OSError) as error:
            raise self._broken(error) from None
        return pa.table({name: _plain(table.column(name))})

    def read_groups(self, name: str, first: int, last: int) -> pa.Table:
        """Return one column of the row groups `[first, last)`."""
        try:
            with self._opened(read_dictionary=self.few_words) as file:
                table = file.read_row_groups(range(first, last), columns=[name])
        except (pa.ArrowInvalid, OSError) as error:
            raise self._broken(error) from None
        return pa.table({name: _plain(table.column(name))})

    def _encoded(self, name: str) -> pa.ChunkedArray:
        """Return a column of many words, its row groups encoded at the same time: the hashing is what takes long."""

        def encoded(group: int) -> pa.Array:
            with self._opened() as file:
                values = file.read_row_group(group, columns=[name]).column(name)
            return values.cast(pa.large_string()).combine_chunks().dictionary_encode()

        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            pieces = list(pool.map(encoded, range(self.n_groups)))
        return pa.chunked_array(pieces).unify_dictionaries()


def _with_few_words(metadata: arrow_parquet.FileMetaData) -> set[str]:
    """Return the columns whose words Parquet can hand over as it holds them; many are faster encoded anew."""
    if not metadata.num_row_groups:
        return set()
    group = metadata.row_group(0)
    columns = [group.column(number) for number in range(group.num_columns)]
    return {
        each.path_in_schema
        for each in columns
        if each.has_dictionary_page and 0 <= each.data_page_offset - (each.dictionary_page_offset or 0) < FEW
    }


def _plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = values.type
    if pa.types.is_dictionary(kind):
        if not _is_text(kind.value_type):
            return values.cast(kind.value_type)
        pieces = [(piece.indices.cast(pa.int32()), piece.dictionary.cast(pa.large_string())) for piece in values.chunks]
        encoded = [pa.DictionaryArray.from_arrays(*piece) for piece in pieces]
        return pa.chunked_array(encoded, type=pa.dictionary(pa.int32(), pa.large_string()))
    if _is_text(kind):
        return values.cast(pa.large_string()).dictionary_encode()
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return values.cast(pa.timestamp(kind.unit, tz="UTC"))
    return values


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
