"""The cities as the scheduler knows them: clock, office hours, days off, rooms, people and partnerships. Read only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby

from babel import Locale
from babel.dates import format_skeleton, get_day_names
from babel.numbers import format_decimal
from flask import Blueprint, render_template

from scheduler import i18n, meetings, public_holidays, rights
from scheduler.core import hours, zones
from scheduler.core.cities import City, Closure, Minutes, Partnership
from scheduler.core.errors import NotFound
from scheduler.web.reader import desk, directory, language, person

blueprint = Blueprint("cities", __name__)

AHEAD = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Partner:
    """A partnership seen from one of its cities. `since` as precisely as it is known."""

    slug: str
    kind: str
    since: str
    fields: tuple[str, ...]


@blueprint.get("/cities")
def index() -> str:
    return render_template(
        "cities/index.html",
        cities=list(directory().cities.values()),
        now_in=_now_in,
        partners_of=_partners,
        office_days=_office_days,
        offset=i18n.utc_offset,
    )


@blueprint.get("/cities/<slug>")
def show(slug: str) -> str:
    city = directory().cities.get(slug)
    if city is None:
        raise NotFound
    now = _now_in(city)
    known = directory()
    return render_template(
        "cities/show.html",
        city=city,
        now=now,
        profile=list(_profile(city)),
        office_week=_office_week(city),
        closures=_closures(city, now.date()),
        until=now.date() + AHEAD,
        data_version=public_holidays.data_version(),
        rooms=[room for room in known.rooms.values() if room.city == slug],
        objectives=[objective for objective in known.objectives.values() if objective.city == slug],
        people=meetings.people(desk(), person(), slug),
        shows_addresses=person().city == slug or person().role == "operator",
        keeps_calendars=rights.may_keep_calendars(person(), slug, None),
        partners=_partners(city),
        at=_at,
        offset=i18n.utc_offset,
    )


def _now_in(city: City) -> datetime:
    return zones.to_local(desk().now(), city.zone)


def _office_week(city: City) -> list[tuple[str, str]]:
    """Each weekday's name with its intervals; Monday first; empty when closed."""
    names = get_day_names("wide", locale=language())
    return [(names[weekday], _intervals(day)) for weekday, day in enumerate(city.hours)]


def _office_days(city: City) -> list[tuple[str, str]]:
    """The same in short: runs of open weekdays with equal hours, such as `Mon–Fri`."""
    names = get_day_names("abbreviated", locale=language())
    runs = [(times, [day for day, _ in run]) for times, run in groupby(enumerate(city.hours), key=lambda day: day[1])]
    return [
        (names[days[0]] if len(days) == 1 else _span(names[days[0]], names[days[-1]]), _intervals(times))
        for times, days in runs
        if times
    ]


def _intervals(times: tuple[Minutes, ...]) -> str:
    return ", ".join(_span(_at(start), _at(end)) for start, end in times)


def _span(since: str, until: str) -> str:
    return i18n.text(language(), "words.interval", since=since, until=until)


def _at(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _closures(city: City, today: date) -> list[Closure]:
    public = public_holidays.closures(city.country, {today.year, (today + AHEAD).year})
    closed = hours.closed_days(city, public)
    return [closed[day] for day in sorted(closed) if today <= day <= today + AHEAD]


def _partners(city: City) -> list[Partner]:
    return [_partner(city, bond) for bond in directory().partnerships if city.slug in bond.cities]


def _partner(city: City, bond: Partnership) -> Partner:
    other = next(slug for slug in bond.cities if slug != city.slug)
    fields = tuple(directory().field_name(code, language()) for code in bond.fields)
    return Partner(other, bond.kind, _known_date(bond.since), fields)


def _known_date(text: str) -> str:
    """`2001`, `2001-11` or `2001-11-05` in words, no more precise than it is."""
    if len(text) == len("2001-11-05"):
        return i18n.full_date(language(), date.fromisoformat(text))
    if len(text) == len("2001-11"):
        return format_skeleton("yMMMM", date.fromisoformat(f"{text}-01"), locale=language())
    return text


def _profile(city: City) -> Iterator[tuple[str, str]]:
    """The facts we have a name for, each with its value as the reader writes numbers and countries."""
    for key, value in city.profile.items():
        if i18n.has(language(), f"pages.cities.profile.{key}"):
            yield i18n.text(language(), f"pages.cities.profile.{key}"), _fact(key, value)


def _fact(key: str, value: object) -> str:
    if isinstance(value, int | float) and not key.endswith("_year"):  # a year is written without thousands
        return str(format_decimal(value, locale=language()))
    if isinstance(value, list | tuple):
        territories = Locale.parse(language()).territories
        return ", ".join(territories.get(str(code), str(code)) for code in value)
    return str(value)
