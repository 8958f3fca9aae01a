"""The two gates: every failure in one message, in words, with the key that decides."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import event_table, lead_table, tables, utc
from written_tables import config_of
from written_tables import read as read_written

from leadscore.config.schema import DataConfig
from leadscore.errors import DataError
from leadscore.schemas import check_raw, check_table
from leadscore.tables import Tables

CONFIG = DataConfig(
    name="written", statuses={"trial": "open", "paid": "converted", "lost": "closed"}, labels={"no": 0, "yes": 1}
)
DAYS = {"a": "2024-03-01", "b": "2024-03-02", "c": "2024-03-03"}


def words(*values: str | None) -> pd.Series:
    return pd.Series(values, dtype="str")


def refused(found: Tables, config: DataConfig = CONFIG) -> str:
    with pytest.raises(DataError) as error:
        check_raw(found, config)
    return str(error.value)


def test_good_tables_pass() -> None:
    leads = lead_table(
        DAYS,
        status=words("trial", "paid", "lost"),
        converted_at=[None, "2024-03-05", None],
        closed_at=[None, None, None],
        country=words("DE", None, "FR"),
        size=[1.0, np.nan, 3.0],
    )
    events = event_table(("a", "2024-03-02", "login"), device=words(None), amount=[np.nan])

    check_raw(tables(leads, events, country="category", size="number"), CONFIG)


def test_a_status_that_nobody_declared_is_listed_with_its_count() -> None:
    leads = lead_table(DAYS, status=words("trial expired", "Paid", "trial expired"))

    assert refused(tables(leads)) == (
        "leads, column 'status': 3 not declared in data.statuses (declared: trial, paid, lost): "
        "'trial expired' in 2, 'Paid' in 1 (user_id 'a', 'b', 'c')"
    )


def test_a_lead_without_status_is_refused() -> None:
    assert refused(tables(lead_table(DAYS, status=words("trial", None, "lost")))) == (
        "leads, column 'status': 1 missing (user_id 'b')"
    )


@pytest.mark.parametrize("label", ["2", "1", "True", "1.0", "1.9", "Yes"])
def test_a_label_is_one_of_the_declared_words_and_never_cast(label: str) -> None:
    leads = lead_table(DAYS, as_of=list(DAYS.values()), label=words("yes", label, None))

    assert refused(tables(leads)) == (
        f"leads, column 'label': 1 not declared in data.labels (declared: no, yes): '{label}' in 1 (user_id 'b')"
    )


def test_a_conversion_has_its_time_unless_the_window_is_given() -> None:
    leads = lead_table(DAYS, status=words("paid", "paid", "lost"), converted_at=["2024-03-05", None, None])
    message = "leads: 1 converted by their status ('paid') without converted_at (user_id 'b')"

    assert refused(tables(leads)) == message
    assert "2 converted by their status" in refused(tables(leads.drop(columns="converted_at")))
    check_raw(tables(leads.assign(as_of=leads["created_at"])), CONFIG)


def test_a_conversion_that_lies_beyond_data_end_is_no_contradiction(tmp_path: Path) -> None:
    written = (
        "user_id,created_at,status,converted_at\na,2024-03-01T00:00Z,paid,2024-03-20T00:00Z\nb,2024-03-01T00:00Z,{},\n"
    )
    early = {"data_end": "2024-03-10", "statuses": CONFIG.statuses}

    config = config_of(tmp_path, written.format("trial"), **early)
    check_raw(read_written(tmp_path, written.format("trial"), **early), config)
    assert "2 converted by their status" in refused(read_written(tmp_path, written.format("paid"), **early), config)


def test_nothing_happens_to_a_lead_before_its_creation() -> None:
    leads = lead_table(DAYS, converted_at=["2024-02-01", None, None], closed_at=["2024-02-01", "2024-02-02", None])

    message = refused(tables(leads))

    assert message.startswith("2 problems:")
    assert "column 'converted_at': 1 before created_at" in message
    assert "column 'closed_at': 2 before created_at" in message
    assert "(user_id 'a', 'b')" in message
    check_raw(tables(leads.assign(converted_at=leads["created_at"], closed_at=leads["created_at"])), CONFIG)


def test_keys_are_unique_and_present() -> None:
    twice = pd.concat([lead_table(DAYS), lead_table({"a": "2024-04-01"})], ignore_index=True)

    assert refused(tables(twice)) == "leads: 2 rows share their user_id with another (user_id 'a', 'a')"
    check_raw(tables(twice.assign(as_of=twice["created_at"])), CONFIG)
    same = pd.concat([lead_table(DAYS)] * 2, ignore_index=True)
    assert "share their user_id and as_of" in refused(tables(same.assign(as_of=same["created_at"])))
    assert "column 'user_id': 1 missing" in refused(tables(lead_table(DAYS).assign(user_id=words("a", None, "c"))))


def test_types_and_columns_are_exact() -> None:
    leads = lead_table(DAYS, size=[1, 2, 3]).assign(salary=1.0)
    leads["created_at"] = leads["created_at"].dt.as_unit("ns")
    events = event_table(("a", "2024-03-02", "login"), device=[7.0], amount=["5 EUR"])

    message = refused(tables(leads, events, size="number", country="category"))

    assert "leads, column 'created_at' is datetime64[ns, UTC], must be datetime64[us, UTC]" in message
    assert "leads, column 'size' is int64, must be float64" in message
    assert "leads: column 'salary' is there and not declared" in message
    assert "leads: column 'country' is declared and not there" in message
    assert "events, column 'device' is a number, must be a text" in message
    assert "events, column 'amount' is a text, must be a number" in message
    assert message.startswith("6 problems:")


def test_an_event_that_arrived_has_its_time_of_arrival() -> None:
    events = event_table(("a", "2024-03-02", "login"), ("b", "2024-03-02", "login"), ingested_at=[None, "2024-03-03"])

    assert "events, column 'ingested_at': 1 missing, the first of user_id 'a'" in refused(
        tables(lead_table(DAYS), events)
    )


def test_amounts_and_attributes_are_finite() -> None:
    leads = lead_table(DAYS, size=[1.0, np.inf, np.nan])
    events = event_table(("a", "2024-03-02", "buy"), amount=[-np.inf])

    message = refused(tables(leads, events, size="number"))

    assert "leads, column 'size': 1 infinite: inf in 1 (user_id 'b')" in message
    assert "events, column 'amount': 1 infinite, the first of user_id 'a'" in message


# --- the model table ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kind:
    dtype: str = "number"
    missing_allowed: bool = False


KINDS = {
    "visits": Kind(),
    "idle_days": Kind(missing_allowed=True),
    "plan": Kind("category"),
    "city": Kind("category", True),
}


def model_table() -> tuple[pd.DataFrame, pd.Series]:
    index = pd.MultiIndex.from_arrays([words("a", "b", "c"), utc(*["2024-03-08"] * 3)], names=["user_id", "as_of"])
    columns = {
        "visits": [0.0, 1.0, 2.0],
        "idle_days": [np.nan, 1.0, 2.0],
        "plan": words("free", "pro", "free").to_numpy(),
        "city": words(None, "Ulm", "Bonn").to_numpy(),
    }
    X = pd.DataFrame(columns, index=index).astype({"plan": "str", "city": "str"})
    return X, pd.Series([0, 1, 0], index=index, dtype="int8")


def refused_table(X: pd.DataFrame, y: pd.Series) -> str:
    with pytest.raises(DataError) as error:
        check_table(X, y, KINDS)
    return str(error.value)


def test_a_good_model_table_passes() -> None:
    X, y = model_table()

    check_table(X, y, KINDS)
    check_table(X, y.astype("int64"), KINDS)


def test_missing_and_infinite_values_are_told_by_feature_and_lead() -> None:
    X, y = model_table()
    X.loc["a", "visits"] = np.inf
    X.loc["b", "visits"] = np.nan
    X.loc["c", "plan"] = None

    message = refused_table(X, y)

    assert "model table, column 'visits': 1 infinite: inf in 1 (user_id as_of 'a 2024-03-08 00:00:00+00:00')" in message
    assert "model table, column 'visits': 1 missing (user_id as_of 'b 2024-03-08 00:00:00+00:00')" in message
    assert "model table, column 'plan': 1 missing (user_id as_of 'c 2024-03-08 00:00:00+00:00')" in message


def test_columns_types_and_labels_are_exact() -> None:
    X, y = model_table()
    X = X.astype({"visits": "int64"}).drop(columns="city").assign(converted=1.0)

    message = refused_table(X, y.replace(1, 2))

    assert "column 'visits' is int64, must be float64" in message
    assert "column 'city' is declared and not there" in message
    assert "column 'converted' is there and not declared" in message
    assert "column 'label': 1 not 0 or 1: 2 in 1 (user_id as_of 'b 2024-03-08 00:00:00+00:00')" in message
    assert "column 'label' is float64, must be int8" in refused_table(*(model_table()[0], y.astype("float64")))


def test_each_observation_stands_once_and_has_its_label() -> None:
    X, y = model_table()

    doubled = refused_table(X.iloc[[0, 0, 1]], y.iloc[[0, 0, 1]])
    assert "2 rows share their user_id and as_of with another" in doubled
    assert "the labels' index is not the model table's" in refused_table(X, y.iloc[::-1])
    assert "must be by ['user_id', 'as_of']" in refused_table(X.reset_index(drop=True), y)
