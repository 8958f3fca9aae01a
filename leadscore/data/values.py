"""Ids, categories and numbers: text in one normal form, coded, and numbers read strictly."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from leadscore.data.origin import Column, Findings

__all__ = ["cleaned", "read_numbers", "read_text"]

NUMBER = r"^[+-]?(\d+[.]?\d*|[.]\d+)([eE][+-]?\d+)?$"
AS_TEXT = (pa.types.is_integer, pa.types.is_boolean)  # types with one spelling for each value


def cleaned(column: Column, null_texts: Sequence[str], findings: Findings) -> Column:
    """Return a column with text in Unicode's composed form (NFC) without spaces around it; blank is missing.

    Two spellings of `Zürich` (one letter, or u and two dots) become one key. Everything inside a text stays,
    also emoji, zero-width characters and line breaks.

    Parameters
    ----------
    null_texts : sequence of str
        `null_values` of the column: these are missing too, also where Parquet has them as numbers.
    """
    values = column.cells
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
        column = replace(column, cells=values)
    if not pa.types.is_large_string(values.type):
        if not null_texts or pa.types.is_null(values.type):
            return column
        try:
            missing = pa.array(list(null_texts), pa.large_string()).cast(values.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            findings.problems.append(
                f"{column.label} holds {values.type}, which {column.key}.null_values {list(null_texts)} cannot be"
            )
            return column
    else:
        values = pc.utf8_trim_whitespace(pc.utf8_normalize(values, form="NFC"))
        missing = pa.array(["", *null_texts], pa.large_string())
    nothing = pa.scalar(None, values.type)
    return replace(column, cells=pc.if_else(pc.is_in(values, value_set=missing), nothing, values))


def read_text(column: Column, null_texts: Sequence[str], findings: Findings) -> tuple[pd.Series, int]:
    """Return ids or categories as text in the form that `cleaned` gives, and how many that form has changed.

    Only the different texts are looked at: a log of ten million events has a few hundred thousand.

    Parameters
    ----------
    column : Column
        Text, plain or dictionary-encoded; or integers or booleans from Parquet, which become their exact decimal
        text, `true` and `false`.
    null_texts : sequence of str
        `null_values` of the column.

    Returns
    -------
    Series of category (n_rows,)
        NaN where missing.
    int
        Texts that were changed without becoming missing.
    """
    encoded = _encoded(column, findings)
    raw = replace(column, cells=encoded.dictionary.cast(pa.large_string()))
    clean = cleaned(raw, null_texts, findings)
    words = clean.cells.to_pandas().astype("str")
    codes = encoded.indices.fill_null(-1).to_numpy()
    place, different = pd.factorize(words)  # two spellings of one word become one; -1 where it means missing
    place = np.append(place, -1)
    was_changed = np.append(np.asarray(pc.not_equal(raw.cells, clean.cells).fill_null(False)), False)
    n_changed = int(was_changed[codes].sum()) if was_changed.any() else 0
    categories = pd.Index(different, dtype="str")
    values = pd.Categorical.from_codes(place[codes], categories=categories, validate=False)
    return pd.Series(values), n_changed


def _encoded(column: Column, findings: Findings) -> pa.DictionaryArray:
    values, kind = column.cells, column.cells.type
    if pa.types.is_dictionary(kind):
        return _with_one_dictionary(values)
    if not (pa.types.is_large_string(kind) or _has_one_spelling(kind)):
        why = (
            "ids and categories are text, and a number that was once a float has lost its spelling (12.0, 1e5)"
            if pa.types.is_floating(kind)
            else "ids and categories are text"
        )
        findings.problems.append(f"{column.label} holds {kind}; {why}: write it as text or as integers")
        values = pa.chunked_array([pa.nulls(len(values), pa.large_string())])
    elif pa.types.is_null(kind):
        values = values.cast(pa.large_string())
    return _with_one_dictionary(values.dictionary_encode())


def _with_one_dictionary(values: pa.ChunkedArray) -> pa.DictionaryArray:
    """Join the pieces of a dictionary column; a dictionary that many of them share is looked at once."""
    pieces = values.chunks or [pa.array([], values.type)]
    own = {_place(piece.dictionary): piece.dictionary for piece in pieces}
    if len(own) == 1:
        (words,) = own.values()
        indices = [piece.indices for piece in pieces]
    else:
        joined = pa.concat_arrays(list(own.values())).dictionary_encode()
        words = joined.dictionary
        starts = dict(zip(own, np.cumsum([0, *map(len, own.values())]).tolist(), strict=False))
        moved = {at: joined.indices.slice(start, len(own[at])) for at, start in starts.items()}
        indices = [moved[_place(piece.dictionary)].take(piece.indices) for piece in pieces]
    return pa.DictionaryArray.from_arrays(pa.concat_arrays(indices), words)


def _place(array: pa.Array) -> tuple[int, ...]:
    """Return what two arrays share that are the same piece of memory."""
    return (array.offset, len(array), *(buffer.address for buffer in array.buffers() if buffer is not None))


def _has_one_spelling(kind: Any) -> bool:
    return bool(pa.types.is_null(kind) or any(is_kind(kind) for is_kind in AS_TEXT) or _is_whole(kind))


def _is_whole(kind: Any) -> bool:
    return bool(pa.types.is_decimal(kind)) and kind.scale == 0


def read_numbers(column: Column, decimal: str, findings: Findings) -> pd.Series:
    """Return numbers; a text must be one number and nothing else.

    Parameters
    ----------
    decimal : str
        The decimal sign in texts. There is no thousands separator.

    Returns
    -------
    Series of float64 (n_rows,)
        NaN where missing. Values that are no finite number become problems.
    """
    values = column.cells
    kind = values.type
    if pa.types.is_large_string(kind):
        values = _parsed(column, decimal, findings)
    elif pa.types.is_decimal(kind):
        values = values.cast(pa.string())  # its decimal text rounds once, as the same text in a CSV file does
    elif not (pa.types.is_null(kind) or pa.types.is_boolean(kind) or _is_number(kind)):
        findings.problems.append(f"{column.label} holds {kind}, which is no number")
        values = pa.chunked_array([pa.nulls(len(values))])
    if pa.types.is_boolean(kind):
        values = values.cast(pa.int8())
    numbers = values.cast(pa.float64(), safe=False).to_pandas().astype("float64")
    findings.bad(column, np.isinf(numbers), "not finite ({at}): an amount or attribute is a finite number or missing")
    return numbers


def _is_number(kind: Any) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _parsed(column: Column, decimal: str, findings: Findings) -> pa.ChunkedArray:
    pattern = NUMBER.replace("[.]", f"[{decimal}]")
    fits = pc.match_substring_regex(column.cells, pattern)
    bad = np.asarray(pc.invert(fits).fill_null(False))
    findings.bad(
        column,
        bad,
        f"not a plain number with {decimal!r} before its decimals ({{at}}); no thousands separators, currencies or "
        f"units: {column.key}.decimal and {column.key}.null_values decide",
        shown=3,
    )
    return pc.replace_substring(pc.if_else(fits, column.cells, None), decimal, ".")
