"""How the installation fares, for operators and for whatever watches it, and the remedies for mail that is stuck.

Ages are seconds. The outbox is late when a mail is due that no worker takes, or when no worker could do its work for
that long (the mail server is not to be had): then readiness fails, which is the alert. It fails at once when the mail
server does not let us in. One address that refuses mail is
no such fault; it stands on the operator's page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from scheduler import polling, rights, suggestions, worker
from scheduler.core.cities import Person
from scheduler.core.errors import Fault, Invalid, NotFound
from scheduler.db import operation
from scheduler.db.engine import Connection
from scheduler.db.operation import Heartbeat, Trouble
from scheduler.desk import Desk

__all__ = ["Trouble"]

WORKER, MAILBOX = worker.NAME, polling.NAME

_VERBS: Mapping[str, Callable[[Connection, Sequence[int], datetime], int]] = {
    "retry": operation.try_again,
    "drop": operation.drop,
    "sent": operation.mark_sent,
}
_REMEDIES = {"queued": ("retry", "drop"), "refused": ("retry",), "held": ("retry", "sent", "drop"), "bounced": ()}


# --- what watches


@dataclass(frozen=True, slots=True)
class Health:
    """Ages in seconds. `outbox`: of what is late, 0 when nothing is; `mailbox`: null when no mailbox is polled."""

    outbox: int
    queued: int
    worker: int | None
    mailbox: int | None
    late: tuple[str, ...]

    @property
    def is_well(self) -> bool:
        return not self.late


def health(desk: Desk) -> Health:
    """Raises whatever the database raises when it does not answer."""
    now, limits = desk.now(), desk.settings.limits
    with desk.store.read() as db:
        waiting, beats = operation.waiting(db, now), operation.heartbeats(db)
    sender, mailbox = beats.get(WORKER), beats.get(MAILBOX)
    ages = [_age(now, waiting.due_since)]
    if waiting.oldest and sender:
        ages.append(_age(now, max(sender.well_at or waiting.oldest, waiting.oldest)))
    outbox, polled = max(ages), _age(now, mailbox.well_at or mailbox.seen_at) if mailbox else None
    late = [
        name
        for name, age, minutes in (
            ("outbox", outbox, limits.outbox_late_minutes),
            ("mailbox", polled, limits.mailbox_late_minutes),
        )
        if age is not None and age > minutes * 60
    ]
    if sender and sender.error:
        late.append("account")
    return Health(outbox, waiting.count, _age(now, sender.seen_at) if sender else None, polled, tuple(late))


def _age(now: datetime, since: datetime | None) -> int:
    return max(0, int((now - since).total_seconds())) if since else 0


# --- the operator's page


@dataclass(frozen=True, slots=True)
class Overview:
    health: Health
    outbox: Mapping[str, int]  # by state
    troubles: Sequence[Trouble]
    inbox: Mapping[str, int]  # by outcome
    reviews: int  # how many received mails wait for a person
    heartbeats: Mapping[str, Heartbeat]
    versions: Mapping[str, str]


def overview(desk: Desk, actor: Person | None) -> Overview:
    """Raises NotFound for anybody but an operator."""
    _must_be_operator(actor)
    with desk.store.read() as db:
        return Overview(
            health(desk),
            operation.outbox_counts(db),
            operation.troubles(db, desk.now()),
            operation.inbox_counts(db),
            operation.waiting_for_review(db),
            operation.heartbeats(db),
            suggestions.data_versions(),
        )


def troubles(desk: Desk, actor: Person | None) -> list[Trouble]:
    _must_be_operator(actor)
    with desk.store.read() as db:
        return operation.troubles(db, desk.now())


def remedies(trouble: Trouble) -> Sequence[str]:
    return _REMEDIES[trouble.state]


def act(desk: Desk, actor: Person | None, verb: str, ids: Sequence[int]) -> int:
    """Carries out a remedy on these mails; says on how many it could be."""
    _must_be_operator(actor)
    if verb not in _VERBS:
        raise Invalid(Fault("/decision", "unknown-decision", {"decision": verb[:50]}))
    with desk.store.write() as db:
        return _VERBS[verb](db, ids, desk.now())


def _must_be_operator(actor: Person | None) -> None:
    if not rights.is_operator(actor):
        raise NotFound
