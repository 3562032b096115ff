"""J12: two workers and two pollers where one would do; two of everything at the same moment do nothing twice."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest
from sqlalchemy import func, select

from scheduler.db import mailboxes
from scheduler.db import tables as t
from scheduler.db.engine import Store
from scheduler.desk import Desk
from scheduler.polling import Poller
from scheduler.worker import Worker
from tests import letter_box, post_office, shaky_imap
from tests.house import AYLIN, BAT, KIM, House
from tests.post_office import PostOffice
from tests.shaky_imap import Shaky


@pytest.fixture
def office() -> Iterator[PostOffice]:
    with post_office.opened(PostOffice()) as office:
        yield office


def several(house: House, count: int) -> list[Desk]:
    """The desks of processes of their own."""
    return [replace(house.desk, store=Store(house.desk.settings.database.url)) for _ in range(count)]


def at_once(desks: list[Desk], act: type[Worker] | type[Poller], rounds: int) -> None:
    """Everybody works on and on at the same time."""
    faults: list[BaseException] = []
    barrier = threading.Barrier(len(desks))

    def work(desk: Desk) -> None:
        try:
            barrier.wait(10)
            for _ in range(rounds):
                act(desk, threading.Event()).once()
        except BaseException as fault:
            faults.append(fault)
        finally:
            desk.store.close()

    threads = [threading.Thread(target=work, args=(desk,)) for desk in desks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not faults, faults


def test_four_workers_send_each_mail_once(house: House, office: PostOffice) -> None:
    """J12."""
    house.desk = replace(house.desk, settings=post_office.sending_to(house.desk.settings, office.port))
    for _ in range(6):
        house.book()
    at_once(several(house, 4), Worker, 2)
    assert Counter(a.message_id for a in office.arrived) == {row.message_id: 1 for row in house.outbox()}
    assert {row.state for row in house.outbox()} == {"handed-over"}


def test_three_pollers_take_each_message_once(house: House) -> None:
    """J12: one of them has the mailbox, the others leave it alone."""
    with shaky_imap.opened(Shaky()) as shaky:
        settings = letter_box.polling(house.desk.settings, shaky.port)
        for _ in range(3):
            meeting = house.book()
            for who in (BAT, AYLIN, KIM):
                shaky.put(house.reply(meeting, who, "ACCEPTED"))
        house.desk = replace(house.desk, settings=settings)
        at_once(several(house, 3), Poller, 4)
        assert shaky.seen() == shaky.shown()
        assert shaky.asked.count("BODY") == 9
    with house.desk.store.read() as db:
        outcomes = Counter(db.scalars(select(t.inbox.c.outcome)))
        assert db.scalar(select(func.count()).select_from(t.answers)) == 9
    assert outcomes == {"accepted": 9}
    assert len(house.outbox(kind="notice-answered")) == 9


def test_a_poller_that_lost_the_mailbox_writes_nothing_more(house: House) -> None:
    """J12: whoever was slow for longer than its lease finds another one there."""
    with shaky_imap.opened(Shaky()) as shaky:
        house.desk = replace(house.desk, settings=letter_box.polling(house.desk.settings, shaky.port))
        meeting = house.book()
        shaky.put(house.reply(meeting, BAT, "ACCEPTED"), house.reply(meeting, KIM, "DECLINED"))
        slow, taken = [True], []

        def steal(verb: str, uid: int) -> str:
            if verb == "BODY" and slow:
                slow.clear()
                house.clock.forward(seconds=mailboxes.LEASE.total_seconds())
                taken.append(Poller(house.desk, threading.Event()).once())
            return ""

        shaky.fault = steal
        assert Poller(house.desk, threading.Event()).once()
        assert taken == [True]
    with house.desk.store.read() as db:
        assert db.scalar(select(func.count()).select_from(t.inbox)) == 2
        assert db.scalar(select(func.count()).select_from(t.answers)) == 2


def test_a_worker_that_is_slow_and_not_dead_repeats_the_same_bytes_and_marks_nothing(
    house: House, office: PostOffice
) -> None:
    """I09: its lease ends while the server thinks; another one sends and marks, the slow one's mark finds no row."""
    house.desk = replace(house.desk, settings=post_office.sending_to(house.desk.settings, office.port))
    house.book(people=(BAT,))
    with slow_office() as waiting:
        slow_settings = post_office.sending_to(house.desk.settings, waiting.office.port)
        (desk,) = several(house, 1)
        slow = threading.Thread(target=Worker(replace(desk, settings=slow_settings), threading.Event()).once)
        slow.start()
        assert waiting.has_it.wait(20)
        house.clock.forward(minutes=5)
        assert Worker(house.desk, threading.Event()).once()
        marked = house.outbox()
        waiting.go_on.set()
        slow.join(30)
        desk.store.close()
    assert [row.state for row in marked] == ["handed-over"] * 2
    now = house.outbox()
    assert now == marked
    twice = Counter(a.message_id for a in [*office.arrived, *waiting.office.arrived])
    assert sorted(twice.values()) == [1, 2]
    assert {a.sha256 for a in waiting.office.arrived} <= {row.sha256 for row in now}


@dataclass
class Waiting:
    office: PostOffice
    has_it: threading.Event
    go_on: threading.Event


@contextmanager
def slow_office() -> Iterator[Waiting]:
    """It has the mail and says nothing yet."""
    has_it, go_on = threading.Event(), threading.Event()

    def answer(recipient: str) -> str:
        has_it.set()
        go_on.wait(20)
        return "250 OK, at last"  # nobody notes it any more

    with post_office.opened(PostOffice(answer)) as office:
        yield Waiting(office, has_it, go_on)
        go_on.set()
