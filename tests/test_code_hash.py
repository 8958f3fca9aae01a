"""Code is named by what it computes: an edit that can move a number moves the name, and no other edit does."""

import ast
import dataclasses
import functools
import hashlib
import importlib
import itertools
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import leadscore
from leadscore.config.paths import CONF
from leadscore.features import FEATURES, kinds
from leadscore.features.entries import entry_features
from leadscore.identity.engine import engine_hash
from leadscore.identity.run import begin, code_of, with_content
from leadscore.identity.source import code_hash, read_code
from leadscore.identity.tree import spell
from leadscore.model.registry import registration_of
from leadscore.pipeline import compose, plan_run, walk_to_folds

PACKAGE = Path(leadscore.__file__).parent


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Write a team's package as {file: text}, import it anew and return its module `features`."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    written = set()

    def write(name="their_team", folder=tmp_path, **files):
        for file, text in {"__init__": "", **files}.items():
            path = folder / name / f"{file}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))
        written.add(name)
        forget()
        return importlib.import_module(f"{name}.features")

    def forget():
        for known in [known for known in sys.modules if known.partition(".")[0] in written]:
            del sys.modules[known]
        importlib.invalidate_caches()

    yield write
    forget()


def moved(package, before, after, **shared):
    """Whether the hash of `features.count` moves from one text of `features` (or files) to the other."""
    hashes = []
    for written in (before, after):
        files = {"features": written} if isinstance(written, str) else written
        hashes.append(code_hash([package(**shared, **files).count]))
    return hashes[0] != hashes[1]


HELPER = """
LIMIT = 3

def limit(x):
    return x.clip(upper=LIMIT)
"""
COUNT = """
from their_team import helper
from their_team.helper import limit

DAYS = 7

def count(events_df, now):
    '''Count.'''
    return limit(events_df.groupby("user_id").size() * DAYS)

def other(events_df, now):
    return 1
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("'''Count.'''", "'''Count them all.'''"),
        ("    '''Count.'''\n", ""),
        ("    return limit", "    # why\n\n    return  limit"),
        ("limit(events_df", "limit(\n        events_df"),
        ("\nDAYS = 7\n", "\n# a week\nDAYS = (7)\n"),
        ("return 1", "return 2"),
    ],
)
def test_words_layout_and_what_is_not_reached_leave_the_name(package, old, new):
    assert old in COUNT
    assert not moved(package, COUNT, COUNT.replace(old, new), helper=HELPER)


def test_the_order_of_definitions_leaves_the_name(package):
    head, count, other = COUNT.partition("def other")[0].partition("def count")[0], *COUNT.split("\ndef ")[1:]
    assert not moved(package, COUNT, f"{head}def {other}\ndef {count}", helper=HELPER)


@pytest.mark.parametrize(
    ("old", "new"), [("DAYS = 7", "DAYS = 8"), ("DAYS = 7", "DAYS = 7.0"), (".size()", ".size() + 1")]
)
def test_an_edit_moves_the_name(package, old, new):
    assert moved(package, COUNT, COUNT.replace(old, new), helper=HELPER)


@pytest.mark.parametrize(("old", "new"), [("LIMIT = 3", "LIMIT = 4"), ("upper=", "lower=")])
@pytest.mark.parametrize("call", ["limit(", "helper.limit("])
def test_a_helpers_edit_moves_the_name_however_it_is_called(package, old, new, call):
    features = COUNT.replace("return limit(", f"return {call}")
    before, after = ({"features": features, "helper": text} for text in (HELPER, HELPER.replace(old, new)))
    assert moved(package, before, after)


VALUES = [
    ("from datetime import timedelta", "timedelta(days=7)", "timedelta(days=8)"),
    ("from datetime import datetime, UTC", "datetime(2024, 1, 1, tzinfo=UTC)", "datetime(2024, 1, 2, tzinfo=UTC)"),
    ("import pandas as pd", "pd.Timedelta(days=7)", "pd.Timedelta(days=8)"),
    ("import pandas as pd", "pd.Timestamp('2024-01-01', tz='UTC')", "pd.Timestamp('2024-01-01', tz='Asia/Tokyo')"),
    ("import pandas as pd", "pd.DataFrame({'a': ['x', None]})", "pd.DataFrame({'a': ['x', 'y']})"),
    ("from zoneinfo import ZoneInfo", "ZoneInfo('Europe/Paris')", "ZoneInfo('Europe/Berlin')"),
    ("import re", "re.compile('a+')", "re.compile('a*')"),
    ("import re", "re.compile('a')", "re.compile('a', re.I)"),
    ("import re", "re.compile('a' * 300 + 'b')", "re.compile('a' * 300 + 'c')"),
    ("import numpy as np", "np.arange(2000)", "np.where(np.arange(2000) == 1000, 0, np.arange(2000))"),
    ("import numpy as np", "np.float64(1)", "np.float32(1)"),
    ("from enum import Enum", "Enum('Plan', {'FREE': 1}).FREE", "Enum('Plan', {'FREE': 2}).FREE"),
    ("from decimal import Decimal", "Decimal('0.1')", "Decimal('0.10')"),
    ("from types import SimpleNamespace", "SimpleNamespace(limit={1: 2})", "SimpleNamespace(limit={1: 3})"),
    ("from collections import defaultdict", "defaultdict(int, a=1)", "defaultdict(float, a=1)"),
    ("from collections import defaultdict", "defaultdict(int, a=1)", "defaultdict(int, a=2)"),
    ("from collections import deque", "deque([1, 2])", "deque([2, 1])"),
    ("from collections import namedtuple", "namedtuple('P', 'x y')(1, 2)", "namedtuple('P', 'x y')(1, 3)"),
    ("", "{'a': {'x', 'y'}}", "{'a': {'x', 'z'}}"),
    ("", "{'a': 1, 'b': 2}", "{'b': 2, 'a': 1}"),
    ("", "float('nan')", "float('inf')"),
    ("", "[len, max]", "[len, min]"),
    ("def f():\n    return 1\ndef g():\n    return 2", "[f, g, f]", "[f, g, g]"),
    ("", "[lambda x: x + 1]", "[lambda x: x + 2]"),
    ("from functools import partial", "partial(max, 1)", "partial(max, 2)"),
    ("from functools import partial", "partial(max, key=len)", "partial(max, key=abs)"),
]


@pytest.mark.parametrize(("imports", "value", "other"), VALUES)
def test_a_value_counts_whatever_it_is(package, imports, value, other):
    def written(text):
        return f"{imports}\nLIMIT = {text}\ndef count(rows, now):\n    return rows, LIMIT\n"

    assert moved(package, written(value), written(other))
    assert not moved(package, written(value), written(f"({value})"))


BODIES = {
    "a module's constant": "from their_team import helper\ndef count(rows, now):\n    return rows * helper.LIMIT",
    "an import in the body": ("def count(rows, now):\n    from their_team.helper import limit\n    return limit(rows)"),
    "a module imported in the body": (
        "def count(rows, now):\n    import their_team.helper\n    return their_team.helper.limit(rows)"
    ),
    "a module imported in the body by another name": (
        "def count(rows, now):\n    import their_team.helper as h\n    return h.limit(rows)"
    ),
    "a relative import in the body": "def count(rows, now):\n    from .helper import LIMIT\n    return LIMIT",
    "a nested function": (
        "from their_team.helper import limit\n"
        "def count(rows, now):\n    def inner(x):\n        return limit(x)\n    return inner(rows)"
    ),
    "a default": "from their_team.helper import LIMIT\ndef count(rows, now, *, most=LIMIT):\n    return most",
    "a declaration": (
        "from their_team.helper import LIMIT\ndef feature(days):\n    return lambda function: function\n"
        "@feature(days=LIMIT)\ndef count(rows, now):\n    return rows"
    ),
    "a cached helper": (
        "from functools import lru_cache\nfrom their_team.helper import limit\n"
        "@lru_cache\ndef cached(x):\n    return limit(x)\ndef count(rows, now):\n    return cached(rows)"
    ),
    "a wrapped helper": (
        "import functools\nfrom their_team.helper import limit\n"
        "def loud(function):\n    @functools.wraps(function)\n    def wrapper(*a):\n        return function(*a)\n"
        "    return wrapper\n"
        "@loud\ndef helped(x):\n    return limit(x)\ndef count(rows, now):\n    return helped(rows)"
    ),
    "what a wrapper wraps": (
        "import functools\nfrom their_team.helper import LIMIT, limit\n"
        "def capped(most):\n    def wrap(function):\n        @functools.wraps(function)\n"
        "        def wrapper(*a):\n            return function(*a) * most\n        return wrapper\n    return wrap\n"
        "@capped(LIMIT)\ndef count(rows, now):\n    return rows"
    ),
    "a dispatching helper": (
        "from functools import singledispatch\nfrom their_team.helper import limit\n"
        "@singledispatch\ndef shown(x):\n    return x\n@shown.register\ndef _(x: int):\n    return limit(x)\n"
        "def count(rows, now):\n    return shown(rows)"
    ),
    "a partial": (
        "from functools import partial\nfrom their_team.helper import limit\nlow = partial(limit)\n"
        "def count(rows, now):\n    return low(rows)"
    ),
    "a field of an instance": (
        "from dataclasses import dataclass\nfrom typing import Any\nfrom their_team.helper import limit\n"
        "@dataclass\nclass Rule:\n    apply: Any\nRULE = Rule(limit)\n"
        "def count(rows, now):\n    return RULE.apply(rows)"
    ),
    "a method of an instance": (
        "from their_team.helper import limit\nclass Rule:\n    __slots__ = ('x',)\n    def apply(self, rows):\n"
        "        return limit(rows)\nRULE = Rule()\ndef count(rows, now):\n    return RULE.apply(rows)"
    ),
    "a bound method": (
        "from their_team.helper import limit\nclass Rule:\n    def apply(self, rows):\n        return limit(rows)\n"
        "apply = Rule().apply\ndef count(rows, now):\n    return apply(rows)"
    ),
    "a base class": (
        "from their_team import helper\nclass Base:\n    def apply(self, rows):\n        return helper.limit(rows)\n"
        "class Rule(Base):\n    pass\ndef count(rows, now):\n    return Rule().apply(rows)"
    ),
    "a class that was made": (
        "from their_team.helper import limit\nRule = type('Rule', (), {'__call__': lambda self, x: limit(x)})\n"
        "RULE = Rule()\ndef count(rows, now):\n    return RULE(rows)"
    ),
    "a function's attribute": (
        "from their_team.helper import LIMIT\ndef count(rows, now):\n    return rows\ncount.limit = LIMIT"
    ),
    "a table of functions": (
        "from their_team.helper import limit\nTABLE = {'a': [limit]}\n"
        "def count(rows, now, name='a'):\n    return TABLE[name][0](rows)"
    ),
    "a helper named like a builtin": (
        "from their_team.helper import limit as max\ndef count(rows, now):\n    return max(rows)"
    ),
    "a comprehension": (
        "from their_team.helper import limit\ndef count(rows, now):\n    return [limit(row) for row in rows]"
    ),
    "a feature of the package": (
        "from leadscore.features.registry import feature\nfrom their_team.helper import limit\n"
        "@feature(source='events', no_events=0)\ndef count(rows, now):\n    '''Count.'''\n    return limit(rows)"
    ),
}


@pytest.fixture
def registered():
    """Forget what a story registers."""
    before = dict(FEATURES)
    yield
    FEATURES.clear()
    FEATURES.update(before)


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_what_is_reached_by_name_is_followed(package, registered, body):
    files = ({"features": body, "helper": text} for text in (HELPER, HELPER.replace("LIMIT = 3", "LIMIT = 4")))
    assert moved(package, *files)
    words = HELPER.replace("def limit(x):", "def limit(x):\n    '''Not more than the limit.'''  # words")
    registered_again = ({"features": body, "helper": text} for text in (HELPER, words))
    assert not moved(package, *registered_again)


def test_an_import_from_above_is_followed(package):
    features = "from their_team.deep.features import count"
    deep = {"deep/features": "def count(rows, now):\n    from ..helper import LIMIT\n    return LIMIT"}
    helpers = (HELPER, HELPER.replace("LIMIT = 3", "LIMIT = 4"))
    assert moved(package, *({"features": features, "helper": helper, **deep} for helper in helpers))


def test_an_annotation_is_not_followed(package):
    features = "from their_team.helper import limit\ndef count(rows: limit, now) -> limit:\n    return rows"
    helpers = (HELPER, HELPER.replace("LIMIT = 3", "LIMIT = 4"))
    assert not moved(package, *({"features": features, "helper": helper} for helper in helpers))


def test_one_copy_or_two_of_a_value_are_the_same(package):
    text = "from datetime import timedelta\nDAY = timedelta(1)\nLIMITS = [DAY, DAY]\n"
    text += "def count(rows, now):\n    return LIMITS\n"
    assert not moved(package, text, text.replace("[DAY, DAY]", "[DAY, timedelta(1)]"))


def test_the_base_that_a_class_was_given_counts(package):
    text = "class Low:\n    limit = 1\nclass High:\n    limit = 2\n"
    text += "def build(base):\n    class Rule(base):\n        pass\n    return Rule\n"
    text += "Rule = build(Low)\ndef count(rows, now):\n    return Rule().limit\n"
    assert moved(package, text, text.replace("build(Low)", "build(High)"))


def test_a_class_counts_with_its_instance(package):
    text = "class Rule:\n    def __init__(self, x):\n        self.x = x\n    def apply(self):\n        return self.x\n"
    text += "RULE = Rule(1)\ndef count(rows, now):\n    return RULE.apply()\n"
    assert moved(package, text, text.replace("Rule(1)", "Rule(2)"))
    assert moved(package, text, text.replace("return self.x", "return -self.x"))


def test_a_name_that_is_local_is_not_the_modules(package):
    text = "LIMIT = 3\ndef count(rows, LIMIT):\n    now = LIMIT\n    return [now for now in rows]\nnow = 1\n"
    assert not moved(package, text, text.replace("LIMIT = 3", "LIMIT = 4").replace("now = 1", "now = 2"))


def test_of_a_table_only_the_entry_counts_that_is_known(package):
    text = "TABLE = {'a': 1, 'b': 2}\ndef count(rows, now):\n    return TABLE['a']\n"
    assert not moved(package, text, text.replace("'b': 2", "'b': 3"))
    assert moved(package, text, text.replace("'a': 1", "'a': 3"))


def test_values_that_cannot_be_taken_apart_count_by_type_and_never_by_address(package):
    text = "import threading\nLOCK = threading.Lock()\ndef count(rows, now):\n    with LOCK:\n        return rows\n"
    assert not moved(package, text, text.replace("now):", "now):\n    # alone"))
    assert moved(package, text, text.replace("Lock()", "Event()"))


def test_the_surroundings_are_no_value_of_the_teams(package, monkeypatch):
    text = "import os\nfrom os import environ\ndef count(rows, now):\n    return os.environ, environ\n"
    before = code_hash([package(features=text).count])
    monkeypatch.setenv("LEADSCORE_SOMETHING", "else")
    assert code_hash([package(features=text).count]) == before


def test_circles_end(package):
    text = "def even(n):\n    return n == 0 or odd(n - 1)\ndef odd(n):\n    return n > 0 and even(n - 1)\n"
    text += "LOOP = []\nLOOP.append(LOOP)\ndef count(rows, now):\n    return even(rows), LOOP\n"
    assert moved(package, text, text.replace("n > 0", "n > 1"))


FACTORY = """
def of_column(method):
    return lambda rows, now: getattr(rows, method)()

def days(unit):
    def inner(rows, now):
        return rows * unit
    return inner

def default(unit):
    def inner(rows, now, unit=unit):
        return rows * unit
    return inner

def parameter(unit):
    def inner(rows, now, *, unit=unit):
        return rows * unit
    return inner

pair = lambda rows, now: 1, lambda rows, now: 2
"""


def test_functions_of_one_name_do_not_collide(package):
    made = package(features=FACTORY)
    things = [made.of_column("sum"), made.of_column("max"), *made.pair]
    things[:0] = [make(unit) for make in (made.days, made.default, made.parameter) for unit in (1, 2)]
    assert len({code_hash([thing]) for thing in things}) == len(things)
    for few in itertools.combinations(things, 2):
        assert code_hash(few) != code_hash(few[:1])
    swapped = package(features=FACTORY.replace("lambda rows, now: 1, lambda rows, now: 2", "lambda rows, now: 2, 3"))
    assert code_hash([swapped.pair[0]]) == code_hash([things[-1]])


def test_order_and_repetition_of_things_do_not_matter(package):
    made = package(features=FACTORY)
    things = [made.of_column("sum"), made.days(1), functools.partial(made.days, unit=3)]
    assert code_hash(things) == code_hash([*reversed(things), *things])


def test_what_an_installed_package_hands_in_counts_and_its_neighbours_do_not(package, tmp_path, monkeypatch):
    installed = tmp_path / "site-packages"
    monkeypatch.syspath_prepend(str(installed))
    vendor = "def clip(x):\n    return x\n"
    features = "import their_vendor.features as vendor\nfrom their_team.helper import limit\n"
    features += "def count(rows, now):\n    return limit(vendor.clip(rows))\n"

    def hashed(features=features, helper=HELPER, vendor=vendor):
        package("their_vendor", installed, features=vendor)
        return code_hash([package(folder=installed, features=features, helper=helper).count])

    before = hashed()
    assert hashed(features=features.replace("limit(vendor", "-limit(vendor")) != before
    assert hashed(helper=HELPER.replace("LIMIT = 3", "LIMIT = 4")) != before
    assert hashed(vendor=vendor.replace("return x", "return -x")) == before


def test_a_function_without_a_source_counts_by_its_bytecode():
    made = [{}, {}, {}]
    for scope, text in zip(made, ["x + y", "x - y", "x + y"], strict=True):
        exec(f"y = 1\ndef count(x):\n    return {text}", scope)  # no file, as at a prompt
    first, second, third = (scope["count"] for scope in made)
    assert code_hash([first]) == code_hash([third]) != code_hash([second])
    made[2]["y"] = 2
    assert code_hash([first]) != code_hash([third])


def test_the_name_is_the_same_whatever_the_hash_seed(tmp_path):
    values = "\n".join(f"{imports}\nV{n} = {value}" for n, (imports, value, _) in enumerate(VALUES))
    names = ", ".join(f"V{n}" for n in range(len(VALUES)))
    text = (
        f"{values}\nW = {{'a', 'b', ('c', frozenset('de')), len, V0}}\ndef count(rows, now):\n    return W, {names}\n"
    )
    (tmp_path / "their_seeded.py").write_text(text)
    code = (
        "import their_seeded; from leadscore.identity.source import code_hash; print(code_hash([their_seeded.count]))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": f"{tmp_path}{os.pathsep}{PACKAGE.parent}"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1


SYNTAX = """
@d(x=1)
def f(a, /, b: int = 1, *c, e=2, **g) -> int:
    'Why.'
    global z
    match a:
        case {"k": [1, *_]} | None: pass
    try: x[1:, ...] += -2j
    except* E as e: raise
    async def g():
        async with a as b: return [i async for i in a if i]
    return f"{a!r:>{b}} b" u"x" "y", {**a, 1: b"x"}, lambda q=1: (yield), (w := 1), not a < b
class C(D, metaclass=M):
    y: int
"""


def test_a_tree_is_spelled_the_same_on_every_python():
    # Recorded with 3.11, 3.12 and 3.13. A failure on a newer one means that it renames the code of old runs.
    assert (
        hashlib.sha256(spell(ast.parse(SYNTAX)).encode()).hexdigest()
        == "d45187a5b65b7eec6252b875d99a314c3ad996c9a92c629a266bff024d9280de"
    )


def test_what_a_tree_spells():
    assert spell(ast.parse("def f(): 'Why.'")) == spell(ast.parse("def f():\n  pass  # yet"))
    assert spell(ast.parse("x = u'a' + f'{y!r}'")) == (
        "Module(body=[Assign(targets=[Name x;]value=BinOp(left=str 'a';op=Add()"
        "right=JoinedStr(values=[FormattedValue(conversion=114;value=Name y;)])))])"
    )


def declared(**entry):
    (made,) = entry_features("x", entry, {})
    return made


@pytest.mark.parametrize("kind", ["count", "sum", "std", "last", "active_days"])
def test_a_declared_aggregate_counts_with_its_own_computation_only(kind, monkeypatch):
    column = {"column": "amount"} if kinds.KINDS[kind].column == "yes" else {}
    before = code_hash([declared(aggregate=kind, **column).function])
    for other, how in list(kinds.KINDS.items()):
        changed = dataclasses.replace(how, compute=lambda block, spec: None)
        with monkeypatch.context() as patch:
            patch.setitem(kinds.KINDS, other, changed)
            assert (code_hash([declared(aggregate=kind, **column).function]) != before) is (other == kind)


def test_aggregates_differ_by_what_they_declare():
    made = [declared(aggregate="count", event_type=kind, lookback=days) for kind in ("a", "b") for days in ("7d", "8d")]
    assert len({code_hash([each.function]) for each in made}) == 4


@pytest.fixture
def copied(tmp_path):
    """Copy leadscore, and tell what a process that runs the copy says after an edit."""
    shutil.copytree(PACKAGE, tmp_path / "leadscore", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(CONF, tmp_path / "conf")

    def edit(file, old, new):
        path = tmp_path / "leadscore" / file
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    def hashes():
        """Of a model with the shipped features, with an aggregate, and with another one."""
        code = (
            "from leadscore.features.entries import entry_features; from leadscore.identity.source import code_hash\n"
            "from leadscore.features import FEATURES; from leadscore.model import BoostedTrees\n"
            "for kind in ('active_days', 'count'): print(code_hash([entry_features('x', {'aggregate': kind}, {})[0]"
            ".function, BoostedTrees, *(each.function for each in FEATURES.values())]))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split()

    return edit, hashes


def test_a_reworded_message_renames_no_run_and_an_edited_aggregate_those_that_use_it(copied):
    edit, hashes = copied
    before = hashes()
    for file in ("errors", "times", "features/registry", "features/plan", "features/contract", "model/registry"):
        edit(f"{file}.py", "\n__all__", "\n_WORDS = 'said otherwise'\n__all__")
    edit("errors.py", "Did you mean", "Perhaps you meant")
    edit("features/registry.py", "is registered twice", "is there twice")
    edit("model/registry.py", "is registered twice", "is there twice")
    edit("times.py", "is finer than", "is more exact than")
    assert hashes() == before
    edit(
        "features/kinds.py",
        "    return _window(block, spec).active_days()",
        "    return 2 * _window(block, spec).active_days()",
    )
    after = hashes()
    assert (after[0] != before[0], after[1] == before[1]) == (True, True)


ENGINE = [
    ("errors.py", "class ConfigError", "class ConfigErrorToo", False),
    ("terminal.py", "def show_run", "def show_runs", False),
    ("config/safety.py", "def unsafe_parts", "def unsafe_part", False),
    ("record/shelf.py", "class Shelf", "class Shelves", False),
    ("features/audit/report.py", "class Finding", "class Found", False),
    ("store.py", "class Store", "class Stores", False),
    ("window.py", "def observe", "def observed", True),
    ("window.py", '"""The window room', '"""The room of windows', False),
    ("window.py", "\n\n\ndef observe", "\n\n\n# why\n\ndef observe", False),
    ("features/build.py", "MAX_TRUE_CALLS = 60", "MAX_TRUE_CALLS = 61", True),
    ("features/kinds.py", "DAY = 86_400_000_000.0", "DAY = 86_400_000_001.0", True),
    ("features/kernel.py", "time[last] < now", "time[last] <= now", True),
    ("features/registry.py", "float64 or str in the table", "a number or a text", False),
    ("split/splitters.py", "def ", "def x", True),
    ("data/demo_world.py", "def ", "def x", True),
    ("model/encoding.py", "def ", "def x", True),
    ("config/schema.py", 'embargo: str = kept_as("embargo", "0d")', 'embargo: str = kept_as("embargo", "1d")', True),
    ("config/models.py", "C: float = number(1.0", "C: float = number(2.0", True),
    ("features/engagement.py", 'no_events=0, unit="opens"', 'no_events=1, unit="opens"', False),
    ("features/engagement.py", '    "demo_requests",\n', "", False),
]


@pytest.mark.parametrize(("file", "old", "new", "moves"), ENGINE)
def test_the_engine_is_named_by_what_computes(tmp_path, file, old, new, moves):
    shutil.copytree(PACKAGE, tmp_path / "leadscore", ignore=shutil.ignore_patterns("__pycache__"))
    path = tmp_path / "leadscore" / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    assert (engine_hash(tmp_path / "leadscore") != engine_hash()) is moves


def test_a_module_that_joins_counts(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "leadscore", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "leadscore" / "data" / "new.py").write_text("x = 1\n")
    assert engine_hash(tmp_path / "leadscore") != engine_hash()


def test_code_engine_and_data_make_a_runs_identity():
    config = compose(["data.n_leads=300"])
    windows = walk_to_folds(config)
    known = begin(config, plan_run(config), code_of(plan_run(config), registration_of(config.model.name).cls))
    before = with_content(known, windows)["identity"]
    for key in ("code_hash", "engine_hash", "config_hash", "seed"):
        assert with_content({**known, key: "other"}, windows)["identity"] != before


def test_what_is_declared_counts_also_when_no_decorator_says_it(monkeypatch):
    config = compose(["data.n_leads=300"])
    plan, model = plan_run(config), registration_of(config.model.name).cls

    def said(**declared):
        steps = (dataclasses.replace(plan.steps[0], feature=dataclasses.replace(plan.steps[0].feature, **declared)),)
        return code_of(dataclasses.replace(plan, steps=steps), model).hash

    assert said(no_events=5.0) != said()
    assert said(meaning="In other words.") == said()


def test_what_was_read_is_kept_with_the_constants_that_it_names_whatever_else_it_names(tmp_path, monkeypatch):
    text = "import re\nLIMIT = 7\nRULE = re.compile('x')\n\ndef logins(frame, now):\n    return RULE, LIMIT, frame\n"
    (tmp_path / "kept_features.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    logins = __import__("kept_features").logins
    code = read_code({"logins": logins})
    assert code.hash == code_hash([logins])
    (name,) = code.definitions
    kept = code.definitions[name]
    assert (name, kept["values"]) == ("kept_features.logins", {"LIMIT": "7"})
    assert kept["source"] == "def logins(frame, now):\n    return RULE, LIMIT, frame\n"
