"""Columns, windows and reasons in words that need no table beside them."""

import re
from collections.abc import Mapping
from typing import Any

from leadscore.serving import Described

__all__ = ["length_in_words", "looks_at", "name_in_words", "nothing_said", "sentence", "window_said"]

UNITS = {"w": "week", "d": "day", "h": "hour", "m": "minute", "s": "second"}


def name_in_words(name: str) -> str:
    """Return a column's name as a heading.

    Examples
    --------
    >>> name_in_words("sessions_last_7_days"), name_in_words("tickets_30d"), name_in_words("events_1d12h")
    ('Sessions last 7 days', 'Tickets 30 days', 'Events 1 day 12 hours')
    """
    words = " ".join(length_in_words(part) for part in name.split("_") if part)
    return words[:1].upper() + words[1:]


def length_in_words(part: str) -> str:
    """Return a duration in words, and any other text as it is.

    Examples
    --------
    >>> length_in_words("1d12h"), length_in_words("plan")
    ('1 day 12 hours', 'plan')
    """
    if not re.fullmatch(r"(\d+[wdhms])+", part):
        return part
    pieces = re.findall(r"(\d+)([wdhms])", part)
    return " ".join(f"{n} {UNITS[unit]}{'' if n == '1' else 's'}" for n, unit in pieces)


def sentence(text: str) -> str:
    """Return a text with a capital and a full stop.

    Examples
    --------
    >>> sentence("the lead's country")
    "The lead's country."
    """
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def looks_at(each: Described) -> str:
    """Return what a column is computed from, in words."""
    if each.window == "the lead's own row":
        return "what was known when the lead was created"
    head, _, rest = each.window.partition(" ")
    length = {"all": "everything", "1d": "the 24 hours"}.get(head) or f"the {length_in_words(head)}"
    return f"{', '.join(each.event_types) or 'events of every type'} in {length} {rest}"


def nothing_said(each: Described) -> str:
    """Return what stands where there is nothing to compute from, "" where there always is something."""
    said = []
    if each.no_events is not None:
        value = f"{each.no_events:g}" if isinstance(each.no_events, int | float) else str(each.no_events)
        said.append(f"{value} without such events")
    if each.missing is not None:
        said.append(f"empty: {each.missing}")
    return "; ".join(said)


def window_said(window: Mapping[str, Any], horizon: str) -> str:
    """Return who is observed when, and what counts as converted.

    Examples
    --------
    >>> window_said({"name": "delay", "delay": "7d"}, "30d")
    '7 days after creation; converted means within 30 days of that instant'
    """
    within = f"converted means within {length_in_words(horizon)} of that instant"
    if window["name"] == "delay":
        rule = f"{length_in_words(window['delay'])} after creation"
    elif window["name"] == "snapshots":
        every, age = (length_in_words(window[key]) for key in ("every", "max_age"))
        rule = f"every {every}, leads younger than {age}"
    else:
        rule = "at the instant that the lead table gives"
        if horizon == "0d":
            within = "converted means what the lead table says"
    limits = [f"{word} {window[key]}" for key, word in (("start", "from"), ("end", "before")) if window.get(key)]
    floor = [f"moved back to a multiple of {length_in_words(window['floor'])}"] if window.get("floor") else []
    return f"{', '.join([rule, *floor, *limits])}; {within}"
