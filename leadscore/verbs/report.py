"""`leadscore report RUN`: draw a run's page anew, from what the run left in its folder."""

from argparse import Namespace

from leadscore.verbs.say import say

__all__ = ["report"]


def report(arguments: Namespace) -> int:
    """Draw the page of a run, of a failed one too."""
    from leadscore.pipeline import load_plugins
    from leadscore.record import open_run
    from leadscore.report import write_run_page

    load_plugins(arguments.plugin or [])
    say(f"wrote {write_run_page(open_run(arguments.names[0], arguments.roots))}")
    return 0
