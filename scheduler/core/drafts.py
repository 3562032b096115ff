"""The check of a draft: everything that cannot be meant is told at once, each fault at its place of the input."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import urlsplit

from email_validator import EmailNotValidError, validate_email

from scheduler.core import zones
from scheduler.core.cities import Directory
from scheduler.core.errors import Fault, Invalid
from scheduler.core.meeting import ROLES, Draft, Invitee, Meeting
from scheduler.core.words import LANGUAGES, UNDETERMINED, Wording, clean_line, email_key

TITLE_LIMIT = 200
AGENDA_LIMIT = 8000
NAME_LIMIT = 100
URL_LIMIT = 1000
SHORTEST, LONGEST = 5, 24 * 60  # minutes


@dataclass(frozen=True, slots=True)
class Checked:
    """A draft without faults, its time resolved: `start` is the instant of `draft.wall` in `draft.zone`.

    `known` is what is true of its cities at that time (see `laws`); empty: nobody asked.
    """

    draft: Draft
    start: datetime
    known: str = ""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the check needs to know beside the directory. `own_address` is the address that invitations come from."""

    now: datetime
    own_address: str
    people_limit: int = 100
    current: Meeting | None = None  # on an edit: its wall time, left alone, keeps its instant whatever zones say now


def check(draft: Draft, directory: Directory, bounds: Bounds) -> Checked:
    """The draft, normalised (host first, names cleaned), with its instant; raises Invalid with every fault."""
    draft = _normal(draft)
    faults = [*_text_faults(draft), *_subject_faults(draft, directory), *_city_faults(draft, directory)]
    faults += [*_people_faults(draft, bounds), *_place_faults(draft, directory)]
    choices: tuple[datetime, ...] = ()
    resolved: tuple[datetime, datetime, str] | None = None
    try:
        resolved = _resolve_time(draft, directory, bounds)
    except Invalid as error:
        faults += error.faults
        choices = error.choices
    if faults or resolved is None:
        raise Invalid(*faults, choices=choices)
    start, wall, zone = resolved
    return Checked(replace(draft, start=None, wall=wall, zone=zone), start)


def _normal(draft: Draft) -> Draft:
    cities = tuple(dict.fromkeys([draft.host, *draft.cities]))
    people = tuple(replace(p, name=clean_line(p.name), email=ascii_address(p.email.strip())) for p in draft.people)
    return replace(draft, cities=cities, people=people, video_url=draft.video_url.strip())


def _text_faults(draft: Draft) -> Iterator[Fault]:
    if not draft.title:
        yield Fault("/title", "required")
    for pointer, wording, limit in (("/title", draft.title, TITLE_LIMIT), ("/agenda", draft.agenda, AGENDA_LIMIT)):
        yield from wording_faults(pointer, wording, limit)
    if not SHORTEST <= draft.duration_minutes <= LONGEST:
        yield Fault("/duration_minutes", "duration-range", {"least": SHORTEST, "most": LONGEST})


def wording_faults(pointer: str, wording: Wording, limit: int) -> Iterator[Fault]:
    for language, text in wording.texts:
        at = pointer if language == UNDETERMINED else f"{pointer}/{language}"
        if language not in (*LANGUAGES, UNDETERMINED):
            yield Fault(at, "unknown-language", {"language": language})
        if len(text) > limit:
            yield Fault(at, "too-long", {"limit": limit})


def _subject_faults(draft: Draft, directory: Directory) -> Iterator[Fault]:
    entry = directory.fields.get(draft.field)
    if not draft.field:
        yield Fault("/field", "required")
    elif entry is None:
        yield Fault("/field", "unknown-field", {"field": draft.field})
    elif draft.topic and draft.topic not in {t.code for t in entry.topics}:
        yield Fault("/topic", "unknown-topic", {"topic": draft.topic})
    if draft.objective and draft.objective not in directory.objectives:
        yield Fault("/objective", "unknown-objective", {"objective": draft.objective})


def _city_faults(draft: Draft, directory: Directory) -> Iterator[Fault]:
    if draft.host not in directory.cities:
        yield Fault("/host", "unknown-city", {"city": draft.host})
    for index, slug in enumerate(c for c in draft.cities if c != draft.host):
        if slug not in directory.cities:
            yield Fault(f"/cities/{index}", "unknown-city", {"city": slug})


def _people_faults(draft: Draft, bounds: Bounds) -> Iterator[Fault]:
    if len(draft.people) > bounds.people_limit:
        yield Fault("/people", "too-many-people", {"limit": bounds.people_limit})
        return
    seen: set[str] = set()
    for index, person in enumerate(draft.people):
        for key, fault, values in _person_faults(person, draft.cities, bounds.own_address):
            yield Fault(f"/people/{index}/{key}", fault, values)
        if person.email_key in seen:
            yield Fault(f"/people/{index}/email", "duplicate-email", {"email": person.email})
        seen.add(person.email_key)


def _person_faults(person: Invitee, cities: Iterable[str], own: str) -> Iterator[tuple[str, str, dict[str, str | int]]]:
    yield from name_faults(person.name)
    yield from email_faults(person.email, own)
    if person.city not in cities:
        yield "city", "person-of-other-city", {"name": person.name, "city": person.city}
    if person.language not in LANGUAGES:
        yield "language", "unknown-language", {"language": person.language}
    if person.role not in ROLES:
        yield "role", "unknown-role", {"role": person.role}


def name_faults(name: str) -> Iterator[tuple[str, str, dict[str, str | int]]]:
    """Faults of a person's display name: (key, error, values). It must not be usable to advertise in our mail."""
    if not name:
        yield "name", "required", {}
    if len(name) > NAME_LIMIT:
        yield "name", "too-long", {"limit": NAME_LIMIT}
    if re.search(r"://|www\.", name, re.IGNORECASE):
        yield "name", "url-in-name", {}


def email_faults(email: str, own_address: str = "") -> Iterator[tuple[str, str, dict[str, str | int]]]:
    """Faults of an address: syntax (email-validator, no DNS), and that it is none of our own."""
    if not email:
        yield "email", "required", {}
        return
    try:
        if "=?" in email:  # would be read as an encoded word in a header (RFC 2047)
            raise EmailNotValidError
        if _ascii_email(email) is None:
            yield "email", "email-not-ascii", {"email": email[:100]}
            return
    except EmailNotValidError:
        yield "email", "bad-email", {"email": email[:100]}
        return
    local, _, domain = email_key(email).rpartition("@")
    if own_address and f"{local.partition('+')[0]}@{domain}" == email_key(own_address):
        yield "email", "cannot-invite-organizer", {"email": email}


def ascii_address(email: str) -> str:
    """The address with its domain as an A-label (RFC 5890), the local part as typed; unusable input as it is."""
    try:
        return _ascii_email(email) or email
    except EmailNotValidError:
        return email


@lru_cache(maxsize=4096)
def _ascii_email(email: str) -> str | None:
    """The address as ASCII, None when it has no such form. Raises EmailNotValidError."""
    return validate_email(email, check_deliverability=False).ascii_email


def _place_faults(draft: Draft, directory: Directory) -> Iterator[Fault]:
    room = directory.rooms.get(draft.room)
    if draft.room and room is None:
        yield Fault("/room", "unknown-room", {"room": draft.room})
    elif room and room.city not in draft.cities:
        yield Fault("/room", "room-of-other-city", {"room": draft.room})
    if draft.video_url and not is_web_address(draft.video_url):
        yield Fault("/video_url", "bad-url")


def is_web_address(url: str) -> bool:
    """Whether `url` is an http(s) address with a host, of printable characters without spaces, at most 1000."""
    return len(url) <= URL_LIMIT and _is_web_address(url)  # what is asked further is kept


@lru_cache(maxsize=1024)  # every mail about a meeting asks again
def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    printable = url.isprintable() and not re.search(r"[\s<>\"\\]", url)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and printable


def _resolve_time(draft: Draft, directory: Directory, bounds: Bounds) -> tuple[datetime, datetime, str]:
    """Instant, wall time and zone; raises Invalid."""
    zone = _zone_of_record(draft, directory)
    current = bounds.current
    if current and draft.start is None and (draft.wall, zone) == (current.wall, current.zone):
        return current.start, current.wall, current.zone
    if draft.start and draft.wall:
        raise Invalid(Fault("/start", "start-and-wall"))
    if draft.start:
        start, pointer = draft.start.astimezone(UTC), "/start"
    elif draft.wall:
        start, pointer = zones.to_instant(draft.wall, zone), "/wall"
    else:
        raise Invalid(Fault("/start", "start-missing"))
    if start.second or start.microsecond:
        raise Invalid(Fault(pointer, "whole-minutes"))
    if start <= bounds.now:
        raise Invalid(Fault(pointer, "in-the-past"))
    if start > bounds.now + zones.HORIZON:
        raise Invalid(Fault(pointer, "too-far-ahead"))
    wall = draft.wall or zones.to_local(start, zone).replace(tzinfo=None)
    return start, wall, zone


def _zone_of_record(draft: Draft, directory: Directory) -> str:
    host = directory.cities.get(draft.host)
    zone = draft.zone or (host.zone if host else "UTC")
    if draft.zone and not zones.is_zone(zone):
        raise Invalid(Fault("/zone", "unknown-zone", {"zone": zone}))
    if draft.zone and zone not in {directory.cities[c].zone for c in draft.cities if c in directory.cities}:
        raise Invalid(Fault("/zone", "zone-not-participating", {"zone": zone}))
    return zone
