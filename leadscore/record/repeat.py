"""How a run is done again: the command that started it, from the words that Hydra kept."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leadscore.errors import RecordError
from leadscore.record.find import Run

__all__ = ["Repeat", "how_to_repeat"]

OVERRIDES = Path(".hydra") / "overrides.yaml"  # of this one job, also of a sweep's
HYDRA = Path(".hydra") / "hydra.yaml"


@dataclass(frozen=True)
class Repeat:
    """What starts a run again.

    Attributes
    ----------
    words : tuple of str
        The command, a word each; empty for a run that Python code started.
    python : str
        Lines that do a run again that has no command.
    directory : str or None
        Where it was started, on which relative paths and modules of one's own depend; None when nobody knows.
    """

    words: tuple[str, ...]
    python: str
    directory: str | None

    @property
    def command(self) -> str:
        """The command, quoted for a POSIX shell; empty when there is none."""
        return shlex.join(self.words)


def how_to_repeat(run: Run, *, called: str | None = None) -> Repeat:
    """Return how a run is done again.

    Parameters
    ----------
    run : Run
    called : str, optional
        What Python lines call the run; default its folder.

    Raises
    ------
    RecordError
        When what Hydra kept cannot be read.
    """
    if not (run.folder / OVERRIDES).is_file():
        return Repeat((), "\n".join(_python(run, called or str(run.folder))), None)
    overrides, hydra = _loaded(run.folder / OVERRIDES), _loaded(run.folder / HYDRA)
    try:
        runtime = hydra["hydra"]["runtime"]
        sources = [source["path"] for source in runtime["config_sources"] if source["provider"] == "command-line"]
        flags = [word for path in sources for word in ("--config-dir", str(path))]
        words = ("python", "-m", "leadscore.train", *flags, *map(str, overrides))
        return Repeat(words, "", str(runtime["cwd"]))
    except (KeyError, TypeError) as error:
        raise RecordError(f"{run.folder / HYDRA} is not as Hydra writes it ({type(error).__name__}: {error})") from None


def _python(run: Run, called: str) -> Iterator[str]:
    for module in run.config.get("plugins", []):
        yield f"import {module}"
    yield "from leadscore import open_run, run"
    yield "from leadscore.config.recorded import recorded_config"
    yield "from leadscore.model.registry import registration_of"
    yield ""
    yield f"recorded = open_run({called!r}).config"
    yield "run(recorded_config(recorded, lambda name: registration_of(name).config))"


def _loaded(path: Path) -> Any:
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise RecordError(f"{path} cannot be read: {str(error).splitlines()[0]}") from None
