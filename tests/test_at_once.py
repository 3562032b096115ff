"""D10, K03, K05: two things at one moment have one outcome, and nothing is lost without a word.

A room is held by one meeting at a time; that is all that is exclusive. A person may be invited to two meetings at once
and answers each for themselves: the search for a common hour leaves out hours in which somebody is busy, but a
coordinator who knows better may book them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from scheduler import answers, booking, suggestions
from scheduler.core.errors import Conflict, MeetingCancelled, Outdated, RoomTaken, SchedulerError
from scheduler.core.meeting import Meeting
from scheduler.db.engine import Store
from tests import databases
from tests.house import AYLIN, BAT, JOHN, KIM, START, House

WRITING = ("BEGIN IMMEDIATE", "SELECT pg_advisory_xact_lock")  # how a transaction that writes begins
FIRST, SECOND = "gwangjin-video", "ulaanbaatar-video"


def at_once(*steps: Callable[[], object]) -> list[object]:
    """What each did, or the error it met; all begin at one moment."""
    barrier, results = threading.Barrier(len(steps)), [None] * len(steps)

    def run(number: int, step: Callable[[], object]) -> None:
        barrier.wait()
        try:
            results[number] = step()
        except SchedulerError as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(steps)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@contextmanager
def just_before_writing(house: House, act: Callable[[House], object]) -> Iterator[None]:
    """Another process does `act` after what is wanted was read and judged, before it is written."""
    done, store = [], Store(house.desk.store.url)
    other = House(replace(house.desk, store=store), house.clock)

    def begins(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(WRITING) and not done:
            done.append(True)
            act(other)

    event.listen(house.desk.store.engine, "before_cursor_execute", begins)
    yield
    event.remove(house.desk.store.engine, "before_cursor_execute", begins)
    store.close()
    assert done


def link(house: House, meeting: Meeting) -> str:
    return house.desk.addressed(house.invitation(meeting, BAT)).link.rpartition("/")[2]


def answer(house: House, meeting: Meeting, sequence: int | None = 0) -> answers.Opened:
    return answers.answer_by_link(house.desk, link(house, meeting), "accepted", "Yes", sequence)


def move(house: House, meeting: Meeting, **changes: Any) -> Meeting:
    wanted = {"start": START + timedelta(days=1), "wall": None, "zone": ""} | changes
    return booking.edit(house.desk, house.person(), meeting.id, lambda draft: replace(draft, **wanted))


def kept_answers(house: House) -> list[str]:
    return [row["status"] for row in databases.contents(house.desk.store)["answers"]]


# --- D10


def test_an_answer_that_a_move_overtakes_is_not_kept(house: House) -> None:
    """D10: the time that was on the page is no more; the move came after the look and before the answer was written."""
    meeting = house.book()
    with just_before_writing(house, lambda other: move(other, meeting)), pytest.raises(Conflict) as refused:
        answer(house, meeting)
    assert refused.value.key == "meeting-moved"
    assert kept_answers(house) == []
    assert house.invitation(meeting, BAT).status == "waiting"


def test_an_answer_that_a_cancellation_overtakes_is_not_kept(house: House) -> None:
    """D10."""
    meeting = house.book()
    cancel = lambda other: booking.cancel(other.desk, other.person(), meeting.id)  # noqa: E731
    with just_before_writing(house, cancel), pytest.raises(MeetingCancelled):
        answer(house, meeting)
    assert kept_answers(house) == []


def test_an_answer_that_comes_first_is_history_after_the_move(house: House) -> None:
    """D10: the other way about, the move takes nobody's yes along to the new time."""
    meeting = house.book()
    with just_before_writing(house, lambda other: answer(other, meeting)):
        move(house, meeting)
    assert kept_answers(house) == ["accepted"]
    assert house.invitation(meeting, BAT).status == "waiting"


def test_of_an_answer_and_a_move_at_one_moment_no_yes_is_left_for_the_new_time(house: House) -> None:
    """D10: whoever comes first, and what the page said is true."""
    for _ in range(6):
        before, meeting = len(kept_answers(house)), house.book()
        answered, moved = at_once(lambda m=meeting: answer(house, m), lambda m=meeting: move(house, m))
        assert isinstance(moved, Meeting)
        assert house.invitation(meeting, BAT).status == "waiting"
        kept = len(kept_answers(house)) - before
        assert kept == (0 if isinstance(answered, Conflict) else 1)


# --- K03


def test_meetings_that_swap_their_rooms_never_share_one(house: House) -> None:
    """K03: each wants the room that the other has; nobody waits long, and neither room is booked twice."""
    one, two = house.book(room=FIRST), house.book(room=SECOND)
    for _ in range(4):
        began = time.monotonic()
        rooms = {m.id: house.meeting(m.id).room for m in (one, two)}
        wanted = {one.id: rooms[two.id], two.id: rooms[one.id]}
        results = at_once(
            lambda: move(house, one, start=START, room=wanted[one.id]),  # noqa: B023
            lambda: move(house, two, start=START, room=wanted[two.id]),  # noqa: B023
        )
        assert [type(result) for result in results] == [RoomTaken, RoomTaken]
        assert time.monotonic() - began < 5
        assert {m.id: house.meeting(m.id).room for m in (one, two)} == rooms
    free = move(house, one, start=START, room="eregli-video")
    assert free.room == "eregli-video"
    assert move(house, two, start=START, room=rooms[one.id]).room == rooms[one.id]


def test_people_who_are_wanted_twice_are_invited_twice_and_each_is_told(house: House) -> None:
    """K03: overlapping lists in opposite orders, in two rooms: both are booked with all their mail; no deadlock."""
    began = time.monotonic()
    results = at_once(
        lambda: house.book(people=(BAT, AYLIN, KIM), room=FIRST),
        lambda: house.book(people=(KIM, AYLIN, JOHN, BAT), room=SECOND),
    )
    assert all(isinstance(result, Meeting) for result in results), results
    assert time.monotonic() - began < 5
    assert len(house.mails(BAT)) == len(house.mails(AYLIN)) == 2


def test_the_search_leaves_out_hours_in_which_somebody_is_busy(house: House) -> None:
    """K03: whoever searches does not double-book a person by mistake."""
    house.book()
    day = START.date()
    wanted = suggestions.Wanted(
        cities=("gwangjin", "ulaanbaatar", "eregli"), since=day, until=day, duration_minutes=60, limit=None
    )
    alone, with_bat = (
        {slot.start for slot in suggestions.suggest(house.desk, replace(wanted, people=people)).slots}
        for people in ((), (BAT.email,))
    )
    assert START in alone
    assert START not in with_bat
    overlapping = {start for start in alone if abs(start - START) < timedelta(hours=1)}
    assert with_bat == alone - overlapping


# --- K05


def test_of_two_who_save_from_the_same_version_one_is_told(house: House) -> None:
    """K05: also when the other saves after the version was looked at."""
    meeting = house.book()
    assert meeting.version == 1

    def save(url: str, version: int, by: House = house) -> Meeting:
        return booking.edit(by.desk, by.person(), meeting.id, lambda draft: replace(draft, video_url=url), version)

    with (
        just_before_writing(house, lambda other: save("https://video.example/first", 1, other)),
        pytest.raises(Outdated),
    ):
        save("https://video.example/second", 1)
    assert house.meeting(meeting.id).video_url == "https://video.example/first"
    version = house.meeting(meeting.id).version
    results = at_once(*[lambda n=n: save(f"https://video.example/{n}", version) for n in range(4)])
    assert sorted(type(result).__name__ for result in results) == ["Meeting", "Outdated", "Outdated", "Outdated"]
