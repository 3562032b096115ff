"""What hundreds of installations in one process of tests can share: it is made anew for each, and always the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from sqlalchemy import Engine
from werkzeug.routing import Rule

from scheduler.db import engine
from scheduler.mail import compose


@contextmanager
def once() -> Iterator[None]:
    """Routes and SQL are compiled once, and the mail library is proved once."""
    with _routes(), _statements(), _proofs():
        yield


@contextmanager
def _routes() -> Iterator[None]:
    """What writes the address of a route is compiled for each application."""
    given, made = Rule._compile_builder, dict[Any, Any]()

    def compiled(rule: Rule, append_unknown: bool = True) -> Any:
        key = (rule.rule, repr(rule.defaults), tuple(rule._trace), append_unknown)
        if key not in made:
            made[key] = given(rule, append_unknown)
        return made[key]

    Rule._compile_builder = compiled  # type: ignore[method-assign]
    yield
    Rule._compile_builder = given  # type: ignore[method-assign]


@contextmanager
def _statements() -> Iterator[None]:
    """SQL is compiled for each database. The dialect is part of what it is known by."""
    given, first = engine.create_engine, dict[str, Engine]()

    def sharing(*args: Any, **named: Any) -> Engine:
        made = given(*args, **named)
        other = first.setdefault(made.dialect.name, made)
        if getattr(other.dialect, "server_version_info", None) is None:  # it never found its database
            first[made.dialect.name] = made
        else:
            made.dialect, made._compiled_cache = other.dialect, other._compiled_cache
        return made

    engine.create_engine = sharing
    yield
    engine.create_engine = given


@contextmanager
def _proofs() -> Iterator[None]:
    """Each application and each worker proves its mail library before it begins."""
    given = compose.self_test
    compose.self_test = cache(given)
    yield
    compose.self_test = given
