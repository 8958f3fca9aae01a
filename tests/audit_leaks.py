"""Features that leak or break their word, each in its own way, and features that do not.

`raw` is what a careless author has at hand: the whole event log and lead table, the future and the outcome included.
"""

import functools
import random
import sqlite3
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pandas as pd

from leadscore.eventlog import EventLog
from leadscore.features.registry import Feature
from leadscore.tables import Tables
from leadscore.testing import make_world

DAY = pd.Timedelta(days=1)
UTC_EPOCH = pd.Timestamp("2020-01-01", tz="UTC")
EVENTS: pd.DataFrame | None = None  # a module's global frame
STATE: dict[str, object] = {}
CACHE: dict[str, float] = {}
LATEST = None
N_CALLS = 0


@dataclass(frozen=True)
class Raw:
    """The whole truth, as frames."""

    events: pd.DataFrame
    leads: pd.DataFrame
    folder: object = None


@dataclass(frozen=True)
class Planted:
    """A feature made from raw tables.

    `caught` are the checks that must see it; `only` is the one that no other replaces; `twin` gives raw tables under
    which the same honest past would have given other values.
    """

    name: str
    make: Callable[[Raw], Feature]
    caught: tuple[str, ...] = ()
    only: str | None = None
    twin: Callable[[Raw, pd.Timestamp], Raw] | None = None


LEAKS: dict[str, Planted] = {}
HONEST: dict[str, Planted] = {}


def world(seed: int = 0, n_leads: int = 160) -> tuple[Tables, pd.DataFrame, Raw]:
    """Tables with an amount, a country and a plan; observations; and the raw frames behind them."""
    rng = np.random.default_rng(seed)
    tables, observations = make_world(n_leads=n_leads, seed=seed, event_types=("login", "session", "invoice"))
    leads = tables.leads.assign(
        country=pd.Series(rng.choice(["DE", "FR", "US"], n_leads), dtype="str"),
        seats=rng.integers(1, 500, n_leads) * 1.0,
    )
    events = tables.events.sort_values("timestamp", kind="stable", ignore_index=True)
    events["amount"] = np.round(rng.gamma(2.0, 20.0, len(events)), 2)
    events.loc[rng.random(len(events)) < 0.3, "amount"] = np.nan
    events.loc[0, "amount"] = 5_000.0  # the largest is an old one
    events.loc[0, "ingested_at"] = events.loc[0, "timestamp"]
    tables = replace(
        tables, leads=leads, log=EventLog.from_frame(events), attributes={"country": "category", "seats": "number"}
    )
    return tables, observations, Raw(events, leads)


def cut(raw: Raw, now: pd.Timestamp) -> Raw:
    """What of the raw tables was known at `now`."""
    events = raw.events[(raw.events["timestamp"] < now) & (raw.events["ingested_at"] <= now)]
    later = (raw.leads["converted_at"] >= now) | (raw.leads["closed_at"] >= now)
    known = {name: raw.leads[name].mask(raw.leads[name] >= now) for name in ("converted_at", "closed_at")}
    return replace(raw, events=events, leads=raw.leads.assign(status=raw.leads["status"].mask(later, "open"), **known))


def leak(*caught: str, only: str | None = None, twin=cut, **declaration):
    return _planting(LEAKS, declaration, caught=caught or ((only,) if only else ()), only=only, twin=twin)


def honest(**declaration):
    return _planting(HONEST, declaration)


def _planting(where, declaration, **said):
    declaration = {"source": "events", "missing": "nothing known", **declaration}

    def plant(make):
        def made(raw: Raw) -> Feature:
            return Feature(make.__name__, make(raw), meaning=make.__name__, **declaration)

        where[make.__name__] = Planted(make.__name__, made, **said)
        return make

    return plant


# Ten leaks that every team has had once. Where only a bound is forgotten, the engine's rows make it harmless (below).


@leak("truncate", "perturb", "duplicate", "late", "rename")
def no_upper_bound(raw):
    log = raw.events

    def f(events_df, now):
        recent = log[log["timestamp"] >= now - 7 * DAY]
        return recent.groupby("user_id").size().reindex(events_df["user_id"].unique())

    return f


@leak("perturb", "rename", twin=None)  # it takes an event exactly at now
def invoices_up_to_and_with_now(raw):
    log = raw.events

    def f(events_df, now):
        known = log[log["timestamp"] <= now]
        known = known[known["ingested_at"] <= now + 3650 * DAY]
        return known.groupby("user_id").size().reindex(events_df["user_id"].unique())

    return f


@leak("truncate", "perturb", "rename")
def largest_invoice_ever(raw):
    holder = {"log": raw.events}

    def f(events_df, now):
        return holder["log"].groupby("user_id")["amount"].max().reindex(events_df["user_id"].unique())

    return f


@leak("truncate", "perturb", columns=("amount",))
def z_score_with_the_whole_logs_mean(raw):
    def f(events_df, now, *, log=raw.events):
        mean, spread = log["amount"].mean(), log["amount"].std()
        return (events_df.groupby("user_id")["amount"].mean() - mean) / spread

    return f


@leak("state", source="leads", columns=("country",))
def target_encoding_over_all_rows(raw):
    leads = raw.leads

    def f(leads_df):
        rate = (leads["status"] == "converted").groupby(leads["country"]).mean()
        return leads_df.set_index("user_id")["country"].map(rate).astype(float)

    return f


@leak("state", "rename", source="leads", no_events=0, missing=None)
def status_as_it_is_today(raw):
    STATE["status"] = raw.leads.set_index("user_id")["status"]

    def f(leads_df):
        won = STATE["status"].reindex(leads_df["user_id"]) == "converted"
        return won.astype(float)

    return f


@leak("truncate", "perturb", "rename")
def days_since_last_login_of_all(raw):
    log = SimpleNamespace(events=raw.events)

    def f(events_df, now):
        last = log.events[log.events["event_type"] == "login"].groupby("user_id")["timestamp"].max()
        return ((now - last) / DAY).reindex(events_df["user_id"].unique())

    return f


@leak("truncate", "perturb", columns=("amount",))
def percentile_in_the_whole_log(raw):
    amounts = raw.events[["timestamp", "amount"]]

    def f(events_df, now):
        everyone = np.sort(amounts["amount"].dropna())
        mine = events_df.groupby("user_id")["amount"].max().dropna()
        return pd.Series(np.searchsorted(everyone, mine) / len(everyone), index=mine.index)

    return f


@leak("truncate", "perturb", "rename")
def amount_filled_from_the_next_event(raw):
    log = raw.events

    def f(events_df, now):
        filled = log["amount"].groupby(log["user_id"]).bfill()
        last = log.assign(amount=filled)[log["timestamp"] < now].groupby("user_id").tail(1)
        return last.set_index("user_id")["amount"].reindex(events_df["user_id"].unique())

    return f


@leak("rename", source="leads", no_events=-1, missing=None, twin=None)
def row_number_in_the_lead_table(raw):
    place = {user: number for number, user in enumerate(raw.leads["user_id"])}

    def f(leads_df):
        return pd.Series([place.get(user, -1) for user in leads_df["user_id"]], index=leads_df["user_id"])

    return f


# One for each check, that no other check sees.


@leak(only="truncate", calendar="date")
def days_until_the_log_ends(raw):
    log = raw.events

    def f(events_df, now):
        left = (log["timestamp"].max() - now) / DAY
        return events_df.groupby("user_id").size() * 0 + left

    return f


def _richer_future(raw: Raw, now: pd.Timestamp) -> Raw:
    later = raw.events["timestamp"] >= now
    return replace(raw, events=raw.events.assign(amount=raw.events["amount"].mask(later, 9_000.0)))


@leak(only="perturb", twin=_richer_future, columns=("amount",))
def share_of_the_largest_amount_of_all(raw):
    log = raw.events

    def f(events_df, now):
        return events_df.groupby("user_id")["amount"].sum() / log["amount"].max()

    return f


def _with_repeats(raw: Raw, now: pd.Timestamp) -> Raw:
    return replace(raw, events=pd.concat([raw.events, raw.events[raw.events["timestamp"] >= now]]))


@leak(only="duplicate", twin=_with_repeats)
def events_unless_rows_came_twice(raw):
    log = raw.events

    def f(events_df, now):
        return events_df.groupby("user_id").size() * (1.0 if log.index.is_unique else 0.5)

    return f


@leak(only="late", calendar="date")
def share_of_all_that_happened(raw):
    log = raw.events

    def f(events_df, now):
        return events_df.groupby("user_id").size() / (log["timestamp"] < now).sum()

    return f


@leak(only="state", source="leads", no_events=0, missing=None)
def status_found_by_creation_time(raw):
    leads = raw.leads

    def f(leads_df):
        won = leads.drop_duplicates("created_at").set_index("created_at")["status"] == "converted"
        return leads_df.set_index("user_id")["created_at"].map(won).astype(float)

    return f


def _other_order(raw: Raw, now: pd.Timestamp) -> Raw:
    return replace(raw, events=raw.events.iloc[::-1])


@leak(only="order", calendar="date", twin=_other_order)
def days_since_the_first_row(raw):
    log = raw.events

    def f(events_df, now):
        return events_df.groupby("user_id").size() * 0 + (now - log["timestamp"].iloc[0]) / DAY

    return f


@leak(only="repeat", twin=None)
def events_with_noise(raw):
    def f(events_df, now):
        return events_df.groupby("user_id").size() * random.random()

    return f


@leak(only="memory", calendar="date", no_events=0, twin=None)
def days_since_the_first_call(raw):
    def f(events_df, now):
        start = STATE.setdefault("start", now)
        return events_df.groupby("user_id").size() * 0 + (now - start) / DAY

    return f


@leak(only="clock", calendar="date", twin=None)
def days_since_last_event_today(raw):
    def f(events_df, now):
        today = pd.Timestamp.now("UTC")
        return (today - events_df.groupby("user_id")["timestamp"].max()) / DAY

    return f


@leak(only="mutates", no_events=0, twin=None)
def days_with_events_written_into_the_rows(raw):
    def f(events_df, now):
        events_df["age"] = (now - events_df["timestamp"]) // DAY
        return events_df.groupby("user_id")["age"].nunique()

    return f


def _other_old_rows(raw: Raw, now: pd.Timestamp) -> Raw:
    return replace(raw, events=raw.events[raw.events["timestamp"] >= now - 7 * DAY])


@leak(only="lookback", calendar="date", lookback=7 * DAY, twin=_other_old_rows)
def share_of_the_months_events(raw):
    log = raw.events.drop(columns="ingested_at")

    def f(events_df, now):
        month = (log["timestamp"] >= now - 30 * DAY) & (log["timestamp"] < now)
        return events_df.groupby("user_id").size() / month.sum()

    return f


@leak(only="alone", calendar="date", twin=None)
def share_of_everybodys_events(raw):
    def f(events_df, now):
        return events_df.groupby("user_id").size() / len(events_df)

    return f


@leak(only="shift", no_events=0, twin=None)
def events_in_march(raw):
    def f(events_df, now):
        return (events_df["timestamp"].dt.month == 3).groupby(events_df["user_id"]).sum()

    return f


@leak(only="rename", source="leads", no_events=0, missing=None)
def status_from_a_database(raw):
    database = sqlite3.connect(":memory:")
    raw.leads[["user_id", "status"]].to_sql("leads", database)

    def f(leads_df):
        won = {user for (user,) in database.execute("select user_id from leads where status = 'converted'")}
        return pd.Series([float(user in won) for user in leads_df["user_id"]], index=leads_df["user_id"])

    return f


@leak(only="files", twin=None)
def events_times_a_factor_from_a_file(raw):
    path = raw.folder / "factor.txt"
    path.write_text("2.5")

    def f(events_df, now):
        with path.open() as file:
            factor = float(file.read())
        return events_df.groupby("user_id").size() * factor

    return f


@leak(only="contract", bounds=(0, 1), no_events=0, twin=None)
def share_above_one(raw):
    def f(events_df, now):
        return events_df.groupby("user_id").size() * 1.0

    return f


@leak(only="text", no_events=0, twin=None)
def kinds_with_those_that_never_occur_in_large_frames(raw):
    def f(events_df, now):
        counts = events_df.groupby("user_id").size()
        kinds = events_df.groupby("user_id")["event_type"].value_counts().groupby("user_id").size()
        different = events_df.groupby("user_id")["event_type"].nunique()
        return kinds if len(counts) > 64 else different  # more leads than the engine asks about

    return f


# More places to hide in.


@leak("truncate", "rename")
def through_a_module_global(raw):
    global EVENTS  # noqa: PLW0603
    EVENTS = raw.events

    def f(events_df, now):
        return EVENTS.groupby("user_id").size().reindex(events_df["user_id"].unique())

    return f


def _whole(log):
    return log.groupby("user_id").size()


@leak("truncate", "rename")
def through_a_helper(raw):
    def total():
        return _whole(raw.events)

    def f(events_df, now):
        return total().reindex(events_df["user_id"].unique())

    return f


class Reader:
    """An object that holds the log."""

    log = None

    def __init__(self, events):
        self.events = events

    def total(self):
        return _whole(self.events)

    @classmethod
    def total_of_class(cls):
        return _whole(cls.log)


@leak("truncate", "rename")
def through_an_object(raw):
    reader = Reader(raw.events)

    def f(events_df, now):
        return reader.total().reindex(events_df["user_id"].unique())

    return f


@leak("truncate", "rename")
def through_a_class(raw):
    Reader.log = raw.events

    def f(events_df, now):
        return Reader.total_of_class().reindex(events_df["user_id"].unique())

    return f


@leak("truncate", "rename")
def through_a_tuple_and_a_partial(raw):
    both = (raw.leads, raw.events)
    total = functools.partial(_whole, both[1])

    def f(events_df, now):
        return (total() + _whole(both[1])).reindex(events_df["user_id"].unique())

    return f


@leak("truncate", "rename")
def through_the_tables(raw):
    tables = Tables(raw.leads, EventLog.from_frame(raw.events), raw.events["timestamp"].max() + DAY)

    def f(events_df, now):
        return _whole(tables.events).reindex(events_df["user_id"].unique())

    return f


@leak("state", "rename", source="leads", no_events=0, missing=None)
def label_from_a_dictionary(raw):
    labels = dict(zip(raw.leads["user_id"], raw.leads["status"] == "converted", strict=True))

    def f(leads_df):
        return pd.Series([float(labels.get(user, 0)) for user in leads_df["user_id"]], index=leads_df["user_id"])

    return f


@leak("state", "rename", source="leads", no_events=0, missing=None)
def among_the_converted(raw):
    won = frozenset(raw.leads["user_id"][raw.leads["status"] == "converted"])

    def f(leads_df):
        return pd.Series([float(user in won) for user in leads_df["user_id"]], index=leads_df["user_id"])

    return f


@leak("truncate", "rename", source="leads", no_events=0, missing=None)
def has_a_conversion_time(raw):
    leads = raw.leads[["user_id", "created_at", "converted_at"]]

    def f(leads_df):
        won = leads.set_index("user_id")["converted_at"].notna()
        return won.reindex(leads_df["user_id"], fill_value=False).astype(float)

    return f


@leak("truncate", "rename")
def log_with_times_as_text_and_ids_as_index(raw):
    log = raw.events.assign(timestamp=raw.events["timestamp"].astype(str)).set_index("user_id")

    def f(events_df, now):
        return log.groupby(level=0).size().reindex(events_df["user_id"].unique())

    return f


@leak("memory", no_events=0, twin=None)
def events_kept_by_lead(raw):
    CACHE.clear()

    def f(events_df, now):
        for user, n in events_df.groupby("user_id").size().items():
            CACHE.setdefault(user, float(n))
        return pd.Series({user: CACHE[user] for user in events_df["user_id"].unique()}, dtype=float)

    return f


@leak("memory", no_events=0, twin=None)
def events_kept_in_a_global(raw):
    global LATEST  # noqa: PLW0603
    LATEST = None

    def f(events_df, now):
        global LATEST  # noqa: PLW0603
        if LATEST is None:
            LATEST = events_df.groupby("user_id").size() * 1.0
        return LATEST.reindex(events_df["user_id"].unique())

    return f


@leak("memory", no_events=0, twin=None)
def average_kept_by_functools(raw):
    @functools.lru_cache
    def scale(n):
        return seen.pop() if seen else 1.0

    seen: list[float] = []

    def f(events_df, now):
        counts = events_df.groupby("user_id").size()
        seen.append(float(counts.mean()))
        return counts / scale(0)

    return f


@leak("repeat", no_events=0, twin=None)
def number_of_the_call(raw):
    def f(events_df, now):
        global N_CALLS  # noqa: PLW0603
        N_CALLS += 1
        return events_df.groupby("user_id").size() + N_CALLS

    return f


@leak("repeat", no_events=0, twin=None)
def random_generator(raw):
    def f(events_df, now):
        noise = np.random.default_rng().random()
        return events_df.groupby("user_id").size() + noise

    return f


@leak("repeat", source="leads", no_events=0, twin=None)
def pythons_hash_of_the_id(raw):
    def f(leads_df):
        return pd.Series([hash(user) % 100 for user in leads_df["user_id"]], index=leads_df["user_id"])

    return f


@leak("clock", calendar="date", no_events=0, twin=None)
def numpys_clock(raw):
    def f(events_df, now):
        year = int(str(np.datetime64("today"))[:4])
        return events_df.groupby("user_id").size() + year

    return f


@leak("files", no_events=0, twin=None)
def events_times_a_factor_from_parquet(raw):
    path = raw.folder / "factor.parquet"
    pd.DataFrame({"factor": [2.0]}).to_parquet(path)

    def f(events_df, now):
        return events_df.groupby("user_id").size() * pd.read_parquet(path)["factor"].iloc[0]

    return f


@leak("shift", calendar=True, no_events=0, twin=None)
def first_half_of_the_month_declared_as_weekly(raw):
    def f(events_df, now):
        return (events_df["timestamp"].dt.day <= 15).groupby(events_df["user_id"]).sum()

    return f


@leak("order", source="leads", across_leads=True, twin=None)
def place_among_the_handed_rows(raw):
    def f(leads_df, now):
        return pd.Series(np.arange(len(leads_df)) * 1.0, index=leads_df["user_id"])

    return f


# Honest ones. The first five only forget a bound: the rows that they are handed make that harmless.


@honest(no_events=0, missing=None)
def sessions_7d_without_an_upper_bound(raw):
    def f(events_df, now):
        recent = events_df[events_df["timestamp"] >= now - 7 * DAY]
        return recent.groupby("user_id").size()

    return f


@honest(no_events=0, missing=None)
def invoices_with_now(raw):
    return lambda events_df, now: events_df[events_df["timestamp"] <= now].groupby("user_id").size()


@honest(columns=("amount",))
def largest_amount_in_the_rows(raw):
    return lambda events_df, now: events_df.groupby("user_id")["amount"].max()


@honest()
def days_since_the_last_in_the_rows(raw):
    return lambda events_df, now: (now - events_df.groupby("user_id")["timestamp"].max()) / DAY


@honest(columns=("amount",))
def amount_filled_from_the_rows(raw):
    return lambda events_df, now: events_df.groupby("user_id")["amount"].bfill().groupby(events_df["user_id"]).last()


@honest(no_events=0, missing=None)
def distinct_types(raw):
    return lambda events_df, now: events_df.groupby("user_id")["event_type"].nunique()


@honest(source="leads", columns=("country",), dtype="category")
def country(raw):
    return lambda leads_df: leads_df.set_index("user_id")["country"]


@honest(source="leads", calendar=True)
def signup_hour(raw):
    return lambda leads_df, now: leads_df.set_index("user_id")["created_at"].dt.hour


@honest(columns=("amount",), no_events=0)
def invoiced_so_far(raw):
    return lambda events_df, now: events_df.groupby("user_id")["amount"].sum()


@honest(no_events=0, missing=None)
def exponentially_weighted_past(raw):
    def f(events_df, now):
        weight = np.exp(-((now - events_df["timestamp"]) / DAY) / 5.0)
        return weight.groupby(events_df["user_id"]).sum()

    return f


@honest(source="leads", no_events=1)
def constant(raw):
    return lambda leads_df, now: pd.Series(1.0, index=leads_df["user_id"])


@honest(source="leads")
def hash_of_the_id(raw):
    def f(leads_df):
        return pd.Series([zlib.crc32(user.encode()) % 1000 for user in leads_df["user_id"]], index=leads_df["user_id"])

    return f


@honest(lookback=14 * DAY)
def slope_of_14_days(raw):
    def slope(days):
        counts = np.bincount(days, minlength=14)[:14]
        return np.polyfit(np.arange(14), counts, 1)[0]

    def f(events_df, now):
        days = ((now - events_df["timestamp"]) // DAY).clip(0, 13).astype(int)
        return days.groupby(events_df["user_id"]).agg(lambda some: slope(some.to_numpy()))

    return f


WEIGHTS = pd.Series({"login": 1.0, "session": 2.0, "invoice": 5.0})
BY_COUNTRY = {"DE": 1.0, "FR": 2.0, "US": 3.0}
EDGES = np.array([0.0, 1.0, 7.0, 30.0])
RATES = pd.Series(np.linspace(1.0, 1.2, 400), index=pd.date_range("2023-11-01", periods=400, tz="UTC"))
HOLIDAYS = pd.DatetimeIndex(["2024-01-01", "2024-04-01", "2024-05-01", "2024-12-25"], tz="UTC")


@honest(no_events=0)
def weighted_by_a_lookup_series(raw):
    def f(events_df, now):
        return events_df["event_type"].astype("str").map(WEIGHTS).groupby(events_df["user_id"]).sum()

    return f


@honest(source="leads", columns=("country",))
def coded_by_a_lookup_dictionary(raw):
    return lambda leads_df: leads_df.set_index("user_id")["country"].map(BY_COUNTRY).astype(float)


@honest()
def band_of_recency_by_an_array(raw):
    def f(events_df, now):
        days = (now - events_df.groupby("user_id")["timestamp"].max()) / DAY
        return pd.Series(np.searchsorted(EDGES, days), index=days.index)

    return f


@honest(no_events=0, calendar="date")
def events_on_holidays(raw):
    def f(events_df, now):
        return events_df["timestamp"].dt.normalize().isin(HOLIDAYS).groupby(events_df["user_id"]).sum()

    return f


@honest(no_events=0, calendar="date")
def events_at_the_rate_of_their_day(raw):
    def f(events_df, now):
        rate = RATES.asof(pd.DatetimeIndex(events_df["timestamp"])).to_numpy()
        return pd.Series(rate, index=events_df.index).groupby(events_df["user_id"]).sum()

    return f


@honest(source="leads", calendar="date")
def days_until_the_next_holiday(raw):
    def f(leads_df, now):
        days = (HOLIDAYS[now < HOLIDAYS].min() - now) / DAY
        return pd.Series(days, index=leads_df["user_id"])

    return f


@honest(no_events=0, calendar=True)
def weighted_by_the_hour(raw):
    by_hour = pd.DataFrame({"hour": range(24), "weight": np.linspace(0, 1, 24)})

    def f(events_df, now):
        hours = events_df[["user_id"]].assign(hour=events_df["timestamp"].dt.hour)
        return hours.merge(by_hour, on="hour").groupby("user_id")["weight"].sum()

    return f


@honest(source="leads", columns=("seats",), across_leads=True)
def rank_among_those_observed_now(raw):
    return lambda leads_df, now: leads_df.set_index("user_id")["seats"].rank(pct=True)


@honest(no_events=0, calendar=True)
def share_on_weekends(raw):
    return lambda events_df, now: (events_df["timestamp"].dt.day_of_week >= 5).groupby(events_df["user_id"]).mean()


@honest(no_events=0)
def remembered_by_lead_and_instant(raw):
    kept: dict[tuple[str, pd.Timestamp], int] = {}

    def f(events_df, now):
        for user, n in events_df.groupby("user_id").size().items():
            kept[user, now] = n
        return pd.Series({user: kept[user, now] for user in events_df["user_id"].unique()}, dtype=float)

    return f
