"""Plain Hydra around `bare_script.py`: what a team has that keeps its notebook as a script. Nothing is shared by jobs.

Usage: python benchmarks/hydra_script.py -m folder=FOLDER seed=1,2,3
"""

import runpy
import sys
from dataclasses import dataclass
from pathlib import Path

import hydra
from hydra.core.config_store import ConfigStore


@dataclass
class Config:
    """What the script is told."""

    folder: str = ""
    seed: int = 0


ConfigStore.instance().store(name="config", node=Config)


@hydra.main(version_base="1.3", config_path=None, config_name="config")
def main(config: Config) -> None:
    """Run the script once; its seed moves nothing, as LightGBM's defaults have it."""
    sys.argv = ["bare_script.py", config.folder]
    runpy.run_path(str(Path(__file__).with_name("bare_script.py")))


if __name__ == "__main__":
    main()
