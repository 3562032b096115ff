"""Changes of law about meetings to come: what was found, and what their coordinators decide.

Nothing is moved or mailed to partners by a finding. The coordinator approves the wall time (the default, because people
agreed on an hour of the day) or the instant, for one meeting or for all, or moves it; then everybody gets an update.
That a city is closed by then is acknowledged, or the meeting is moved or cancelled.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from scheduler import booking, public_holidays, rights
from scheduler.core import decisions, laws, zones
from scheduler.core.cities import City, Directory, Person
from scheduler.core.errors import Fault, Invalid, RoomTaken, SchedulerError
from scheduler.core.laws import Finding, PublicOf
from scheduler.core.meeting import Decision, Meeting
from scheduler.db import directory as cities
from scheduler.db import editions, law_notices, meetings, outbox
from scheduler.db.engine import Connection
from scheduler.db.outbox import Entry
from scheduler.desk import Desk
from scheduler.mail import compose
from scheduler.outgoing import Loaded, retrying, save

log = logging.getLogger(__name__)

WALL, INSTANT, CLOSED = "wall", "instant", "closed"  # what is kept: the hour, the moment, the day although it is closed
_PAGE = 500  # meetings looked at together
_LOOKED = "laws"
PUBLIC: PublicOf = public_holidays.of_year


# --- what changed


def undecided(meeting: Meeting, directory: Directory, now: datetime, public: PublicOf = PUBLIC) -> Finding | None:
    """The change of law about this meeting that waits for a decision."""
    return laws.find(meeting, directory, public) if laws.may_wait(meeting, now) else None


def findings(desk: Desk, actor: Person | None, public: PublicOf = PUBLIC) -> list[Finding]:
    """What changed about meetings to come that the person may edit, by start. Changes nothing."""
    now = desk.now()
    with desk.store.read() as db:
        directory = cities.load(db)
        ahead = [m for m in _ahead(db, actor, now) if rights.may_edit(actor, m)]
    return [found for meeting in ahead if (found := laws.find(meeting, directory, public))]


def check(desk: Desk, public: PublicOf = PUBLIC) -> list[Finding]:
    """The same of all meetings; those from before anything was kept about them have it kept from now on."""
    now, new = desk.now(), {}
    with desk.store.read() as db:
        directory = cities.load(db)
        for meeting in _ahead(db, None, now):
            if not meeting.known:
                new[meeting.id] = laws.known_before(meeting, _cities(meeting, directory), public)
    if new:
        with desk.store.write() as db:
            law_notices.fill_known(db, new)
    return findings(desk, None, public)


def _ahead(db: Connection, actor: Person | None, now: datetime) -> Iterator[Meeting]:
    """Confirmed meetings that have not begun, without their people."""
    after, last = (now, 2**62), _PAGE
    while last == _PAGE:
        query = meetings.find(cities=rights.cities_to_read(actor), statuses=("confirmed",), after=after, limit=_PAGE)
        page = meetings.load_many(db, query, invitations=False)
        yield from page
        last = len(page)
        after = (page[-1].start, page[-1].id) if page else after


def _cities(meeting: Meeting, directory: Directory) -> list[City]:
    return [directory.cities[slug] for slug in meeting.cities]


# --- what is decided


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of a decision about many: the meetings it was done to, and those where it could not be, with the reason."""

    done: tuple[int, ...]
    left: tuple[tuple[int, SchedulerError], ...] = ()


def approve_all(desk: Desk, actor: Person | None, keep: str, public: PublicOf = PUBLIC) -> Outcome:
    """As `approve`, of every meeting of theirs that it fits. What cannot be done to one keeps no other from it.

    Meetings that follow each other in a room make way for one another, so those whose room was taken are tried again
    as long as that moves any.
    """
    _must_be_known(keep)
    waiting = [found.meeting.id for found in findings(desk, actor, public) if _fits(found, keep)]
    done: list[int] = []
    left: dict[int, SchedulerError] = {}
    moving = True
    while moving:
        moving = False
        for meeting_id in waiting:
            left.pop(meeting_id, None)
            try:
                if approve(desk, actor, meeting_id, keep, public):
                    done.append(meeting_id)
                    moving = True
            except SchedulerError as error:
                left[meeting_id] = error
        waiting = [meeting_id for meeting_id, error in left.items() if isinstance(error, RoomTaken)]
    return Outcome(tuple(done), tuple(sorted(left.items())))


def approve(desk: Desk, actor: Person | None, meeting_id: int, keep: str, public: PublicOf = PUBLIC) -> Meeting | None:
    """The meeting with its wall time or its instant kept and everybody told, or (CLOSED) kept on the closed day.

    None, and nothing happens, where that is not to be decided, or not any more. Raises NotFound, Forbidden, RoomTaken,
    Conflict, and Invalid with the choices when its wall time no longer exists or exists twice.
    """
    _must_be_known(keep)

    def step() -> Meeting | None:
        before = booking.load_to_edit(desk, actor, meeting_id, None)
        decision = _decided(desk, before, keep, public)
        if decision is None:
            return None
        still_told = _still_told(desk, decision.meeting, before.directory, public)

        def also(db: Connection) -> None:
            booking.count_mails(db, desk, actor, decision)
            law_notices.note(db, {meeting_id: still_told}, {meeting_id: ""})

        return save(desk, before, decision, also)

    return retrying(step)


def _still_told(desk: Desk, after: Meeting, directory: Directory, public: PublicOf) -> str:
    """The mark of what the decision leaves open, if its coordinator has heard of that."""
    with desk.store.read() as db:
        told = law_notices.mark(db, after.id)
    return laws.still_told(told, after, directory, public)


def _must_be_known(keep: str) -> None:
    if keep not in (WALL, INSTANT, CLOSED):
        raise Invalid(Fault("/keep", "unknown-decision", {"decision": keep[:50]}))


def _fits(found: Finding, keep: str) -> bool:
    return bool(found.closures) if keep == CLOSED else found.is_of_time


def _decided(desk: Desk, before: Loaded, keep: str, public: PublicOf) -> Decision | None:
    meeting = before.meeting
    found = laws.find(meeting, before.directory, public) if meeting.status == "confirmed" else None
    if found is None or not _fits(found, keep):
        return None
    start, wall = meeting.start, meeting.wall
    if keep == WALL and found.meaning != laws.SAME:
        start = _moment_of_wall(found)
        if start <= desk.now():
            raise Invalid(Fault("/wall", "in-the-past"))
    elif keep == INSTANT:
        wall = zones.to_local(start, meeting.zone).replace(tzinfo=None)
    now = laws.known(start, meeting.duration_minutes, _cities(meeting, before.directory), public)
    if keep == CLOSED:
        return decisions.acknowledge(meeting, laws.knowing_closures(meeting.known, now), now=desk.now())
    return decisions.under_new_law(meeting, start, wall, laws.knowing_clocks(meeting.known, now), now=desk.now())


def _moment_of_wall(found: Finding) -> datetime:
    """What the wall time is by the rules of now; which of several moments it should be is never guessed."""
    meeting = found.meeting
    if found.meaning != laws.MOVED:
        values = {"wall": meeting.wall.isoformat(" ", "minutes"), "zone": meeting.zone}
        raise Invalid(Fault("/wall", "wall-not-kept", values), choices=found.instants)
    return found.instants[0]


# --- word to the coordinators


def watch_today(desk: Desk, public: PublicOf = PUBLIC) -> int:
    """As `watch`, unless that was done today with the same data: for whoever is started every few minutes."""
    with desk.store.read() as db:
        if editions.of(db, _LOOKED) == _look(desk):
            return 0
    return watch(desk, public)


def watch(desk: Desk, public: PublicOf = PUBLIC) -> int:
    """Tells each coordinator once of what was found about their meetings; says how many mails that makes."""
    look = _look(desk)
    found = {finding.meeting.id: finding for finding in check(desk, public)}
    with desk.store.read() as db:
        told = law_notices.marks(db)
        directory = cities.load(db)
        news = [f for f in found.values() if f.is_news(told.get(f.meeting.id, ""))]
        owners = {f.meeting.owner_id: cities.person(db, f.meeting.owner_id) for f in news}
    mails = _tell_all(desk, directory, owners, news, told)
    newly = {f.meeting.id for f in news}
    _forget(desk, {n: mark for n, mark in told.items() if n not in newly}, found)
    with desk.store.write() as db:
        editions.put(db, _LOOKED, look)
    return mails


def _look(desk: Desk) -> str:
    """A word for a look at the data of now on the day of now."""
    seen = (desk.now().date(), zones.tz_version(), public_holidays.data_version())
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:32]


def _forget(desk: Desk, told: Mapping[int, str], found: Mapping[int, Finding]) -> None:
    """Of what is over it is forgotten that it was told, so that it is told should it come again."""
    left = {n: found[n].still_told(mark) if n in found else "" for n, mark in told.items()}
    less = {n: mark for n, mark in left.items() if mark != told[n]}
    if less:
        with desk.store.write() as db:
            law_notices.note(db, less, {n: told[n] for n in less})


def _tell_all(
    desk: Desk, directory: Directory, owners: Mapping[int, Person | None], news: list[Finding], told: Mapping[int, str]
) -> int:
    mine = sorted(news, key=lambda f: f.meeting.owner_id)
    return sum(
        _tell(desk, directory, owner, list(group), told)
        for owner_id, group in groupby(mine, key=lambda f: f.meeting.owner_id)
        if (owner := owners[owner_id])
    )


def _tell(desk: Desk, directory: Directory, owner: Person, news: list[Finding], told: Mapping[int, str]) -> int:
    """One mail about `news`, unless somebody else has sent it meanwhile."""
    ordered = sorted(news, key=lambda f: f.meeting.start)
    mail = compose.law_mail(ordered, owner, directory, desk.sender, desk.new_message_id(), desk.now())
    entry = Entry("notice-law", mail.recipient, mail.envelope_from, mail.message_id, mail.content)
    with desk.store.write() as db:
        marks = {f.meeting.id: f.mark for f in ordered}
        if not law_notices.note(db, marks, {meeting_id: told.get(meeting_id, "") for meeting_id in marks}):
            return 0
        outbox.add(db, [entry], desk.now())
    log.info("changes of law: told of %s", len(ordered))
    return 1
