"""What watches the installation is told the truth, and what is stuck can be mended."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from scheduler import access, operation
from scheduler.core.errors import Invalid, NotFound
from scheduler.db import outbox
from scheduler.db.operation import beat
from scheduler.worker import Worker
from tests import post_office
from tests.house import AYLIN, BAT, House
from tests.post_office import PostOffice


def once(house: House) -> bool:
    return Worker(house.desk, threading.Event()).once()


def refuse_bat(recipient: str) -> str:
    return f"550 5.1.1 <{recipient}>: no such person" if recipient == BAT.email else "250 OK"


# --- health


def test_all_is_well_while_mail_gets_out(house: House) -> None:
    house.book()
    assert once(house)
    house.clock.forward(days=2)  # nothing waits, so nothing is late
    found = operation.health(house.desk)
    assert (found.outbox, found.queued, found.mailbox, found.is_well) == (0, 0, None, True)
    assert found.worker == 2 * 24 * 3600


def test_mail_that_no_worker_takes_is_late_after_an_hour(house: House) -> None:
    """I10."""
    house.book()
    house.clock.forward(minutes=60)
    assert operation.health(house.desk).is_well
    house.clock.forward(seconds=1)
    found = operation.health(house.desk)
    assert (found.outbox, found.queued, found.late) == (3601, 4, ("outbox",))
    assert once(house)
    assert operation.health(house.desk).is_well


def test_a_mail_server_that_is_away_makes_it_late_although_the_worker_lives(house: House) -> None:
    """I10: each mail is tried again and put off, so none of them is due for long."""
    assert once(house)
    house.desk = replace(house.desk, settings=post_office.sending_to(house.desk.settings, 1))
    house.book()
    worker = Worker(house.desk, threading.Event())
    for _ in range(130):
        house.clock.forward(seconds=30)
        worker.once()
    found = operation.health(house.desk)
    assert found.late == ("outbox",)
    assert found.outbox > 3600
    assert found.worker is not None
    assert found.worker <= 30


def test_one_address_that_puts_us_off_is_no_fault_of_the_installation(house: House) -> None:
    with post_office.opened(PostOffice(lambda r: "451 later" if r == BAT.email else "250 OK")) as office:
        house.desk = replace(house.desk, settings=post_office.sending_to(house.desk.settings, office.port))
        house.book()
        worker = Worker(house.desk, threading.Event())
        for _ in range(150):
            house.clock.forward(seconds=30)
            assert worker.once()
    assert operation.health(house.desk).is_well


def test_a_mailbox_that_is_not_read_is_late_after_half_an_hour(house: House) -> None:
    with house.desk.store.write() as db:
        beat(db, operation.MAILBOX, house.clock.time, well=True)
    house.clock.forward(minutes=30)
    with house.desk.store.write() as db:
        beat(db, operation.MAILBOX, house.clock.time, well=False)
    assert operation.health(house.desk).is_well
    house.clock.forward(seconds=1)
    found = operation.health(house.desk)
    assert (found.mailbox, found.late) == (1801, ("mailbox",))


def test_a_worker_tells_that_it_lives_without_writing_all_the_time(house: House) -> None:
    worker, told = Worker(house.desk, threading.Event()), set()
    for _ in range(60):
        worker.once()
        house.clock.forward(seconds=1)
        with house.desk.store.read() as db:
            told.add(operation.operation.heartbeats(db)[operation.WORKER].seen_at)
    assert len(told) == 2


# --- remedies


@pytest.fixture
def stuck(house: House) -> House:
    """A house whose mail to one person was refused, and to another was put off."""
    answers = lambda r: "451 later" if r == AYLIN.email else refuse_bat(r)  # noqa: E731
    with post_office.opened(PostOffice(answers)) as office:
        house.desk = replace(house.desk, settings=post_office.sending_to(house.desk.settings, office.port))
        house.book()
        once(house)
    return house


def test_the_overview_tells_what_is_stuck_and_why(stuck: House) -> None:
    stuck.receive(b"\x00")
    found = operation.overview(stuck.desk, None)
    assert {(x.recipient, x.state, operation.remedies(x)) for x in found.troubles} == {
        (BAT.email, "refused", ("retry",)),
        (AYLIN.email, "queued", ("retry", "drop")),
    }
    assert found.outbox == {"handed-over": 3, "queued": 1, "refused": 1}  # with the word to the coordinator
    assert sum(found.inbox.values()) == 1
    assert found.reviews == 1
    assert operation.WORKER in found.heartbeats
    assert found.versions["tz"]


def test_what_was_refused_and_what_waits_can_be_sent_now(stuck: House) -> None:
    ids = [x.id for x in operation.troubles(stuck.desk, None)]
    with post_office.opened(PostOffice()) as office:
        stuck.desk = replace(stuck.desk, settings=post_office.sending_to(stuck.desk.settings, office.port))
        assert operation.act(stuck.desk, None, "retry", ids) == 2
        assert once(stuck)
        assert {a.recipient for a in office.arrived} >= {BAT.email, AYLIN.email}
    assert operation.troubles(stuck.desk, None) == []


def test_what_is_being_sent_or_is_done_cannot_be_dropped(stuck: House) -> None:
    stuck.clock.forward(hours=1)
    with stuck.desk.store.write() as db:
        claimed = outbox.claim(db, stuck.clock.time, "mine")
    assert claimed
    everything = [row.id for row in stuck.outbox()]
    assert operation.act(stuck.desk, None, "drop", everything) == 0
    with stuck.desk.store.write() as db:
        outbox.retry(db, claimed, "mine", "451", stuck.clock.time)
    assert operation.act(stuck.desk, None, "drop", everything) == 1
    assert not [row for row in stuck.outbox() if row.state == "queued"]


def test_only_an_operator_sees_and_mends(stuck: House) -> None:
    for person in (stuck.person(), stuck.person("ulaanbaatar")):
        with pytest.raises(NotFound):
            operation.overview(stuck.desk, person)
        with pytest.raises(NotFound):
            operation.act(stuck.desk, person, "retry", [1])
    assert operation.overview(stuck.desk, stuck.person(role="operator")).troubles
    with pytest.raises(Invalid):
        operation.act(stuck.desk, None, "erase", [1])


def test_sign_in_mail_that_is_refused_is_shown_too(house: House) -> None:
    with post_office.opened(PostOffice(lambda _: "550 no")) as office:
        house.desk = replace(house.desk, settings=post_office.sending_to(house.desk.settings, office.port))
        access.ask_for_link(house.desk, house.person().email)
        once(house)
    (trouble,) = operation.troubles(house.desk, None)
    assert (trouble.kind, trouble.state, trouble.meeting_id) == ("sign-in", "refused", None)
