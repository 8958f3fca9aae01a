"""`leadscore resume FOLDER`: a sweep's command given again, in its own folder."""

import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from leadscore.errors import ConfigError, RecordError
from leadscore.sweeps.folder import asking, read_sweep
from leadscore.verbs.say import say

__all__ = ["command_of", "resume"]


def resume(arguments: Namespace) -> int:
    """Run what of a sweep is missing, failed or was interrupted."""
    folder = Path(arguments.names[0]).absolute()
    words, directory = command_of(folder, arguments.overrides, arguments.plugin or [], arguments.config_dir)
    from leadscore.train import main

    if directory != Path.cwd():
        say(f"going on in {directory}, where the sweep was started")
        try:
            os.chdir(directory)
        except OSError as error:
            raise RecordError(f"{directory}, where the sweep was started, is not there: {error.strerror}") from None
    sys.argv = ["leadscore-train", *words]
    main()
    return 0


def command_of(
    folder: Path, changes: Sequence[str] = (), plugins: Sequence[str] = (), config_dir: str | None = None
) -> tuple[list[str], Path]:
    """Return the words of the command that goes on with a sweep, and the directory it was started in.

    Parameters
    ----------
    folder : Path
        The sweep's.
    changes : sequence of str
        Overrides of how its jobs are gone through, such as `sweep.timeout=2h`.
    plugins : sequence of str
        Modules that the sweep used; a record's own list is never imported.
    config_dir : str, optional
        The folder of configs that it used; a record's own is never read.

    Raises
    ------
    RecordError
        When the folder holds no sweep, or it used modules or configs that are not named here.
    ConfigError
        When an override would change what the jobs are.
    """
    from leadscore.config.command import named_plugins

    if other := asking(changes):
        raise ConfigError(
            f"{' '.join(other)}: the jobs stay as they are, only how they are gone through may change (sweep.*, "
            f"hydra/launcher, hydra.launcher.*, compute.*); another question is another sweep"
        )
    sweep = read_sweep(folder)
    overrides = [str(each) for each in sweep["overrides"]]
    missing = [f"--plugin {name}" for name in named_plugins(overrides) if name not in plugins]
    if sweep.get("config_dir") is not None and config_dir is None:
        missing.append(f"--config-dir {sweep['config_dir']}")
    if missing:
        raise RecordError(
            f"{folder}: the sweep used modules or configs beside leadscore's own, and a record's are never taken "
            f"unasked; add {' '.join(missing)}"
        )
    changed = {_key(change) for change in [*changes, "hydra.sweep.dir="]}
    kept = [override for override in overrides if _key(override) not in changed]
    flags = ["-m"] if config_dir is None else ["-m", "--config-dir", str(Path(config_dir).absolute())]
    return [*flags, *kept, *changes, f"hydra.sweep.dir='{folder}'"], Path(str(sweep.get("directory") or Path.cwd()))


def _key(override: str) -> str:
    return override.partition("=")[0].lstrip("+~")
