"""The house: rooms do not fetch from each other, and help does not wait for heavy libraries."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "leadscore"

# The hall: values, words and contracts that every room may use.
HALL = {
    "errors",
    "times",
    "tables",
    "eventlog",
    "eventlog_file",
    "jit",
    "pools",
    "results",
    "config",
    "store",
    "sealed",
    "serving",
    "profiles",
    "bands",
    "memory",
}
ROOMS = {
    "data",
    "schemas",
    "window",
    "features",
    "split",
    "model",
    "evaluate",
    "compare",
    "search",
    "explain",
    "identity",
    "record",
    "report",
}
# The exceptions: the record draws folds and reads models; the report reads a recorded run, lists metrics with their
# declarations, takes intervals and says reasons.
ALLOWED = {
    ("record", "split"),
    ("record", "model"),
    ("report", "record"),
    ("report", "evaluate"),
    ("report", "compare"),
    ("report", "explain"),
}
# They know the way: doors call the pipeline, the pipeline walks through the rooms.
WALKERS = {
    "pipeline",
    "planning",
    "training",
    "fitting",
    "searching",
    "ablation",
    "preparing",
    "predicting",
    "cluster",
    "score",
    "scoring",
    "measuring",
    "banding",
    "handover",
    "changes",
    "site",
    "confirmation",
    "repetition",
    "reporting",
    "promotion",
    "sweeps",
    "door",
    "train",
    "terminal",
    "testing",
    "verbs",
    "__init__",
    "__main__",
}
HEAVY = {"pandas", "numpy", "sklearn", "lightgbm", "pandera", "pyarrow", "scipy", "matplotlib"}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(source: str, package: str) -> set[str]:
    """Names of the leadscore parts that a module of `package` imports, those for type checking aside."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            node.body = []
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            # `from ..record import find` in leadscore.features is `from leadscore.record import find`
            above = package.split(".")[: 1 - node.level or None] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            names += [f"{origin}.{alias.name}" for alias in node.names]
    return {name.split(".")[1] for name in names if name.startswith("leadscore.")} - {"__version__"}


def package_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).parent.parts)


@pytest.mark.parametrize(
    "line",
    [
        "import leadscore.record",
        "import leadscore.record.find as other",
        "from leadscore import record",
        "from leadscore.record import find",
        "from .. import record",
        "from ..record import find",
        "from ..record.find import open_run",
        "def later():\n    from leadscore import record",
    ],
)
def test_an_import_is_seen_however_it_is_spelled(line):
    assert imported(line, "leadscore.features") == {"record"}
    assert imported("from . import record", "leadscore") == imported("from .record import find", "leadscore")
    assert imported("from . import plan", "leadscore.features") == {"features"}


def test_every_part_of_the_package_has_its_place_in_the_house():
    assert {room_of(path) for path in modules()} == HALL | ROOMS | WALKERS - {"__main__"} | (
        {"__main__"} if (PACKAGE / "__main__.py").exists() else set()
    )


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_the_hall(path):
    room = room_of(path)
    if room in WALKERS:
        return
    used = imported(path.read_text(encoding="utf-8"), package_of(path)) - HALL - {room}
    if room in HALL:
        assert not used, f"the hall does not know {used}"
    assert {(room, other) for other in used} <= ALLOWED


def test_a_file_is_about_one_thing_and_stays_readable():
    long = {str(path): lines for path in modules() if (lines := len(path.read_text().splitlines())) > 400}
    assert not long


@pytest.mark.parametrize("arguments", [["--help"], ["model=lightgmb"], ["--cfg", "job"]])
def test_help_and_refusals_start_without_heavy_libraries(arguments, tmp_path):
    code = (
        "import sys; sys.argv = ['train', *sys.argv[1:]]\n"
        "from leadscore.train import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('IMPORTED', *sorted({name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split("IMPORTED")[1].split())
    assert not loaded & HEAVY


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["features", "--help"],
        ["features", "new", "--help"],
        ["data", "cache", "--help"],
        ["--version"],
        ["features", "shwo"],
    ],
)
def test_the_command_answers_for_itself_with_the_standard_library_alone(arguments, tmp_path):
    code = (
        "import sys\n"
        "from leadscore.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('IMPORTED', *sorted({name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "leadscore" in done.stdout + done.stderr
    loaded = set(done.stdout.split("IMPORTED")[1].split())
    assert not loaded & (HEAVY | {"hydra", "omegaconf", "yaml", "rich", "jinja2"})
