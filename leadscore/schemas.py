"""The two gates: what loading must deliver, and what a model may be given. Nothing is cast, nothing else passes."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from leadscore.config.schema import DataConfig, FilesData
from leadscore.errors import DataError, examples, raise_all
from leadscore.tables import CONVERTED_LATER, TIME_DTYPE, Tables

if TYPE_CHECKING:
    import pandas as pd
    from pandera.errors import SchemaError

    from leadscore.eventlog import EventLog

__all__ = ["FeatureColumn", "check_raw", "check_table"]

DTYPES = {"number": "float64", "category": "str"}
NEVER_MISSING = ("event_type",)  # of a log's texts


class FeatureColumn(Protocol):
    """What `check_table` must know of a feature."""

    @property
    def dtype(self) -> str:
        """`number` or `category`."""

    @property
    def missing_allowed(self) -> bool:
        """Whether a missing value has a meaning."""


def check_raw(tables: Tables, config: DataConfig) -> None:
    """Check the tables that loading delivers, before anything is computed from them.

    Parameters
    ----------
    tables : Tables
    config : DataConfig
        Its `statuses` and `labels` are the only words allowed, and are never cast; `events.numbers` are the
        only event columns besides `amount` that are numbers.

    Raises
    ------
    DataError
        One error that lists every failure: dtypes, missing and repeated keys, undeclared statuses and labels,
        conversions without a time or before their lead was created.
    """
    leads = tables.leads
    problems = [*_failures("leads", leads, _lead_schema(tables, config), leads.reindex(columns=["user_id"]))]
    if tables.log is not None:
        problems += _log_problems(tables.log, config)
    raise_all(DataError, problems)


def _log_problems(log: "EventLog", config: DataConfig) -> Iterator[str]:
    """Check what a coded log can still have wrong: unknown times, infinite numbers, and numbers read as text."""
    import numpy as np

    numbers = {"amount", *(config.events.numbers if isinstance(config, FilesData) and config.events else [])}
    for name in log.names:
        kind = log.kind(name)
        where = f"events, column '{name}'"
        if kind != "time" and (kind == "number") != (name in numbers):
            yield f"{where} is a {kind}, must be a {'number' if name in numbers else 'text'}"
        if kind == "time":
            said, found = "missing", [part.columns[name] == np.iinfo("int64").min for part in log.parts]
        elif kind == "number":
            said, found = "infinite", [np.isinf(part.columns[name]) for part in log.parts]
        else:
            said, found = "missing", [(part.columns[name] < 0) & (name in NEVER_MISSING) for part in log.parts]
        if n := sum(int(rows.sum()) for rows in found):
            part, row = next((part, rows.argmax()) for part, rows in zip(log.parts, found, strict=True) if rows.any())
            user_id = log.user_ids[part.first_lead + int(np.searchsorted(part.offsets, row, side="right")) - 1]
            yield f"{where}: {n:,} {said}, the first of user_id {user_id!r}"


def _lead_schema(tables: Tables, config: DataConfig) -> Any:
    import pandera.pandas as pa

    leads, present = tables.leads, set(tables.leads.columns)
    columns = {"user_id": pa.Column("str"), "created_at": pa.Column(TIME_DTYPE)}
    for name in ("converted_at", "closed_at"):
        columns[name] = pa.Column(TIME_DTYPE, _not_before_creation(leads, name), nullable=True, required=False)
    columns["as_of"] = pa.Column(TIME_DTYPE, required=False)
    columns["status"] = pa.Column("str", _declared("data.statuses", config.statuses), required=False)
    columns["label"] = pa.Column("str", _declared("data.labels", config.labels), nullable=True, required=False)
    columns |= {name: pa.Column(DTYPES[kind], _finite(kind), nullable=True) for name, kind in tables.attributes.items()}
    given = bool(present & {"as_of", "label"})  # the status, or the label, is the outcome: no time is needed
    return pa.DataFrameSchema(
        columns,
        checks=[] if given or "status" not in present else [_dated(config, tables.counts)],
        unique=["user_id", "as_of"] if "as_of" in present else ["user_id"],
        strict=True,
    )


def _declared(key: str, words: Mapping[str, Any]) -> Any:
    import pandera.pandas as pa

    allowed = ", ".join(words) or "none"
    return pa.Check.isin(list(words), error=f"not declared in {key} (declared: {allowed})")


def _finite(kind: str) -> Any:
    import numpy as np
    import pandera.pandas as pa

    return pa.Check(lambda values: ~np.isinf(values), error="infinite") if kind == "number" else []


def _not_before_creation(leads: "pd.DataFrame", name: str) -> Any:
    import pandera.pandas as pa

    return pa.Check(lambda times: times >= leads["created_at"].loc[times.index], error="before created_at")


def _dated(config: DataConfig, counts: Mapping[str, int]) -> Any:
    import pandera.pandas as pa

    words = [word for word, state in config.statuses.items() if state == "converted"]
    excused = counts.get(CONVERTED_LATER, 0)  # the edge took the time away and left the status

    def dated(leads: "pd.DataFrame") -> "pd.Series":
        undated = leads["status"].isin(words)
        if "converted_at" in leads:
            undated &= leads["converted_at"].isna()
        return ~undated if undated.sum() > excused else ~undated | True

    return pa.Check(dated, error=f"converted by their status ({examples(words)}) without converted_at")


def check_table(X: "pd.DataFrame", y: "pd.Series | None", feature_kinds: Mapping[str, FeatureColumn]) -> None:
    """Check the model table, before anything is fitted on it or scored.

    Parameters
    ----------
    X : DataFrame (n_observations, n_features)
        Indexed by (`user_id`, `as_of`), each pair once. Numbers are float64 and finite, categories str; NaN only
        where the feature declares what a missing value means.
    y : Series of int8 or int64 (n_observations,), or None
        Labels 0 and 1, with the index of X; None where they are not known yet.
    feature_kinds : mapping of str to FeatureColumn
        Exactly the columns of X, by name.

    Raises
    ------
    DataError
        One error that lists every failure.
    """
    import pandera.pandas as pa

    if list(X.index.names) != ["user_id", "as_of"]:
        raise DataError(f"the model table is indexed by {list(X.index.names)}, must be by ['user_id', 'as_of']")
    if y is not None and not X.index.equals(y.index):
        raise DataError("the labels' index is not the model table's: one label for each (user_id, as_of), in its order")
    pairs = X.index.to_frame(index=False)
    keys = pa.DataFrameSchema({"user_id": pa.Column("str"), "as_of": pa.Column(TIME_DTYPE)}, unique=list(pairs))
    columns = {
        name: pa.Column(DTYPES[each.dtype], _finite(each.dtype), nullable=each.missing_allowed)
        for name, each in feature_kinds.items()
    }
    features = pa.DataFrameSchema(columns, strict=True)
    table = "model table"
    problems = [*_failures(table, pairs, keys, pairs), *_failures(table, X.reset_index(drop=True), features, pairs)]
    if y is not None:
        binary = pa.Check.isin([0, 1], error="not 0 or 1")
        labels = pa.DataFrameSchema({"label": pa.Column("int64" if y.dtype == "int64" else "int8", binary)})
        problems += _failures(table, y.to_frame("label").reset_index(drop=True), labels, pairs)
    raise_all(DataError, problems)


def _failures(where: str, frame: "pd.DataFrame", schema: Any, names: "pd.DataFrame") -> Iterator[str]:
    """Validate; tell each failure in words. `names` has the columns by which a row is called, row by row."""
    from pandera.errors import SchemaErrorReason as Why
    from pandera.errors import SchemaErrors

    try:
        schema.validate(frame, lazy=True)
    except SchemaErrors as failed:
        errors = failed.schema_errors
    else:
        return
    wrong_type = {each.schema.name for each in errors if each.reason_code is Why.WRONG_DATATYPE}
    for each in errors:
        column = each.schema.name
        if each.reason_code is Why.WRONG_DATATYPE:
            yield f"{where}, column '{column}' is {frame[column].dtype}, must be {schema.columns[column].dtype}"
        elif each.reason_code is Why.COLUMN_NOT_IN_DATAFRAME:
            yield f"{where}: column '{each.failure_cases}' is declared and not there"
        elif each.reason_code is Why.COLUMN_NOT_IN_SCHEMA:
            yield f"{where}: column '{each.failure_cases}' is there and not declared"
        elif column not in wrong_type and each.reason_code is not Why.CHECK_ERROR:
            yield _in_words(where, each, names)


def _in_words(where: str, error: "SchemaError", names: "pd.DataFrame") -> str:
    """Tell a failure of single values: `leads, column 'status': 3 not declared ...: 'gone' (2), 'lost' (1)`."""
    from pandera.errors import SchemaErrorReason as Why

    cases = error.failure_cases
    rows = cases["index"].unique()
    called = names.iloc[rows[:3]]
    who = examples(" ".join(str(value) for value in row) for row in called.itertuples(index=False))
    who = f"{' '.join(names.columns)} {who}" + (", ..." if len(rows) > 3 else "")
    column = f", column '{error.schema.name}'" if error.schema.name else ""
    if error.reason_code is Why.SERIES_CONTAINS_NULLS:
        return f"{where}{column}: {len(rows):,} missing ({who})"
    if error.reason_code is Why.DUPLICATES:
        return f"{where}: {len(rows):,} rows share their {' and '.join(error.schema.unique)} with another ({who})"
    if not column:
        return f"{where}: {len(rows):,} {error.check.error} ({who})"
    values = cases["failure_case"].value_counts()
    listed = ", ".join(f"{value!r} in {n:,}" for value, n in values.head(3).items()) + (
        ", ..." if len(values) > 3 else ""
    )
    return f"{where}{column}: {len(rows):,} {error.check.error}: {listed} ({who})"
