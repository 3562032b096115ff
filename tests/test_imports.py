"""Imports point downwards only: core, then ics, mail and db, then the actions, then web, command line and worker.

The rules are read from the source text, so that an import hidden in a function counts like any other.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from scheduler import paths

# Packages from outside and the places that may import them.
ONLY_THERE = {
    "pytz": ["scheduler.core.zones"],
    "icalendar": ["scheduler.ics"],
    "holidays": ["scheduler.public_holidays"],
    "sqlalchemy": ["scheduler.db", "migrations"],
    "alembic": ["scheduler.db", "migrations"],
    "smtplib": ["scheduler.mail.smtp"],
    "imapclient": ["scheduler.mail.imap"],
    "imaplib": ["scheduler.mail.imap"],
    "argon2": ["scheduler.passwords"],
    "zxcvbn": ["scheduler.passwords"],
    "pyotp": ["scheduler.second_factor"],
    "segno": ["scheduler.second_factor"],
    "flask": ["scheduler.web"],
    "flask_wtf": ["scheduler.web"],
}
# What a ring may import of ours, beside itself. A ring that is not named may import everything below it.
OURS = {
    "scheduler.core": [],
    "scheduler.ics": ["scheduler.core", "scheduler.i18n", "scheduler.paths", "scheduler.config"],
    "scheduler.mail": ["scheduler.core", "scheduler.i18n", "scheduler.paths", "scheduler.config", "scheduler.ics"],
    "scheduler.db": ["scheduler.core", "scheduler.config", "scheduler.paths"],
    "migrations": [],
}
# The pure ring knows the standard library, pytz in one module, the grammar of addresses (asked without DNS), and arrays
# of numbers where many times are compared.
ARRAYS = ("spans", "hours", "search", "ranking", "reasons", "compromises", "planning", "rotation")
OF_OTHERS_IN_CORE = {
    "scheduler.core.zones": {"pytz"},
    "scheduler.core.drafts": {"email_validator"},
    **{f"scheduler.core.{name}": {"numpy"} for name in ARRAYS},
}
NOT_IN_CORE = {
    "smtplib",
    "socket",
    "sqlite3",
    "subprocess",
    "urllib.request",
    "random",
    "numpy.random",
    "secrets",
    "uuid",
    "time",
    "os",
}
NOT_IN_WEB = ["sqlalchemy", "alembic", "icalendar", "pytz", "smtplib", "scheduler.db", "scheduler.ics"]
MAY_START_WEB = {"scheduler.cli", "scheduler.__main__", "scheduler.running"}  # they run the server


@dataclass(frozen=True)
class Import:
    module: str  # the importing one
    name: str  # the imported one, as far as written: `from a import b` is a.b
    line: int


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def imports_of(module: str, source: str) -> Iterator[Import]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module, alias.name, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: relative imports hide where they point"
            for alias in node.names:
                yield Import(module, f"{node.module}.{alias.name}", node.lineno)


def module_of(path: Path, root: Path, prefix: str) -> str:
    parts = [prefix, *path.relative_to(root).with_suffix("").parts]
    return ".".join(part for part in parts if part != "__init__")


def sources() -> Iterator[tuple[str, str]]:
    for root, prefix in ((paths.PACKAGE, "scheduler"), (paths.MIGRATIONS, "migrations")):
        for path in sorted(root.rglob("*.py")):
            yield module_of(path, root, prefix), path.read_text("utf-8")


MODULES = dict(sources())


@cache
def all_imports() -> list[Import]:
    return [found for module, source in MODULES.items() for found in imports_of(module, source)]


def breaches(imports: list[Import]) -> list[str]:
    return [f"{i.module}:{i.line} imports {i.name}: {reason}" for i in imports if (reason := _breach(i))]


def _breach(found: Import) -> str:
    """Why an import is forbidden, or nothing."""
    module, name = found.module, found.name
    for package, places in ONLY_THERE.items():
        if within(name, package) and not any(within(module, place) for place in places):
            return f"only {', '.join(places)} may"
    for ring, allowed in OURS.items():
        if within(module, ring) and within(name, "scheduler") and not any(within(name, p) for p in (ring, *allowed)):
            return f"{ring} may import only {', '.join(allowed) or 'itself'} of ours"
    if within(module, "scheduler.core") and (reason := _breach_of_core(module, name)):
        return reason
    if within(module, "scheduler.web"):
        return next((f"web must not know {p}" for p in NOT_IN_WEB if within(name, p)), "")
    if within(name, "scheduler.web") and module not in MAY_START_WEB:
        return "only web and what starts it may"
    return ""


def _breach_of_core(module: str, name: str) -> str:
    top = name.partition(".")[0]
    if top not in sys.stdlib_module_names | {"scheduler"} | OF_OTHERS_IN_CORE.get(module, set()):
        return "core is pure: standard library only"
    return next((f"core is pure: no {n}" for n in NOT_IN_CORE if within(name, n)), "")


def target_of(name: str) -> str | None:
    """Our module that an imported name lies in."""
    return name if name in MODULES else name.rpartition(".")[0] if name.rpartition(".")[0] in MODULES else None


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that import each other, by Tarjan's algorithm."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        order[node] = low[node] = len(order)
        stack.append(node)
        for other in sorted(graph.get(node, set())):
            if other not in order:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], order[other])
        if low[node] == order[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                found.append(sorted(group))

    for node in sorted(graph):
        if node not in order:
            visit(node)
    return found


def test_imports_point_downwards_only() -> None:
    assert breaches(all_imports()) == []


def test_no_modules_import_each_other() -> None:
    graph: dict[str, set[str]] = {module: set() for module in MODULES}
    for found in all_imports():
        target = target_of(found.name)
        if target and target != found.module:
            graph[found.module].add(target)
    assert cycles(graph) == []


def test_the_guard_sees_the_modules() -> None:
    assert {"scheduler.core.zones", "scheduler.config", "scheduler.i18n"} <= MODULES.keys()
    assert ("scheduler.core.zones", "pytz") in {(i.module, i.name) for i in all_imports()}


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("scheduler.core.slots", "import pytz"),
        ("scheduler.core.slots", "import requests"),
        ("scheduler.core.slots", "import numpy"),
        ("scheduler.core.search", "from numpy import random"),
        ("scheduler.core.slots", "from scheduler import i18n"),
        ("scheduler.core.slots", "def f():\n    from scheduler.db import engine"),
        ("scheduler.core.meeting", "import uuid"),
        ("scheduler.core.meeting", "from urllib.request import urlopen"),
        ("scheduler.ics.write", "from scheduler.db import meetings"),
        ("scheduler.ics.write", "from scheduler.mail import compose"),
        ("scheduler.mail.inbound", "import icalendar"),
        ("scheduler.mail.compose", "import smtplib"),
        ("scheduler.db.meetings", "from scheduler.i18n import text"),
        ("scheduler.db.meetings", "import scheduler.booking"),
        ("scheduler.booking", "from sqlalchemy import select"),
        ("scheduler.booking", "from scheduler.web import forms"),
        ("scheduler.booking", "import holidays"),
        ("scheduler.booking", "from flask import request"),
        ("scheduler.web.pages", "from scheduler.db import meetings"),
        ("scheduler.web.pages", "from scheduler import ics"),
        ("scheduler.web.pages", "from pytz import timezone"),
        ("migrations.versions.0001_begin", "from scheduler.core import cities"),
    ],
)
def test_a_breach_is_seen(module: str, line: str) -> None:
    assert breaches(list(imports_of(module, line))) != []


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("scheduler.core.zones", "import pytz"),
        ("scheduler.core.slots", "from scheduler.core.zones import to_local"),
        ("scheduler.ics.write", "import icalendar"),
        ("scheduler.mail.compose", "from scheduler.ics import write"),
        ("scheduler.db.engine", "from sqlalchemy import create_engine"),
        ("scheduler.booking", "from scheduler.db import meetings"),
        ("scheduler.web.pages", "from scheduler import booking"),
        ("scheduler.cli", "from scheduler.web import create_app"),
        ("migrations.env", "from alembic import context"),
    ],
)
def test_what_points_downwards_is_allowed(module: str, line: str) -> None:
    assert breaches(list(imports_of(module, line))) == []


def test_a_cycle_is_seen() -> None:
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
    assert cycles({"a": {"b"}, "b": {"c"}, "d": {"b", "c"}}) == []
