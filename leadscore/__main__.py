"""The `leadscore` command, also `python -m leadscore`: everything that is not a training or scoring run."""

import sys

from leadscore.verbs import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
