"""The simulated leads: what each is like, what it intends, and when its story turns.

Time is counted in whole seconds since `START`, ages in days since the lead's creation.

Each lead has a level of intent, `theta`, partly explained by its attributes and partly its own, and a pace
`tau` (days) at which it cools. At age `t`::

    intent(t) = exp(theta - t / tau)
    hazard(t) = HAZARD * intent(t) ** STEEPNESS     a day, while t < limit; 0 from then on

`limit` is the age at which the trial ends. It is drawn at creation and depends on nothing else, so the
chance that a lead at risk at age `t` converts within the next `h` days is exact. With `k = STEEPNESS / tau`
and the cumulative hazard
`H(t) = HAZARD * exp(STEEPNESS * theta) * (1 - exp(-k * min(t, limit))) / k`::

    P = 1 - exp(-(H(t + h) - H(t)))

What a lead does before it converts depends on its intent, never on the conversion: given `theta`, `tau` and
`limit`, nothing in the log changes P.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from leadscore.errors import DataError, examples

__all__ = [
    "COUNTRIES",
    "DATA_END",
    "DAY",
    "END",
    "NEVER",
    "PLANS",
    "SLOT",
    "SOURCES",
    "START",
    "Journeys",
    "Leads",
    "Truth",
    "draw_journeys",
    "draw_leads",
    "rhythm",
]

START = pd.Timestamp("2024-01-01", tz="UTC")
DATA_END = pd.Timestamp("2025-07-01", tz="UTC")
DAY = 86_400
SLOT = 1_800  # every zone below is whole or half hours from UTC
END = int((DATA_END - START).total_seconds())
NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Country:
    """How common leads from here are, whose clock they live by, what they pay in, how keen they are."""

    share: float
    zone: str
    currency: str
    effect: float


COUNTRIES: Mapping[str, Country] = {
    "DE": Country(0.28, "Europe/Berlin", "EUR", 0.10),
    "US": Country(0.22, "America/New_York", "USD", 0.05),
    "GB": Country(0.16, "Europe/London", "GBP", 0.15),
    "FR": Country(0.14, "Europe/Paris", "EUR", -0.05),
    "IN": Country(0.12, "Asia/Kolkata", "USD", -0.35),
    "BR": Country(0.05, "America/Sao_Paulo", "USD", -0.20),
    "NA": Country(0.03, "Africa/Windhoek", "EUR", 0.0),  # Namibia, which careless readers take for missing
}
# Name -> (share of the leads, effect on intent).
SOURCES = {
    "ads": (0.34, -0.40),
    "organic": (0.30, 0.0),
    "referral": (0.14, 0.50),
    "event": (0.12, 0.10),
    "partner": (0.10, 0.60),
}
PLANS = {"free": (0.58, -0.30), "team": (0.30, 0.25), "business": (0.12, 0.60)}
SIZE_MEDIAN, SIZE_SPREAD, SIZE_MISSING = 40.0, 1.3, 0.12  # people; standard deviation of the logarithm
SIZE_EFFECT = 0.10  # on intent, for each standard deviation

PRIVATE = 0.72  # standard deviation of the part of intent that no attribute explains
HAZARD = 0.0112  # a day, at intent 1
STEEPNESS = 1.6
TAU_MEDIAN, TAU_SPREAD = 24.0, 0.40  # days; standard deviation of the logarithm
EXPIRY = (45, 121)  # the age, in days, at which a trial runs out
DECLINING, DECLINE = 0.06, (1, 45)  # the share of leads that say no, and the age at which
PAYING = 600.0  # mean days until a customer cancels


@dataclass(frozen=True)
class Leads:
    """What is true of each lead from its creation on; arrays of shape (n_leads,).

    `created` is in seconds since `START`, `limit` in seconds since creation, `tau` in days; `country`,
    `source` and `plan` are positions in the tables of this module.
    """

    created: Any
    country: Any
    source: Any
    plan: Any
    company_size: Any
    theta: Any
    tau: Any
    limit: Any
    declines: Any

    def cumulative_hazard(self, age: Any, rows: Any = slice(None)) -> Any:
        """Return H(age) of the leads at `rows`; ages in days."""
        pace = STEEPNESS / self.tau[rows]
        capped = np.clip(age, 0.0, self.limit[rows] / DAY)
        return HAZARD * np.exp(STEEPNESS * self.theta[rows]) * -np.expm1(-pace * capped) / pace


@dataclass(frozen=True)
class Journeys:
    """When each lead converts and is closed, in seconds since `START`; `NEVER` where it does not."""

    converted: Any
    closed: Any


@dataclass(frozen=True)
class Truth:
    """Each observation's true probability of converting, which only a simulator can know."""

    leads: Leads
    index: pd.Index

    def __call__(self, user_id: Any, as_of: Any, horizon: Any) -> Any:
        """Return the probabilities of converting in `[as_of, as_of + horizon)`.

        Parameters
        ----------
        user_id : array-like of str, shape (n,)
        as_of : Series or array-like of datetime64[us, UTC], shape (n,)
            When each lead is at risk: created, neither converted nor closed.
        horizon : timedelta

        Returns
        -------
        ndarray of float64, shape (n,)

        Raises
        ------
        DataError
            When an id is not in this world.
        """
        ids = pd.Index(user_id)
        rows = self.index.get_indexer(ids)
        if (rows < 0).any():
            unknown = ids[rows < 0].unique()
            raise DataError(f"{len(unknown)} user_id are not among the simulated leads: {examples(unknown)}")
        seconds = (pd.DatetimeIndex(as_of) - START) / pd.Timedelta(seconds=1)
        age = (seconds.to_numpy() - self.leads.created[rows]) / DAY
        until = age + pd.Timedelta(horizon) / pd.Timedelta(days=1)
        return -np.expm1(self.leads.cumulative_hazard(age, rows) - self.leads.cumulative_hazard(until, rows))


def rhythm() -> Any:
    """Return how busy each country is in each half hour of the calendar: (n_countries, n_slots), 0 to 1.

    Busy by day and quiet by night and at weekends, by the country's own clock.
    """
    slots = pd.date_range(START, DATA_END, freq=pd.Timedelta(seconds=SLOT), inclusive="left")
    busy = []
    for country in COUNTRIES.values():
        local = slots.tz_convert(country.zone)
        hour = local.hour.to_numpy() + local.minute.to_numpy() / 60
        by_day = 0.08 + 0.92 * np.exp(-(((hour - 13.75) / 5.0) ** 4))
        busy.append(by_day * np.where(local.day_of_week.to_numpy() < 5, 1.0, 0.4))
    return np.array(busy)


def draw_leads(rng: np.random.Generator, n_leads: int, busy: Any) -> Leads:
    """Draw leads, each independent of the others, so that neither row nor id says anything.

    Parameters
    ----------
    rng : Generator
    n_leads : int
    busy : ndarray, shape (n_countries, n_slots)
        From `rhythm`: people sign up when they are awake.
    """
    countries = list(COUNTRIES.values())
    country = _draw(rng, n_leads, [each.share for each in countries])
    source = _draw(rng, n_leads, [share for share, _ in SOURCES.values()])
    plan = _draw(rng, n_leads, [share for share, _ in PLANS.values()])
    size = rng.standard_normal(n_leads)
    theta = (
        np.array([each.effect for each in countries])[country]
        + np.array([effect for _, effect in SOURCES.values()])[source]
        + np.array([effect for _, effect in PLANS.values()])[plan]
        + SIZE_EFFECT * size
        + PRIVATE * rng.standard_normal(n_leads)
    )
    expiry = rng.integers(EXPIRY[0] * DAY, EXPIRY[1] * DAY, n_leads)
    declines = rng.random(n_leads) < DECLINING
    people = np.maximum(1.0, np.round(SIZE_MEDIAN * np.exp(SIZE_SPREAD * size)))
    return Leads(
        created=_draw_created(rng, country, busy),
        country=country,
        source=source,
        plan=plan,
        company_size=np.where(rng.random(n_leads) < SIZE_MISSING, np.nan, people),
        theta=theta,
        tau=TAU_MEDIAN * np.exp(TAU_SPREAD * rng.standard_normal(n_leads)),
        limit=np.where(declines, rng.integers(DECLINE[0] * DAY, DECLINE[1] * DAY, n_leads), expiry),
        declines=declines,
    )


def draw_journeys(rng: np.random.Generator, leads: Leads) -> Journeys:
    """Draw when each lead converts, inverting H, and when its trial or its subscription ends."""
    n_leads = len(leads.created)
    pace = STEEPNESS / leads.tau
    scale = HAZARD * np.exp(STEEPNESS * leads.theta) / pace
    used = rng.standard_exponential(n_leads) / scale  # of the hazard there is up to infinite age
    converts = used < -np.expm1(-pace * leads.limit / DAY)
    age = -np.log1p(-np.where(converts, used, 0.0)) / pace
    # Rounded down to seconds. An as_of and a horizon are whole seconds too: no outcome changes sides.
    converted = leads.created + (age * DAY).astype(np.int64)
    paying = 1 + (rng.exponential(PAYING, n_leads) * DAY).astype(np.int64)
    return Journeys(
        converted=np.where(converts, converted, NEVER),
        closed=np.where(converts, converted + paying, leads.created + leads.limit),
    )


def _draw(rng: np.random.Generator, n: int, shares: list[float]) -> Any:
    return rng.choice(len(shares), size=n, p=shares)


def _draw_created(rng: np.random.Generator, country: Any, busy: Any) -> Any:
    created = np.empty(len(country), dtype=np.int64)
    for position, weights in enumerate(busy):
        rows = np.flatnonzero(country == position)
        cumulated = np.cumsum(weights)
        slot = np.searchsorted(cumulated, rng.random(len(rows)) * cumulated[-1], side="right")
        created[rows] = slot * SLOT + rng.integers(0, SLOT, len(rows))
    return created
