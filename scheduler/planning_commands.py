"""The commands that look hours up and export calendars. What they print is English, or JSON."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any

from scheduler import bodies, exports, installation, representations, suggestions


def slots(given: argparse.Namespace) -> int:
    desk = installation.open_desk(given)
    asked = {
        "cities": list(given.cities),
        "from": given.since.isoformat(),
        "to": given.until.isoformat(),
        "duration_minutes": given.duration,
        "limit": given.limit,
        "people": list(given.people),
        "optional": list(given.optional),
    }
    found = suggestions.suggest(desk, bodies.as_wanted(bodies.read(bodies.SlotsBody, asked)))
    body = representations.represent_suggestions(found, desk.directory(), "en", suggestions.data_versions())
    print(json.dumps(body, ensure_ascii=False, indent=2) if given.json else "\n".join(_slot_lines(body)))
    return 0


def _slot_lines(body: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    for slot in body["slots"]:
        local = [f"{slug} {text[:16].replace('T', ' ')}" for slug, text in slot["local"].items()]
        cost = [f"cost {slot['cost']}"] if slot["cost"] else []
        yield "  ".join([slot["start"], *local, *cost, *slot["hints"], *(f"without {who}" for who in slot["absent"])])
    for excluded in body["excluded"]:
        yield f"{excluded['date']}  {excluded['reason']}  {excluded['city'] or '-'}  {excluded['name']}"
    for given in body["compromises"]:
        what = [str(given[key]) for key in ("city", "person", "minutes", "days") if given[key]]
        yield f"{given['kind']} {' '.join(what)}: {given['slots']} slots from {given['first']}"
    yield from map(_unknown_line, body["unknown"])


def _unknown_line(unknown: dict[str, Any]) -> str:
    read = f"last read {unknown['known_at']}" if unknown["known_at"] else "never read"
    return f"unknown  {unknown['city']}  {unknown['person'] or '-'}  calendar {read}, may be busy"


def export(given: argparse.Namespace) -> int:
    desk = installation.open_desk(given)
    if given.meeting:
        content = exports.meeting_ics(desk, None, given.meeting)
    else:
        content = exports.calendar_ics(desk, None, given.city or "", given.field or "")
    if given.file:
        given.file.write_bytes(content)
    else:
        sys.stdout.buffer.write(content)
    return 0
