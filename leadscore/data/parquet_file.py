"""One Parquet file to typed columns."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as arrow_parquet

from leadscore.data.origin import Part
from leadscore.errors import DataError

__all__ = ["ParquetFile"]


class ParquetFile:
    """A Parquet file's columns, read as the file types them.

    Texts are dictionary-encoded, other dictionary columns become their values, zoned timestamps move to UTC; nothing
    else is converted here.

    Raises
    ------
    DataError
        When the file is empty, cut, or not Parquet.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, path.name
        if path.stat().st_size == 0:
            raise DataError(f"{self.name} is empty (0 bytes)")
        try:
            schema = arrow_parquet.read_schema(path)
        except (pa.ArrowInvalid, OSError) as error:
            raise self._broken(error) from None
        self.names = list(schema.names)
        self.texts = [field.name for field in schema if _is_text(field.type)]

    def _broken(self, error: Exception) -> DataError:
        return DataError(
            f"{self.name} is truncated or not a Parquet file ({self.path.stat().st_size:,} bytes): "
            f"{str(error).splitlines()[0]}"
        )

    def separator_hint(self) -> str:
        """Return nothing: Parquet has no separator."""
        return ""

    def read(self, names: Sequence[str]) -> tuple[pa.Table, Part]:
        """Return the named columns and where their rows stand."""
        try:
            table = arrow_parquet.read_table(
                self.path, columns=list(names), partitioning=None, read_dictionary=self.texts
            )
        except (pa.ArrowInvalid, OSError) as error:
            raise self._broken(error) from None
        columns = {name: _plain(table.column(name)) for name in names}
        return pa.table(columns), Part(self.name, table.num_rows, header=0)


def _plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = values.type
    if pa.types.is_dictionary(kind):
        if not _is_text(kind.value_type):
            return values.cast(kind.value_type)
        pieces = [(piece.indices.cast(pa.int32()), piece.dictionary.cast(pa.large_string())) for piece in values.chunks]
        encoded = [pa.DictionaryArray.from_arrays(*piece) for piece in pieces]
        return pa.chunked_array(encoded, type=pa.dictionary(pa.int32(), pa.large_string()))
    if _is_text(kind):  # a view, which Parquet's reader does not encode
        return values.cast(pa.large_string()).dictionary_encode()
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return values.cast(pa.timestamp(kind.unit, tz="UTC"))
    return values


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
