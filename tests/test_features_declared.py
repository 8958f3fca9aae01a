"""Declaring features: what is refused, what a plan holds, and aggregates against a loop."""

import numpy as np
import pandas as pd
import pytest
from conftest import event_table, lead_table, tables, utc

from leadscore.errors import FeatureError
from leadscore.features import FEATURES, build, feature, make_plan, register_aggregate
from leadscore.features.kinds import KINDS


@pytest.fixture(autouse=True)
def registry():
    before = dict(FEATURES)
    yield
    FEATURES.clear()
    FEATURES.update(before)


def declared(**declaration):
    def some_feature(events_df, now, *, days=7):
        """Something."""
        return events_df.groupby("user_id").size()

    return feature(**{"source": "events", "no_events": 0, **declaration})(some_feature)


def test_a_feature_stays_a_plain_function_and_keeps_its_first_line_as_its_meaning():
    function = declared(lookback="7d", unit="events")
    frame = event_table(("a", "2024-03-01", "x"), ("a", "2024-03-02", "x"))
    assert function(frame, pd.Timestamp("2024-03-03", tz="UTC")).to_dict() == {"a": 2}
    assert FEATURES["some_feature"].meaning == "Something."


@pytest.mark.parametrize(
    ("declaration", "said"),
    [
        ({"source": "event"}, "source 'event'. Did you mean 'events'?"),
        ({"dtype": "int"}, "dtype 'int'. Allowed: category, number."),
        ({"no_events": None}, "says neither no_events"),
        ({"lookback": "7"}, "lookback: '7' is not a duration"),
        ({"source": "leads", "lookback": "7d"}, "lookback and event_type are for source='events'"),
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(declaration, said):
    with pytest.raises(FeatureError, match="some_feature") as refused:
        declared(**declaration)
    assert said in str(refused.value)


def test_a_feature_without_a_docstring_is_refused():
    def nameless(events_df, now):
        return events_df.groupby("user_id").size()

    with pytest.raises(FeatureError, match="has no docstring; its first line is the feature's meaning"):
        feature(source="events", no_events=0)(nameless)


def test_one_name_for_two_functions_is_refused_with_both_places():
    declared()
    with pytest.raises(
        FeatureError, match=r"'sessions_last_7_days' is registered twice: .*activity.py:\d+ and .*test_features"
    ):

        @feature(source="events", no_events=0)
        def sessions_last_7_days(events_df, now):
            """Another."""


def test_all_wrong_names_and_parameters_are_listed_at_once():
    declared()
    with pytest.raises(FeatureError) as refused:
        make_plan(
            {
                "sesions_last_7_days": {},
                "some_feature": {"dayz": 3},
                "logins": {"aggregate": "cuont"},
                "amounts": {"aggregate": "sum"},
                "size": {"aggregate": "attribute", "column": "company_sise"},
                "log_company_size": {},
            },
            {},
            {"country": "category"},
        )
    said = str(refused.value)
    assert said.startswith("6 problems:")
    for part in (
        "Did you mean 'sessions_last_7_days'?",
        "unknown parameter 'dayz'. Did you mean 'days'?",
        "unknown aggregate 'cuont'. Did you mean 'count'?",
        "the aggregate sum needs a column",
        "'company_sise' is not in data.known_at_creation",
        "reads the lead column company_size, not listed in data.known_at_creation (country)",
    ):
        assert part in said


@pytest.mark.parametrize(("given", "kept"), [(14, 14), (14.0, 14)])
def test_a_parameter_takes_the_type_of_its_default(given, kept):
    declared()
    (step,) = make_plan({"some_feature": {"days": given}}, {}, {}).steps
    assert step.parameters == {"days": kept}
    assert type(step.parameters["days"]) is int


@pytest.mark.parametrize("given", ["14", 14.5, True])
def test_a_parameter_of_another_type_is_refused(given):
    declared()
    with pytest.raises(
        FeatureError, match=r"features.some_feature.days: .* is not of the type of its default \(int 7\)"
    ):
        make_plan({"some_feature": {"days": given}}, {}, {})


def test_features_that_need_each_other_in_a_circle_are_refused():
    @feature(source="events", no_events=0)
    def hen(events_df, now, *, egg):
        """Hen."""

    @feature(source="events", no_events=0)
    def egg(events_df, now, *, hen):
        """Egg."""

    with pytest.raises(FeatureError, match="circle: hen -> egg -> hen"):
        make_plan({"hen": {}}, {}, {})


def test_unknown_definitions_are_named():
    with pytest.raises(
        FeatureError, match=r"definitions.active_user=any_event: unknown definition. Did you mean 'any_event_30d'"
    ):
        make_plan({"is_active_user": {}}, {"active_user": "any_event"}, {})
    with pytest.raises(FeatureError, match=r"definitions.active_user is not set"):
        make_plan({"is_active_user": {}}, {}, {})


def test_several_lookbacks_make_several_features():
    built = register_aggregate("visits", "count", event_type="session", lookback=["7d", "30d"])
    assert [each.name for each in built] == ["visits_7d", "visits_30d"]
    from_config = make_plan(
        {"visits": {"aggregate": "count", "event_type": "session", "lookback": ["7d", "30d"]}}, {}, {}
    )
    assert [each.aggregate for each in from_config.columns] == [built[1].aggregate, built[0].aggregate]


def test_attributes_become_one_column_each():
    chosen = make_plan({"all": {"aggregate": "attributes"}}, {}, {"country": "category", "size": "number"})
    assert [(each.name, each.dtype) for each in chosen.columns] == [("country", "category"), ("size", "number")]


LOG = event_table(
    ("a", "2024-03-01T12:00:00Z", "login"),
    ("a", "2024-03-05T12:00:00Z", "invoice"),
    ("a", "2024-03-06T11:00:00Z", "invoice"),
    ("a", "2024-03-06T13:00:00Z", "login"),
    ("a", "2024-03-08T00:00:00Z", "invoice"),  # at as_of: not seen
    ("b", "2024-02-01T00:00:00Z", "login"),
    amount=[np.nan, 10.0, 30.0, np.nan, 99.0, np.nan],
    plan=["x", "y", "x", "x", "z", "x"],
)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"aggregate": "count"}, [4, 1]),
        ({"aggregate": "count", "event_type": ["login", "invoice"], "where": {"plan": ["x"]}}, [3, 1]),
        ({"aggregate": "count", "lookback": "7d"}, [4, 0]),
        ({"aggregate": "count", "lookback": "2d"}, [2, 0]),
        ({"aggregate": "sum", "column": "amount"}, [40, 0]),
        ({"aggregate": "mean", "column": "amount", "event_type": "invoice"}, [20, np.nan]),
        ({"aggregate": "min", "column": "amount"}, [10, np.nan]),
        ({"aggregate": "max", "column": "amount"}, [30, np.nan]),
        ({"aggregate": "distinct", "column": "event_type"}, [2, 1]),
        ({"aggregate": "distinct", "column": "plan"}, [2, 1]),
        ({"aggregate": "std", "column": "amount"}, [200**0.5, np.nan]),
        ({"aggregate": "first", "column": "amount", "event_type": "invoice"}, [10, np.nan]),
        ({"aggregate": "last", "column": "plan"}, ["x", "x"]),
        # 4 days to the 5th, 23 hours to the next invoice, 2 hours to the login.
        ({"aggregate": "mean_gap"}, [(4 * 24 + 23 + 2) / 3 / 24, np.nan]),
        ({"aggregate": "share", "of": {"event_type": "login"}}, [0.5, 1]),
        ({"aggregate": "trend", "recent": "2d", "lookback": "7d"}, [2 / 2 - 2 / 5, 0]),
        (
            {
                "aggregate": "ratio",
                "numerator": {"aggregate": "sum", "column": "amount"},
                "denominator": {"aggregate": "count", "event_type": "invoice"},
            },
            [20, np.nan],
        ),
        ({"aggregate": "days_since_last", "event_type": "invoice"}, [37 / 24, np.nan]),
        ({"aggregate": "days_since_first"}, [6.5, 36]),
        # Counted back from midnight of 8 March: 6.5, 2.5, 1.54 and 1.46 days ago are three days.
        ({"aggregate": "active_days"}, [3, 1]),
    ],
)
def test_each_aggregate_counts_what_it_says(spec, expected):
    asked = pd.DataFrame(
        {"user_id": pd.Series(["a", "b"], dtype="str"), "as_of": utc("2024-03-08", "2024-03-08"), "lead_row": [0, 1]}
    )
    chosen = make_plan({"it": spec}, {}, {})
    column = build(tables(lead_table({"a": "2024-01-01", "b": "2024-01-01"}), LOG), asked, chosen).X["it"]
    if column.dtype == "float64":
        np.testing.assert_allclose(column, expected)
    else:
        assert column.tolist() == expected


def test_every_aggregate_is_tried_above():
    tried = {
        case.args[0][0]["aggregate"] if hasattr(case, "args") else case[0]["aggregate"]
        for case in test_each_aggregate_counts_what_it_says.pytestmark[0].args[1]
    }
    assert tried == set(KINDS)


def test_a_column_the_log_does_not_have_is_named():
    asked = pd.DataFrame({"user_id": pd.Series(["a"], dtype="str"), "as_of": utc("2024-03-08"), "lead_row": [0]})
    chosen = make_plan({"it": {"aggregate": "sum", "column": "price"}}, {}, {})
    with pytest.raises(FeatureError, match=r"reads the event column 'price'; the log has amount, event_type, plan"):
        build(tables(lead_table({"a": "2024-01-01"}), LOG), asked, chosen)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"aggregate": "count", "lookback": "0d"}, "features.it.lookback: 0d is an empty window"),
        ({"aggregate": "count", "lookback": []}, "features.it.lookback: [] names no duration"),
        ({"aggregate": "count", "lookback": "7"}, "features.it.lookback: '7' is not a duration"),
        ({"aggregate": ["count"]}, "features.it.aggregate: unknown aggregate ['count']"),
        ({"aggregate": "sum", "column": ["amount"]}, "features.it.column: ['amount'] is not one column's name"),
        ({"aggregate": "count", "where": [1]}, "features.it.where: [1] is not a mapping"),
        ({"aggregate": "count", "where": {"plan": None}}, "features.it.where.plan: None names no value"),
        ({"aggregate": "count", "event_type": []}, "features.it.event_type: [] names no event type"),
        ({"aggregate": "count", "lookbak": "7d"}, "unknown key 'lookbak'. Did you mean 'lookback'?"),
        ({"aggregate": "attribute", "column": ["country"]}, "takes column, one column's name"),
        ({"agregate": "count"}, "unknown key 'agregate'. Did you mean 'aggregate'?"),
    ],
)
def test_an_entry_that_means_nothing_is_refused_in_words(entry, said):
    with pytest.raises(FeatureError) as refused:
        make_plan({"it": entry}, {}, {"country": "category"})
    assert said in str(refused.value)


def test_one_question_has_one_spelling():
    spellings = [
        {"aggregate": "count", "event_type": "login", "lookback": "7d"},
        {"aggregate": "count", "event_type": ["login"], "lookback": "168h", "where": {}, "column": None},
    ]
    asked = [make_plan({"it": entry}, {}, {}).asked for entry in spellings]
    assert asked[0] == asked[1]


def asked_of_log(**entry):
    asked = pd.DataFrame({"user_id": pd.Series(["a"], dtype="str"), "as_of": utc("2024-03-08"), "lead_row": [0]})
    return build(tables(lead_table({"a": "2024-01-01"}), LOG), asked, make_plan({"it": entry}, {}, {})).X["it"]


def test_where_compares_numbers_as_numbers():
    assert asked_of_log(aggregate="count", where={"amount": [10]}).tolist() == [1]


def test_where_on_a_value_that_no_event_has_is_an_error_not_a_zero():
    with pytest.raises(FeatureError, match=r"counts events whose plan is 'yy'; no event has it. Did you mean 'y'"):
        asked_of_log(aggregate="count", where={"plan": ["yy"]})


def test_last_is_the_last_events_own_value_also_when_it_has_none():
    log = event_table(("a", "2024-03-01", "x"), ("a", "2024-03-02", "x"), plan=["team", None])
    asked = pd.DataFrame({"user_id": pd.Series(["a"], dtype="str"), "as_of": utc("2024-03-08"), "lead_row": [0]})
    chosen = make_plan({"it": {"aggregate": "last", "column": "plan"}}, {}, {})
    assert build(tables(lead_table({"a": "2024-01-01"}), log), asked, chosen).X["it"].isna().all()


def test_two_aggregates_of_one_name_are_refused():
    register_aggregate("visits", "count", event_type="session")
    register_aggregate("visits", "count", event_type="session")  # the same again is no conflict
    with pytest.raises(FeatureError, match="'visits' is registered twice: the aggregate"):
        register_aggregate("visits", "count", event_type="login")


def test_a_registered_aggregate_takes_no_parameters():
    register_aggregate("visits", "count", event_type="session")
    with pytest.raises(FeatureError, match="unknown parameter 'foo'"):
        make_plan({"visits": {"foo": 1}}, {}, {})


def test_two_concepts_with_a_definition_of_one_name_are_refused_where_both_are_used():
    from leadscore.features.registry import DEFINITIONS, definition

    try:
        for concept, kind in (("active_lead", "login"), ("paying_lead", "invoice")):

            @definition(concept, source="events", event_type=kind, no_events=0)
            def strict(events_df, now):
                """Strictly so."""
                return events_df.groupby("user_id").size()

        @feature(source="events", no_events=0)
        def both(events_df, now, *, active_lead, paying_lead):
            """Both."""
            return 10 * paying_lead + active_lead

        with pytest.raises(FeatureError, match="two entries make a column called 'strict': rename one of them"):
            make_plan({"both": {}}, {"active_lead": "strict", "paying_lead": "strict"}, {})
    finally:
        DEFINITIONS.pop("active_lead"), DEFINITIONS.pop("paying_lead")
