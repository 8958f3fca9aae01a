"""What a worker runs: it compares itself with who asks, once, and calls the function."""

import pickle
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leadscore.errors import ComputeError

if TYPE_CHECKING:
    from leadscore.features import Plan

__all__ = ["Needs", "call", "call_with", "code_of_plan", "differing", "free_port", "meet", "stamps", "versions"]

_met: set[bytes] = set()


@dataclass(frozen=True)
class Needs:
    """What a process must have so that its values are those of the process that asks.

    Attributes
    ----------
    versions : mapping of str to str
        From `versions`.
    plan : bytes
        A pickled plan: reading it imports the modules of its functions.
    code : str
        From `code_of_plan`; empty when there is no plan.
    """

    versions: dict[str, str]
    plan: bytes = b""
    code: str = ""


def versions() -> dict[str, str]:
    """Return the versions of all that computes, by name; leadscore's own code by its hash."""
    from leadscore.identity.engine import engine_hash
    from leadscore.identity.surroundings import environment

    around = environment()
    named = {"python": around["python"], "machine": around["machine"], **around["packages"]}
    return {**{name: str(value) for name, value in named.items()}, "leadscore's code": engine_hash()[:8]}


def differing(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """Return in words which versions differ between another process and this one; empty when none does."""
    found = [f"{name} {there.get(name)} there, {here[name]} here" for name in here if there.get(name) != here[name]]
    return f"other versions than this process ({'; '.join(found)}): both need the same" if found else ""


def code_of_plan(plan: "Plan") -> str:
    """Return the hash of a plan's code as it is in this process, functions that travel with the plan aside."""
    from leadscore.features import Plan
    from leadscore.identity.run import code_of

    own = tuple(step for step in plan.steps if getattr(step.feature.function, "__module__", "") != "__main__")
    return code_of(Plan(own)).hash


def meet(needs: bytes) -> None:
    """Compare this process with the one that asks; once for the same question.

    Raises
    ------
    ComputeError
        When a version or the features' code differs, or a module cannot be imported here.
    """
    if needs in _met:
        return
    asked: Needs = pickle.loads(needs)  # noqa: S301 - whoever may use a scheduler may run code on its workers
    if said := differing(versions(), asked.versions):
        raise ComputeError(f"it has {said}")
    if asked.code and code_of_plan(_importing(asked.plan)) != asked.code:
        raise ComputeError("its code of the features is not this process's: install the same on both")
    _met.add(needs)


def call(needs: bytes, payload: bytes) -> Any:
    """Return what the function in `payload` gives for the unit beside it."""
    meet(needs)
    function: Callable[[Any], Any]
    function, unit = _importing(payload)
    return function(unit)


def call_with(needs: bytes, payload: bytes, pieces: list[Any]) -> Any:
    """Return what the function in `payload` gives for its seat, pieces that lie here, and what all get."""
    meet(needs)
    function, (seat, rest) = _importing(payload)
    return function(seat, pieces, rest)


def free_port(_: int) -> int:
    """Return a port that nobody listens on here."""
    with socket.socket() as listening:
        listening.bind(("", 0))
        return int(listening.getsockname()[1])


def _importing(pickled: bytes) -> Any:
    try:
        return pickle.loads(pickled)  # noqa: S301 - as above
    except ModuleNotFoundError as error:
        raise ComputeError(
            f"the module '{error.name}' cannot be imported there: install what plugins names for the workers too, or "
            f"compute=local"
        ) from None


def stamps(folder: Path) -> dict[str, int]:
    """Return the sizes of a folder's files, by name; empty where there is no folder."""
    return {path.name: path.stat().st_size for path in folder.iterdir()} if folder.is_dir() else {}
