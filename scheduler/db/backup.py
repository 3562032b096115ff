"""The return of a copy of the database (see `copying`), into either kind of database, while everything runs.

A restored database sends nothing twice that was sent, and never falls behind what people have received:

- The database that is there says what became of the mails that the copy knows as waiting: what was sent stays sent,
  what has surely not left still waits. A mail of which nobody knows (the machine is a new one, or it was being sent)
  is held until the operator says what shall become of it.
- Mails sent since the copy was made stay in the history of those invitations that it knows, so that the next mail to
  a person is told against the last one they got; its SEQUENCE and DTSTAMP are above all that they have. Where nobody
  knows how far those went, SEQUENCE jumps.
- Sessions and sign-in links end; what was revoked, disabled or (calendars of others) removed since stays so.
- Passwords, second factors and recovery codes end too: one that was changed, removed or used since must not come back
  to life. Everybody signs in by a link and sets them up anew.

All this is one transaction on the database in use, so web and worker may run meanwhile: they see the old state or the
new one. A worker that hands a mail over at this moment finds its lease gone; that mail is held.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, Table, func, insert, select, update
from sqlalchemy.exc import DatabaseError

from scheduler import paths
from scheduler.db import calendars
from scheduler.db import tables as t
from scheduler.db.copying import Unusable, copy, must_be_whole, replace
from scheduler.db.engine import Store

LEFT = ("handed-over", "bounced")
GAP = 100  # above every SEQUENCE that can have been used since a copy was made


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did. `changed`: meetings of which people know another state than the restored one; `unknown`:
    meetings of which people know, but the copy does not. `held`: mails that wait for the operator's word."""

    meetings: int
    held: int
    changed: tuple[int, ...] = ()
    unknown: tuple[int, ...] = ()


# --- its return


def can_take(store: Store) -> bool:
    """Makes or upgrades the database that shall take a copy's content; False when that cannot be."""
    from alembic.util import CommandError

    try:
        store.upgrade()
    except (DatabaseError, CommandError):
        return False
    return store.is_current()


def restore(store: Store, file: Path, keep: Path, check: Callable[[Connection], None], now: datetime) -> Restored:
    """Puts the copy's content in the place of the database's, which is kept as a copy of its own at `keep`.

    `check` may refuse the content by raising. Raises Unusable.
    """
    with _prepared(file) as copied:
        with copied.read() as old:
            check(old)
        with store.write() as live, copied.read() as old:
            present = _present(live, old)
            if present.people:
                _keep(store, keep)  # nobody else writes now, so it holds exactly what is replaced
            replace(live, old)
            return _continue(live, present, now)


def _keep(store: Store, keep: Path) -> None:
    try:
        copy(store, keep)
    except Unusable:
        raise Unusable("the present database is damaged; stop web and worker, move it away, restore again") from None


@contextmanager
def _prepared(file: Path) -> Iterator[Store]:
    """The copy, in a folder of our own, checked and brought to this version."""
    with tempfile.TemporaryDirectory(prefix="scheduler-restore-") as folder:
        own = Path(folder) / "copy.db"
        shutil.copyfile(file, own)
        own.chmod(0o600)
        must_be_whole(own)
        _must_be_ours(own, file)
        store = Store(f"sqlite:///{own}")
        try:
            store.upgrade()
            yield store
        except DatabaseError as error:
            raise Unusable(f"{file}: {error.__cause__ or type(error).__name__}") from error
        finally:
            store.close()


def _must_be_ours(own: Path, file: Path) -> None:
    from alembic.script import ScriptDirectory

    known = {script.revision for script in ScriptDirectory(str(paths.MIGRATIONS)).walk_revisions()}
    try:
        with closing(sqlite3.connect(own)) as database:
            versions = {row[0] for row in database.execute("SELECT version_num FROM alembic_version")}
    except sqlite3.DatabaseError:
        versions = set()
    if not versions:
        raise Unusable(f"{file} is no copy of a database of this product")
    if not versions <= known:
        raise Unusable(f"{file} was made by a newer version ({', '.join(sorted(versions - known))})")


# --- what the replaced database knew


@dataclass(frozen=True, slots=True)
class _Present:
    """What must not be forgotten of the database that is replaced."""

    people: int
    mails: dict[str, Row[Any]]  # by Message-ID, without their content
    gone: dict[str, int]  # by invitation, the number of its newest mail that has perhaps left
    meetings: dict[int, Row[Any]]
    invitations: dict[str, Row[Any]]
    sent: list[dict[str, Any]]  # whole mails that have perhaps left and that the copy does not know
    revoked: dict[str, dict[str, datetime]]  # by table, token hash -> when
    disabled: dict[str, datetime] = field(default_factory=dict)
    calendars: set[tuple[int, datetime]] = field(default_factory=set)


def _present(live: Connection, old: Connection) -> _Present:
    o, p = t.outbox.c, t.people.c
    copied = set(old.scalars(select(o.message_id)))
    mails = list(live.execute(select(*[column for column in o if column.name != "content"]).order_by(o.id)))
    disabled = live.execute(select(p.email_key, p.disabled_at).where(p.disabled_at.is_not(None)))
    return _Present(
        people=live.scalar(select(func.count()).select_from(t.people)) or 0,
        mails={row.message_id: row for row in mails},
        gone={row.invitation_id: row.id for row in mails if row.invitation_id and _perhaps_left(row)},
        meetings={row.id: row for row in live.execute(select(t.meetings))},
        invitations={row.id: row for row in live.execute(select(t.invitations))},
        sent=[_whole(live, row.id) for row in mails if _perhaps_left(row) and row.message_id not in copied],
        revoked={table.name: _revoked(live, table) for table in _revocable()},
        disabled={row.email_key: row.disabled_at for row in disabled},
        calendars=calendars.marks(live),
    )


def _perhaps_left(row: Row[Any]) -> bool:
    return bool(row.state in (*LEFT, "held") or row.perhaps_left or row.lease)


def _whole(live: Connection, number: int) -> dict[str, Any]:
    return dict(live.execute(select(t.outbox).where(t.outbox.c.id == number)).mappings().one())


def _revocable() -> list[Table]:
    return [table for table in t.metadata.sorted_tables if {"token_hash", "revoked_at"} <= set(table.c.keys())]


def _revoked(live: Connection, table: Table) -> dict[str, datetime]:
    rows = live.execute(select(table.c.token_hash, table.c.revoked_at).where(table.c.revoked_at.is_not(None)))
    return {row.token_hash: row.revoked_at for row in rows}


# --- going on from there


def _continue(live: Connection, present: _Present, now: datetime) -> Restored:
    _settle_mails(live, present, now)
    _keep_history(live, present)
    changed = _outrank(live, present)
    for table in _revocable():
        for token_hash, at in present.revoked[table.name].items():
            live.execute(update(table).where(table.c.token_hash == token_hash).values(revoked_at=at))
    for email_key, at in present.disabled.items():
        live.execute(update(t.people).where(t.people.c.email_key == email_key).values(disabled_at=at))
    if present.people:  # on a new machine nobody knows what was removed since
        calendars.remove_but(live, present.calendars)
    known = set(live.scalars(select(t.meetings.c.id)))
    held = live.scalar(select(func.count()).select_from(t.outbox).where(t.outbox.c.state == "held")) or 0
    lost = {row["meeting_id"] for row in present.sent if row["meeting_id"]} - known
    return Restored(len(known), held, tuple(sorted(changed)), tuple(sorted(lost)))


def _settle_mails(live: Connection, present: _Present, now: datetime) -> None:
    """What the copy knows as waiting, by what is known of it now."""
    o = t.outbox.c
    columns = [column for column in o if column.name != "content"]
    for row in list(live.execute(select(*columns).order_by(o.id))):
        values = _settled(row, present.mails.get(row.message_id), present, now)
        if values:
            live.execute(update(t.outbox).where(o.id == row.id).values(lease="", lease_until=None, **values))


def _settled(row: Row[Any], known: Row[Any] | None, present: _Present, now: datetime) -> dict[str, Any]:
    waits = row.state == "queued"
    if waits and row.kind == "sign-in":
        return {"state": "superseded", "finished_at": now}  # its link has ended
    if known is None:
        return {"state": "held", "perhaps_left": True} if waits else {}
    if known.state in ("handed-over", "refused", "bounced", "held"):
        return {name: getattr(known, name) for name in ("state", "answer", "attempts", "perhaps_left", "finished_at")}
    if not waits:
        return {}
    if known.lease or known.perhaps_left:
        return {"state": "held", "perhaps_left": True}
    if known.state == "superseded" and present.gone.get(row.invitation_id, 0) > known.id:
        return {"state": "superseded", "finished_at": known.finished_at}
    # It has surely not left; if a newer one took its place, that one was about a state that is no more.
    return {"state": "queued", "next_attempt_at": now}


def _keep_history(live: Connection, present: _Present) -> None:
    """Mails since the copy was made that people have, of invitations that it knows; none of them is sent again."""
    invitations = set(live.scalars(select(t.invitations.c.id)))
    for row in present.sent:
        if row["invitation_id"] not in invitations:
            continue
        values = {name: value for name, value in row.items() if name != "id"} | {"lease": "", "lease_until": None}
        if row["state"] not in LEFT:
            values |= {"state": "superseded", "perhaps_left": True}
        live.execute(insert(t.outbox).values(**values))


def _outrank(live: Connection, present: _Present) -> set[int]:
    """Lets the next mail to everybody outrank all that they have. Gives the meetings that they know differently."""
    changed: set[int] = set()
    for meeting in list(live.execute(select(t.meetings))):
        then = present.meetings.get(meeting.id)
        if then is not None and then.version != meeting.version:
            changed.add(meeting.id)
            version = max(then.version, meeting.version) + 1
            live.execute(update(t.meetings).where(t.meetings.c.id == meeting.id).values(version=version))
        moved = then is not None and (then.starts, then.ends) != (meeting.starts, meeting.ends)
        for invitation in list(live.execute(select(t.invitations).where(t.invitations.c.meeting_id == meeting.id))):
            values = _outranking(meeting, invitation, then, present.invitations.get(invitation.id), moved)
            if values:
                live.execute(update(t.invitations).where(t.invitations.c.id == invitation.id).values(**values))
    return changed


def _outranking(
    meeting: Row[Any], invitation: Row[Any], then: Row[Any] | None, known: Row[Any] | None, moved: bool
) -> dict[str, Any]:
    if then is None or known is None:
        return {"lead": invitation.lead + GAP}
    ours, theirs = meeting.sequence + invitation.lead, then.sequence + known.lead
    stamps = [stamp for stamp in (invitation.last_dtstamp, known.last_dtstamp) if stamp]
    values: dict[str, Any] = {"last_dtstamp": max(stamps, default=None)}
    if theirs > ours or then.version != meeting.version:
        values["lead"] = max(theirs, ours) + 1 - meeting.sequence
    if moved:
        # They were told another time since: answers to it are none to this one, and this one they must be asked again.
        values |= {"reset_sequence": meeting.sequence + values.get("lead", invitation.lead), "status": "waiting"}
        values |= {"comment": "", "answered_at": None, "channel": "", "answered_by": ""}
    return values
