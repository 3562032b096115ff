"""The ledger of early and late hours: written once after each meeting, summed by partner, and used by suggestions."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import update

from scheduler import booking, fairness, office, suggestions
from scheduler.core.errors import Invalid, NotFound
from scheduler.db import editions
from scheduler.db import fairness as ledger
from scheduler.db import tables as t
from scheduler.worker import Worker
from tests.house import AYLIN, BAT, KIM, House

EVENING = datetime(2027, 2, 10, 12, 0, tzinfo=UTC)  # 21:00 in Seoul, 20:00 in Ulaanbaatar, 15:00 in Eregli
SEOLLAL = datetime(2027, 2, 9, 6, 0, tzinfo=UTC)  # 15:00, a substitute holiday; in Mongolia it is Tsagaan Sar


def rows(house: House) -> dict[int, dict[str, int]]:
    found: dict[int, dict[str, int]] = {}
    with house.desk.store.read() as db:
        for row in db.execute(t.burdens.select()):
            found.setdefault(row.meeting_id, {})[row.city] = row.minutes
    return found


def work(house: House) -> None:
    assert Worker(house.desk, threading.Event()).once()


def test_what_a_meeting_cost_each_city_is_written_once_it_is_over(house: House) -> None:
    held, feast = house.book(start=EVENING), house.book(start=SEOLLAL, cities=("gwangjin", "eregli"), people=(AYLIN,))
    cancelled = house.book(start=EVENING)
    booking.cancel(house.desk, house.person(), cancelled.id)
    house.clock.time = EVENING + timedelta(minutes=59)
    work(house)
    assert rows(house) == {feast.id: {"gwangjin": 60, "eregli": 0}}
    house.clock.forward(minutes=1)
    work(house)
    both = {feast.id: {"gwangjin": 60, "eregli": 0}, held.id: {"gwangjin": 60, "ulaanbaatar": 60, "eregli": 0}}
    assert rows(house) == both
    with house.desk.store.write() as db:  # later the city is open day and night; what was, stays
        db.execute(update(t.cities).values(hours=[[[0, 1440]]] * 7))
        editions.renew(db)
    house.clock.forward(hours=1)
    work(house)
    assert rows(house) == both
    assert fairness.record(house.desk, limit=10) == 0


def test_two_workers_write_each_meeting_once(house: House) -> None:
    meetings = [house.book(start=EVENING + timedelta(hours=n), people=(BAT,)) for n in range(3)]
    house.clock.time = EVENING + timedelta(days=1)
    at_once = threading.Barrier(2)

    def record(_: int) -> int:
        at_once.wait(10)
        return fairness.record(house.desk, limit=10)

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(record, range(2))) >= 3
    with house.desk.store.write() as db:  # a third one that had read before
        ledger.record(db, meetings[0].id, {"gwangjin": 9, "ulaanbaatar": 9})
    assert {ident: minutes["gwangjin"] for ident, minutes in rows(house).items()} == {m.id: 60 for m in meetings}


def test_the_worker_looks_every_few_minutes_and_goes_on_where_there_is_more(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scheduler import worker as module

    monkeypatch.setattr(module, "_LEDGER_ENTRIES", 1)
    for hours in (0, 1):
        house.book(start=EVENING + timedelta(hours=hours), people=(BAT,))
    house.clock.time, worker = EVENING + timedelta(hours=2), Worker(house.desk, threading.Event())
    for expected in (1, 2, 2):
        worker.once()
        assert len(rows(house)) == expected
    house.book(start=house.clock.time + timedelta(minutes=1), people=(BAT,), duration_minutes=5)
    house.clock.forward(minutes=6)
    worker.once()
    assert len(rows(house)) == 3


def test_what_fails_in_the_ledger_keeps_no_mail_back(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.book(start=EVENING)
    monkeypatch.setattr(fairness, "record", lambda *_, **__: 1 / 0)
    work(house)
    assert {row.state for row in house.outbox()} == {"handed-over"}


def borne(house: House, **minutes: int) -> None:
    """A meeting held that cost so much."""
    meeting = house.book(start=EVENING, people=(KIM,), cities=tuple(minutes))
    with house.desk.store.write() as db:
        ledger.record(db, meeting.id, minutes)


def test_sums_are_by_partner_and_count_meetings_of_both(house: House) -> None:
    borne(house, gwangjin=60, ulaanbaatar=30)
    borne(house, gwangjin=0, ulaanbaatar=45, eregli=10)
    borne(house, gwangjin=500)
    borne(house, gwangjin=7, gwangju=0)
    report = fairness.report(house.desk, house.person(), "gwangjin")
    assert [(a.cities[1], a.meetings, dict(a.minutes), a.turn) for a in report.accounts] == [
        ("ulaanbaatar", 2, {"gwangjin": 60, "ulaanbaatar": 75}, "gwangjin"),
        ("eregli", 1, {"gwangjin": 0, "eregli": 10}, "gwangjin"),
        ("gwangju", 1, {"gwangjin": 7, "gwangju": 0}, "gwangju"),
    ]
    with house.desk.store.read() as db:
        assert ledger.borne(db, ["gwangjin", "ulaanbaatar"]) == {"gwangjin": 60, "ulaanbaatar": 75}
        three = {"gwangjin": 60, "ulaanbaatar": 75, "eregli": 10}
        assert ledger.borne(db, ["gwangjin", "ulaanbaatar", "eregli"]) == three
        assert ledger.borne(db, ["gwangjin"]) == {}


def test_a_report_is_of_local_days_of_the_city(house: House) -> None:
    borne(house, gwangjin=60, ulaanbaatar=30)  # on 10 February in both
    day = date(2027, 2, 10)

    def meetings(since: date | None, until: date | None) -> int:
        return fairness.report(house.desk, house.person(), "gwangjin", since, until).accounts[0].meetings

    assert meetings(day, day) == meetings(None, day) == meetings(day, None) == 1
    assert meetings(day + timedelta(days=1), None) == meetings(None, day - timedelta(days=1)) == 0
    with pytest.raises(Invalid, match="slots-reversed"):
        meetings(day, day - timedelta(days=1))


def test_a_citys_accounts_are_its_own_and_the_operators(house: House) -> None:
    for actor in (house.person("gwangjin"), house.person("gwangjin", "operator"), None):
        assert fairness.report(house.desk, actor, "gwangjin").city == "gwangjin"
    for actor, city in ((house.person("ulaanbaatar"), "gwangjin"), (None, "atlantis")):
        with pytest.raises(NotFound):
            fairness.report(house.desk, actor, city)


@pytest.mark.parametrize(("gwangjin", "ulaanbaatar", "bearer"), [(600, 0, "ulaanbaatar"), (0, 600, "gwangjin")])
def test_suggestions_give_the_next_late_hour_to_whoever_bore_less(
    house: House, gwangjin: int, ulaanbaatar: int, bearer: str
) -> None:
    """Each is open for one hour of a long day, and not at the same time."""
    borne(house, gwangjin=gwangjin, ulaanbaatar=ulaanbaatar)
    open_for_an_hour(house, gwangjin=540, ulaanbaatar=600)  # 09:00 and 11:00 in Seoul
    wednesday = date(2027, 3, 17)
    wanted = suggestions.Wanted(("gwangjin", "ulaanbaatar"), wednesday, wednesday, 60)
    best, second, *_ = suggestions.suggest(house.desk, wanted).slots
    assert (best.cost, second.cost) == (60, 60)
    assert best.costs == {"gwangjin": 0, "ulaanbaatar": 0} | {bearer: 60}


def open_for_an_hour(house: House, **since: int) -> None:
    """Office hours from that minute of each day on, and stretch hours from 08:00 to 18:00."""
    everyday = (((480, 1080),),) * 7
    for slug, start in since.items():
        hours = (((start, start + 60),),) * 7
        office.change(house.desk, None, slug, lambda city, hours=hours: replace(city, hours=hours, stretch=everyday))
