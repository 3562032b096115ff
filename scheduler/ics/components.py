"""Components, the layer between content lines and what they mean (RFC 5545 3.4): which line stands in which."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from scheduler.core.words import clean_line
from scheduler.ics.lines import Line

MAX_DEPTH = 10  # VCALENDAR > VEVENT > VALARM is 3


class Unreadable(Exception):
    """The calendar cannot be read; `reason` says why in one line, for the person who looks at it."""

    def __init__(self, reason: str) -> None:
        self.reason = clean_line(reason)[:200]
        super().__init__(self.reason)


class Refused(Exception):
    """The calendar is not read; `code` is one of `busy.REFUSALS`."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


def placed(lines: Iterable[Line]) -> Iterator[tuple[tuple[str, ...], Line]]:
    """Each line with the components it stands in. BEGIN stands in what it opens; END is not given.

    An END closes the innermost component of its name and what was left open inside; one without BEGIN is left out.
    """
    path: tuple[str, ...] = ()
    for line in lines:
        kind = line.value.upper()
        if line.name == "END":
            if kind in path:
                path = path[: len(path) - 1 - path[::-1].index(kind)]
            continue
        if line.name == "BEGIN":
            path = _within(path, kind)
        yield path, line
    if "VEVENT" in path:
        raise Unreadable("the calendar ends in the middle of an event")


def well_placed(lines: Iterable[Line]) -> Iterator[tuple[tuple[str, ...], Line]]:
    """As `placed`, for whoever must not miss anything: each component has its END, and each END its component."""
    path: tuple[str, ...] = ()
    for line in lines:
        kind = line.value.upper()
        if line.name == "END":
            if path[-1:] != (kind,):
                raise Unreadable("a component ends that did not begin, or another one does not end")
            path = path[:-1]
            continue
        if line.name == "BEGIN":
            path = _within(path, kind)
        yield path, line
    if path:
        raise Unreadable("the calendar ends in the middle of a component")


def _within(path: tuple[str, ...], kind: str) -> tuple[str, ...]:
    if len(path) == MAX_DEPTH:
        raise Unreadable("nested too deep")
    return (*path, kind)
