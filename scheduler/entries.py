"""Every meeting as a calendar entry, ready for the feeds: written when the meeting changes, in that transaction.

An entry is a pure function of the stored meeting and of what `maker` names: the program, its translations, the tz
database, and the few settings that stand in a calendar. An entry of another maker is as good as none; the feeds then
write it for themselves, and `complete` stores it anew, after an update of the program or the configuration. (Names of
cities, fields and rooms are read too; whoever makes them changeable must have `complete` write the entries again.)

A confidential meeting is an hour without words, in every feed: an address can be passed on, and many a calendar
program fetches through the servers of its maker. Its title and agenda are in the invitation of those who are invited.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from importlib import metadata

from scheduler import paths
from scheduler.core import zones
from scheduler.core.cities import Directory
from scheduler.core.meeting import Meeting
from scheduler.core.words import LANGUAGES
from scheduler.db import directory as cities
from scheduler.db import feeds, meetings
from scheduler.db.direct import Rows
from scheduler.db.engine import Connection
from scheduler.desk import Desk
from scheduler.ics import entries as ics
from scheduler.ics.entries import Entry
from scheduler.mail.entry import calendar_text

_LIBRARIES = ("babel", "icalendar")


@dataclass(frozen=True, slots=True)
class Change:
    """What a change of a meeting means to the calendars: its entry as it is now, and the cities that must see it."""

    meeting_id: int
    entry: Entry
    maker: str
    cities: frozenset[str]


def change(desk: Desk, directory: Directory, after: Meeting, before: Meeting) -> Change | None:
    """None when nothing has changed that a calendar shows: an answer is nobody else's business."""
    if _shown(before) == _shown(after):
        return None
    return Change(after.id, entry(desk, directory, after), maker(desk), frozenset(after.cities + before.cities))


def save(db: Connection, change: Change | None, now: datetime) -> None:
    """In the transaction of the change."""
    if change:
        feeds.put_entries(db, change.meeting_id, change.entry.zone, change.maker, change.entry.contents)
        feeds.stamp(db, change.cities, now)


def add(rows: Rows, desk: Desk, directory: Directory, meeting: Meeting) -> None:
    """The entry of a new meeting, whose cities' feeds get their stamp in the transaction that writes the rows."""
    made = entry(desk, directory, meeting)
    feeds.add_entries(rows, meeting.id, made.zone, maker(desk), made.contents)


def entry(desk: Desk, directory: Directory, meeting: Meeting, languages: Iterable[str] = LANGUAGES) -> Entry:
    mail = desk.settings.mail
    url = f"{desk.settings.server.base_url}/meetings/{meeting.id}"
    texts = {
        language: calendar_text(meeting, directory, language, url, busy=meeting.confidential) for language in languages
    }
    return ics.entry(meeting, texts, mail.from_address, mail.from_name)


def complete(desk: Desk, *, limit: int) -> int:
    """Writes the entries of up to `limit` meetings that have none of this maker; says how many it looked at."""
    with desk.store.read() as db:
        directory = cities.load(db)
        found = meetings.load_many(db, meetings.with_ids(feeds.without_entries(db, maker(desk), limit)))
    if not found:
        return 0
    made = [(meeting, entry(desk, directory, meeting)) for meeting in found]
    with desk.store.write() as db:
        now = {m.id: m for m in meetings.load_many(db, meetings.with_ids([meeting.id for meeting in found]))}
        for meeting, written in made:
            if now.get(meeting.id) == meeting:  # else whoever changed it has written it
                feeds.put_entries(db, meeting.id, written.zone, maker(desk), written.contents)
    return len(found)


def _shown(meeting: Meeting) -> tuple[Meeting, frozenset[str]]:
    """What feeds depend on: the meeting without its answers, and who is invited."""
    invited = frozenset(i.invitee.email_key for i in meeting.invitations if i.is_active)
    return replace(meeting, invitations=(), owner_id=0, known=""), invited


def maker(desk: Desk) -> str:
    """A name for all that entries depend on beside their meeting."""
    mail = desk.settings.mail
    return _maker(desk.settings.server.base_url, mail.from_address, mail.from_name)


@cache
def _maker(*settings: str) -> str:
    return hashlib.sha256(repr((settings, zones.tz_version(), _program())).encode()).hexdigest()[:16]


@cache
def _program() -> str:
    digest = hashlib.sha256(repr([metadata.version(name) for name in _LIBRARIES]).encode())
    for path in sorted(p for pattern in ("*.py", "*.toml") for p in paths.PACKAGE.rglob(pattern)):
        digest.update(path.read_bytes())
    return digest.hexdigest()
