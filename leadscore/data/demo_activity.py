"""What the simulated leads do: an event log with day and night, late arrivals and invoices.

Before it converts or its trial ends, a lead causes events of each type as a Poisson process whose rate at
age `t` is `rate * habit * intent(t) ** follows`, slowed at night and at weekends; `habit` is the lead's own
and says nothing about intent. A customer causes events at a rate that fades slowly, and an invoice every
30 days. Nobody does anything once closed.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from leadscore.data.demo_world import DAY, END, PLANS, SLOT, Journeys, Leads

__all__ = ["EVENT_TYPES", "Activity", "Log", "draw_log"]


@dataclass(frozen=True)
class Activity:
    """How one type of event comes about.

    Attributes
    ----------
    rate : float
        Events a day of a lead of intent 1 and average habit.
    follows : float
        The power of intent that the rate follows; 0 would be pure noise.
    habit : float
        Standard deviation of the logarithm of this type's habit.
    customer_rate : float
        Events a day after conversion.
    """

    rate: float
    follows: float
    habit: float
    customer_rate: float


ACTIVITIES = {
    "login": Activity(0.25, 0.70, 0.50, 0.04),
    "session": Activity(0.42, 1.00, 0.30, 0.06),
    "page_view": Activity(0.60, 0.60, 0.70, 0.07),
    "email_open": Activity(0.15, 0.20, 0.70, 0.015),
    "demo_request": Activity(0.015, 1.10, 0.0, 0.0),
    "ticket": Activity(0.02, 0.40, 0.50, 0.01),
    "invoice": Activity(0.004, 0.60, 0.0, 0.0),  # setup fees and add-ons; a customer's own come monthly
}
EVENT_TYPES = tuple(ACTIVITIES)
INVOICE = EVENT_TYPES.index("invoice")

HABIT = 0.20  # standard deviation of the logarithm of the habit that all types of a lead share
FADING = 400.0  # days in which a customer's activity falls to 1/e
BILLING = 30 * DAY
ADD_ON = (15.0, 120.0)  # in the customer's currency
PRICES = {"free": 29.0, "team": 99.0, "business": 390.0}  # a month, by the plan tried
LATE = 0.04  # the share of events that arrive late
LATE_MEDIAN, LATE_SPREAD, LATE_MOST = 3_600.0, 2.0, 7 * DAY


@dataclass(frozen=True)
class Log:
    """Events by lead and time; arrays of shape (n_events,), times in seconds since `START`.

    `lead` and `kind` are positions among the leads and in `EVENT_TYPES`; `amount` is in the currency of
    the lead's country, NaN unless the event is an invoice.
    """

    lead: Any
    second: Any
    kind: Any
    ingested: Any
    amount: Any


def draw_log(rng: np.random.Generator, leads: Leads, journeys: Journeys, busy: Any) -> Log:
    """Draw all events before `END`, in a stable order by (lead, second, type).

    Parameters
    ----------
    rng : Generator
    leads : Leads
    journeys : Journeys
    busy : ndarray, shape (n_countries, n_slots)
        From `demo_world.rhythm`.
    """
    pays_from = np.minimum(journeys.converted, END)
    ends = np.minimum(journeys.closed, END)
    trial_ends = np.minimum(pays_from, ends)
    fading = np.full(len(ends), 1 / FADING)
    shared = HABIT * rng.standard_normal(len(ends))
    parts = []
    for kind, activity in enumerate(ACTIVITIES.values()):
        habit = np.exp(shared + activity.habit * rng.standard_normal(len(ends)))
        rate = activity.rate * habit * np.exp(activity.follows * leads.theta)
        cooling = activity.follows / leads.tau
        trial = _occurrences(rng, leads.created, trial_ends, rate, cooling, leads.country, busy)
        rate = activity.customer_rate * habit
        paying = _occurrences(rng, pays_from, ends, rate, fading, leads.country, busy)
        parts += [_Part(*trial, kind), _Part(*paying, kind)]
    parts.append(_Part(*_monthly(pays_from, ends), INVOICE))
    return _assemble(rng, leads, journeys, parts)


class _Part(NamedTuple):
    """Events of one type: whose and when."""

    lead: Any
    second: Any
    kind: int


def _occurrences(
    rng: np.random.Generator, start: Any, stop: Any, rate: Any, fading: Any, country: Any, busy: Any
) -> tuple[Any, Any]:
    """Draw when something happens in `[start, stop)` at `rate * exp(-fading * age)` a day: (lead, second).

    The number of candidates is Poisson over the busiest rhythm, their ages follow by inversion, and each
    is kept with the chance that its half hour has.
    """
    length = np.maximum(stop - start, 0) / DAY
    mass = -np.expm1(-fading * length)
    lead = np.repeat(np.arange(len(start)), rng.poisson(rate / busy.mean() * mass / fading))
    age = -np.log1p(-rng.random(len(lead)) * mass[lead]) / fading[lead]
    second = np.minimum(start[lead] + (age * DAY).astype(np.int64), stop[lead] - 1)
    kept = rng.random(len(lead)) < busy[country[lead], second // SLOT]
    return lead[kept], second[kept]


def _monthly(start: Any, stop: Any) -> tuple[Any, Any]:
    """Return customers' invoices, the first on conversion: (lead, second)."""
    count = -(-np.maximum(stop - start, 0) // BILLING)
    lead = np.repeat(np.arange(len(start)), count)
    number = np.arange(len(lead)) - np.repeat(np.cumsum(count) - count, count)
    return lead, start[lead] + BILLING * number


def _assemble(rng: np.random.Generator, leads: Leads, journeys: Journeys, parts: list[_Part]) -> Log:
    lead = np.concatenate([part.lead for part in parts])
    second = np.concatenate([part.second for part in parts])
    kind = np.concatenate([np.full(len(part.lead), part.kind, dtype=np.int8) for part in parts])
    order = np.argsort(lead * END + second, kind="stable")
    lead, second, kind = lead[order], second[order], kind[order]

    delay = rng.integers(1, 31, len(lead))
    late = np.flatnonzero(rng.random(len(lead)) < LATE)
    hold_up = LATE_MEDIAN * np.exp(LATE_SPREAD * rng.standard_normal(len(late)))
    delay[late] = np.clip(hold_up, 60, LATE_MOST).astype(np.int64)

    amount = np.full(len(lead), np.nan)
    invoices = np.flatnonzero(kind == INVOICE)
    payer = lead[invoices]
    price = np.array([PRICES[plan] for plan in PLANS])[leads.plan[payer]]
    add_on = np.round(rng.uniform(*ADD_ON, len(invoices)), 2)
    amount[invoices] = np.where(second[invoices] < journeys.converted[payer], add_on, price)
    return Log(lead=lead, second=second, kind=kind, ingested=second + delay, amount=amount)
