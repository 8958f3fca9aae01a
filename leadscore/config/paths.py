"""Where the shipped configs lie."""

from pathlib import Path

__all__ = ["CONF"]

_PACKAGE = Path(__file__).resolve().parents[1]

# In a checkout or an editable install conf/ stands beside the package, and that one is looked at first:
# an editable install also leaves a copy inside the package's folder of the environment, which grows stale.
CONF = next(folder for folder in (_PACKAGE.parent / "conf", _PACKAGE / "conf") if (folder / "train.yaml").is_file())
