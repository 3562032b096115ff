"""Which of many answers stands: the same one, whatever the order, however often each came (RFC 5546 2.1.5)."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from scheduler.core.itip import CLOCK_TOLERANCE, Answer, standing

T0 = datetime(2027, 1, 11, 1, 0, tzinfo=UTC)
STATUSES = ("accepted", "tentative", "declined", "delegated")

moments = st.integers(-600, 600).map(lambda seconds: T0 + timedelta(seconds=seconds))
answers = st.builds(
    Answer,
    sequence=st.integers(0, 3),
    dtstamp=st.one_of(moments, st.just(datetime(9999, 1, 1, tzinfo=UTC)), st.just(datetime(1, 1, 1, tzinfo=UTC))),
    received=moments,
    status=st.sampled_from(STATUSES),
    comment=st.sampled_from(["", "late", "늦습니다"]),
    channel=st.sampled_from(["mail", "link", "telephone"]),
)
histories = st.lists(answers, max_size=8)
resets = st.integers(0, 3)


def given_at(minutes: int = 0, **changes: object) -> Answer:
    moment = T0 + timedelta(minutes=minutes)
    values = {"sequence": 0, "dtstamp": moment, "received": moment, "status": "accepted"} | changes
    return Answer(**values)  # type: ignore[arg-type]


def reduced(history: list[Answer], reset: int) -> list[Answer]:
    found = standing(history, reset)
    return [found] if found else []


@given(histories, histories, resets)
def test_standing_is_commutative(one: list[Answer], other: list[Answer], reset: int) -> None:
    assert _same(standing(one + other, reset), standing(other + one, reset))


@given(histories, histories, histories, resets)
def test_standing_is_associative(a: list[Answer], b: list[Answer], c: list[Answer], reset: int) -> None:
    left = standing(reduced(a + b, reset) + c, reset)
    right = standing(a + reduced(b + c, reset), reset)
    assert _same(left, right)
    assert _same(left, standing(a + b + c, reset))


@given(histories, resets)
def test_standing_is_idempotent(history: list[Answer], reset: int) -> None:
    found = standing(history, reset)
    assert _same(standing(history + history, reset), found)
    assert _same(standing(reduced(history, reset), reset), found)


@given(histories, resets, st.randoms())
def test_standing_is_the_same_for_every_order(history: list[Answer], reset: int, chance: random.Random) -> None:
    shuffled = history.copy()
    chance.shuffle(shuffled)
    assert _same(standing(shuffled, reset), standing(history, reset))


def _same(one: Answer | None, other: Answer | None) -> bool:
    """In all that people and calendars see: equal keys hold equal answers, perhaps by another channel."""
    return (one and one.key) == (other and other.key) and (one and one.status) == (other and other.status)


@given(histories, resets)
def test_an_answer_to_an_older_time_never_stands(history: list[Answer], reset: int) -> None:
    found = standing(history, reset)
    assert found is None or found.sequence >= reset
    assert (found is None) == all(a.sequence < reset for a in history)


def test_ten_thousand_answers_each_twice_in_twenty_orders_have_one_result() -> None:
    chance = random.Random(20)
    history = [
        given_at(chance.randrange(60), sequence=chance.randrange(3), status=chance.choice(STATUSES), comment=str(n % 7))
        for n in range(10_000)
    ]
    of_person = [n % 50 for n in range(10_000)]
    mails = [*zip(of_person, history, strict=True)] * 2
    assert len({_final_state(mails, chance) for _ in range(20)}) == 1


def _final_state(mails: list[tuple[int, Answer]], chance: random.Random) -> tuple[object, ...]:
    chance.shuffle(mails)
    kept: dict[int, list[Answer]] = {}
    for person, answer in mails:
        kept.setdefault(person, []).append(answer)
    found = {person: standing(answers, 1) for person, answers in kept.items()}
    return tuple((person, a and (a.sequence, a.status, a.comment, a.dtstamp)) for person, a in sorted(found.items()))


def test_nothing_stands_while_nobody_answered() -> None:
    assert standing([], 0) is None


def test_the_later_answer_to_the_same_version_stands() -> None:
    yes, no = given_at(0), given_at(1, status="declined")
    assert standing([no, yes], 0) is no


def test_sequence_counts_before_time() -> None:
    to_the_new = given_at(0, sequence=1)
    to_the_old = given_at(60, sequence=0, status="declined")
    assert standing([to_the_new, to_the_old], 0) is to_the_new


def test_a_clock_that_runs_ahead_wins_five_minutes_at_most() -> None:
    ahead = given_at(0, dtstamp=datetime(9999, 12, 31, tzinfo=UTC), status="declined")
    assert ahead.key[1] == ahead.received + CLOCK_TOLERANCE
    assert standing([ahead, given_at(4)], 0) is ahead
    honest = given_at(6)
    assert standing([ahead, honest], 0) is honest


def test_a_clock_that_runs_behind_is_believed() -> None:
    behind = given_at(10, dtstamp=T0 - timedelta(hours=1))
    assert behind.key[1] == T0 - timedelta(hours=1)
    assert standing([behind, given_at(0)], 0) is not behind


def test_what_was_received_later_wins_a_tie_of_time() -> None:
    one, two = given_at(0), given_at(0, received=T0 + timedelta(seconds=1), status="declined")
    assert standing([one, two], 0) is two
    assert standing([two, one], 0) is two


def test_at_the_very_same_moment_some_answer_wins_but_always_the_same() -> None:
    yes, no = given_at(0), given_at(0, status="declined")
    assert standing([yes, no], 0) is standing([no, yes], 0)


def test_the_digest_is_of_what_was_said_and_not_of_how_it_came() -> None:
    assert given_at(0).digest == given_at(0, channel="link", received=T0 + timedelta(hours=1)).digest
    others = [given_at(1), given_at(0, status="declined"), given_at(0, comment="x"), given_at(0, sequence=1)]
    assert len({a.digest for a in [given_at(0), *others]}) == 5
