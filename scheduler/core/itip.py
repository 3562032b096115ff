"""Answers to invitations: what a reply is, and which of many answers stands (RFC 5546 2.1.5, 3.2.3).

Mail arrives late, twice and in any order. The answer that stands for a person is therefore never "the last one
written" but the largest under a total order, reduced over the whole stored history; see `Answer.key` and `standing`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

PARTSTATS = {
    "ACCEPTED": "accepted",
    "TENTATIVE": "tentative",
    "DECLINED": "declined",
    "DELEGATED": "delegated",
}
PARTSTAT_OF = {"waiting": "NEEDS-ACTION", **{status: partstat for partstat, status in PARTSTATS.items()}}

# A clock that runs ahead, by mistake or malice, may win no more than this over honest ones.
CLOCK_TOLERANCE = timedelta(seconds=300)


@dataclass(frozen=True, slots=True)
class AttendeeLine:
    """One ATTENDEE of an inbound calendar. `email` is the address without `mailto:`, case-folded."""

    email: str
    partstat: str = ""  # upper case as received; empty when missing
    name: str = ""
    comment: str = ""  # X-RESPONSE-COMMENT
    delegated_to: tuple[str, ...] = ()
    delegated_from: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InboundEvent:
    """One VEVENT of an inbound calendar object, reduced to what an organizer may look at."""

    uid: str
    sequence: int | None = None
    dtstamp: datetime | None = None  # UTC
    recurrence_id: datetime | None = None  # UTC
    organizer: str = ""  # address without mailto:, case-folded; empty when missing (Exchange omits it)
    attendees: tuple[AttendeeLine, ...] = ()
    comment: str = ""
    start: datetime | None = None  # UTC; None when missing or when its zone is not understood
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class InboundCalendar:
    """One VCALENDAR stream of an inbound mail. `method` is upper case, empty when the property is missing."""

    method: str
    events: tuple[InboundEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """One person's answer to one version of a meeting, from whatever channel (mail, link, telephone).

    `sequence` is in terms of that person's copy, clamped to what we ever sent, `dtstamp` to what can be. `received` is
    when our own mail server (or the web, or the coordinator at the telephone) got it, never when it was processed.
    """

    sequence: int
    dtstamp: datetime
    received: datetime
    status: str  # accepted, tentative, declined, delegated
    comment: str = ""
    channel: str = "mail"  # mail, link, telephone
    by: str = ""  # who gave or recorded it, when that is not the person: an address, or a coordinator's name

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical answer: what was said, about which version, when it was said."""
        canonical = "\n".join([str(self.sequence), self.dtstamp.isoformat(), self.status, self.comment])
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def key(self) -> tuple[int, datetime, datetime, str]:
        """Place in the total order: the largest key stands."""
        return (self.sequence, min(self.dtstamp, self.received + CLOCK_TOLERANCE), self.received, self.digest)


def standing(answers: Iterable[Answer], reset_sequence: int) -> Answer | None:
    """The answer that stands: the largest key among those to `reset_sequence` or later; None while all are waiting.

    Commutative, associative and idempotent over the answers, so the order of arrival never matters.
    """
    return max((a for a in answers if a.sequence >= reset_sequence), key=lambda a: a.key, default=None)
