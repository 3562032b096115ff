"""The commands about changes of law: `zones check` and `holidays check`. What they print is English, or JSON."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from scheduler import installation, laws, representations, suggestions
from scheduler.core.cities import Directory
from scheduler.core.laws import Finding
from scheduler.desk import Desk
from scheduler.laws import Outcome
from scheduler.mail import law


def zones(given: argparse.Namespace) -> int:
    """With `--apply`, as the operator: what it could not be done to is told, and the exit status is 1."""
    desk = installation.open_desk(given)
    found = [f for f in laws.check(desk) if f.is_of_time]
    outcome = laws.approve_all(desk, None, given.apply) if given.apply else Outcome(())
    _print(given, desk, found, outcome)
    for meeting_id, error in outcome.left:
        print(f"scheduler: meeting {meeting_id}: {representations.one_line(error, 'en')}", file=sys.stderr)
    return 1 if outcome.left else 0


def holidays(given: argparse.Namespace) -> int:
    desk = installation.open_desk(given)
    _print(given, desk, [f for f in laws.check(desk) if f.closures], Outcome(()))
    return 0


def _print(given: argparse.Namespace, desk: Desk, found: Sequence[Finding], outcome: Outcome) -> None:
    directory = desk.directory()
    if given.json:
        body = {
            "meetings": [_represent(f, directory) for f in found],
            "applied": list(outcome.done),
            "data": suggestions.data_versions(),
        }
        print(json.dumps(body, ensure_ascii=False, indent=2))
        return
    for f in found:
        print(f"{f.meeting.id}  {law.agreed(f.meeting, directory, 'en')}  {f.meeting.title.read_in('en')}")
        for line in law.lines(f, directory, "en"):
            print(f"    {line}")
    if outcome.done:
        print(f"{given.apply}: {', '.join(map(str, outcome.done))}")


def _represent(found: Finding, directory: Directory) -> dict[str, Any]:
    meeting = found.meeting
    return {
        "id": meeting.id,
        "title": meeting.title.read_in("en"),
        "host": meeting.host,
        "zone": meeting.zone,
        "wall": meeting.wall.isoformat(timespec="minutes"),
        "start": representations.utc(meeting.start),
        "meaning": found.meaning,
        "choices": [representations.utc(instant) for instant in found.instants],
        "local": {
            s.city: {
                name: wall.isoformat(timespec="minutes") for name, wall in (("before", s.before), ("after", s.after))
            }
            for s in found.shifts
        },
        "closures": [
            {"city": slug, "date": c.day.isoformat(), "kind": c.kind, "name": c.name.read_in("en")}
            for slug, c in found.closures
        ],
        "says": list(law.lines(found, directory, "en")),
    }
