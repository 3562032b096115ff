"""Who may do what: one place, deny by default. `None` as the one who acts is the operator at the command line."""

from __future__ import annotations

from collections.abc import Sequence

from scheduler.core.cities import Directory, Person
from scheduler.core.errors import Forbidden, NotFound
from scheduler.core.meeting import Invitation, Meeting


def is_operator(actor: Person | None) -> bool:
    return actor is None or actor.role == "operator"


def cities_to_read(actor: Person | None) -> Sequence[str]:
    """Cities whose meetings the person may read; empty: all of them."""
    if actor is None or actor.role == "operator":
        return ()
    return (actor.city,)


def must_read(actor: Person | None, meeting: Meeting | None) -> Meeting:
    """The meeting, if there is one that the person may read; else NotFound, which does not tell the two apart."""
    if meeting is None or not (is_operator(actor) or (actor and actor.signs_in and actor.city in meeting.cities)):
        raise NotFound
    return meeting


def may_edit(actor: Person | None, meeting: Meeting) -> bool:
    return may_host(actor, meeting.host)


def may_host(actor: Person | None, city: str) -> bool:
    return is_operator(actor) or bool(actor and actor.role == "coordinator" and actor.city == city)


def must_edit(actor: Person | None, meeting: Meeting) -> None:
    if not may_edit(actor, meeting):
        raise Forbidden("host-not-yours")


def must_keep(actor: Person | None, city: str) -> None:
    """The hours and days off of a city are kept by its coordinators."""
    if not may_host(actor, city):
        raise Forbidden("hours-not-yours")


def must_operate(actor: Person | None) -> None:
    if not is_operator(actor):
        raise Forbidden("operators-only")


def may_answer_for(actor: Person | None, meeting: Meeting, invitation: Invitation) -> bool:
    return may_edit(actor, meeting) or bool(actor and actor.signs_in and actor.city == invitation.invitee.city)


def may_keep_calendars(actor: Person | None, city: str, person_id: int | None) -> bool:
    """Calendars that say when somebody is busy: one's own, and those of one's city and all its people."""
    return may_host(actor, city) or bool(actor and actor.signs_in and actor.id == person_id)


def must_answer_for(actor: Person | None, city: str, known: Directory) -> None:
    """Whether a city's own figures are the person's to read; else NotFound, as for a city that is not there."""
    if city not in known.cities or not (is_operator(actor) or (actor and actor.signs_in and actor.city == city)):
        raise NotFound
