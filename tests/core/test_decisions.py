"""Any sequence of edits keeps what calendars rely on: who is told what, UID, SEQUENCE, DTSTAMP, and whose answer stays.

A machine makes edits at random and compares each decision with the table of changes, read a second time here.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from scheduler.core import decisions
from scheduler.core.drafts import Checked
from scheduler.core.errors import Conflict, MeetingCancelled, NotFound
from scheduler.core.itip import Answer
from scheduler.core.meeting import Decision, Draft, Invitation, Invitee, Meeting, Occasion, draft_of
from scheduler.core.words import Wording

NOW = datetime(2027, 1, 11, 1, 0, tzinfo=UTC)
START = datetime(2027, 2, 10, 6, 0, tzinfo=UTC)

EVERYBODY = tuple(
    Invitee(f"Desk {name}", f"{name}@{city}.example", city, "en")
    for name, city in (("a", "gwangjin"), ("b", "ulaanbaatar"), ("c", "eregli"), ("d", "eregli"))
)
OTHER_CHAIR = Invitee("Planning", "planning@gwangjin.example", "gwangjin", "ko")
CHAIR = Invitee("Coordinator", "coordinator@gwangjin.example", "gwangjin", "ko")

people = st.sampled_from(EVERYBODY)


def invite(person: Invitee) -> Invitation:
    return Invitation(f"invitation of {person.email_key}", person)


def created(wanted: tuple[Invitee, ...] = EVERYBODY[:3], now: datetime = NOW, chair: Invitee = CHAIR) -> Decision:
    draft = Draft(
        title=Wording.of("Water"),
        field="environment",
        host="gwangjin",
        cities=("gwangjin", "ulaanbaatar", "eregli"),
        duration_minutes=60,
        people=wanted,
        wall=datetime(2027, 2, 10, 15, 0),  # noqa: DTZ001
        zone="Asia/Seoul",
        video_url="https://video.example.org/1",
    )
    return decisions.create(
        Checked(draft, START), now=now, id=1, uid="u@cities.example", owner_id=1, chair=chair, invite=invite
    )


class Edits(RuleBasedStateMachine):
    """`newest` is the last (SEQUENCE, DTSTAMP, METHOD) that each person was sent."""

    @initialize(wanted=st.lists(people, unique=True, min_size=1))
    def create(self, wanted: list[Invitee]) -> None:
        self.now, self.newest, self.answers = NOW, {}, {}
        self.count, self.chair = 0, CHAIR
        decision = created(tuple(wanted))
        self.meeting = decision.meeting
        assert self._told(decision) == {(p.email, "REQUEST", Occasion.INVITATION) for p in (*wanted, CHAIR)}
        self._follow(decision)
        assert all(sequence == 0 for sequence, *_ in self.newest.values())

    @property
    def is_open(self) -> bool:
        return self.meeting.status == "confirmed"

    # --- what may happen

    @rule(seconds=st.integers(0, 90))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @precondition(lambda self: self.is_open)
    @rule(minutes=st.sampled_from([-60, 30, 60]))
    def move(self, minutes: int) -> None:
        delta = timedelta(minutes=minutes)
        draft = draft_of(self.meeting)
        assert draft.wall
        self._edit_for_all(replace(draft, wall=draft.wall + delta), Occasion.MOVED, start=self.meeting.start + delta)

    @precondition(lambda self: self.is_open)
    @rule(minutes=st.sampled_from([30, 60, 90]))
    def lengthen(self, minutes: int) -> None:
        changed = minutes != self.meeting.duration_minutes
        draft = replace(draft_of(self.meeting), duration_minutes=minutes)
        self._edit_for_all(draft, Occasion.MOVED if changed else None)

    @precondition(lambda self: self.is_open)
    @rule(number=st.integers(1, 3))
    def change_link(self, number: int) -> None:
        url = f"https://video.example.org/{number}"
        changed = url != self.meeting.video_url
        draft = replace(draft_of(self.meeting), video_url=url)
        self._edit_for_all(draft, Occasion.CHANGED if changed else None, raises=changed)

    @precondition(lambda self: self.is_open)
    @rule(title=st.sampled_from(["Water", "Festivals"]), agenda=st.sampled_from(["", "1. Rivers"]))
    def change_text(self, title: str, agenda: str) -> None:
        draft = replace(draft_of(self.meeting), title=Wording.of(title), agenda=Wording.of(agenda))
        changed = (draft.title, draft.agenda) != (self.meeting.title, self.meeting.agenda)
        self._edit_for_all(draft, Occasion.CHANGED if changed else None)

    @precondition(lambda self: self.is_open)
    @rule(person=people)
    def add(self, person: Invitee) -> None:
        draft = draft_of(self.meeting)
        if any(p.email_key == person.email_key for p in draft.people):
            return
        before = self.meeting
        decision = self._revise(replace(draft, people=(*draft.people, person)))
        assert self._told(decision) == {(person.email, "REQUEST", Occasion.INVITATION)}
        assert decision.meeting.sequence == before.sequence
        assert self._of(person, decision.meeting).status == "waiting"
        self._others_keep_everything(before, decision.meeting, person)
        self.answers[person.email] = None
        self._follow(decision)

    @precondition(lambda self: self.is_open and self.meeting.people)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        before, draft = self.meeting, draft_of(self.meeting)
        person = data.draw(st.sampled_from(draft.people))
        decision = self._revise(replace(draft, people=tuple(p for p in draft.people if p != person)))
        assert self._told(decision) == {(person.email, "CANCEL", Occasion.REMOVED)}
        assert decision.meeting.sequence == before.sequence
        assert self._sequence(person, decision.meeting) == self._sequence(person, before) + 1
        self._others_keep_everything(before, decision.meeting, person)
        self._follow(decision)

    @precondition(lambda self: self.is_open and self.meeting.people)
    @rule(data=st.data(), language=st.sampled_from(["ko", "mn"]))
    def change_language(self, data: st.DataObject, language: str) -> None:
        before, draft = self.meeting, draft_of(self.meeting)
        person = data.draw(st.sampled_from(draft.people))
        changed = replace(person, language=language)
        decision = self._revise(replace(draft, people=tuple(changed if p == person else p for p in draft.people)))
        expected = {(person.email, "REQUEST", Occasion.CHANGED)} if changed != person else set()
        assert self._told(decision) == expected
        assert decision.meeting.sequence == before.sequence
        self._others_keep_everything(before, decision.meeting, person)
        assert self._of(person, decision.meeting).status == self._of(person, before).status
        self._follow(decision)

    @rule(data=st.data())
    def resend(self, data: st.DataObject) -> None:
        before = self.meeting
        invitation = data.draw(st.sampled_from(before.invitations))
        decision = decisions.resend(before, invitation.id, now=self.now)
        ((email, method, _),) = self._told(decision)
        assert email == invitation.invitee.email
        assert method == ("REQUEST" if self.is_open and invitation.is_active else "CANCEL")
        assert decision.messages[0].sequence == before.copy_sequence(invitation)
        self._others_keep_everything(before, decision.meeting, invitation.invitee)
        self._follow(decision)

    @precondition(lambda self: self.is_open and self.meeting.people)
    @rule(data=st.data(), status=st.sampled_from(["accepted", "declined", "tentative"]))
    def answer(self, data: st.DataObject, status: str) -> None:
        before = self.meeting
        invitation = data.draw(st.sampled_from(before.people))
        self.count += 1
        moment = self.now + timedelta(milliseconds=self.count)
        given = Answer(before.copy_sequence(invitation), moment, moment, status)
        decision = decisions.answered(before, invitation.id, [given])
        assert decision.messages == ()
        assert [n.kind for n in decision.notices] == (["answered"] if status != invitation.status else [])
        self._others_keep_everything(before, decision.meeting, invitation.invitee)
        assert replace(decision.meeting, invitations=()) == replace(before, invitations=())
        self.answers[invitation.invitee.email] = status
        self.meeting = decision.meeting

    @rule(to=st.sampled_from([CHAIR, OTHER_CHAIR]))
    def hand_over(self, to: Invitee) -> None:
        before, left = self.meeting, self.chair
        if to == left:
            return
        decision = decisions.hand_over(before, 2, now=self.now, chair=to, left=left.email, invite=invite)
        told = {(left.email, "CANCEL", Occasion.REMOVED), (to.email, "REQUEST", Occasion.INVITATION)}
        assert self._told(decision) == (told if self.is_open else set())
        assert (decision.meeting.owner_id, decision.meeting.sequence) == (2, before.sequence)
        assert [i for i in decision.meeting.invitations if i.is_active and i.is_chair] or not self.is_open
        if self.is_open:
            self.chair = to
        self._follow(decision)

    @precondition(lambda self: self.is_open)
    @rule(go=st.integers(0, 4))
    def cancel(self, go: int) -> None:
        if go:  # seldom, or little else would happen
            return
        before = self.meeting
        decision = decisions.cancel(before, "The hall is closed", now=self.now)
        active = {i.invitee.email for i in before.invitations if i.is_active}
        assert self._told(decision) == {(email, "CANCEL", Occasion.CANCELLED) for email in active}
        assert decision.meeting.sequence == before.sequence + 1
        self._follow(decision)

    @precondition(lambda self: not self.is_open)
    @rule()
    def cancelling_again_does_nothing_and_editing_is_refused(self) -> None:
        again = decisions.cancel(self.meeting, "Again", now=self.now)
        assert again == Decision(self.meeting)
        with pytest.raises(MeetingCancelled):
            self._revise(replace(draft_of(self.meeting), duration_minutes=45))

    # --- what must hold

    @invariant()
    def answers_are_as_the_table_says(self) -> None:
        for invitation in self.meeting.people:
            assert invitation.status == (self.answers.get(invitation.invitee.email) or "waiting")

    def _revise(self, draft: Draft, start: datetime | None = None) -> Decision:
        return decisions.revise(
            self.meeting, Checked(draft, start or self.meeting.start), now=self.now, chair=self.chair, invite=invite
        )

    def _edit_for_all(
        self, draft: Draft, occasion: Occasion | None, start: datetime | None = None, raises: bool | None = None
    ) -> None:
        before = self.meeting
        decision = self._revise(draft, start)
        active = {i.invitee.email for i in before.invitations if i.is_active}
        expected = {(email, "REQUEST", occasion) for email in active} if occasion else set()
        assert self._told(decision) == expected
        moved = occasion is Occasion.MOVED
        rise = 1 if (moved if raises is None else raises) else 0
        assert decision.meeting.sequence == before.sequence + rise
        if not occasion:
            assert decision == Decision(before)
        if moved:
            self.answers = {}
        self._follow(decision)

    def _told(self, decision: Decision) -> set[tuple[str, str, Occasion]]:
        told = [(m.invitation.invitee.email, m.method, m.occasion) for m in decision.messages]
        assert len(told) == len(set(told))
        return set(told)

    def _follow(self, decision: Decision) -> None:
        """Checks the messages against what each person had before, and goes on from there."""
        assert decision.meeting.uid == "u@cities.example"
        grew = decision.meeting.version - self.meeting.version
        assert grew in (0, 1)
        for message in decision.messages:
            email = message.invitation.invitee.email
            before = self.newest.get(email, (-1, datetime.min.replace(tzinfo=UTC), ""))
            assert message.sequence >= before[0]
            assert message.dtstamp > before[1]
            assert message.dtstamp.microsecond == 0
            assert before[2] in ("", message.method) or message.sequence > before[0]
            assert message.meeting == decision.meeting
            assert message.invitation in decision.meeting.invitations
            self.newest[email] = (message.sequence, message.dtstamp, message.method)
        self.meeting = decision.meeting
        for invitation in self.meeting.invitations:
            assert self.newest[invitation.invitee.email][1] == invitation.last_dtstamp

    def _of(self, person: Invitee, meeting: Meeting) -> Invitation:
        (found,) = (i for i in meeting.invitations if i.is_called(person.email))
        return found

    def _sequence(self, person: Invitee, meeting: Meeting) -> int:
        return meeting.copy_sequence(self._of(person, meeting))

    def _others_keep_everything(self, before: Meeting, after: Meeting, but: Invitee) -> None:
        kept = [i for i in before.invitations if not i.is_called(but.email)]
        assert [i for i in after.invitations if not i.is_called(but.email)] == kept


Edits.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestEdits = Edits.TestCase


# --- what the machine does not try


def test_a_meeting_that_is_over_is_neither_edited_nor_cancelled() -> None:
    meeting = created().meeting
    with pytest.raises(Conflict, match="meeting-past"):
        decisions.cancel(meeting, "", now=meeting.end)
    checked = Checked(replace(draft_of(meeting), duration_minutes=90), meeting.start)
    with pytest.raises(Conflict, match="meeting-past"):
        decisions.revise(meeting, checked, now=meeting.end, chair=CHAIR, invite=invite)
    assert decisions.cancel(meeting, "", now=meeting.end - timedelta(seconds=1)).messages


def test_the_host_does_not_change() -> None:
    meeting = created().meeting
    with pytest.raises(Conflict, match="host-not-yours"):
        decisions.revise(
            meeting, Checked(replace(draft_of(meeting), host="eregli"), START), now=NOW, chair=CHAIR, invite=invite
        )


def test_other_rules_of_the_zone_alone_tell_nobody_and_keep_the_version_of_the_rules() -> None:
    meeting = replace(created().meeting, tz_version="1999z")
    decision = decisions.revise(meeting, Checked(draft_of(meeting), meeting.start), now=NOW, chair=CHAIR, invite=invite)
    assert decision == Decision(meeting)


def test_an_answer_to_the_time_before_does_not_count_and_one_to_the_link_before_does() -> None:
    meeting = created().meeting
    who = meeting.people[0].id
    to_the_first = Answer(0, NOW, NOW, "accepted")
    url = replace(draft_of(meeting), video_url="https://video.example.org/2")
    linked = decisions.revise(meeting, Checked(url, START), now=NOW, chair=CHAIR, invite=invite).meeting
    assert decisions.answered(linked, who, [to_the_first]).meeting.people[0].status == "accepted"
    later = Checked(draft_of(meeting), START + timedelta(hours=1))
    moved = decisions.revise(meeting, later, now=NOW, chair=CHAIR, invite=invite).meeting
    assert decisions.answered(moved, who, [to_the_first]) == Decision(moved)


def test_the_coordinator_who_is_invited_later_has_one_invitation() -> None:
    meeting = created().meeting
    decision = decisions.invite_too(meeting, CHAIR, now=NOW, chair=CHAIR, invite=invite)
    (message,) = decision.messages
    assert not message.invitation.is_chair
    assert len(decision.meeting.invitations) == len(meeting.invitations)
    assert message.invitation.status == "waiting"


def test_nothing_is_sent_to_an_invitation_of_another_meeting() -> None:
    with pytest.raises(NotFound):
        decisions.resend(created().meeting, "another", now=NOW)
