"""The audit: every planted leak is caught, each check is needed, and honest features pass."""

import json
import re
import sys
import time
from dataclasses import replace
from pathlib import Path

import audit_leaks
import numpy as np
import pandas as pd
import pytest
from audit_leaks import CACHE, DAY, HONEST, LEAKS, Raw, cut, world

from leadscore.errors import FeatureError
from leadscore.eventlog import EventLog
from leadscore.features import FEATURES, make_plan
from leadscore.features.audit import CHECKS, AuditReport, audit, raise_findings
from leadscore.features.audit.sample import take_events
from leadscore.features.build import build
from leadscore.features.plan import Plan, Planned
from leadscore.features.registry import Feature, is_shipped
from leadscore.tables import Tables
from leadscore.testing import make_world

ONLY = {planted.only: planted for planted in LEAKS.values() if planted.only}


def plan_of(planted, raw: Raw) -> Plan:
    return Plan(tuple(step_of(each.make(raw)) for each in planted))


def step_of(made: Feature) -> Planned:
    defaults = dict(getattr(made.function, "__kwdefaults__", None) or {})
    return Planned(replace(made, parameters=defaults), defaults)


def audited(planted, folder: Path, seed: int = 0, **options) -> AuditReport:
    tables, observations, raw = world(seed)
    return audit(plan_of(planted, replace(raw, folder=folder)), tables, observations, seed=seed, **options)


def caught(report: AuditReport, name: str) -> set[str]:
    return {each.check for each in report.errors if each.feature == name}


def of_events(function, **declaration) -> Plan:
    return Plan((step_of(Feature("it", function, "events", no_events=0.0, meaning="it", **declaration)),))


@pytest.fixture(scope="module")
def all_leaks(tmp_path_factory) -> AuditReport:
    return audited(LEAKS.values(), tmp_path_factory.mktemp("leaks"))


@pytest.mark.parametrize("name", LEAKS)
def test_a_planted_leak_is_caught(name, all_leaks):
    assert set(LEAKS[name].caught) <= caught(all_leaks, name)


@pytest.mark.parametrize("name", [name for name, planted in LEAKS.items() if planted.twin])
def test_a_planted_leak_leaks(name, tmp_path):
    tables, observations, raw = world()
    raw = replace(raw, folder=tmp_path)
    now = observations["as_of"].sort_values().iloc[len(observations) // 2]
    asked = observations[observations["as_of"] == now].reset_index(drop=True)
    planted = LEAKS[name]
    with_all = build(tables, asked, plan_of([planted], raw)).X[name]
    with_twin = build(tables, asked, plan_of([planted], planted.twin(raw, now))).X[name]
    assert not with_all.equals(with_twin)


def test_each_check_has_a_leak_that_no_other_sees(all_leaks):
    assert set(ONLY) == set(CHECKS) - {"suspect"}  # which is no error: it has its own test
    for check, planted in ONLY.items():
        assert caught(all_leaks, planted.name) == {check}, planted.name


@pytest.mark.slow
@pytest.mark.parametrize("check", ONLY)
def test_without_its_check_a_leak_escapes(check, monkeypatch, tmp_path):
    planted = ONLY[check]
    assert not audited([planted], tmp_path).ok
    left = {name: each for name, each in CHECKS.items() if name != check}
    monkeypatch.setattr(sys.modules["leadscore.features.audit"], "CHECKS", left)
    assert audited([planted], tmp_path).ok


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(1, 9))
def test_every_leak_is_caught_and_no_honest_feature_with_other_data(seed, tmp_path):
    report = audited(LEAKS.values(), tmp_path, seed)
    missed = {name: caught(report, name) for name in LEAKS if not set(LEAKS[name].caught) <= caught(report, name)}
    assert not missed
    assert [each.message for each in audited(HONEST.values(), tmp_path, seed).errors] == []


def test_honest_features_pass(tmp_path):
    report = audited(HONEST.values(), tmp_path)
    assert [each.message for each in report.errors] == []
    assert [(each.feature, each.check) for each in report.findings] == [("hash_of_the_id", "rename")]
    assert set(report.checks["constant"]) == set(CHECKS)


def test_a_function_that_forgets_a_bound_gives_the_right_value_over_the_rows_that_it_is_handed():
    tables, observations, raw = world()
    forgetful = [HONEST["sessions_7d_without_an_upper_bound"], HONEST["days_since_the_last_in_the_rows"]]
    table = build(tables, observations, plan_of(forgetful, raw)).X
    for user, now in observations[["user_id", "as_of"]].iloc[::9].itertuples(index=False):
        known = cut(raw, now).events
        mine = known[known["user_id"] == user]["timestamp"]
        assert table.loc[(user, now), "sessions_7d_without_an_upper_bound"] == (mine >= now - 7 * DAY).sum()
        days = (now - mine.max()) / DAY
        assert table.loc[(user, now), "days_since_the_last_in_the_rows"] == pytest.approx(days, nan_ok=True)


MESSAGES = {
    "no_upper_bound": r"rows at or after as_of are dropped.* Lead 'u\d+' at 2024-.* UTC: [\d.]+ before, .+ after "
    r"\(\d+ of \d+ observations move\)\. The code reads log .*audit_leaks\.py:\d+: recent = log\[log\[\"timestamp\"\]",
    "through_a_module_global": r"The code reads EVENTS .*: return EVENTS\.groupby",
    "through_a_class": r"The code reads Reader\.log .*: return _whole\(cls\.log\)",
    "through_a_helper": r"The code reads raw\.events .*: return _whole\(raw\.events\)",
    "events_kept_by_lead": r"another as_of .*kept in CACHE.*: CACHE\.setdefault",
    "days_since_last_event_today": r"wall clock .*: today = pd\.Timestamp\.now",
    "events_times_a_factor_from_a_file": r"it opened '.*factor\.txt'\. .*: with path\.open\(\) as file:",
    "events_in_march": r"all times are shifted.* lead 'u\d+' .* Declare calendar=True .*dt\.month == 3",
    "share_above_one": r"breaks its contract: it \(now = .*outside its declared bounds \(0, 1\)",
    "days_with_events_written_into_the_rows": r"changes what it is handed: the rows .*: events_df\[\"age\"\] =",
}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_finding_says_what_where_and_what_to_do(name, all_leaks):
    found = next(each for each in all_leaks.errors if each.feature == name)
    assert re.search(MESSAGES[name], found.message), found.message
    assert found.message.startswith(f"feature '{name}' ")
    assert found.message.endswith(f"(audit: {found.check})")


def test_findings_carry_the_example_and_are_raised_together(all_leaks):
    found = next(each for each in all_leaks.errors if each.feature == "days_until_the_log_ends")
    assert (found.severity, found.lead[0], found.as_of.tz is not None) == ("error", "u", True)
    assert found.before > found.after
    with pytest.raises(FeatureError, match=rf"^{len(all_leaks.errors)} problems:\n  1\. feature "):
        raise_findings(all_leaks)
    raise_findings(AuditReport())


def test_everything_is_left_as_it_was_found(tmp_path):
    tables, observations, raw = world()
    leaks = [LEAKS["through_a_module_global"], LEAKS["events_kept_by_lead"], LEAKS["label_from_a_dictionary"]]
    plan = plan_of(leaks, raw)
    CACHE["someone"] = 7.0
    before = raw.events.copy(deep=True), raw.leads.copy(deep=True)
    state = np.random.get_state()[1].tolist()
    audit(plan, tables, observations)
    assert audit_leaks.EVENTS is raw.events
    assert CACHE == {"someone": 7.0}
    pd.testing.assert_frame_equal(raw.events, before[0])
    pd.testing.assert_frame_equal(raw.leads, before[1])
    assert np.random.get_state()[1].tolist() == state


def test_one_bad_feature_does_not_hide_another():
    tables, observations, raw = world()

    def raises(events_df, now):
        raise ValueError("no")

    log = raw.events

    def leaks(events_df, now):
        return log.groupby("user_id").size().reindex(events_df["user_id"].unique())

    steps = [step_of(Feature(f.__name__, f, "events", missing="none", meaning="it")) for f in (raises, leaks)]
    report = audit(Plan(tuple(steps)), tables, observations)
    assert caught(report, "raises") == {"contract"}
    assert "truncate" in caught(report, "leaks")


def test_a_feature_made_of_a_leaking_one_is_not_blamed_for_it():
    tables, observations, raw = world()
    log = raw.events

    def leaks(events_df, now):
        return log.groupby("user_id").size().reindex(events_df["user_id"].unique()).fillna(0)

    leaking = Feature("leaks", leaks, "events", no_events=0.0, meaning="it")
    user = Feature("user", lambda events_df, now, *, leaks: leaks * 2, "events", no_events=0.0, needs=("leaks",))
    plan = Plan((Planned(leaking, is_column=False), Planned(user, inputs={"leaks": leaking})))
    report = audit(plan, tables, observations)
    assert {each.feature for each in report.errors} == {"leaks"}
    assert set(report.checks) == {"leaks", "user"}


def test_all_that_leadscore_ships_passes_every_check():
    shipped = {name: {} for name, each in FEATURES.items() if is_shipped(each) and each.aggregate is None}
    assert len(shipped) > 20
    declared = {
        "paid": {"aggregate": "sum", "column": "amount", "event_type": "invoice", "lookback": "30d"},
        "days": {"aggregate": "active_days", "lookback": ["7d", "30d"]},
        "recency": {"aggregate": "days_since_last", "event_type": ["login", "session"]},
        "colour": {"aggregate": "last", "column": "colour"},
        "big": {"aggregate": "count", "where": {"size": ["big"]}},
    }
    for meant in ("any_event_30d", "paid_invoice_30d"):
        plan = make_plan({**shipped, **declared}, {"active_user": meant}, {"company_size": "number"})
        names = None if meant == "any_event_30d" else [meant, "is_active_user"]
        report = audit(plan, *make_world(plan), names=names)
        assert [each.message for each in report.findings] == []
        assert set(report.checks) >= {meant, "is_active_user", *(() if names else (*shipped, "days_30d"))}


def test_only_the_named_are_audited():
    tables, observations, raw = world()
    plan = plan_of([LEAKS["no_upper_bound"], HONEST["constant"]], raw)
    assert audit(plan, tables, observations, names=["constant"]) == AuditReport((), {"constant": tuple(CHECKS)})


def test_a_by_product_of_the_sale_is_for_a_person_to_judge():
    tables, observations, _ = world(n_leads=300)
    soon = observations[observations["label"] == 1]
    calls = soon[["user_id"]].assign(timestamp=soon["as_of"] - DAY / 24, event_type="contract_call")
    log = EventLog.from_frame(pd.concat([tables.events[list(calls)], calls], ignore_index=True))

    def calls_since_yesterday(events_df, now):
        return (events_df["event_type"] == "contract_call").groupby(events_df["user_id"]).sum()

    report = audit(of_events(calls_since_yesterday, lookback=DAY), replace(tables, log=log), observations)
    assert report.ok
    (found,) = [each for each in report.findings if each.check == "suspect"]
    assert re.search(r"suspect: alone it tells \d+ converted leads from \d+ others with an AUC of 1\.0", found.message)


def test_a_log_with_arrival_times_and_one_without_are_both_tried():
    tables, observations, raw = world()
    log = EventLog.from_frame(raw.events.drop(columns="ingested_at"))
    plan = make_plan({"sessions_last_7_days": {}, "days_since_last_event": {}}, {}, {})
    for each in (tables, replace(tables, log=log)):
        assert audit(plan, each, observations).findings == ()


def test_ids_that_are_numbers_are_known_in_captured_frames_and_small_numbers_are_no_ids():
    tables, observations, raw = world()
    number = {user: str(n) for n, user in enumerate(raw.leads["user_id"])}
    leads = tables.leads.assign(user_id=tables.leads["user_id"].map(number).astype("str"))
    log = EventLog.from_frame(tables.events.assign(user_id=tables.events["user_id"].map(number).astype("str")))
    asked = observations.assign(user_id=observations["user_id"].map(number).astype("str"))
    wild = raw.leads.assign(user_id=raw.leads["user_id"].map(number).astype("int64"))  # as a CSV is read

    def won(leads_df):
        status = wild.set_index("user_id")["status"].reindex(leads_df["user_id"].astype("int64"))
        return pd.Series((status == "converted").to_numpy(), index=leads_df["user_id"]).astype(float)

    leak = step_of(Feature("won", won, "leads", missing="none", meaning="it"))
    plan = Plan((leak, *plan_of([HONEST["weighted_by_the_hour"], HONEST["band_of_recency_by_an_array"]], raw).steps))
    report = audit(plan, replace(tables, leads=leads, log=log), asked)
    assert {each.feature for each in report.errors} == {"won"}
    assert {"state", "rename"} <= caught(report, "won")


def test_one_frame_that_two_features_read_is_altered_once():
    tables, observations, raw = world()
    log = raw.events

    def first(events_df, now):
        return events_df.groupby("user_id").size() * 0 + (log["timestamp"] >= now).sum()

    def second(events_df, now):
        return first(events_df, now)

    steps = [step_of(Feature(f.__name__, f, "events", missing="none", meaning="it")) for f in (first, second)]
    report = audit(Plan(tuple(steps)), tables, observations)
    doubled = [each for each in report.errors if each.check == "duplicate"]
    assert [each.feature for each in doubled] == ["first", "second"]
    assert all(each.after == 2 * each.before for each in doubled)


def test_leads_alone_without_any_events_can_be_audited():
    tables, observations, raw = world()
    plan = plan_of([HONEST["country"], HONEST["rank_among_those_observed_now"], LEAKS["status_as_it_is_today"]], raw)
    report = audit(plan, Tables(tables.leads, None, tables.data_end, tables.attributes), observations)
    assert {each.feature for each in report.errors} == {"status_as_it_is_today"}


def test_one_instant_for_all_is_enough():
    tables, observations, raw = world()
    last = observations[observations["as_of"] == observations["as_of"].max()].reset_index(drop=True)
    report = audit(plan_of([LEAKS["no_upper_bound"], HONEST["invoiced_so_far"]], raw), tables, last)
    assert {each.feature for each in report.errors} == {"no_upper_bound"}


def test_the_sample_looks_at_users_features_with_every_check_and_at_ours_cheaply():
    tables, observations, raw = world()
    ours = make_plan({"sessions_last_7_days": {}, "signup_hour": {}}, {}, {})
    plan = Plan((*ours.steps, *plan_of([LEAKS["largest_invoice_ever"]], raw).steps))
    report = audit(plan, tables, observations, level="sample")
    assert {each.feature for each in report.errors} == {"largest_invoice_ever"}
    assert set(report.checks["largest_invoice_ever"]) == set(CHECKS) - {"shift"}
    assert set(report.checks["signup_hour"]) < set(CHECKS)


def test_the_same_seed_gives_the_same_findings(tmp_path):
    leaks = [LEAKS["no_upper_bound"], LEAKS["status_as_it_is_today"]]
    first, second = (audited(leaks, tmp_path, seed=3) for _ in range(2))
    assert [each.message for each in first.findings] == [each.message for each in second.findings]


def test_some_leads_events_are_taken_from_a_log_of_any_number_of_parts(monkeypatch):
    import leadscore.eventlog

    _, _, raw = world()
    users = raw.leads["user_id"].iloc[::7].tolist()
    whole = take_events(EventLog.from_frame(raw.events), users)
    monkeypatch.setattr(leadscore.eventlog, "PART_ROWS", 500)
    log = EventLog.from_frame(raw.events)
    assert len(log.parts) > 2
    in_parts = take_events(log, [*users, "nobody"])
    assert set(whole["user_id"]) <= set(users)
    assert len(whole) == raw.events["user_id"].isin(users).sum()
    by = ["user_id", "timestamp", "event_type", "amount"]
    pd.testing.assert_frame_equal(whole.sort_values(by, ignore_index=True), in_parts.sort_values(by, ignore_index=True))


def test_a_file_that_python_itself_reads_is_no_finding(tmp_path):
    tables, observations, _ = world()
    (tmp_path / "unused.json").write_text(json.dumps({}))

    def plain(events_df, now):
        import importlib.resources
        import zoneinfo

        zoneinfo.ZoneInfo.no_cache("Asia/Kathmandu")
        importlib.resources.files("pandas").joinpath("__init__.py").read_text()
        return events_df.groupby("user_id").size()

    assert audit(of_events(plain), tables, observations).ok


@pytest.mark.slow
def test_two_million_events_are_audited_within_a_minute():
    tables, observations = make_world(n_leads=110_000, seed=1)
    assert len(tables.log) > 2_000_000
    names = ["sessions_last_7_days", "days_since_last_login", "is_active_user", "last_event_type", "signup_hour"]
    ours = make_plan({name: {} for name in names}, {"active_user": "any_event_30d"}, {})
    log = tables.events

    def whole(rows, now):
        return log.groupby("user_id").size().reindex(rows["user_id"].unique())

    leaking = [step_of(Feature(f"leak_{n}", whole, "events", missing="none")) for n in range(15)]
    started = time.process_time()
    report = audit(Plan((*ours.steps, *leaking)), tables, observations)
    assert time.process_time() - started < 60
    assert {each.feature for each in report.errors} == {each.feature.name for each in leaking}
