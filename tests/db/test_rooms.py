"""A room is never booked twice: not by two processes at one moment, not by whoever writes SQL by hand."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from scheduler import admin, booking
from scheduler.config import Settings
from scheduler.core.cities import City
from scheduler.core.errors import RoomTaken
from scheduler.core.meeting import Invitee, Meeting
from scheduler.core.words import Wording
from scheduler.db import tables as t
from scheduler.desk import Desk
from tests import processes
from tests.house import NOW, Clock, House

ROOM = "gwangjin-video"
ROOMS, MEETINGS = 2, 6

PROCESSES, RIVALS = 20, 50


def book_the_room(desk: Desk, number: int) -> str:
    """Two or three coordinators at one moment, so that those of all processes are fifty."""
    wanted = range(number, RIVALS, PROCESSES)
    with ThreadPoolExecutor(len(wanted)) as threads:
        return " ".join(threads.map(lambda _: _booked(desk), wanted))


def _booked(desk: Desk) -> str:
    try:
        return str(House(desk, Clock()).book(room=ROOM).id)
    except RoomTaken:
        return "taken"


def test_of_fifty_coordinators_who_book_a_room_at_one_moment_one_gets_it(settings: Settings, tmp_path: Path) -> None:
    """K01."""
    lines = processes.all_at_once(book_the_room, settings, NOW, PROCESSES, tmp_path / "said")
    said = [word for line in lines for word in line.split()]
    booked = [word for word in said if word != "taken"]
    assert (len(booked), len(said)) == (1, RIVALS), lines
    house = House(processes.opened(settings, NOW), Clock())
    with house.desk.store.read() as db:
        assert db.exec_driver_sql("SELECT count(*) FROM meetings").scalar() == 1
        assert db.exec_driver_sql("SELECT count(*) FROM invitations").scalar() == 4
    assert [str(row.meeting_id) for row in house.outbox()] == booked * 4
    house.desk.store.close()


def move_into_the_room(desk: Desk, number: int) -> str:
    house = House(desk, Clock())
    with desk.store.read() as db:
        ids = list(db.scalars(t.meetings.select().with_only_columns(t.meetings.c.id).order_by(t.meetings.c.id)))
    booking.edit(desk, house.person(), ids[number], lambda draft: replace(draft, room=ROOM))
    return "moved"


def test_of_many_meetings_moved_into_a_room_at_one_moment_one_gets_it(house: House, tmp_path: Path) -> None:
    meetings = [house.book(title=Wording.of(f"Meeting {n}")) for n in range(4)]
    mails = len(house.outbox())
    said = processes.all_at_once(move_into_the_room, house.desk.settings, NOW, 4, tmp_path / "said")
    assert sorted(line.split()[0] for line in said) == ["RoomTaken"] * 3 + ["moved"]
    assert sorted(house.meeting(m.id).version for m in meetings) == [1, 1, 1, 2]
    assert len(house.outbox()) == mails + 4


# --- by hand


def _at(minutes: int) -> datetime:
    """From the morning before Europe's clocks go back."""
    return datetime(2027, 10, 30, 6, 0, tzinfo=UTC) + timedelta(minutes=minutes)


def _add_meetings(db: Connection, model: Meeting) -> None:
    """Meetings 1 to 6 like `model`, which have no room yet."""
    row = dict(db.execute(t.meetings.select().where(t.meetings.c.id == model.id)).mappings().one())
    db.execute(t.meetings.insert(), [row | {"id": n, "uid": f"{n}@cities.example"} for n in range(1, MEETINGS + 1)])


def _insert(db: Connection, meeting: int, room: int, start: int, end: int) -> None:
    values = {"meeting_id": meeting, "room_id": room, "starts": _at(start), "ends": _at(end)}
    db.execute(t.bookings.insert().values(values))


def _update(db: Connection, meeting: int, room: int, start: int, end: int) -> None:
    values = {"room_id": room, "starts": _at(start), "ends": _at(end)}
    db.execute(t.bookings.update().where(t.bookings.c.meeting_id == meeting).values(values))


@pytest.mark.parametrize(
    ("start", "end", "taken"),
    [
        (-60, 0, False),  # ends as the other begins
        (60, 120, False),  # begins as the other ends
        (0, 60, True),
        (15, 45, True),
        (-15, 75, True),
        (-15, 1, True),
        (59, 75, True),
    ],
)
@pytest.mark.parametrize("verb", ["INSERT", "UPDATE"])
def test_the_database_itself_refuses_an_overlap_and_nothing_else(
    house: House, verb: str, start: int, end: int, taken: bool
) -> None:
    """K02."""
    store = house.desk.store
    model = house.book()
    with store.write() as db:
        _add_meetings(db, model)
        _insert(db, 1, 1, 0, 60)
        if verb == "UPDATE":
            _insert(db, 2, 1, 600, 660)

    def act() -> None:
        with store.write() as db:
            if verb == "INSERT":
                _insert(db, 2, 1, start, end)
            else:
                _update(db, 2, 1, start, end)

    if not taken:
        act()
        return
    with pytest.raises(IntegrityError, match="room-taken"):
        act()


def test_an_empty_or_backward_interval_is_refused(house: House) -> None:
    """K02."""
    model = house.book(room=ROOM)
    for end in (0, -1):
        with pytest.raises(IntegrityError, match="ck_bookings_interval"), house.desk.store.write() as db:
            _update(db, model.id, 1, 0, end)


# Minutes that cross the midnights of all three cities, and the night in which Europe's clocks go back.
_minutes = st.integers(0, 40).map(lambda n: n * 60)
_bookings = st.tuples(st.integers(1, MEETINGS), st.integers(1, ROOMS), _minutes, _minutes)


def test_any_bookings_are_accepted_exactly_when_they_do_not_overlap(house: House) -> None:
    """K02."""
    model = house.book()
    with house.desk.store.write() as db:
        _add_meetings(db, model)

        @hypothesis_settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(st.lists(_bookings, max_size=12))
        def holds(wanted: list[tuple[int, int, int, int]]) -> None:
            with db.begin_nested() as example:
                _books_like_the_model(db, wanted)
                example.rollback()

        holds()


def _books_like_the_model(db: Connection, wanted: list[tuple[int, int, int, int]]) -> None:
    held: dict[int, tuple[int, int, int]] = {}
    for meeting, room, start, end in wanted:
        free = start < end and not any(
            other_room == room and start < other_end and other_start < end
            for other, (other_room, other_start, other_end) in held.items()
            if other != meeting
        )
        write = _update if meeting in held else _insert
        try:
            with db.begin_nested():
                write(db, meeting, room, start, end)
            accepted = True
        except IntegrityError:
            accepted = False
        assert accepted == free, (meeting, room, start, end, held)
        if accepted:
            held[meeting] = (room, start, end)


def test_a_wall_time_that_comes_twice_is_two_hours_of_the_room(house: House) -> None:
    """K02."""
    nine_to_five = tuple(((540, 1020),) if day < 5 else () for day in range(7))
    admin.add_city(house.desk, City("vienna", Wording.of("Wien"), "Europe/Vienna", "AT", "en", nine_to_five))
    admin.add_room(house.desk, "vienna", "vienna-video", "Video")
    first = datetime(2027, 10, 31, 0, 0, tzinfo=UTC)  # 02:00, for the first time
    partner = Invitee("Büro Wien", "office@vienna.example", "vienna", "en")
    changes = {"cities": ("gwangjin", "vienna"), "zone": "Europe/Vienna", "room": "vienna-video", "people": (partner,)}
    one = house.book(start=first, **changes)
    two = house.book(start=first + timedelta(hours=1), **changes)
    assert one.wall == two.wall
    for minutes in (30, 90):
        with pytest.raises(RoomTaken):
            house.book(start=first + timedelta(minutes=minutes), **changes)
