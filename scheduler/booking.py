"""The coordinator's actions on meetings: create, edit, cancel, send again."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

from scheduler import limits, public_holidays, rights
from scheduler.core import decisions, laws
from scheduler.core.cities import Directory, Person
from scheduler.core.drafts import Bounds, Checked, check
from scheduler.core.errors import Fault, Forbidden, Invalid, Outdated, RoomTaken
from scheduler.core.meeting import Decision, Draft, Meeting, as_invitee, draft_of
from scheduler.core.words import clean_text
from scheduler.db import access, law_notices
from scheduler.db import directory as cities
from scheduler.db.engine import Connection
from scheduler.desk import Desk
from scheduler.outgoing import Loaded, load, retrying, save, save_new

REASON_LIMIT = 2000


def _nothing(meeting: Meeting, directory: Directory) -> bytes:
    return b""


@dataclass(frozen=True, slots=True)
class RequestKey:
    """A request that may be repeated and shall act once. `digest` tells its body."""

    key: str
    digest: str


@dataclass(frozen=True, slots=True)
class Booked:
    """A meeting that was created now, or (replayed) by an earlier request with the same key, with its first answer."""

    meeting: Meeting
    replayed: bool
    answer: bytes = b""


class _Repeated(Exception):
    pass


def create(
    desk: Desk,
    actor: Person,
    draft: Draft,
    request: RequestKey | None = None,
    represent: Callable[[Meeting, Directory], bytes] = _nothing,
    directory: Directory | None = None,
) -> Booked:
    """A confirmed meeting with its invitations on their way. `represent` makes the answer, which is kept with the key.
    `directory`: if it was read for this request.

    Raises Invalid, Forbidden when the actor may not host for that city, RoomTaken.
    """
    earlier = _earlier(desk, actor, request)
    if earlier:
        return earlier
    directory, owner = directory or desk.directory(), _owner(desk, actor, draft.host)
    checked = _known(check(_with_link(desk, draft), directory, _bounds(desk)), directory)
    if not checked.draft.people:
        raise Invalid(Fault("/people", "no-people"))
    if not rights.may_host(actor, checked.draft.host):
        raise Forbidden("host-not-yours")
    decision = decisions.create(
        checked,
        now=desk.now(),
        id=secrets.randbelow(9 * 10**9) + 10**9,  # known before it is saved, because mail is rendered first
        uid=f"{uuid.uuid4()}@{desk.settings.mail.domain}",
        owner_id=owner.id,
        chair=as_invitee(owner),
        invite=desk.new_invitation,
    )
    answer = represent(decision.meeting, directory)

    def remember(db: Connection, meeting: Meeting) -> None:
        count_mails(db, desk, actor, decision)
        if request is None:
            return
        if access.find_request(db, actor.id, request.key):
            raise _Repeated
        made = access.Request(request.digest, meeting.id, answer)
        access.add_request(db, actor.id, request.key, made, desk.now())

    try:
        meeting = save_new(desk, Loaded(decision.meeting, directory, owner), decision, remember)
    except (_Repeated, RoomTaken):
        # The same request at the same moment: it has the key, and the room too.
        repeated = _earlier(desk, actor, request)
        if repeated is None:
            raise
        return repeated
    return Booked(meeting, False, answer)


def edit(
    desk: Desk,
    actor: Person | None,
    meeting_id: int,
    change: Callable[[Draft], Draft],
    expected_version: int | None = None,
) -> Meeting:
    """The meeting as `change` makes it out of its present draft, everybody concerned told.

    Raises Invalid, NotFound, Forbidden, Conflict, RoomTaken, and Outdated when it is not of the expected version.
    """

    def step() -> Meeting:
        before = load_to_edit(desk, actor, meeting_id, expected_version)
        draft = change(draft_of(before.meeting))
        checked = check(draft, before.directory, replace(_bounds(desk), current=before.meeting))
        checked = _known(checked, before.directory)
        decision = decisions.revise(
            before.meeting, checked, now=desk.now(), chair=as_invitee(before.owner), invite=desk.new_invitation
        )
        if decision.meeting == before.meeting:
            return before.meeting

        def also(db: Connection) -> None:
            count_mails(db, desk, actor, decision)
            if decision.meeting.cities != before.meeting.cities:
                _forget_what_is_over(db, decision.meeting, before.directory)

        return save(desk, before, decision, also)

    return retrying(step)


def _forget_what_is_over(db: Connection, meeting: Meeting, directory: Directory) -> None:
    """About a change of law in a city that went nobody is to decide any more."""
    told = law_notices.mark(db, meeting.id)
    if told:
        left = laws.still_told(told, meeting, directory, public_holidays.of_year)
        law_notices.note(db, {meeting.id: left}, {meeting.id: told})


def cancel(
    desk: Desk, actor: Person | None, meeting_id: int, reason: str = "", expected_version: int | None = None
) -> Meeting:
    """The meeting cancelled and everybody told; repeated, nothing happens and nothing is sent."""
    reason = clean_text(reason)
    if len(reason) > REASON_LIMIT:
        raise Invalid(Fault("/reason", "too-long", {"limit": REASON_LIMIT}))

    def step() -> Meeting:
        before = load_to_edit(desk, actor, meeting_id, None)
        if before.meeting.status == "cancelled":
            return before.meeting
        _must_be(before.meeting, expected_version)
        return save(desk, before, decisions.cancel(before.meeting, reason, now=desk.now()))

    return retrying(step)


def resend(desk: Desk, actor: Person | None, meeting_id: int, invitation_id: str) -> Meeting:
    """One person's mail once more, as things stand."""

    def step() -> Meeting:
        before = load_to_edit(desk, actor, meeting_id, None)
        decision = decisions.resend(before.meeting, invitation_id, now=desk.now())
        return save(desk, before, decision, lambda db: count_mails(db, desk, actor, decision))

    return retrying(step)


def _known(checked: Checked, directory: Directory) -> Checked:
    """With what is true of its cities at that time, so that a change of law can be seen later."""
    cities = [directory.cities[slug] for slug in checked.draft.cities]
    known = laws.known(checked.start, checked.draft.duration_minutes, cities, public_holidays.of_year)
    return replace(checked, known=known)


def count_mails(db: Connection, desk: Desk, actor: Person | None, decision: Decision) -> None:
    """Raises TooMany when that is more mail than one writes or than anybody should get, so that nothing is saved."""
    if actor:
        limits.spend_in(db, desk, limits.invitations(desk), str(actor.id), len(decision.messages))
    limits.check_recipients(db, desk, decision.messages)


def _earlier(desk: Desk, actor: Person, request: RequestKey | None) -> Booked | None:
    if request is None:
        return None
    with desk.store.read() as db:
        known = access.find_request(db, actor.id, request.key)
        if known is None:
            return None
        if known.digest != request.digest:
            raise Invalid(Fault("", "idempotency-key-reused"))
        return Booked(load(db, known.meeting_id).meeting, True, known.answer)


def _owner(desk: Desk, actor: Person, host: str) -> Person:
    """Who coordinates the meeting: the actor, or, when they act for another city, a coordinator of the host."""
    if actor.city == host:
        return actor
    with desk.store.read() as db:
        return next((p for p in cities.people(db, host) if p.role == "coordinator"), actor)


def _with_link(desk: Desk, draft: Draft) -> Draft:
    video = desk.settings.video
    if video.provider == "jitsi" and not draft.video_url:
        return replace(draft, video_url=f"{video.base_url.rstrip('/')}/{secrets.token_urlsafe(16)}")
    return draft


def _bounds(desk: Desk) -> Bounds:
    settings = desk.settings
    return Bounds(desk.now(), settings.mail.from_address, settings.limits.people_per_meeting)


def load_to_edit(desk: Desk, actor: Person | None, meeting_id: int, expected_version: int | None) -> Loaded:
    with desk.store.read() as db:
        before = load(db, meeting_id)
    rights.must_edit(actor, rights.must_read(actor, before.meeting))
    _must_be(before.meeting, expected_version)
    return before


def _must_be(meeting: Meeting, expected_version: int | None) -> None:
    if expected_version is not None and meeting.version != expected_version:
        raise Outdated
