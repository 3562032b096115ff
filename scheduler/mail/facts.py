"""What a mail says about a meeting, in the words and on the clocks of its reader.

Every participating city stands there with its own date, because the date can differ; the reader's own city comes
first. People are named by city, never with their addresses: those belong to the coordinator.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import lru_cache

from scheduler import i18n
from scheduler.core import laws, zones
from scheduler.core.cities import City, Directory
from scheduler.core.drafts import is_web_address
from scheduler.core.meeting import Invitation, Meeting, Message
from scheduler.core.words import LANGUAGES

_HOST = re.compile(r"@[\w.-]+")


@dataclass(frozen=True, slots=True)
class Clock:
    """The meeting's time in one city. `times` is a 24-hour interval such as `14:30–15:30`."""

    city: str
    date: str
    times: str
    offset: str
    zone: str


@dataclass(frozen=True, slots=True)
class Party:
    """The people of one city, each with a word on their role where it is a special one."""

    city: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """Something that is now different. Long texts stand without `before` and `after`: the mail shows them below."""

    what: str  # a key of mail.change
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """A meeting in the words of one reader; empty texts are left out of the mail."""

    title: str
    host: str
    field: str
    topic: str
    agenda: str
    duration: str
    join_url: str
    room: str
    clocks: tuple[Clock, ...]

    @property
    def subject(self) -> str:
        """Field and topic in one line."""
        return " – ".join(text for text in (self.field, self.topic) if text)


def known_language(language: str) -> str:
    return language if language in LANGUAGES else i18n.DEFAULT_LANGUAGE


def facts(meeting: Meeting, directory: Directory, language: str, city: str = "", *, as_told: bool = False) -> Facts:
    """`city` is the reader's own, which comes first. `as_told`: see `clocks`."""
    return Facts(
        title=meeting.title.read_in(language),
        host=directory.city_name(meeting.host, language),
        field=directory.field_name(meeting.field, language),
        topic=directory.topic_name(meeting.field, meeting.topic, language) if meeting.topic else "",
        agenda=meeting.agenda.read_in(language),
        duration=duration(meeting.duration_minutes, language),
        join_url=join_url(meeting),
        room=room_name(meeting, directory, language),
        clocks=clocks(meeting, directory, language, city, as_told=as_told),
    )


def clocks(
    meeting: Meeting, directory: Directory, language: str, city: str = "", *, as_told: bool = False
) -> tuple[Clock, ...]:
    """`as_told`: by the rules of time of then, which is how people know the meeting."""
    order = dict.fromkeys([*([city] if city else []), *meeting.cities])
    found = [directory.cities[slug] for slug in order if slug in directory.cities]
    walls = [laws.wall_known(meeting, c.slug) if as_told else None for c in found]
    start, end = meeting.start, meeting.end
    return tuple(
        _clock(start, end, c.zone, c.name.read_in(language), language, wall)
        for c, wall in zip(found, walls, strict=True)
    )


@lru_cache(maxsize=4096)  # everybody who reads the same language reads the same clocks
def _clock(start: datetime, end: datetime, zone: str, city: str, language: str, wall: datetime | None) -> Clock:
    since, until = zones.to_local(start, zone), zones.to_local(end, zone)
    offset = zones.offset_at(start, zone)
    if wall and wall != since.replace(tzinfo=None):
        offset = wall - start.replace(tzinfo=None)
        since, until = (moment.astimezone(timezone(offset)) for moment in (start, end))
    return Clock(
        city=city,
        date=i18n.full_date(language, since.date()),
        times=interval(since, until, language),
        offset=i18n.utc_offset(offset),
        zone=zone,
    )


def interval(start: datetime, end: datetime, language: str) -> str:
    """The clocks of two local moments, with the date of the second where it is another."""
    since, until = i18n.clock(start), i18n.clock(end)
    if start.date() == end.date():
        return i18n.text(language, "words.interval", since=since, until=until)
    date = i18n.short_date(language, end.date())
    return i18n.text(language, "words.interval_over_midnight", since=since, until=until, date=date)


def when(moment: datetime, city: City, language: str, *, year: bool = False, wall: datetime | None = None) -> str:
    """A moment in one line: date, clock, and the city whose clock it is. `wall`: what that clock was said to show."""
    local = wall or zones.to_local(moment, city.zone)
    date = (i18n.full_date if year else i18n.short_date)(language, local.date())
    return i18n.text(language, "mail.when", date=date, time=i18n.clock(local), city=city.name.read_in(language))


@lru_cache(maxsize=1024)
def duration(minutes: int, language: str) -> str:
    hours, rest = divmod(minutes, 60)
    units = [("hours", hours), ("minutes", rest)]
    return " ".join(i18n.text(language, f"words.duration.{unit}", n=n) for unit, n in units if n)


def join_url(meeting: Meeting) -> str:
    return meeting.video_url if is_web_address(meeting.video_url) else ""


def room_name(meeting: Meeting, directory: Directory, language: str) -> str:
    """The room with its city, unless the name begins with it (by its stem: Mongolian inflects it there)."""
    room = directory.rooms.get(meeting.room)
    if room is None:
        return ""
    name, city = room.name.read_in(language), directory.city_name(room.city, language)
    return name if name.casefold().startswith(city[:5].casefold()) else f"{name} ({city})"


def parties(meeting: Meeting, directory: Directory, language: str) -> tuple[Party, ...]:
    """Everybody who takes part, by city in the order of the meeting's cities."""
    people = [i for i in meeting.invitations if i.is_active]
    found = ((slug, tuple(_named(i, language) for i in people if i.invitee.city == slug)) for slug in meeting.cities)
    return tuple(Party(directory.city_name(slug, language), names) for slug, names in found if names)


def _named(invitation: Invitation, language: str) -> str:
    # Whoever types an address as a name would otherwise show it to everybody.
    name = _HOST.sub("", invitation.invitee.name)
    role = invitation.invitee.role
    return name if role == "required" else f"{name} ({i18n.text(language, f'words.role.{role}')})"


def changes(message: Message, directory: Directory, language: str) -> tuple[Change, ...]:
    """What is different from the meeting that this person knew, in the order in which they should hear it."""
    if message.previous is None:
        return ()
    was, now = message.previous, message.meeting
    shown = [
        Change("duration", duration(was.duration_minutes, language), duration(now.duration_minutes, language)),
        Change("link", join_url(was), join_url(now)),
        Change("room", room_name(was, directory, language), room_name(now, directory, language)),
        Change("title", was.title.read_in(language), now.title.read_in(language)),
        Change("subject", *(facts(m, directory, language).subject for m in (was, now))),
        Change("cities", *(_city_list(m.cities, directory, language) for m in (was, now))),
    ]
    found = [change for change in shown if change.before != change.after]
    if was.agenda.read_in(language) != now.agenda.read_in(language):
        found.append(Change("agenda"))
    return (*found, *_own_changes(message, language))


def _own_changes(message: Message, language: str) -> Iterator[Change]:
    """What changed about the reader: their role, or the name under which they are invited."""
    now = message.invitation
    was = next((i for i in message.previous.invitations if i.id == now.id), now) if message.previous else now
    if was.invitee.role != now.invitee.role:
        yield Change("role", *(i18n.text(language, f"words.role.{i.invitee.role}") for i in (was, now)))
    if was.invitee.name != now.invitee.name:
        yield Change("name", was.invitee.name, now.invitee.name)


def _city_list(slugs: Iterable[str], directory: Directory, language: str) -> str:
    return ", ".join(directory.city_name(slug, language) for slug in slugs)
