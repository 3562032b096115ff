"""Meetings with their invitations and answers: rows <-> core values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BindParameter, Connection, Select, and_, bindparam, delete, exists, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from scheduler.core import laws
from scheduler.core.cities import Directory
from scheduler.core.drafts import LONGEST
from scheduler.core.errors import RoomTaken
from scheduler.core.itip import Answer
from scheduler.core.meeting import Invitation, Invitee, Meeting
from scheduler.core.words import Wording
from scheduler.db import tables as t
from scheduler.db.direct import Rows, adding


class Overtaken(Exception):
    """The meeting is no longer as it was read: read again, decide again."""


_LONGEST = timedelta(minutes=LONGEST)
_FIRST = datetime(2, 1, 1, tzinfo=UTC)  # so that a day before it there is one

HashesOf = Callable[[Invitation], tuple[str, str]]  # hashes of its reply token and its link token


# --- reading


def load(db: Connection, meeting_id: int) -> Meeting | None:
    found = load_many(db, select(t.meetings).where(t.meetings.c.id == meeting_id))
    return found[0] if found else None


def load_by_uid(db: Connection, uid: str) -> Meeting | None:
    found = load_many(db, select(t.meetings).where(t.meetings.c.uid == uid))
    return found[0] if found else None


def load_by_token(db: Connection, *, reply_hash: str = "", link_hash: str = "") -> tuple[Meeting, Invitation] | None:
    """The meeting and the invitation that a token belongs to, removed persons included."""
    column, value = (t.invitations.c.reply_hash, reply_hash) if reply_hash else (t.invitations.c.link_hash, link_hash)
    row = db.execute(select(t.invitations.c.id, t.invitations.c.meeting_id).where(column == value)).one_or_none()
    meeting = load(db, row.meeting_id) if row else None
    if row is None or meeting is None:
        return None
    return meeting, next(i for i in meeting.invitations if i.id == row.id)


def newest_invitation(db: Connection) -> tuple[Invitation, str] | None:
    """Any invitation there is, with the hash of its link token."""
    i = t.invitations.c
    row = db.execute(select(i.meeting_id, i.id, i.link_hash).order_by(i.meeting_id.desc()).limit(1)).one_or_none()
    if row is None:
        return None
    return next((x, row.link_hash) for m in _invitations(db, [row.meeting_id]).values() for x in m if x.id == row.id)


def owned_by(db: Connection, person_id: int) -> list[int]:
    """The meetings that the person coordinates."""
    query = select(t.meetings.c.id).where(t.meetings.c.owner_id == person_id)
    return list(db.scalars(query.order_by(t.meetings.c.starts)))


def load_many(db: Connection, query: Select[Any], *, invitations: bool = True) -> list[Meeting]:
    """The meetings that `query` (a select of t.meetings) finds, in its order, in four statements.

    Without `invitations` they lack them and cost half the statements; such a meeting is only to be read.
    """
    rows = db.execute(query).all()
    ids = [row.id for row in rows]
    cities, people = _cities(db, ids), _invitations(db, ids) if invitations else {}
    return [_meeting(row, cities.get(row.id, ()), people.get(row.id, ())) for row in rows]


def find(
    *,
    cities: Sequence[str] = (),
    city: str = "",
    field: str = "",
    statuses: Sequence[str] = (),
    ends_after: datetime | None = None,
    ends_by: datetime | None = None,
    starts_before: datetime | None = None,
    after: tuple[datetime, int] | None = None,
    latest_first: bool = False,
    limit: int | None = None,
) -> Select[Any]:
    """The query of meetings in which one of `cities` takes part (empty: any), filtered, by start and id."""
    m = t.meetings.c
    query = select(t.meetings)
    if cities:
        query = query.where(_takes_part(t.participations.c.city.in_(cities)))
    if city:
        query = query.where(_takes_part(t.participations.c.city == city))
    if field:
        query = query.where(m.field == field)
    if statuses:
        query = query.where(m.status.in_(statuses))
    if ends_after:  # the bound of the start is implied; with it, the index by start leads to the first one
        query = query.where(m.ends > ends_after, m.starts > max(ends_after, _FIRST) - _LONGEST)
    if ends_by:
        query = query.where(m.ends <= ends_by, m.starts < ends_by)
    if starts_before:
        query = query.where(m.starts < starts_before)
    if after:
        start, ident = after
        if latest_first:
            query = query.where(or_(m.starts < start, and_(m.starts == start, m.id < ident)))
        else:
            query = query.where(or_(m.starts > start, and_(m.starts == start, m.id > ident)))
    order = (m.starts.desc(), m.id.desc()) if latest_first else (m.starts, m.id)
    return query.order_by(*order).limit(limit)


def with_ids(ids: Sequence[int]) -> Select[Any]:
    """The query of the meetings with these numbers, in the order of their numbers."""
    return select(t.meetings).where(t.meetings.c.id.in_(ids)).order_by(t.meetings.c.id)


def _takes_part(condition: Any) -> Any:
    return exists().where(t.participations.c.meeting_id == t.meetings.c.id, condition)


def _cities(db: Connection, ids: Sequence[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for row in db.execute(_PARTICIPATIONS, {"ids": ids}):
        found.setdefault(row.meeting_id, []).append(row.city)
    return found


def _invitations(db: Connection, ids: Sequence[int]) -> dict[int, list[Invitation]]:
    aliases: dict[str, set[str]] = {}
    for row in db.execute(_ALIASES, {"ids": ids}):
        aliases.setdefault(row.invitation_id, set()).add(row.email_key)
    found: dict[int, list[Invitation]] = {}
    for row in db.execute(_INVITATIONS, {"ids": ids}):
        found.setdefault(row.meeting_id, []).append(_invitation(row, frozenset(aliases.get(row.id, ()))))
    return found


# Built once: every page and every change reads meetings, and building these takes longer than the database's answer.
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_PARTICIPATIONS = select(t.participations).where(t.participations.c.meeting_id.in_(_IDS))
_PARTICIPATIONS = _PARTICIPATIONS.order_by(t.participations.c.position)
_INVITATIONS = select(t.invitations).where(t.invitations.c.meeting_id.in_(_IDS)).order_by(t.invitations.c.position)
_ALIASES = select(t.aliases).join(t.invitations, t.aliases.c.invitation_id == t.invitations.c.id)
_ALIASES = _ALIASES.where(t.invitations.c.meeting_id.in_(_IDS))


def _invitation(row: Any, aliases: frozenset[str]) -> Invitation:
    return Invitation(
        id=row.id,
        invitee=Invitee(row.name, row.email, row.city, row.language, row.role),
        seed=row.seed,
        lead=row.lead,
        reset_sequence=row.reset_sequence,
        last_dtstamp=row.last_dtstamp,
        removed_at=row.removed_at,
        status=row.status,
        comment=row.comment,
        answered_at=row.answered_at,
        channel=row.channel,
        answered_by=row.answered_by,
        aliases=aliases,
        link_hash=row.link_hash,
    )


def _meeting(row: Any, cities: Iterable[str], invitations: Iterable[Invitation]) -> Meeting:
    return Meeting(
        id=row.id,
        uid=row.uid,
        status=row.status,
        title=Wording.of(row.title),
        agenda=Wording.of(row.agenda, lines=True),
        field=row.field,
        topic=row.topic,
        objective=row.objective,
        host=row.host,
        cities=tuple(cities),
        zone=row.zone,
        wall=row.wall,
        start=row.starts,
        duration_minutes=row.duration_minutes,
        tz_version=row.tz_version,
        video_url=row.video_url,
        room=row.room,
        confidential=row.confidential,
        owner_id=row.owner_id,
        sequence=row.sequence,
        version=row.version,
        created_at=row.created_at,
        changed_at=row.changed_at,
        cancelled_at=row.cancelled_at,
        cancel_reason=row.cancel_reason,
        known=row.known,
        invitations=tuple(invitations),
    )


# --- writing


@contextmanager
def taking(room: str) -> Iterator[None]:
    """Around what adds or saves a meeting in this room. Raises RoomTaken."""
    try:
        yield
    except IntegrityError as error:
        if "room-taken" in str(error.orig):
            raise RoomTaken(room=room) from error
        raise


def add(rows: Rows, meeting: Meeting, directory: Directory, hashes: HashesOf) -> None:
    """A new meeting."""
    rows.add(t.meetings, [{"id": meeting.id, "created_at": meeting.created_at, **_columns(meeting)}])
    _add_participations(rows, meeting)
    _add_booking(rows, meeting, directory)
    _add_invitations(rows, meeting.id, enumerate(meeting.invitations), hashes)


def save(db: Connection, meeting: Meeting, expected: Meeting, directory: Directory, hashes: HashesOf) -> None:
    """A changed meeting. Raises Overtaken unless it is still as `expected` was read."""
    if load(db, meeting.id) != expected:
        raise Overtaken
    if meeting == expected:
        return
    columns = _columns(meeting)
    if not laws.decided_alike(meeting, expected):
        columns["law_notice"] = ""  # a decision about its time ends what was found before
    db.execute(update(t.meetings).where(t.meetings.c.id == meeting.id).values(**columns))
    if expected.cities != meeting.cities:
        db.execute(delete(t.participations).where(t.participations.c.meeting_id == meeting.id))
        with adding(db) as rows:
            _add_participations(rows, meeting)
    if _room_time(expected) != _room_time(meeting):
        db.execute(delete(t.bookings).where(t.bookings.c.meeting_id == meeting.id))
        with adding(db) as rows:
            _add_booking(rows, meeting, directory)
    _save_invitations(db, meeting, {i.id: i for i in expected.invitations}, hashes)


def _columns(meeting: Meeting) -> dict[str, Any]:
    same = (
        "uid status field topic objective host zone wall duration_minutes tz_version video_url room confidential "
        "owner_id sequence version changed_at cancelled_at cancel_reason known"
    )
    columns: dict[str, Any] = {name: getattr(meeting, name) for name in same.split()}
    columns |= {"title": dict(meeting.title.texts), "agenda": dict(meeting.agenda.texts)}
    return columns | {"starts": meeting.start, "ends": meeting.end}


def _add_participations(rows: Rows, meeting: Meeting) -> None:
    found = [{"meeting_id": meeting.id, "city": city, "position": place} for place, city in enumerate(meeting.cities)]
    rows.add(t.participations, found)


def _add_booking(rows: Rows, meeting: Meeting, directory: Directory) -> None:
    taken = _room_time(meeting)
    if taken is None:
        return
    room, starts, ends = taken
    values = {"meeting_id": meeting.id, "room_id": directory.rooms[room].id, "starts": starts, "ends": ends}
    rows.add(t.bookings, [values])


def _room_time(meeting: Meeting) -> tuple[str, datetime, datetime] | None:
    if not meeting.room or meeting.status == "cancelled":
        return None
    return meeting.room, meeting.start, meeting.end


def _save_invitations(db: Connection, meeting: Meeting, before: Mapping[str, Invitation], hashes: HashesOf) -> None:
    """Invitations are never deleted: who is removed stays, as removed."""
    added = []
    for position, invitation in enumerate(meeting.invitations):
        if invitation.id not in before:
            added.append((position, invitation))
        elif invitation != before[invitation.id]:
            columns = _invitation_columns(position, invitation)
            db.execute(update(t.invitations).where(t.invitations.c.id == invitation.id).values(**columns))
    with adding(db) as rows:
        _add_invitations(rows, meeting.id, added, hashes)


def _add_invitations(rows: Rows, meeting_id: int, added: Iterable[tuple[int, Invitation]], hashes: HashesOf) -> None:
    found = []
    for position, invitation in added:
        reply_hash, link_hash = hashes(invitation)
        own = {"id": invitation.id, "meeting_id": meeting_id, "reply_hash": reply_hash, "link_hash": link_hash}
        found.append(_invitation_columns(position, invitation) | own)
    rows.add(t.invitations, found)


def _invitation_columns(position: int, invitation: Invitation) -> dict[str, Any]:
    same = "seed lead reset_sequence last_dtstamp removed_at status comment answered_at channel answered_by"
    person = invitation.invitee
    columns: dict[str, Any] = {name: getattr(invitation, name) for name in same.split()}
    columns |= {"name": person.name, "email": person.email, "email_key": person.email_key, "city": person.city}
    return columns | {"language": person.language, "role": person.role, "position": position}


def add_alias(db: Connection, invitation_id: str, email_key: str) -> None:
    known = select(t.aliases).where(t.aliases.c.invitation_id == invitation_id, t.aliases.c.email_key == email_key)
    if not db.execute(known).first():
        db.execute(insert(t.aliases).values(invitation_id=invitation_id, email_key=email_key))


# --- answers


def answers(db: Connection, invitation_id: str) -> list[Answer]:
    rows = db.execute(select(t.answers).where(t.answers.c.invitation_id == invitation_id))
    return [_answer(row) for row in rows]


def history(db: Connection, meeting_id: int) -> list[tuple[str, Answer, str]]:
    """Every answer ever given about the meeting: invitation, answer, outcome; in the order of recording."""
    joined = t.answers.join(t.invitations, t.answers.c.invitation_id == t.invitations.c.id)
    query = select(t.answers).select_from(joined).where(t.invitations.c.meeting_id == meeting_id)
    rows = db.execute(query.order_by(t.answers.c.id))
    return [(row.invitation_id, _answer(row), row.outcome) for row in rows]


def add_answer(db: Connection, invitation_id: str, answer: Answer, outcome: str, now: datetime) -> None:
    db.execute(
        insert(t.answers).values(
            invitation_id=invitation_id,
            sequence=answer.sequence,
            dtstamp=answer.dtstamp,
            received=answer.received,
            status=answer.status,
            comment=answer.comment,
            channel=answer.channel,
            by=answer.by,
            digest=answer.digest,
            outcome=outcome,
            recorded_at=now,
        )
    )


def _answer(row: Any) -> Answer:
    return Answer(row.sequence, row.dtstamp, row.received, row.status, row.comment, row.channel, row.by)


# --- busy time


def busy(
    db: Connection, *, emails: Sequence[str], room: str, since: datetime, until: datetime, without: int = 0
) -> list[tuple[str, str, datetime, datetime]]:
    """Confirmed meetings but `without` that overlap [since, until): who or which room is busy, its city, start, end."""
    m, i = t.meetings.c, t.invitations.c
    overlap = and_(m.status == "confirmed", m.id != without, m.starts < until, m.ends > since)
    found: list[tuple[str, str, datetime, datetime]] = []
    if emails:
        people = select(i.email_key, i.city, m.starts, m.ends).select_from(
            t.invitations.join(t.meetings, i.meeting_id == m.id)
        )
        mine = and_(i.email_key.in_(emails), i.removed_at.is_(None), i.status != "declined")
        found += [(row.email_key, row.city, row.starts, row.ends) for row in db.execute(people.where(overlap, mine))]
    if room:
        b, r = t.bookings.c, t.rooms.c
        query = select(r.city, b.starts, b.ends).select_from(t.bookings.join(t.rooms, b.room_id == r.id))
        query = query.where(r.code == room, b.meeting_id != without, b.starts < until, b.ends > since)
        found += [(room, row.city, row.starts, row.ends) for row in db.execute(query)]
    return found
