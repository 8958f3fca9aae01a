"""Ids, categories, numbers and money: exact, or refused with examples."""

import unicodedata
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import utc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from written_tables import LEADS, config_of, read, refused

from leadscore.errors import DataError
from leadscore.identity.content import data_hash
from leadscore.schemas import check_raw

WHEN = "2024-03-01T09:00Z"


def parquet(folder: Path, **columns: object) -> Path:
    n = len(next(iter(columns.values())))  # type: ignore[arg-type]
    table = {"user_id": [str(number) for number in range(n)], "created_at": pa.array(utc(*[WHEN] * n)), **columns}
    pq.write_table(pa.table(table), folder / "leads.parquet")
    return Path("leads.parquet")


def test_ids_and_the_country_of_namibia_stay_as_they_are(tmp_path: Path) -> None:
    ids = ["007", "1e5", "9007199254740993", "NA", "null", "NaN", "0x1F", "1_000", "TRUE"]
    leads = "user_id,created_at,country\n" + "".join(f"{each},{WHEN},NA\n" for each in ids)

    tables = read(tmp_path, leads, known_at_creation={"country": "category"})

    assert tables.leads["user_id"].tolist() == ids
    assert tables.leads["country"].tolist() == ["NA"] * len(ids)


def test_parquet_integers_are_exact_ids_and_floats_are_refused(tmp_path: Path) -> None:
    big = 9007199254740993
    assert read(tmp_path, parquet(tmp_path, user_id=[big, 7])).leads["user_id"].tolist() == [str(big), "7"]
    assert "column 'user_id' holds double; ids and categories are text" in refused(
        tmp_path, parquet(tmp_path, user_id=[7.0])
    )


def test_parquet_dictionaries_and_large_strings_are_text(tmp_path: Path) -> None:
    words = pa.array(["DE", None, "FR"])
    large = words.cast(pa.large_string())
    for column in (words, large, words.cast(pa.string_view()), words.dictionary_encode(), large.dictionary_encode()):
        path = parquet(tmp_path, country=column)
        found = read(tmp_path, path, known_at_creation={"country": "category"}).leads["country"]
        assert found.fillna("-").tolist() == ["DE", "-", "FR"]
        assert found.dtype == "str"


def test_two_spellings_of_a_letter_and_spaces_around_are_one_key(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "Zürich")
    leads = f"user_id,created_at,city\na,{WHEN},Zürich\n b ,{WHEN},{decomposed}\nc,{WHEN}, \n"

    tables = read(tmp_path, leads, known_at_creation={"city": "category"})

    assert tables.leads["city"].fillna("-").tolist() == ["Zürich", "Zürich", "-"]
    assert tables.leads["user_id"].tolist() == ["a", "b", "c"]
    assert tables.counts["leads texts put in one form (Unicode NFC, no spaces around)"] == 2


@pytest.mark.parametrize("value", ["👩‍🚀", "a\u200bb", "\u202eabc", "x" * 10_000, "two\nlines", 'a "quote", b'])
def test_everything_else_in_a_text_stays(tmp_path: Path, value: str) -> None:
    quoted = value.replace('"', '""')
    leads = f'user_id,created_at,note\na,{WHEN},"{quoted}"\n'

    assert read(tmp_path, leads, known_at_creation={"note": "category"}).leads["note"].tolist() == [value]


CLEAN = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).map(
    lambda text: unicodedata.normalize("NFC", text).strip()
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ids=st.lists(CLEAN.filter(lambda text: text.isprintable() and text), min_size=1, max_size=8, unique=True))
def test_any_clean_id_comes_back_exactly(tmp_path: Path, ids: list[str]) -> None:
    frame = pd.DataFrame({"user_id": ids, "created_at": WHEN})

    assert read(tmp_path, frame.to_csv(index=False, lineterminator="\n")).leads["user_id"].tolist() == ids


# --- numbers ------------------------------------------------------------------------------------------


def attribute(folder: Path, *texts: str, **more: object) -> object:
    leads = "user_id;created_at;size\n" + "".join(f"{i};{WHEN};{text}\n" for i, text in enumerate(texts))
    options = {"leads_separator": ";", "known_at_creation": {"size": "number"}, **more}
    return read(folder, leads, **options).leads["size"].tolist()


def test_plain_numbers_are_read_exactly(tmp_path: Path) -> None:
    assert attribute(tmp_path, "1", "-2.5", "+3", ".5", "1e3", "-0.0", "0.1") == [1, -2.5, 3, 0.5, 1000, 0, 0.1]
    assert attribute(tmp_path, "1,5", "2", leads_decimal=",") == [1.5, 2]
    assert np.isnan(attribute(tmp_path, ""))  # type: ignore[arg-type]
    assert np.isnan(attribute(tmp_path, "unknown", leads_null_values={"size": ["unknown"]}))  # type: ignore[arg-type]


def test_amounts_with_signs_and_separators_are_refused_with_examples(tmp_path: Path) -> None:
    leads = "user_id;created_at;size\n" + "".join(
        f"{i};{WHEN};{text}\n" for i, text in enumerate(["1.234,56", "7", "€5", "5 EUR", "inf", "nan", "1_000"])
    )
    options = {"leads_separator": ";", "known_at_creation": {"size": "number"}}

    message = refused(tmp_path, leads, **options)
    assert "column 'size': 6 values not a plain number" in message
    assert "(rows 2, 4, 5, ..., e.g. '1.234,56', '€5', '5 EUR')" in message
    assert "data.leads.decimal" in message
    assert "'1.234,56'" in refused(tmp_path, leads, **options, leads_decimal=",")
    assert "data.leads.decimal ';' is not" in refused(tmp_path, leads, **options, leads_decimal=";")


def test_numbers_are_finite(tmp_path: Path) -> None:
    kinds = {"size": "number"}
    text = refused(tmp_path, f"user_id,created_at,size\na,{WHEN},1e400\n", known_at_creation=kinds)
    typed = refused(tmp_path, parquet(tmp_path, size=[1.0, -np.inf]), known_at_creation=kinds)

    assert "column 'size': 1 value not finite (row 2, e.g. '1e400')" in text
    assert "column 'size': 1 value not finite (row 2, e.g. '-inf')" in typed


def test_parquet_numbers_and_their_null_values(tmp_path: Path) -> None:
    kinds = {"size": "number"}
    for column in (pa.array([999, 3]), pa.array([999.0, 3.0]), pa.array([999, 3], pa.uint16())):
        path = parquet(tmp_path, size=column)
        found = read(tmp_path, path, known_at_creation=kinds, leads_null_values={"size": ["999"]}).leads["size"]
        assert found.fillna(-1).tolist() == [-1, 3]
    path = parquet(tmp_path, size=pa.array([999, 3]))
    assert "which data.leads.null_values ['never'] cannot be" in refused(
        tmp_path, path, known_at_creation=kinds, leads_null_values={"size": ["never"]}
    )
    path = parquet(tmp_path, size=pa.array([utc(WHEN)[0]]))
    assert "which is no number" in refused(tmp_path, path, known_at_creation=kinds)


def test_decimals_are_the_numbers_that_their_text_is(tmp_path: Path) -> None:
    texts = ["0.07", "1234567.89", "-0.00", "0.1"]
    written = "user_id,created_at,size\n" + "".join(f"{i},{WHEN},{text}\n" for i, text in enumerate(texts))
    kinds = {"size": "number"}
    csv = read(tmp_path, written, known_at_creation=kinds)

    for kind in (pa.decimal128(38, 20), pa.decimal256(50, 25), pa.decimal128(10, 2)):
        column = pa.array([Decimal(text) for text in texts], kind)
        typed = read(tmp_path, parquet(tmp_path, size=column), known_at_creation=kinds)
        assert typed.leads["size"].tolist() == [0.07, 1234567.89, 0, 0.1]
        assert data_hash(typed) == data_hash(csv)


# --- event columns that are numbers -------------------------------------------------------------------

PAGES = f"""user_id,timestamp,event_type,pages,device
a,{WHEN},visit,10,7
a,{WHEN},visit,9,8
a,{WHEN},login,,9
"""
MAPPED = {"pages": "pages", "device": "device"}


def test_event_columns_are_numbers_where_the_config_says_so(tmp_path: Path) -> None:
    settings = {"events_columns": MAPPED, "events_numbers": ["pages"]}
    found = read(tmp_path, LEADS, PAGES, **settings)

    assert found.events["pages"].dtype == "float64"
    assert found.events["device"].dtype == "str"
    assert found.events["device"].tolist() == ["9", "7", "8"]  # text: device 7 was on page 10, and stands first
    assert found.events["pages"].fillna(-1).tolist() == [-1, 10, 9]
    check_raw(found, config_of(tmp_path, LEADS, PAGES, **settings))
    with pytest.raises(DataError, match="events, column 'pages' is a number, must be a text"):
        check_raw(found, config_of(tmp_path, LEADS, PAGES, events_columns=MAPPED))
    assert "column 'pages': 1 value not a plain number with '.'" in refused(
        tmp_path, LEADS, PAGES.replace(",9,", ",9 pages,"), **settings
    )


def test_numbers_name_event_columns_that_are_mapped(tmp_path: Path) -> None:
    settings = {"events_columns": MAPPED, "events_numbers": ["page", "event_type", "pages"]}
    message = refused(tmp_path, LEADS, PAGES, **settings)

    assert message.startswith("2 problems:")
    assert "data.events.numbers names 'page', which data.events.columns does not map. Did you mean 'pages'?" in message
    assert "data.events.numbers names 'event_type', which is one of leadscore's own columns" in message
    assert "declared in data.known_at_creation" in refused(tmp_path, LEADS, leads_numbers=["size"])


# --- money --------------------------------------------------------------------------------------------

PAID = f"""user_id,timestamp,event_type,amount,currency
a,{WHEN},invoice,10,EUR
a,{WHEN},invoice,10,USD
a,{WHEN},login,,
"""


def test_amounts_are_converted_to_the_one_currency(tmp_path: Path) -> None:
    events = read(tmp_path, LEADS, PAID, currency="EUR", rates={"USD": 0.9}).events

    assert events["event_type"].tolist() == ["invoice", "invoice", "login"]
    assert events["amount"].fillna(-1).tolist() == [9, 10, -1]
    assert events["currency"].fillna("-").tolist() == ["USD", "EUR", "-"]


def test_currencies_are_never_mixed(tmp_path: Path) -> None:
    assert "amounts are in 2 currencies (1 EUR, 1 USD); data.currency and data.rates" in refused(tmp_path, LEADS, PAID)
    message = refused(tmp_path, LEADS, PAID, currency="EUR")
    assert "1 amount in USD (row 3), and data.rates has no rate for it" in message
    assert "data.rates.USD" in message
    assert read(tmp_path, LEADS, PAID.replace("USD", "EUR")).events["amount"].sum() == 20
    assert "1 amount without a currency (row 3)" in refused(tmp_path, LEADS, PAID.replace("USD", ""), currency="EUR")
