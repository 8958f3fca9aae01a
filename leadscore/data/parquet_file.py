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

    Dictionary columns become their values, zoned timestamps move to UTC; nothing else is converted here.

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
            self.names = list(arrow_parquet.read_schema(path).names)
        except (pa.ArrowInvalid, OSError) as error:
            raise self._broken(error) from None

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
            table = arrow_parquet.read_table(self.path, columns=list(names), partitioning=None)
        except (pa.ArrowInvalid, OSError) as error:
            raise self._broken(error) from None
        columns = {name: _plain(table.column(name)) for name in names}
        return pa.table(columns), Part(self.name, table.num_rows, header=0)


def _plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = values.type
    content = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_string(content) or pa.types.is_large_string(content) or pa.types.is_string_view(content):
        return values.cast(pa.large_string())
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return values.cast(pa.timestamp(kind.unit, tz="UTC"))
    return values
