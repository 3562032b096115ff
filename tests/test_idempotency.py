"""A request repeated with its key acts once: in turn, at the same moment, and when the first answer was lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from scheduler import booking
from scheduler.booking import RequestKey
from scheduler.core.cities import Directory
from scheduler.core.errors import Invalid, RoomTaken
from scheduler.core.meeting import Meeting
from scheduler.desk import Desk
from tests import processes
from tests.house import NOW, Clock, House

ROOM = "gwangjin-video"


def represent(meeting: Meeting, directory: Directory) -> bytes:
    return f"{meeting.id} in {directory.city_name(meeting.host, 'en')}".encode()


def book(desk: Desk, number: int) -> str:
    house = House(desk, Clock())
    booked = booking.create(desk, house.person(), house.draft(), RequestKey("k", "digest"), represent)
    return f"{'replayed' if booked.replayed else 'made'} {booked.answer.decode()}"


def book_the_room(desk: Desk, number: int) -> str:
    house = House(desk, Clock())
    booked = booking.create(desk, house.person(), house.draft(room=ROOM), RequestKey("k", "digest"), represent)
    return f"{'replayed' if booked.replayed else 'made'} {booked.answer.decode()}"


@pytest.mark.parametrize("act", [book, book_the_room])
def test_at_the_same_moment_one_is_made_and_all_get_its_answer(house: House, tmp_path: Path, act: object) -> None:
    """I02, I05: whoever does not know whether the commit went through asks again with the same key."""
    said = processes.all_at_once(act, house.desk.settings, NOW, 6, tmp_path / "said")  # type: ignore[arg-type]
    assert sorted(line.split()[0] for line in said) == ["made"] + ["replayed"] * 5, said
    assert len({line.split(maxsplit=1)[1] for line in said}) == 1
    with house.desk.store.read() as db:
        assert db.exec_driver_sql("SELECT count(*) FROM meetings").scalar() == 1
    assert len(house.outbox()) == 4


def test_at_the_same_moment_with_other_contents_one_is_refused(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    _first_while_second_decides(house, monkeypatch, RequestKey("k", "one"))
    with pytest.raises(Invalid) as refused:
        booking.create(house.desk, house.person(), house.draft(), RequestKey("k", "other"))
    assert [fault.key for fault in refused.value.faults] == ["idempotency-key-reused"]


def test_a_room_taken_by_somebody_else_is_not_taken_for_a_repetition(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    _first_while_second_decides(house, monkeypatch, RequestKey("k", "one"), room=ROOM)
    with pytest.raises(RoomTaken):
        booking.create(house.desk, house.person(), house.draft(room=ROOM), RequestKey("k2", "one"))


def _first_while_second_decides(house: House, monkeypatch: pytest.MonkeyPatch, key: RequestKey, **draft: str) -> None:
    """Lets a first request act just when the second one has seen that there was none before."""
    check, acted = booking.check, []

    def meanwhile(*args: object) -> object:
        if not acted:
            acted.append(True)
            booking.create(house.desk, house.person(), house.draft(**draft), key)
        return check(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(booking, "check", meanwhile)


def test_a_key_belongs_to_one_person(house: House) -> None:
    key = RequestKey("k", "digest")
    first = booking.create(house.desk, house.person(), house.draft(), key, represent)
    draft = house.draft(host="ulaanbaatar")
    other = booking.create(house.desk, house.person("ulaanbaatar"), draft, key)
    assert (first.replayed, other.replayed) == (False, False)
    assert first.meeting.id != other.meeting.id


def test_the_first_answer_is_kept_although_the_meeting_changed_since(house: House) -> None:
    key = RequestKey("k", "digest")
    first = booking.create(house.desk, house.person(), house.draft(), key, represent)
    booking.edit(house.desk, house.person(), first.meeting.id, lambda d: replace(d, duration_minutes=90))
    again = booking.create(house.desk, house.person(), house.draft(), key, represent)
    assert again.answer == first.answer
    assert again.meeting.version == 2


def test_a_request_that_failed_may_be_tried_again_with_its_key(house: House) -> None:
    key = RequestKey("k", "digest")
    with pytest.raises(Invalid):
        booking.create(house.desk, house.person(), house.draft(field=""), key)
    assert not booking.create(house.desk, house.person(), house.draft(), key, represent).replayed
