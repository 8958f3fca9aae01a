"""The embedded default data: a simulated software trial. No real person, company or behaviour is in it.

It exists so that a first run needs no download, and so that a test can know the true probability of every
outcome (`Tables.truth`). What a model reaches here says nothing about what it reaches on real leads.
"""

import math
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import pandas as pd

from leadscore.config.schema import DemoData
from leadscore.data.demo_activity import EVENT_TYPES, Log, draw_log
from leadscore.data.demo_world import (
    COUNTRIES,
    DATA_END,
    NEVER,
    PLANS,
    SOURCES,
    START,
    Journeys,
    Leads,
    Truth,
    draw_journeys,
    draw_leads,
    rhythm,
)
from leadscore.errors import ConfigError, raise_all
from leadscore.eventlog import EventLog
from leadscore.tables import Tables
from leadscore.times import parse_instant

__all__ = ["ATTRIBUTES", "simulate"]

START_US = START.tz_localize(None).as_unit("us").to_datetime64()
ATTRIBUTES = {"country": "category", "source": "category", "plan": "category", "company_size": "number"}


def simulate(config: DemoData) -> Tables:
    """Simulate leads and their events, as the tables would stand at `data_end`.

    Leads sign up from 2024-01-01 to the end of June 2025, live through a trial, act, convert or leave. How,
    and the closed form of the true conversion probability, stands in `demo_world`; what they do, in
    `demo_activity`. The same `data.seed` gives the same tables, bit for bit.

    Parameters
    ----------
    config : DemoData
        `n_leads` and `seed` make the world (about 50 events a lead); `data_end`, when set, cuts it: later
        sign-ups, turns and events, and events that arrive later, are not in the tables.

    Returns
    -------
    Tables
        With `truth`. `status` is `trial` (neither time), `paid` (`converted_at`), `canceled` (a customer
        who left: both), `expired` or `declined` (`closed_at`). `amount` is in `data.currency`.

    Raises
    ------
    ConfigError
        When the data config asks for what this world does not have.
    """
    raise_all(ConfigError, _contradictions(config))
    data_end = DATA_END if config.data_end is None else pd.Timestamp(parse_instant(config.data_end))
    seeds = np.random.SeedSequence(config.seed).spawn(3)
    for_leads, for_journeys, for_log = (np.random.default_rng(seed) for seed in seeds)
    busy = rhythm()
    leads = draw_leads(for_leads, config.n_leads, busy)
    journeys = draw_journeys(for_journeys, leads)
    log = draw_log(for_log, leads, journeys, busy)

    end = math.ceil((data_end - START).total_seconds())
    ids = _user_ids(config.n_leads)
    lead_table = _lead_table(leads, journeys, ids, end, config.known_at_creation)
    events = _event_table(log, leads, ids, end, config)
    return Tables(
        leads=lead_table,
        log=events,
        data_end=data_end,
        attributes=dict(config.known_at_creation),
        counts={"leads": len(lead_table), "events": len(events)},
        notes=(f"The leads are simulated (data.seed={config.seed}): no real person or company is in them.",),
        truth=Truth(leads, ids),
    )


def _contradictions(config: DemoData) -> list[str]:
    problems = []
    if config.data_end is not None and not START < parse_instant(config.data_end) <= DATA_END:
        calendar = f"after {START:%Y-%m-%d} and up to {DATA_END:%Y-%m-%d}"
        problems.append(f"data.data_end is {config.data_end}: the simulated calendar needs it {calendar}")
    if unknown := dict(sorted(set(config.known_at_creation.items()) - set(ATTRIBUTES.items()))):
        problems.append(f"data.known_at_creation has {unknown}: the simulated leads have {ATTRIBUTES}")
    if config.labels:
        problems.append(f"data.labels is {config.labels}: the simulated leads have no label, but times of conversion")
    currencies = {country.currency for country in COUNTRIES.values()}
    if config.currency is None:
        problems.append(f"data.currency is null: the simulated invoices are in {', '.join(sorted(currencies))}")
    elif missing := sorted(currencies - {config.currency} - set(config.rates)):
        problems.append(f"data.rates has no {', '.join(missing)}: the simulated invoices are in it too")
    return problems


def _user_ids(n_leads: int) -> pd.Index:
    """Return ids of one width, so that their order as text is the leads' order."""
    width = max(6, len(str(n_leads)))
    return pd.Index([f"L{number:0{width}d}" for number in range(1, n_leads + 1)], dtype="str")


def _lead_table(leads: Leads, journeys: Journeys, ids: pd.Index, end: int, attributes: Collection[str]) -> pd.DataFrame:
    """Return the leads created before `end`, knowing nothing of what happens from then on."""
    converted = np.where(journeys.converted < end, journeys.converted, NEVER)
    closed = np.where(journeys.closed < end, journeys.closed, NEVER)
    paid, left = converted < NEVER, closed < NEVER
    cases = [paid & left, paid, left & leads.declines, left]
    status = np.select(cases, ["canceled", "paid", "declined", "expired"], default="trial")
    table = pd.DataFrame(
        {
            "user_id": ids,
            "created_at": _instants(leads.created),
            "status": pd.array(status, dtype="str"),
            "converted_at": _instants(converted),
            "closed_at": _instants(closed),
            "country": _words(COUNTRIES, leads.country),
            "source": _words(SOURCES, leads.source),
            "plan": _words(PLANS, leads.plan),
            "company_size": leads.company_size,
        }
    )
    undeclared = [name for name in ATTRIBUTES if name not in attributes]
    created: pd.DataFrame = table[leads.created < end].drop(columns=undeclared).reset_index(drop=True)
    return created


def _event_table(log: Log, leads: Leads, ids: pd.Index, end: int, config: DemoData) -> EventLog:
    """Return the events that happened and arrived before `end`, amounts in `data.currency`."""
    known = log.ingested < end  # an event arrives after it happens
    lead, amount = log.lead[known], log.amount[known]
    words = [config.event_types.get(each, each) for each in EVENT_TYPES]
    currencies = [country.currency for country in COUNTRIES.values()]
    rates = np.array([1.0 if each == config.currency else config.rates[each] for each in currencies])
    country = leads.country[lead]
    events = pd.DataFrame(
        {
            "user_id": pd.Categorical.from_codes(lead, categories=ids, validate=False),
            "timestamp": _instants(log.second[known]),
            "event_type": _coded(words, log.kind[known]),
            "ingested_at": _instants(log.ingested[known]),
            "amount": amount * rates[country],
            "currency": _coded(currencies, np.where(np.isnan(amount), -1, country)),
        }
    )
    return EventLog.from_frame(events)


def _words(words: Iterable[str], codes: Any) -> Any:
    """Return the words at the positions `codes`, missing at -1."""
    return pd.array(list(words), dtype="str").take(codes, allow_fill=True)


def _coded(words: Iterable[str], codes: Any) -> Any:
    """As `_words`, for a long column; two of the words may be the same."""
    place, different = pd.factorize(pd.Index(words, dtype="str"))
    return pd.Categorical.from_codes(np.append(place, -1)[codes], categories=different)


def _instants(seconds: Any) -> pd.DatetimeIndex:
    """Return seconds since `START` as instants, NaT for `NEVER`."""
    known = seconds < NEVER
    instants = np.full(len(seconds), np.datetime64("NaT", "us"))
    instants[known] = START_US + seconds[known].astype("timedelta64[s]")
    return pd.DatetimeIndex(instants).tz_localize("UTC")
