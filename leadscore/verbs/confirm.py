"""`leadscore confirm`: a saved model on its sealed observations, each look recorded."""

import logging
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from leadscore.confirmation import Confirmation, confirm_run
from leadscore.evaluate import METRICS
from leadscore.record import Run, open_run
from leadscore.verbs.say import say, say_json, say_table

if TYPE_CHECKING:
    from leadscore.evaluate import Evaluation

__all__ = ["confirm"]

log = logging.getLogger(__name__)
WORDS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


def confirm(arguments: Namespace) -> int:
    """Score the sealed observations and say what came out, and the how manieth look it was."""
    run = open_run(arguments.names[0], arguments.roots)
    confirmed = confirm_run(
        run, plugins=arguments.plugin or (), data_dir=arguments.data_dir, tracking_root=arguments.tracking_root
    )
    if arguments.json:
        say_json(_as_json(run, confirmed))
    else:
        _say(run, confirmed)
    return 0


def ordinal(number: int) -> str:
    """Return a number as a place.

    Examples
    --------
    >>> [ordinal(number) for number in (1, 2, 3, 11, 12, 22, 101)]
    ['first', 'second', 'third', '11th', '12th', '22nd', '101st']
    """
    if number <= len(WORDS):
        return WORDS[number - 1]
    teens = number % 100 in (11, 12, 13)
    return f"{number}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def _as_json(run: Run, confirmed: Confirmation) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "data_set": confirmed.data_set,
        "seal": {"start": confirmed.start.isoformat(), "end": confirmed.end.isoformat()},
        "look": confirmed.look,
        "earlier": [{key: look.get(key) for key in ("time", "run_id", "metrics")} for look in confirmed.earlier],
        "leads": confirmed.leads,
        **confirmed.evaluation.to_json(),
        "notes": confirmed.notes,
    }


def _say(run: Run, confirmed: Confirmation) -> None:
    measured = confirmed.evaluation
    say(f"run       {run.run_id}  {run.config['model']['name']} on data {run.config['data']['name']}")
    say(f"sealed    {confirmed.start:%Y-%m-%d} .. {confirmed.end:%Y-%m-%d} of '{confirmed.data_set}'")
    rate = f", base rate {measured.base_rate:.3f}" if measured.base_rate is not None else ""
    say(f"observed  {measured.n:,} observations of {confirmed.leads:,} leads ({measured.positives:,} converted{rate})")
    say(f"look      {ordinal(confirmed.look)} look at this seal{_earlier(confirmed)}")
    for note in confirmed.notes:
        say(f"note      {note}")
    say()
    validated = run.metrics["metrics"]
    rows = [
        (metric.title, _number(measured.metrics[name].value), _number(validated.get(name)))
        for name, metric in METRICS.items()
    ]
    say_table(("metric", "sealed", "validation"), rows, whole=("metric",), right=("sealed", "validation"))
    for reason in _reasons(measured):
        say(f"  {reason}")


def _earlier(confirmed: Confirmation) -> str:
    if not confirmed.earlier:
        return ""
    last = confirmed.earlier[-1]
    return (
        f", the last one by {last.get('run_id')} on {str(last.get('time'))[:10]}: "
        f"what was chosen after an earlier look is flattered by this one"
    )


def _reasons(measured: "Evaluation") -> list[str]:
    return [f"{METRICS[name].title}: {value.reason}" for name, value in measured.metrics.items() if value.reason]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
