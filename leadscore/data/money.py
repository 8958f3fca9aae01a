"""Amounts in one currency: no sum may ever add euros to dollars."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from leadscore.data.origin import Findings, Origin
from leadscore.errors import examples

__all__ = ["in_one_currency", "refuse_several"]


def in_one_currency(
    events: pd.DataFrame, origin: Origin, currency: str | None, rates: Mapping[str, float], findings: Findings
) -> pd.Series:
    """Return `amount` in one currency.

    Parameters
    ----------
    events : DataFrame (n_events, ...)
        With `amount` (float64) and perhaps `currency` (str); the index is the row's position in the files.
    currency : str or None
        `data.currency`; None allows one currency only and leaves it.
    rates : mapping of str to float
        `data.rates`: what one unit of a currency is worth in `currency`.
    findings : Findings
        Gets a problem for every currency that cannot be converted.

    Returns
    -------
    Series of float64 (n_events,)
        NaN where the event has no amount.

    Examples
    --------
    >>> from leadscore.data.origin import Part
    >>> events = pd.DataFrame({"amount": [10.0, 10.0, np.nan], "currency": ["EUR", "USD", np.nan]})
    >>> in_one_currency(events, Origin("", (Part("events.csv", 3),)), "EUR", {"USD": 0.9}, Findings()).tolist()
    [10.0, 9.0, nan]
    """
    amount: pd.Series = events["amount"]
    if "currency" not in events:
        if currency:
            findings.note(f"{origin.label}: no currency column; amounts are read as {currency} (data.currency).")
        return amount
    paid = amount.notna()
    unnamed = paid & events["currency"].isna()
    findings.wrong(origin, origin.label, events.index[unnamed], "without a currency ({at})", noun="amount")
    found = events["currency"][paid].astype("str").value_counts()
    if currency is None:
        findings.currencies.update(found.to_dict())
        return amount
    worth = {**rates, currency: 1.0}
    for name in sorted(set(found.index) - set(worth)):
        words = (
            f"in {name} ({{at}}), and data.rates has no rate for it ({examples(sorted(worth))} known); "
            f"data.rates.{name}: what one {name} is worth in {currency}"
        )
        findings.wrong(origin, origin.label, events.index[paid & (events["currency"] == name)], words, noun="amount")
    factor = events["currency"].map(worth).astype("float64")
    converted = (amount * factor).where(paid)
    too_large = events.index[np.isinf(converted)]
    findings.wrong(origin, origin.label, too_large, f"not finite in {currency} ({{at}})", noun="amount")
    return converted


def refuse_several(origin: Origin, findings: Findings) -> None:
    """Add a problem when amounts are in several currencies, and nobody says what they are worth."""
    found = findings.currencies
    if len(found) > 1:
        listed = ", ".join(f"{found[name]:,} {name}" for name in sorted(found))
        findings.problems.append(
            f"{origin.label}: amounts are in {len(found)} currencies ({listed}); data.currency and data.rates "
            f"convert them to one"
        )
