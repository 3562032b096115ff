"""Cities to ask about in tests, and a short way of asking."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from scheduler.core.calendars import Calendar
from scheduler.core.cities import City, Closure
from scheduler.core.search import Attendee
from scheduler.core.slots import busy_spans, closure_years, find_slots
from scheduler.core.words import Wording

FREE = ()
MINUTE = timedelta(minutes=1)


def weekdays(*intervals):
    return (intervals,) * 5 + (FREE, FREE)


def city(slug, zone, weekly, **more):
    return City(slug, Wording.of(slug), zone, "", "en", weekly, **more)


GWANGJIN = city("gwangjin", "Asia/Seoul", weekdays((540, 720), (780, 1080)))
ULAANBAATAR = city("ulaanbaatar", "Asia/Ulaanbaatar", weekdays((510, 750), (810, 1050)))
EREGLI = city("eregli", "Europe/Istanbul", weekdays((510, 750), (810, 1050)))
THREE = [GWANGJIN, ULAANBAATAR, EREGLI]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
WEDNESDAY = date(2027, 2, 10)


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def closed(slug, day, kind="holiday", start=0, name="Feast"):
    return {slug: {day: Closure(day, kind, Wording.of(name), start=start)}}


def busy(slug, *intervals, key="", **more):
    return Attendee(key or f"desk of {slug}", slug, busy=busy_spans(intervals), **more)


def find(cities=THREE, closures=None, since=WEDNESDAY, until=None, minutes=60, now=NOW, **more):
    until = until or since
    years = closure_years(since, until)
    calendars = [calendar(town, tuple((closures or {}).get(town.slug, {}).values()), years) for town in cities]
    return find_slots(calendars, since, until, minutes, now=now, **more)


@lru_cache(maxsize=256)  # many ask about the same city again
def calendar(town, closures, years):
    return Calendar.of(town, {closure.day: closure for closure in closures}, years)


def starts(found):
    return [slot.start.strftime("%H:%M") for slot in found.slots]
