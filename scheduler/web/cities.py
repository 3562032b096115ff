"""The cities as the scheduler knows them: clock, office hours, days off, rooms, people and partnerships."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby

from babel import Locale
from babel.dates import format_skeleton
from babel.numbers import format_decimal
from flask import Blueprint, render_template, request

from scheduler import i18n, meetings, office, public_holidays, rights
from scheduler.core import zones
from scheduler.core.cities import City, Minutes, Partnership, Season, WeeklyHours
from scheduler.core.errors import NotFound
from scheduler.core.office import WEEK, clock
from scheduler.web.reader import desk, directory, language, person

blueprint = Blueprint("cities", __name__)

AHEAD = timedelta(days=365)
DONE = ("hours",)


@dataclass(frozen=True, slots=True)
class DaysOff:
    """Days in a row that one entry closes, or one day of the data of holidays. `source` says where it comes from."""

    first: date
    last: date
    off: office.DayOff
    source: str


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
    city = _city(slug)
    now, days = days_off(city)
    known = directory()
    done = request.args.get("done", "")
    return render_template(
        "cities/show.html",
        city=city,
        now=now,
        done=done if done in DONE else "",
        may_keep=rights.may_host(person(), slug),
        profile=list(_profile(city)),
        office_week=_office_week(city),
        seasons=[(_season_span(season), _office_days(season.hours)) for season in city.seasons],
        days=days,
        until=now.date() + AHEAD,
        data_version=public_holidays.data_version(),
        rooms=[room for room in known.rooms.values() if room.city == slug],
        objectives=[objective for objective in known.objectives.values() if objective.city == slug],
        people=meetings.people(desk(), person(), slug),
        shows_addresses=person().city == slug or person().role == "operator",
        keeps_calendars=rights.may_keep_calendars(person(), slug, None),
        partners=_partners(city),
        offset=i18n.utc_offset,
    )


def kept(slug: str) -> City:
    """The city, if its hours and days off are the reader's to keep; raises NotFound or Forbidden."""
    city = _city(slug)
    rights.must_keep(person(), slug)
    return city


def days_off(city: City) -> tuple[datetime, list[DaysOff]]:
    """The time it is in the city, and its days off of the coming year."""
    now = _now_in(city)
    days = office.days_off(desk(), city, now.date(), now.date() + AHEAD)
    runs = [list(run) for _, run in groupby(days, key=lambda off: off.id or off.closure.day)]
    return now, [DaysOff(run[0].closure.day, run[-1].closure.day, run[0], _source(city, run[0])) for run in runs]


def _source(city: City, off: office.DayOff) -> str:
    entry = off.reopened or off.closure
    if not off.id:
        return i18n.text(language(), "office.source.data", version=" ".join(entry.source.split()[1:]))
    if entry.set_at is None:
        return i18n.text(language(), "office.source.city")
    day = i18n.full_date(language(), zones.to_local(entry.set_at, city.zone).date())
    if not entry.set_by:
        return i18n.text(language(), "office.source.operator", date=day)
    return i18n.text(language(), "office.source.person", name=entry.set_by, date=day)


def _city(slug: str) -> City:
    found = directory().cities.get(slug)
    if found is None:
        raise NotFound
    return found


def _now_in(city: City) -> datetime:
    return zones.to_local(desk().now(), city.zone)


def _office_week(city: City) -> list[tuple[str | list[str], ...]]:
    """Each weekday's name with the intervals of its office, stretch and preferred hours; Monday first."""
    names, weeks = i18n.weekdays(language()), (city.hours, city.stretch, city.preferred)
    return [(names[day], *([_interval(times) for times in week[day]] for week in weeks)) for day in WEEK]


def _season_span(season: Season) -> str:
    yearly = len(season.since) == len("07-01")
    days = [date.fromisoformat(f"2024-{day}" if yearly else day) for day in (season.since, season.until)]
    since, until = (i18n.plain_date(language(), day, yearly=yearly) for day in days)
    return i18n.text(language(), f"office.season.{'yearly' if yearly else 'once'}", since=since, until=until)


def _office_days(weekly: WeeklyHours) -> list[tuple[str, str]]:
    """The same in short: runs of open weekdays with equal hours, such as `Mon–Fri`."""
    names = i18n.weekdays(language(), "abbreviated")
    runs = [(times, [day for day, _ in run]) for times, run in groupby(enumerate(weekly), key=lambda day: day[1])]
    return [
        (names[days[0]] if len(days) == 1 else _span(names[days[0]], names[days[-1]]), _intervals(times))
        for times, days in runs
        if times
    ]


def _intervals(times: tuple[Minutes, ...]) -> str:
    return ", ".join(map(_interval, times))


def _interval(times: Minutes) -> str:
    return _span(*map(clock, times))


def _span(since: str, until: str) -> str:
    return i18n.text(language(), "words.interval", since=since, until=until)


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
