"""kill -9 at any moment: what was said to be booked or recorded is so, what is booked is sent, what came counts once.

`KILLS` in the environment says how often the long run kills (`make test-long`).
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import select

from scheduler.config import Settings
from scheduler.db import tables as t
from tests import databases, processes, town
from tests.house import Clock, House, parsed
from tests.town import LATER, Town

KILLS, MANY_KILLS = 25, int(os.environ.get("KILLS", "1000"))  # on each database


def test_nothing_is_lost_and_nothing_has_two_contents_or_effects(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """I01, I02, I06, I07, I08, I12, I13, J11."""
    _outlives(KILLS, settings, capsys)


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_a_thousand_kills(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """I01, I02, I06, I07, I08, I12, I13, J11."""
    _outlives(MANY_KILLS, settings, capsys)


def _outlives(kills: int, settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    began = time.monotonic()
    with town.opened(settings, random.Random(20270111)) as place:
        place.suffer(kills)
        clock = Clock(place.now)
        house = House(replace(processes.opened(place.settings, place.now), clock=clock), clock)
        place.come_to_rest(house.desk, lambda: clock.forward(seconds=LATER.total_seconds()))
    with capsys.disabled():
        print(f"\n{_figures(house, place, time.monotonic() - began)}")
    databases.must_be_whole(house.desk.store)
    _what_was_said_is_so(house, place)
    _what_came_in_has_one_effect(house, place)
    rows = [row for row in house.outbox() if row.invitation_id]
    reached = _reached(rows, place)
    _each_change_wrote_one_mail_for_each_person(house, rows, reached)
    _each_mail_arrived_or_was_overtaken(rows, reached, place)
    _each_mail_has_one_content(house, place)
    _each_person_got_their_mails_in_order(rows, place)
    house.desk.store.close()


def _figures(house: House, place: Town, seconds: float) -> str:
    rows, arrived = house.outbox(), Counter(arrival.message_id for arrival in place.office.arrived)
    contents = {(a.message_id, a.sha256) for a in [*place.office.arrived, *place.office.turned_away]}
    lost = [row for row in rows if row.state not in ("superseded", "handed-over") or _never_came(row, arrived)]
    repeated = sum(caller.asked_again for caller in (*(b.caller for b in place.bookers), place.guests.caller))
    return (
        f"kills {place.kills}, mails {len(rows)}, delivered {len(arrived)}, more than once "
        f"{sum(count > 1 for count in arrived.values())}, lost {len(lost)}, with two contents "
        f"{len(contents) - len({c[0] for c in contents})}; requests answered "
        f"{sum(len(b.said) for b in place.bookers)}, asked again {repeated}; "
        f"answers by mail {len(place.box.letters)}, by link {len(place.guests.recorded)}; {seconds:.0f} s"
    )


def _never_came(row: Any, arrived: Counter[str]) -> bool:
    return row.state == "handed-over" and row.message_id not in arrived


def _what_was_said_is_so(house: House, place: Town) -> None:
    """I01, I02: an answer was given only after the fact, and a request that was repeated acted once."""
    with house.desk.store.read() as db:
        made = {row.key: row.meeting_id for row in db.execute(select(t.requests))}
        meetings = set(db.scalars(select(t.meetings.c.id)))
        answered = {row.comment: row for row in db.execute(select(t.answers).where(t.answers.c.channel == "link"))}
    assert set(made.values()) == meetings
    assert len(meetings) == len(made)
    for booker in place.bookers:
        assert booker.said
        for key, verb, ident, version in booker.said:
            meeting = house.meeting(ident)
            assert made[key] == ident
            assert meeting.version >= version
            assert verb != "cancelled" or meeting.status == "cancelled"
    for comment, answer in place.guests.recorded:  # I12
        assert answered[comment].status == answer


def _what_came_in_has_one_effect(house: House, place: Town) -> None:
    """I13: every message is one row, and every answer, however often it came, one answer and at most one notice."""
    with house.desk.store.read() as db:
        numbers = Counter(row.uid for row in db.execute(select(t.mailbox_messages)) if row.inbox_id)
        rows = list(db.execute(select(t.inbox)))
        answers = Counter(db.scalars(select(t.answers.c.comment).where(t.answers.c.channel == "mail")))
    assert numbers == dict.fromkeys(place.box.letters, 1)
    assert len(rows) == len(place.box.letters)
    effects = Counter(row.message_id for row in rows if row.outcome != "ignored-duplicate")
    assert set(effects.values()) == {1}
    assert len(effects) == len(place.guests.by_mail)
    counted = [row for row in rows if row.outcome in ("accepted", "tentative", "declined")]
    assert counted
    assert set(answers.values()) == {1}
    assert len(counted) <= len(answers) <= len(effects)
    told = [_text(row.content) for row in house.outbox(kind="notice-answered")]
    for comment in (*place.guests.by_mail, *(comment for comment, _ in place.guests.recorded)):
        assert sum(comment in text for text in told) <= 1, comment


def _text(content: bytes) -> str:
    body = parsed(content).get_body(("plain",))
    assert body
    return str(body.get_content())


def _reached(rows: list[Any], place: Town) -> set[str]:
    """Invitations of which some mail arrived."""
    invitation_of = {row.message_id: row.invitation_id for row in rows}
    return {invitation_of[a.message_id] for a in place.office.arrived if a.message_id in invitation_of}


def _each_change_wrote_one_mail_for_each_person(house: House, rows: list[Any], reached: set[str]) -> None:
    """I01: all or nothing, also for what nobody was told any more. Who never heard of a meeting gets no CANCEL; what
    goes out again because somebody answered to an older time comes on top."""
    mails = Counter(row.invitation_id for row in rows if row.kind != "resent")
    for ident in {row.meeting_id for row in rows}:
        meeting = house.meeting(ident)
        assert len(meeting.invitations) == 4
        for invitation in meeting.invitations:
            assert _is_told(mails[invitation.id], meeting, unheard=invitation.id not in reached), meeting


def _is_told(mails: int, meeting: Any, *, unheard: bool) -> bool:
    if meeting.status != "cancelled":
        return mails == meeting.version
    return mails >= meeting.version - unheard  # an answer to a cancelled meeting gets the CANCEL again


def _each_mail_arrived_or_was_overtaken(rows: list[Any], reached: set[str], place: Town) -> None:
    """I06: and whom any mail reached, the newest one reached."""
    arrived = {arrival.message_id for arrival in place.office.arrived}
    newest = {row.invitation_id: row.id for row in rows}
    for row in rows:
        if row.state == "handed-over":
            assert row.message_id in arrived
        else:
            assert row.state == "superseded"
            assert row.id < newest[row.invitation_id] or row.invitation_id not in reached


def _each_mail_has_one_content(house: House, place: Town) -> None:
    """I07."""
    stored = {row.message_id: row.sha256 for row in house.outbox()}
    tried = [*place.office.arrived, *place.office.turned_away]
    assert len(tried) > len({arrival.message_id for arrival in tried})  # some were tried more than once
    for arrival in tried:
        assert arrival.sha256 == stored[arrival.message_id]


def _each_person_got_their_mails_in_order(rows: list[Any], place: Town) -> None:
    """I08, and more: not even a repetition arrives after a later mail."""
    row_of = {row.message_id: row for row in rows}
    by_person: dict[str, list[Any]] = {}
    for arrival in place.office.arrived:
        if row := row_of.get(arrival.message_id):
            by_person.setdefault(row.invitation_id, []).append(row)
    for mails in by_person.values():
        for one, next_ in pairwise(mails):
            assert one.id <= next_.id
            assert one.sequence <= next_.sequence
            assert one.id == next_.id or one.dtstamp < next_.dtstamp
        last = mails[-1].kind
        assert last == "cancelled" or "cancelled" not in [row.kind for row in mails]
