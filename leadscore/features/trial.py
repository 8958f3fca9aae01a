"""Which functions are to be handed plain text: asked of their source, and of themselves on a few leads."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from leadscore.errors import FeatureError
from leadscore.features.contract import same_values
from leadscore.features.ids import are_only_keys, may_read
from leadscore.features.invoke import compute_call
from leadscore.features.plan import Planned
from leadscore.features.registry import is_shipped
from leadscore.features.rows import Call, Chunk

__all__ = ["need_text"]

Array = np.ndarray[Any, Any]
ASKED_LEADS = 64  # half of them the busiest, half spread over the others


def need_text(steps: Sequence[Planned], calls: Sequence[Call], columns: Mapping[str, Array]) -> set[str]:
    """Return the features that look at an id, or give another value when texts are categories.

    Grouping by numbers and categories is what makes functions fast, and most cannot tell. Their source says whether
    they look at ids; each is then asked on a few leads, at the last instant and at the one with most leads, whether
    it gives the same for categories as for texts. Those that come with leadscore are held to both by a test.

    Parameters
    ----------
    steps : sequence of Planned
        What is to be computed together, inputs before their users.
    calls : sequence of Call
    columns : mapping of str to array (n_observations,)
        Holds what the steps take and do not compute.
    """
    own = [step for step in steps if step.feature.source == "events" and not is_shipped(step.feature)]
    need = {step.feature.name for step in own if not are_only_keys(step.feature.function, step.parameters)}
    log = calls[0].observed.tables.log
    texts = set() if log is None else set(log.words)
    asked = {step.feature.name for step in own if may_read(step.feature.function, texts, step.parameters)} - need
    if log is None or not asked:
        return need
    chunk = Chunk(log, log.parts[0], 0, log.parts[0].n_leads)
    for call in {id(each): each for each in (calls[-1], max(calls, key=len))}.values():
        few = _few(call, chunk)
        for some, coded in _asked(steps, asked, few, chunk, columns):
            names = {step.feature.name for step in some}
            plain = compute_call(some, few, chunk, _inputs(some, few, columns), text=names)
            need |= {name for name in asked & names if not same_values(coded[name], plain[name]).all()}
    return need


def _few(call: Call, chunk: Chunk) -> Call:
    """Return the call for some leads of the chunk, the busiest and others."""
    there = np.flatnonzero((call.lead >= 0) & (call.lead < chunk.part.n_leads))
    busiest = there[np.argsort(-chunk.counts[call.lead[there]], kind="stable")]
    spread = busiest[:: max(1, len(busiest) // (ASKED_LEADS // 2))]
    return call.some(np.union1d(busiest[: ASKED_LEADS // 2], spread))


def _asked(
    steps: Sequence[Planned], asked: set[str], few: Call, chunk: Chunk, columns: Mapping[str, Array]
) -> Iterator[tuple[Sequence[Planned], dict[str, Array]]]:
    """Yield the steps to ask, with what they take, and their values over categories.

    All together; where one of them fails, each alone: the failure is told later, in full.
    """
    together = [_with_inputs(steps, asked)]
    for some in together:
        try:
            coded = compute_call(some, few, chunk, _inputs(some, few, columns))
        except FeatureError:
            if len(together) == 1 < len(asked):
                together += [_with_inputs(steps, {name}) for name in sorted(asked)]
            continue
        yield some, coded


def _with_inputs(steps: Sequence[Planned], wanted: set[str]) -> list[Planned]:
    names = set(wanted)
    for step in reversed(steps):  # inputs stand before their users
        if step.feature.name in names:
            names |= {needed.name for needed in step.inputs.values()}
    return [step for step in steps if step.feature.name in names]


def _inputs(steps: Sequence[Planned], few: Call, columns: Mapping[str, Array]) -> dict[str, Array]:
    own = {step.feature.name for step in steps}
    needed = {each.name for step in steps for each in step.inputs.values()} - own
    return {name: columns[name][few.positions] for name in needed}
