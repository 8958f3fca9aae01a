"""Reasons that sales can read: true to the declaration, grouped where columns tell one story, adding up."""

import time

import numpy as np
import pandas as pd
import pytest

from leadscore.config.schema import LightgbmModel, LogisticModel
from leadscore.errors import ModelError
from leadscore.explain import describe, group_contributions, reasons, said_values
from leadscore.features.plan import Planned, make_plan
from leadscore.features.registry import Feature
from leadscore.model import Explanation, make_model
from leadscore.serving import Described
from leadscore.times import parse_duration

ATTRIBUTES = {"country": "category", "company_size": "number", "industry": "category"}


def described(entries, definitions=None):
    plan = make_plan(entries, definitions or {}, ATTRIBUTES)
    return {each.name: each for each in describe(plan.column_steps)}


def written(name, **declaration):
    """The words of a feature that somebody wrote."""
    lookback = declaration.pop("lookback", None)
    each = Feature(
        name,
        lambda rows, _now: rows,
        declaration.pop("source", "events"),
        lookback=None if lookback is None else parse_duration(lookback),
        **declaration,
    )
    return describe([Planned(each)])[0]


def said(each, value, way="raises"):
    dtype = "float64" if each.kind == "number" else "str"
    return said_values(each, pd.Series([value], dtype=dtype), way)[0]


def explained(X, dictionary, top=3, base=-1.0, **contributions):
    return reasons(Explanation(pd.DataFrame(contributions, index=X.index), base), X, dictionary, top=top)


# --- words ------------------------------------------------------------------------------------------


def test_a_count_is_said_with_its_window():
    sessions = described({"sessions_last_7_days": {}})["sessions_last_7_days"]

    assert said(sessions, 3) == "3 sessions in the last 7 days"
    assert said(sessions, 1) == "1 session in the last 7 days"
    assert said(sessions, 0, "lowers") == "no sessions in the last 7 days"
    assert said(sessions, 12_345) == "12,345 sessions in the last 7 days"


def test_a_silence_lowers_and_a_visit_raises():
    login = described({"days_since_last_login": {}})["days_since_last_login"]

    assert said(login, 24.3, "lowers") == "no login for 24 days"
    assert said(login, 24.3, "raises") == "last login 24 days ago"
    assert said(login, 0.5, "raises") == "last login 12 hours ago"
    assert said(login, 1 / 1440, "raises") == "last login 1 minute ago"
    assert said(login, np.nan, "lowers") == "has never logged in"


def test_the_time_since_the_first_event_is_no_silence():
    first = described({"days_since_first_event": {}})["days_since_first_event"]

    assert said(first, 30.0, "lowers") == "first event 30 days ago"


@pytest.mark.parametrize(
    ("entry", "value", "words"),
    [
        ({"aggregate": "count", "event_type": "login", "lookback": "1d"}, 2, "2 login events in the last 24 hours"),
        ({"aggregate": "count", "event_type": "login"}, 1, "1 login event so far"),
        ({"aggregate": "active_days", "lookback": "2w"}, 1, "1 day with events in the last 14 days"),
        ({"aggregate": "days_since_last", "event_type": "call"}, 9, "last call event 9 days ago"),
        ({"aggregate": "days_since_last", "event_type": "call"}, np.nan, "no call event so far"),
        ({"aggregate": "sum", "column": "amount"}, 1250.5, "sum of amount over events is 1,250"),
        ({"aggregate": "share", "of": {"event_type": "login"}}, 0.254, "share of login events among events is 25%"),
        (
            {"aggregate": "count", "event_type": "call", "where": {"outcome": ["reached"]}},
            1,
            "1 call event with outcome reached so far",
        ),
    ],
)
def test_a_declared_aggregate_is_said_as_it_is_declared(entry, value, words):
    assert said(described({"mine": entry})["mine"], value) == words


def test_a_lead_is_what_its_row_says():
    words = described({"attributes": {"aggregate": "attributes"}, "signup_on_weekend": {}, "lead_age_days": {}})

    assert said(words["country"], "DE") == "country is DE"
    assert said(words["country"], None) == "country not given"
    assert said(words["company_size"], 1250.0) == "company size is 1,250"
    assert said(words["signup_on_weekend"], 1.0) == "signup on weekend (yes)"
    assert said(words["lead_age_days"], 12.4) == "lead age is 12 days"


def test_a_value_with_braces_or_a_placeholder_in_it_is_only_text():
    country = described({"attributes": {"aggregate": "attributes"}})["country"]

    assert said(country, "{value} {0}") == "country is {value} {0}"


def test_a_count_is_only_said_where_name_unit_and_lookback_agree():
    calls = {"unit": "calls", "no_events": 0}

    assert said(written("calls_last_7_days", lookback="7d", **calls), 3) == "3 calls in the last 7 days"
    assert said(written("calls_last_7_days", lookback="30d", **calls), 3) == "calls last 7 days is 3"
    assert said(written("calls_last_7_days", **calls), 3) == "calls last 7 days is 3"
    assert said(written("calls_trend", unit="calls a day", no_events=0), -0.4) == "calls trend is -0.4"
    assert said(written("rank", unit="points", missing="nobody ranked it"), np.nan) == "nobody ranked it"


# --- stories ----------------------------------------------------------------------------------------


def test_columns_that_ask_the_same_of_the_same_events_tell_one_story():
    words = described(
        {
            "sessions_last_7_days": {},
            "sessions_last_24_hours": {},
            "hours_since_last_session": {},
            "logins_last_7_days": {},
            "days_since_last_event": {},
            "days_since_first_event": {},
            "attributes": {"aggregate": "attributes"},
            "log_company_size": {},
            "signup_hour": {},
            "calls": {"aggregate": "count", "event_type": "call"},
            "calls_reached": {"aggregate": "count", "event_type": "call", "where": {"outcome": ["reached"]}},
            "calls_lately": {"aggregate": "count", "event_type": "call", "lookback": ["1d", "7d"]},
        }
    )
    stories = {}
    for each in words.values():
        stories.setdefault(each.group, set()).add(each.name)
    together = sorted(sorted(names) for names in stories.values() if len(names) > 1)

    assert together == [
        ["calls", "calls_lately_1d", "calls_lately_7d"],
        ["company_size", "log_company_size"],
        ["sessions_last_24_hours", "sessions_last_7_days"],
    ]


def test_a_feature_made_of_a_definition_reads_what_that_reads():
    words = described({"is_active_user": {}, "invoices": {}}, {"active_user": "paid_invoice_30d"})

    assert words["is_active_user"].group == words["invoices"].group


def test_one_story_is_told_once_by_its_strongest_member():
    X = pd.DataFrame({"sessions_7d": [9.0, 0.0], "sessions_1d": [4.0, 3.0], "country": ["DE", "DE"]})
    words = [Described("sessions_7d", group="s"), Described("sessions_1d", group="s"), Described("country")]

    table = explained(X, words, sessions_7d=[1.5, -1.0], sessions_1d=[-0.5, 0.2], country=[0.4, 0.9])

    assert table["reason_1"].tolist() == ["sessions 7d is 9: raises", "country is DE: raises"]
    # -1.0 + 0.2: of the two only the first speaks for the sum's direction
    assert table["reason_2"].tolist() == ["country is DE: raises", "sessions 7d is 0: lowers"]
    assert table["reason_3"].tolist() == ["", ""]
    assert table["code_1"].tolist() == ["sessions_7d:raises", "country:raises"]


def test_a_story_whose_columns_cancel_out_is_no_reason():
    X = pd.DataFrame({"a": [1.0], "b": [1.0]})

    table = explained(X, [Described("a", group="g"), Described("b", group="g")], a=[2.0], b=[-1.995])

    assert table.iloc[0].tolist() == [""] * 6


def test_the_dictionary_goes_by_name_and_must_know_every_column():
    X = pd.DataFrame({"a": [1.0], "b": [2.0]}, index=pd.Index(["u1"], name="user_id"))
    words = [Described("b"), Described("a")]

    table = explained(X, words, top=1, b=[0.1], a=[0.5])

    assert table.loc["u1"].tolist() == ["a is 1: raises", "a:raises"]
    with pytest.raises(ModelError, match=r"does not describe 1 of 2 columns: 'b'"):
        explained(X, words[1:], a=[0.1], b=[0.5])


@pytest.mark.parametrize("config", [LogisticModel(), LightgbmModel(n_estimators=20)], ids=lambda config: config.name)
def test_stories_and_base_add_up_to_the_log_odds(config):
    rng = np.random.default_rng(1)
    X = pd.DataFrame(rng.normal(size=(400, 4)), columns=["a", "b", "c", "d"])
    X.loc[::7, "b"] = np.nan
    y = pd.Series((X["a"] + 0.5 * X["c"] + rng.normal(size=400) > 0).astype("int64"))
    model = make_model(config, seed=0).fit(X, y)
    words = [Described("a", group="x"), Described("b", group="x"), Described("c"), Described("d", group="x")]

    explanation = model.explain(X)
    stories = group_contributions(explanation, words)

    p = model.predict_proba(X)
    assert list(stories.columns) == ["x", "c"]
    assert np.abs(stories.sum(axis=1) + explanation.base - np.log(p / (1 - p))).max() < 1e-6
    told = reasons(explanation, X, words)
    for place in (1, 2):
        ups = told[f"code_{place}"].str.endswith(":raises")
        assert ups.any()
        assert (~ups).any()


def test_many_leads_get_their_reasons_in_seconds():
    rng = np.random.default_rng(0)
    n, words = (
        200_000,
        list(described({"sessions_last_7_days": {}, "days_since_last_login": {}, "invoices": {}}).values()),
    )
    X = pd.DataFrame({each.name: rng.exponential(20, n) for each in words})
    contributions = pd.DataFrame(rng.normal(size=X.shape), columns=X.columns)

    started = time.perf_counter()
    table = reasons(Explanation(contributions, -1.0), X, words)

    assert time.perf_counter() - started < 10
    assert len(table) == n
    assert table["reason_1"].str.endswith(("raises", "lowers")).all()


def test_no_lead_has_no_reason():
    X = pd.DataFrame({"a": pd.Series([], dtype="float64")})

    table = explained(X, [Described("a")], top=2, a=pd.Series([], dtype="float64"))

    assert list(table.columns) == ["reason_1", "reason_2", "code_1", "code_2"]
    assert table.empty
