"""The verbs of the `leadscore` command: what people ask about features, data and runs besides running.

Each verb is a function `verb(arguments) -> exit status` in a module of its own, loaded when it is called.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from leadscore.errors import LeadscoreError
from leadscore.verbs.parser import parse

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default: `sys.argv[1:]`.

    Returns
    -------
    int
        0 done, 1 refused or failed. What cannot be parsed leaves with 2.
    """
    parsed = parse(sys.argv[1:] if arguments is None else arguments)
    module, _, function = parsed.run.partition(":")
    try:
        status = int(getattr(import_module(module), function)(parsed))
        sys.stdout.flush()
    except LeadscoreError as error:
        print(f"leadscore: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    return status
