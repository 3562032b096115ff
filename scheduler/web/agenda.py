"""The first page: what lies ahead, day by day on the reader's own clock, and before it what needs attention."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

from flask import Blueprint, render_template, request

from scheduler import meetings
from scheduler.core.cities import Person
from scheduler.core.meeting import STATUSES, Meeting
from scheduler.web.choices import city_options, field_options
from scheduler.web.clocks import day_in
from scheduler.web.forms import Form
from scheduler.web.reader import desk, person

blueprint = Blueprint("agenda", __name__)

SOON = timedelta(days=7)
# What can be looked at instead of the confirmed meetings to come, and the status it stands for.
VIEWS = {"past": "held", "cancelled": "cancelled"}


@dataclass(frozen=True, slots=True)
class Day:
    day: date
    meetings: tuple[Meeting, ...]


@blueprint.get("/")
def show() -> str:
    view = request.args.get("show", "")
    listing = meetings.listing(desk(), person(), _wanted(view))
    attention = meetings.attention(desk(), person(), listing.meetings)
    troubled = [(m, attention.unreachable[m.id]) for m in listing.meetings if attention.unreachable.get(m.id)]
    return render_template(
        "agenda.html",
        days=_by_day(listing.meetings, person()),
        view=view if view in VIEWS else "",
        next=listing.next,
        now=desk().now(),
        form=Form(request.args),
        cities=city_options(),
        fields=field_options(),
        reviews=attention.reviews,
        laws=attention.laws,
        troubles=troubled,
        waiting=_waiting_soon(listing.meetings),
        counts=_counts,
    )


def _wanted(view: str) -> meetings.Filter:
    return meetings.Filter(
        city=request.args.get("city", ""),
        field=request.args.get("field", ""),
        status=VIEWS.get(view, "confirmed"),
        cursor=request.args.get("cursor", ""),
        latest_first=view in VIEWS,
    )


def _by_day(found: Iterable[Meeting], reader: Person) -> list[Day]:
    return [
        Day(day, tuple(group)) for day, group in groupby(found, key=lambda meeting: day_in(meeting.start, reader.city))
    ]


def _waiting_soon(upcoming: Iterable[Meeting]) -> list[tuple[Meeting, int]]:
    """Meetings of the coming days on which somebody has not answered yet, with how many."""
    soon = desk().now() + SOON
    counted = [(m, sum(i.status == "waiting" for i in m.people)) for m in upcoming if m.start < soon]
    return [(meeting, waiting) for meeting, waiting in counted if waiting]


def _counts(meeting: Meeting) -> list[tuple[str, int]]:
    answers = [invitation.status for invitation in meeting.people]
    return [(status, answers.count(status)) for status in STATUSES if status in answers]
