"""K04: edit, cancel, answer and resend at once on one meeting; some order, one after the other, explains what all saw.

The checker looks for that order (Wing and Gong): each act in turn on a small model, such that everybody's answer is the
one that the model gives, and no act comes before one that had ended when it began.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest

from scheduler import answers, booking, tokens
from scheduler.core.errors import Conflict, MeetingCancelled, SchedulerError
from scheduler.core.meeting import Meeting
from scheduler.db.engine import Store
from scheduler.desk import Desk
from tests.house import AYLIN, BAT, House

Seen = tuple[object, ...]


@dataclass(frozen=True)
class State:
    """The model: what of a meeting these acts change."""

    version: int = 1
    sequence: int = 0
    minutes: int = 60
    cancelled: bool = False
    answer: str = "waiting"


@dataclass(frozen=True)
class Act:
    """`model` is what it does and tells in the model, `do` the same in the product."""

    name: str
    model: Callable[[State], tuple[State, Seen]]
    do: Callable[[Desk], Seen]


@dataclass(frozen=True)
class Done:
    act: Act
    began: float
    ended: float
    seen: Seen


GONE: Seen = ("cancelled",)


def _acts(house: House, meeting: Meeting) -> dict[str, Callable[[random.Random], Act]]:
    coordinator, key = house.person(), house.desk.key
    link = tokens.derived(key, tokens.LINK, house.invitation(meeting, BAT))
    aylin = house.invitation(meeting, AYLIN).id

    def edit(chance: random.Random) -> Act:
        minutes = chance.choice([30, 45, 90, 120])

        def model(state: State) -> tuple[State, Seen]:
            if state.cancelled:
                return state, GONE
            if state.minutes == minutes:
                return state, (state.version, state.sequence)
            moved = replace(
                state, version=state.version + 1, sequence=state.sequence + 1, minutes=minutes, answer="waiting"
            )
            return moved, (moved.version, moved.sequence)

        def do(desk: Desk) -> Seen:
            found = booking.edit(desk, coordinator, meeting.id, lambda d: replace(d, duration_minutes=minutes))
            return found.version, found.sequence

        return Act(f"edit {minutes}", model, do)

    def cancel(chance: random.Random) -> Act:
        def model(state: State) -> tuple[State, Seen]:
            if not state.cancelled:
                state = replace(state, version=state.version + 1, sequence=state.sequence + 1, cancelled=True)
            return state, (state.version, state.sequence)

        def do(desk: Desk) -> Seen:
            found = booking.cancel(desk, coordinator, meeting.id)
            return found.version, found.sequence

        return Act("cancel", model, do)

    def answer(chance: random.Random) -> Act:
        status = chance.choice(["accepted", "declined", "tentative"])

        def model(state: State) -> tuple[State, Seen]:
            return (state, GONE) if state.cancelled else (replace(state, answer=status), (status, state.sequence))

        def do(desk: Desk) -> Seen:
            opened = answers.answer_by_link(desk, link, status, "")
            return opened.invitation.status, opened.meeting.sequence

        return Act(f"answer {status}", model, do)

    def resend(chance: random.Random) -> Act:
        def do(desk: Desk) -> Seen:
            found = booking.resend(desk, coordinator, meeting.id, aylin)
            return found.version, found.sequence

        return Act("resend", lambda state: (state, (state.version, state.sequence)), do)

    return {"edit": edit, "cancel": cancel, "answer": answer, "resend": resend}


# --- the history


def at_once(house: House, queues: Sequence[Sequence[Act]]) -> list[Done]:
    """Each queue by somebody of their own, all at the same time."""
    history: list[Done] = []
    faults: list[BaseException] = []
    barrier = threading.Barrier(len(queues))

    def work(queue: Sequence[Act]) -> None:
        desk = replace(house.desk, store=Store(house.desk.settings.database.url))
        try:
            barrier.wait(10)
            for act in queue:
                began = time.monotonic()
                seen = _seen(act, desk)
                history.append(Done(act, began, time.monotonic(), seen))
        except BaseException as fault:
            faults.append(fault)
        finally:
            desk.store.close()

    threads = [threading.Thread(target=work, args=(queue,)) for queue in queues]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not faults, faults
    return history


def _seen(act: Act, desk: Desk) -> Seen:
    try:
        return act.do(desk)
    except MeetingCancelled:
        return GONE
    except Conflict as conflict:
        return (conflict.key,)
    except SchedulerError as error:
        raise AssertionError(act.name) from error


def an_order(history: Sequence[Done], state: State, end: State) -> list[str] | None:
    """An order that explains what everybody saw and leads to `end`; None when there is none."""
    if not history:
        return [] if state == end else None
    first_end = min(done.ended for done in history)
    for done in history:
        if done.began > first_end:
            continue
        after, seen = done.act.model(state)
        if seen == done.seen:
            rest = [other for other in history if other is not done]
            found = an_order(rest, after, end)
            if found is not None:
                return [done.act.name, *found]
    return None


@pytest.mark.parametrize("seed", range(6))
def test_some_order_explains_what_everybody_saw(house: House, seed: int) -> None:
    """K04."""
    chance = random.Random(seed)
    meeting = house.book(people=(BAT, AYLIN))
    house.send_all()
    kinds = _acts(house, meeting)
    queues = [[kinds[name](chance) for _ in range(4)] for name in ("edit", "edit", "answer", "resend")]
    queues[chance.randrange(4)].insert(chance.randrange(4), kinds["cancel"](chance))
    history = at_once(house, queues)
    found = house.meeting(meeting.id)
    cancelled = found.status == "cancelled"
    end = State(found.version, found.sequence, found.duration_minutes, cancelled, house.invitation(meeting, BAT).status)
    assert an_order(history, State(), end) is not None, [(d.act.name, d.seen) for d in history]
    stamps = [row.dtstamp for row in house.outbox(recipient=AYLIN.email)]
    assert stamps == sorted(set(stamps))
    sequences = [row.sequence for row in house.outbox(recipient=AYLIN.email)]
    assert sequences == sorted(sequences)


def test_the_checker_finds_what_no_order_explains() -> None:
    """An answer that was taken after the meeting was cancelled, and a version that was given twice."""

    def grow(state: State) -> tuple[State, Seen]:
        grown = replace(state, version=state.version + 1)
        return grown, (grown.version,)

    def end(state: State) -> tuple[State, Seen]:
        return replace(state, cancelled=True), ()

    def answer(state: State) -> tuple[State, Seen]:
        return (state, GONE) if state.cancelled else (replace(state, answer="accepted"), ("accepted",))

    never: Callable[[Desk], Seen] = lambda desk: ()  # noqa: E731
    edit, cancel, say = Act("edit", grow, never), Act("cancel", end, never), Act("answer", answer, never)
    late = [Done(cancel, 0, 1, ()), Done(say, 2, 3, ("accepted",))]
    assert an_order(late, State(), State(cancelled=True, answer="accepted")) is None
    at_the_same_time = [Done(cancel, 0, 3, ()), Done(say, 2, 3, ("accepted",))]
    assert an_order(at_the_same_time, State(), State(cancelled=True, answer="accepted")) == ["answer", "cancel"]
    twice = [Done(edit, 0, 3, (2,)), Done(edit, 0, 3, (2,))]
    assert an_order(twice, State(), State(version=2)) is None
