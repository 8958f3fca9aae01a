"""What is left out together: a feature, or all that one named set brings."""

import logging
from typing import TYPE_CHECKING, Any

from leadscore.config.schema import Config
from leadscore.errors import RecordError
from leadscore.pipeline import plan_features

if TYPE_CHECKING:
    from leadscore.record import Run

__all__ = ["parts_to_ablate"]

log = logging.getLogger(__name__)


def parts_to_ablate(run: "Run", config: Config, columns: list[str], by: str) -> tuple[dict[str, list[str]], list[str]]:
    """Return the columns that go together, by name, and what is to be said about them.

    Parameters
    ----------
    run : Run
    config : Config
        The run's own.
    columns : list of str
        Of the model table.
    by : {"feature", "set"}
        A set's columns are those that no other set of the run brings too. What no set brings stands by itself.

    Raises
    ------
    RecordError
        When the run was not composed of named sets, or one of them is not among the configs any more.
    """
    if by == "feature":
        return {name: [name] for name in columns}, []
    sets = [str(name) for name in run.identity.get("feature_sets") or ()]
    if not sets:
        raise RecordError(f"run {run.run_id} was not composed of named feature sets: leadscore ablate --by feature")
    entries = _entries(run, sets)
    brought = {name: _columns(config, {*entries[name]} & {*config.features}) for name in sets}
    parts, notes = {}, []
    for name in sets:
        others = set().union(*(brought[other] for other in sets if other != name))
        own = [column for column in columns if column in brought[name] - others]
        if own:
            parts[name] = own
        else:
            notes.append(f"set '{name}' brings no feature that the other sets do not bring")
    known = set().union(*brought.values())
    shared = [column for column in columns if sum(column in each for each in brought.values()) > 1]
    if shared:
        notes.append(f"several sets bring {', '.join(shared)}: without any one of them these stay in")
    alone = {column: [column] for column in columns if column not in known}
    if alone:
        notes.append(f"no set brings {', '.join(alone)}: each stands by itself")
    return {**parts, **alone}, notes


def _entries(run: "Run", sets: list[str]) -> dict[str, dict[str, Any]]:
    """Return the entries of each set, as its file has them today."""
    from leadscore.changes.override import config_dir_of
    from leadscore.config.compose import config_loader, group_choices
    from leadscore.config.plus import GROUP
    from leadscore.config.sets import set_entries

    with config_loader(config_dir_of(run)) as loader:
        gone = [name for name in sets if name not in group_choices(loader)[GROUP]]
        if gone:
            raise RecordError(
                f"run {run.run_id} was composed of the feature sets {', '.join(sets)}, and {', '.join(gone)} is not "
                f"among the configs any more: leadscore ablate --by feature"
            )
        return {name: set_entries(name, loader) for name in sets}


def _columns(config: Config, entries: set[str]) -> set[str]:
    plan = plan_features(config, {name: config.features[name] for name in sorted(entries)})
    return {each.name for each in plan.columns}
