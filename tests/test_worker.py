"""The worker against a real mail server: what is put off comes again, what is refused is told, what is lost is not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from scheduler import booking, worker
from scheduler.core.meeting import Meeting
from scheduler.db import outbox
from scheduler.db.outbox import LEASE, Claimed
from scheduler.worker import GIVE_UP, LONGEST_PAUSE, Worker, pause_after
from tests import post_office
from tests.house import AYLIN, BAT, House, calendar_of, parsed
from tests.post_office import LOST, PostOffice


@pytest.fixture
def office() -> Iterator[PostOffice]:
    with post_office.opened(PostOffice()) as office:
        yield office


@pytest.fixture
def town(house: House, office: PostOffice) -> House:
    """A house whose mail goes to the post office."""
    house.desk = replace(house.desk, settings=post_office.sending_to(house.desk.settings, office.port))
    return house


def once(house: House) -> bool:
    return Worker(house.desk, threading.Event()).once()


def put_off(recipient: str) -> str:
    return "451 4.7.1 Try later"


def refuse_bat(recipient: str) -> str:
    return "550 5.1.1 No such person" if recipient == BAT.email else "250 OK"


def take(recipient: str) -> str:
    return "250 2.0.0 OK"


def claim(house: House, lease: str) -> Claimed | None:
    with house.desk.store.write() as db:
        return outbox.claim(db, house.clock.time, lease)


def move(house: House, meeting: Meeting) -> Meeting:
    house.clock.forward(seconds=1)
    minutes = house.meeting(meeting.id).duration_minutes + 5
    return booking.edit(house.desk, house.person(), meeting.id, lambda d: replace(d, duration_minutes=minutes))


def states(house: House, recipient: str) -> list[str]:
    return [row.state for row in house.outbox(recipient=recipient)]


# --- handing over


def test_each_mail_arrives_once_as_it_is_stored(town: House, office: PostOffice) -> None:
    town.book()
    assert once(town)
    assert once(town)
    stored = {row.message_id: (row.recipient, row.content) for row in town.outbox()}
    assert {a.message_id: (a.recipient, a.content) for a in office.arrived} == stored
    assert len(office.arrived) == 4
    assert {(row.state, row.answer) for row in town.outbox()} == {("handed-over", "250 OK")}


def test_what_is_put_off_comes_again_with_growing_pauses_and_the_same_bytes(town: House, office: PostOffice) -> None:
    town.book(people=(BAT,))
    office.answer = put_off
    pauses: list[timedelta] = []
    for _ in range(12):
        assert once(town)
        (row,) = town.outbox(recipient=BAT.email)
        assert (row.state, row.lease, row.answer) == ("queued", "", "451 4.7.1 Try later")
        assert once(town)  # not yet due: nothing happens
        pauses.append(row.next_attempt_at - town.clock.time)
        town.clock.time = max(r.next_attempt_at for r in town.outbox())
    tried = [arrival for arrival in office.turned_away if arrival.recipient == BAT.email]
    assert len(tried) == 12
    office.answer = take
    assert once(town)
    (arrival,) = office.about(BAT.email)
    assert {a.content for a in tried} == {arrival.content}
    assert all(one * 1.3 < later for one, later in pairwise(pauses) if later < LONGEST_PAUSE * 0.9)
    assert pauses[0] <= timedelta(minutes=2)
    assert max(pauses) <= LONGEST_PAUSE * 1.1


def test_pauses_double_up_to_a_limit_and_differ_a_little() -> None:
    first = {pause_after(1) for _ in range(20)}
    assert len(first) > 1
    assert all(timedelta(seconds=54) <= pause <= timedelta(seconds=66) for pause in first)
    assert all(LONGEST_PAUSE * 0.9 <= pause_after(n) <= LONGEST_PAUSE * 1.1 for n in (9, 20, 10_000))


def test_what_is_put_off_for_five_days_is_given_up_and_told(town: House, office: PostOffice) -> None:
    """I10, J02."""
    town.book(people=(BAT,))
    office.answer = put_off
    once(town)
    town.clock.forward(seconds=GIVE_UP.total_seconds() + 1)
    once(town)
    assert states(town, BAT.email) == ["refused"]
    assert "notice-refused" in [row.kind for row in town.outbox()]


def test_what_is_refused_for_good_is_told_to_the_coordinator_once(town: House, office: PostOffice) -> None:
    meeting = town.book()
    office.answer = refuse_bat
    assert once(town)
    assert states(town, BAT.email) == ["refused"]
    (refused,) = town.outbox(recipient=BAT.email)
    assert refused.answer == "550 5.1.1 No such person"
    assert states(town, AYLIN.email) == ["handed-over"]
    (notice,) = town.outbox(kind="notice-refused")
    assert notice.recipient == town.person().email
    text = parsed(notice.content).get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert BAT.name in text
    town.clock.forward(days=1)
    assert once(town)
    assert len(town.outbox(kind="notice-refused")) == 1
    assert town.meeting(meeting.id) == meeting
    assert len([a for a in office.turned_away if a.recipient == BAT.email]) == 1


def test_a_refused_notice_makes_no_further_notice(town: House, office: PostOffice) -> None:
    town.book(people=(BAT,))
    office.answer = lambda recipient: "550 5.1.1 No such person"
    for _ in range(3):
        once(town)
        town.clock.forward(days=1)
    kinds = [row.kind for row in town.outbox()]
    assert kinds.count("notice-refused") == 2  # of the partner's mail and of the coordinator's own copy
    assert {row.state for row in town.outbox()} == {"refused"}


# --- a server that is not there


def test_without_a_server_nothing_is_lost_and_the_worker_says_so(house: House) -> None:
    nowhere = PostOffice()
    with post_office.opened(nowhere):
        pass
    house.desk = replace(house.desk, settings=post_office.sending_to(house.desk.settings, nowhere.port))
    house.book()
    assert once(house) is False
    assert {row.state for row in house.outbox()} == {"queued"}
    assert sum(row.attempts for row in house.outbox()) == 1  # the others are not tried in vain
    house.clock.forward(minutes=2)
    with post_office.opened(PostOffice()) as office:
        house.desk = replace(house.desk, settings=post_office.sending_to(house.desk.settings, office.port))
        assert once(house) is True
    assert len(office.arrived) == 4


def test_a_mail_that_was_taken_but_not_confirmed_comes_again_with_the_same_bytes(
    town: House, office: PostOffice
) -> None:
    town.book(people=(BAT,))
    office.answer = lambda recipient: LOST
    assert once(town) is False
    office.answer = take
    town.clock.forward(minutes=2)
    assert once(town)
    lost, *_ = office.arrived
    assert [a.content for a in office.about(lost.recipient)] == [lost.content] * 2


def test_the_worker_goes_on_after_a_fault(town: House, office: PostOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    town.book()
    stop, faults = threading.Event(), iter([True, True])
    claims = outbox.claim

    def faulty(*args: object) -> Claimed | None:
        if next(faults, False):
            raise RuntimeError
        found = claims(*args)  # type: ignore[arg-type]
        if found is None:
            stop.set()
        return found

    monkeypatch.setattr(outbox, "claim", faulty)
    monkeypatch.setattr(worker, "SERVER_PAUSE_SECONDS", 0.001)
    Worker(town.desk, stop).run()
    assert len(office.arrived) == 4


def test_the_worker_ends_between_two_mails(town: House, office: PostOffice) -> None:
    town.book()
    stop = threading.Event()

    def take_one(recipient: str) -> str:
        stop.set()
        return "250 OK"

    office.answer = take_one
    Worker(town.desk, stop).run()
    assert len(office.arrived) == 1
    assert sorted(row.state for row in town.outbox()) == ["handed-over", "queued", "queued", "queued"]


# --- leases and order


def test_two_workers_never_have_the_same_mail(house: House) -> None:
    house.book()
    claimed = [claim(house, f"lease {n}") for n in range(5)]
    assert claimed[4] is None
    assert len({c.id for c in claimed if c}) == 4


def test_a_mail_of_a_dead_worker_is_free_after_its_lease(house: House) -> None:
    """I10: whatever a dead worker held is queued again."""
    house.book(people=(BAT,))
    first = [claim(house, "dead"), claim(house, "dead")]
    house.clock.forward(seconds=LEASE.total_seconds() - 1)
    assert claim(house, "alive") is None
    house.clock.forward(seconds=1)
    again = [claim(house, "alive"), claim(house, "alive")]
    assert {c.id for c in again if c} == {c.id for c in first if c}
    assert {c.attempts for c in again if c} == {2}


def test_a_worker_that_lost_its_lease_marks_nothing(house: House) -> None:
    """I09."""
    house.book(people=(BAT,))
    slow = claim(house, "slow")
    assert slow
    house.clock.forward(seconds=LEASE.total_seconds())
    quick = claim(house, "quick")
    assert quick
    assert quick.id == slow.id
    now = house.clock.time
    with house.desk.store.write() as db:
        assert not outbox.finish(db, slow, "slow", "refused", "550", now)
        assert not outbox.retry(db, slow, "slow", "451", now + timedelta(days=1))
    (row,) = [r for r in house.outbox() if r.id == slow.id]
    assert (row.state, row.lease, row.answer) == ("queued", "quick", "")
    with house.desk.store.write() as db:
        assert outbox.finish(db, quick, "quick", "handed-over", "250", now)
        assert not outbox.finish(db, slow, "slow", "refused", "550", now)


def test_a_worker_that_lost_its_lease_tells_the_coordinator_nothing(town: House, office: PostOffice) -> None:
    town.book(people=(BAT,))

    def refuse_after_the_lease(recipient: str) -> str:
        if recipient != BAT.email:
            return "250 OK"
        town.clock.forward(seconds=LEASE.total_seconds())
        assert claim(town, "quick")
        return "550 5.1.1 No such person"

    office.answer = refuse_after_the_lease
    once(town)
    assert not town.outbox(kind="notice-refused")
    assert [row.lease for row in town.outbox(recipient=BAT.email)] == ["quick"]


def test_a_newer_mail_waits_while_the_older_one_is_being_sent(house: House) -> None:
    meeting = house.book(people=(BAT,))
    sending = {c.invitation_id: c for c in (claim(house, "one"), claim(house, "one")) if c}
    move(house, meeting)
    assert claim(house, "two") is None
    older = sending[house.invitation(meeting, BAT).id]
    assert states(house, BAT.email) == ["queued", "queued"]
    with house.desk.store.write() as db:
        outbox.finish(db, older, "one", "handed-over", "250", house.clock.time)
    newer = claim(house, "two")
    assert newer
    assert newer.invitation_id == older.invitation_id
    assert newer.id > older.id


def test_a_mail_that_is_put_off_is_overtaken_by_a_newer_one(town: House, office: PostOffice) -> None:
    meeting = town.book(people=(BAT,))
    office.answer = put_off
    once(town)
    move(town, meeting)
    assert states(town, BAT.email) == ["superseded", "queued"]
    office.answer = take
    assert once(town)  # the newer one does not wait for the pause of the older
    assert [a.message_id for a in office.about(BAT.email)] == [town.outbox(recipient=BAT.email)[1].message_id]
    town.clock.forward(days=1)
    once(town)
    assert len(office.about(BAT.email)) == 1


def test_a_mail_put_off_while_a_newer_one_was_written_does_not_come_again(town: House, office: PostOffice) -> None:
    meeting = town.book(people=(BAT,))

    def move_meanwhile(recipient: str) -> str:
        if recipient == BAT.email and len(town.outbox(recipient=BAT.email)) == 1:
            move(town, meeting)
            return "451 4.7.1 Try later"
        return "250 OK"

    office.answer = move_meanwhile
    once(town)
    assert states(town, BAT.email) == ["superseded", "handed-over"]


def test_a_refused_mail_of_a_version_that_is_over_is_no_news_but_told(town: House, office: PostOffice) -> None:
    """The address is wrong whatever the version: the coordinator hears of it, and again with the newer mail."""
    meeting = town.book(people=(BAT,))
    office.answer = refuse_bat
    once(town)
    move(town, meeting)
    once(town)
    assert states(town, BAT.email) == ["refused", "refused"]
    assert len(town.outbox(kind="notice-refused")) == 2


def test_a_cancellation_comes_last(town: House, office: PostOffice) -> None:
    """I08."""
    meeting = town.book()
    once(town)
    move(town, meeting)
    booking.cancel(town.desk, town.person(), meeting.id)
    office.answer = put_off
    once(town)
    office.answer = take
    town.clock.forward(minutes=5)
    once(town)
    row_of = {row.message_id: row for row in town.outbox()}
    assert [row_of[a.message_id].kind for a in office.about(BAT.email)] == ["invitation", "cancelled"]


# --- who is told of a cancellation


def cancel(house: House, meeting: Meeting) -> None:
    booking.cancel(house.desk, house.person(), meeting.id)


def test_a_cancellation_leaves_alone_where_the_invitation_was_put_off(town: House, office: PostOffice) -> None:
    meeting = town.book()
    office.answer = put_off
    once(town)
    cancel(town, meeting)
    office.answer = take
    town.clock.forward(days=1)
    once(town)
    assert len(office.arrived) == 4
    assert {(row.kind, row.state) for row in town.outbox()} == {
        ("invitation", "superseded"),
        ("cancelled", "handed-over"),
    }


def test_whom_a_mail_perhaps_reached_is_told(town: House, office: PostOffice) -> None:
    meeting = town.book(people=(BAT,))
    office.answer = lambda recipient: LOST if recipient == BAT.email else "250 OK"
    while not office.about(BAT.email):
        once(town)
    office.answer = put_off
    town.clock.forward(minutes=5)
    once(town)
    cancel(town, meeting)
    office.answer = take
    once(town)
    assert [row.kind for row in town.outbox(recipient=BAT.email)] == ["invitation", "cancelled"]
    assert b"METHOD:CANCEL" in calendar_of(parsed(office.about(BAT.email)[-1].content))


def test_whose_mail_is_being_sent_just_now_is_told_after_it(house: House) -> None:
    meeting = house.book(people=(BAT,))
    sending = [c for c in (claim(house, "one"), claim(house, "one")) if c]
    cancel(house, meeting)
    assert states(house, BAT.email) == ["queued", "queued"]
    with house.desk.store.write() as db:
        for mail in sending:
            outbox.finish(db, mail, "one", "handed-over", "250", house.clock.time)
    assert {c.kind for c in (claim(house, "two"), claim(house, "two")) if c} == {"cancelled"}


def test_a_mail_whose_worker_died_perhaps_left_whatever_comes_after(town: House, office: PostOffice) -> None:
    meeting = town.book(people=(BAT,))
    assert claim(town, "dead")
    assert claim(town, "dead")
    town.clock.forward(seconds=LEASE.total_seconds())
    office.answer = put_off
    once(town)
    cancel(town, meeting)
    assert [row.kind for row in town.outbox(recipient=BAT.email)] == ["invitation", "cancelled"]


def test_a_mail_whose_worker_died_perhaps_left_also_when_nobody_took_it_up(house: House) -> None:
    meeting = house.book(people=(BAT,))
    assert claim(house, "dead")
    assert claim(house, "dead")
    house.clock.forward(seconds=LEASE.total_seconds() + 1)
    cancel(house, meeting)
    assert states(house, BAT.email) == ["superseded", "queued"]
