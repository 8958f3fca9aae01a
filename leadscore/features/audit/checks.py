"""The checks by name: each alters one thing that a feature may not depend on.

A check is a function from the bench to differences. Each is needed: for each there is a leak that no other one sees.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from leadscore.features.audit import of_calls, of_leads, of_rows
from leadscore.features.audit.bench import Bench
from leadscore.features.audit.difference import Difference

__all__ = ["CHECKS", "Check"]


@dataclass(frozen=True)
class Check:
    """One check: `run` yields differences; `words` say what was altered, `advice` what to do."""

    name: str
    run: Callable[[Bench], Iterator[Difference]]
    words: str
    advice: str


_READ = "Compute it from the rows and the instant that the function is handed"
CHECKS: dict[str, Check] = {
    each.name: each
    for each in (
        Check("contract", of_calls.contract, "breaks its contract", "Return what the declaration says, for every lead"),
        Check(
            "repeat",
            of_calls.repeat,
            "gives another value when it is called again with the same rows",
            "Take randomness, counters and hash() of texts out of it; zlib.crc32 gives every process the same hash",
        ),
        Check(
            "order",
            of_rows.order,
            "moves when leads and rows are put in another order",
            "Find rows by user_id and timestamp, never by position; sort_values needs kind='stable'",
        ),
        Check(
            "truncate", of_rows.truncate, "moves when rows at or after as_of are dropped: it reads the future", _READ
        ),
        Check("perturb", of_rows.perturb, "moves when rows at or after as_of are altered: it reads the future", _READ),
        Check(
            "duplicate", of_rows.duplicate, "moves when rows at or after as_of are doubled: it reads the future", _READ
        ),
        Check(
            "late", of_rows.late, "moves when rows that arrived after as_of are dropped: nobody knew them then", _READ
        ),
        Check(
            "state",
            of_rows.state,
            "moves when columns that have no date, or are not declared, are permuted among leads",
            "Read only what is listed in data.known_at_creation, and declare it with columns=[...]",
        ),
        Check(
            "memory",
            of_calls.memory,
            "moves when another as_of is computed first: it remembers between calls",
            "Keep nothing between calls, or keep it by user_id and now together",
        ),
        Check(
            "clock",
            of_calls.clock,
            "moves when the wall clock is moved by 400 days",
            "Use now, the instant that the function is handed",
        ),
        Check(
            "mutates",
            of_calls.mutates,
            "changes what it is handed",
            "Work on a copy: events_df.assign(...), or events_df.copy() first",
        ),
        Check(
            "lookback",
            of_rows.lookback,
            "moves when rows older than its declared lookback are dropped",
            "Declare the lookback that it reads, and read the rows that are handed over",
        ),
        Check(
            "alone",
            of_leads.alone,
            "moves when other leads are left out",
            "Group by user_id throughout (sort_values needs kind='stable'), or declare across_leads=True",
        ),
        Check(
            "shift",
            of_leads.shift,
            "moves when all times are shifted together: it reads the calendar, or a fixed date",
            "Declare calendar=True for weekdays and times of day (UTC), calendar='date' for anything else",
        ),
        Check(
            "rename",
            of_leads.rename,
            "moves when leads get other ids: it knows leads by their id from elsewhere",
            "A lead's id may join rows that are handed over, and say nothing by itself",
        ),
        Check(
            "files",
            of_calls.files,
            "reads outside its arguments while it runs",
            "Load such data through the data config, so that they are dated, checked and hashed",
        ),
        Check(
            "text",
            of_calls.text,
            "moves when ids and texts are handed over as numbers and categories, and not as plain text",
            "Rely on the values, not on the types of columns",
        ),
        Check(
            "suspect",
            of_calls.suspect,
            "predicts the outcome remarkably well alone",
            "Ask whether it is a by-product of the sale, or of its being recorded",
        ),
    )
}
