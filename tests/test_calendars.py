"""Calendars of others: kept by whom they may be kept, read by the worker, and never more of them than intervals."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scheduler import admin, backups, calendars, fetching, sealing, suggestions
from scheduler.calendars import Listed, New
from scheduler.core.cities import Person
from scheduler.core.errors import Forbidden, Invalid, NotFound, SchedulerError, TooMany
from scheduler.db import calendars as rows
from scheduler.db import tables as t
from scheduler.desk import Desk
from scheduler.fetching import Fetched, Network, TooLarge, Unreachable
from scheduler.refreshing import AT_LATEST, EVERY, LONGEST_PAUSE, Refresher
from scheduler.suggestions import Wanted
from tests import databases
from tests.house import NOW, House

ADDRESS = "https://calendar.example/private-5eb1d0c4/basic.ics?key=5eb1d0c4"
CANARIES = ("Zahnarzt", "canary-place", "canary-guest", "canary-note", "5eb1d0c4")
DAY = datetime(2027, 2, 10, tzinfo=UTC)  # open in all three cities, with eleven starts of an hour


def calendar(*events: tuple[int, int, str]) -> bytes:
    """Of hours of that day, UTC, with a line more each."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0"]
    for start, end, more in events:
        lines += ["BEGIN:VEVENT", f"UID:canary-guest-{start}", f"DTSTART:20270210T{start:02}0000Z"]
        lines += [f"DTEND:20270210T{end:02}0000Z", *filter(None, [more]), "SUMMARY:Zahnarzt", "LOCATION:canary-place"]
        lines += ["ATTENDEE;CN=canary-guest:mailto:canary-guest@x.example", "DESCRIPTION:canary-note", "END:VEVENT"]
    return "\r\n".join([*lines, "END:VCALENDAR", ""]).encode()


ONE = calendar((6, 7, ""))


@dataclass
class Web:
    """Instead of the public web: what it says next, an exception or an answer, and how it was asked."""

    says: list[Fetched | Exception] = field(default_factory=list)
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def fetch(self, address: str, *marks: str, network: Network) -> Fetched:
        self.asked.append((address, *marks))
        said = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        if isinstance(said, Exception):
            raise said
        return said


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Web:
    """The network is what is replaced; how it is fetched from a server has tests of its own."""
    web = Web([Fetched(ONE, '"1"', "Mon, 11 Jan 2027 00:00:00 GMT")])
    monkeypatch.setattr(fetching, "fetch", web.fetch)
    return web


def refresh(house: House) -> None:
    Refresher(house.desk, threading.Event()).once()


def add(house: House, actor: Person | None = None, **new: object) -> Listed:
    given = {"address": ADDRESS} if "file" not in new else {}
    return calendars.add(house.desk, actor or house.person(), New(**{"name": "", **given, **new}))  # type: ignore[arg-type]


def occupied(house: House, *emails: str, cities: tuple[str, ...] = (), days: int = 1) -> list[rows.Occupied]:
    with house.desk.store.read() as db:
        return rows.busy(db, emails, cities, DAY, DAY + timedelta(days=days), house.clock.time)


def now(house: House, listed: Listed) -> rows.Calendar:
    with house.desk.store.read() as db:
        found = rows.find(db, listed.calendar.id)
    assert found is not None
    return found


def hours(found: list[rows.Occupied]) -> list[tuple[int, int, str]]:
    return [(start.hour, end.hour, kind) for owner in found for start, end, kind in owner.spans]


# --- reading


def test_an_address_is_read_by_the_worker_and_again_when_it_is_time(house: House, web: Web) -> None:
    me = house.person()
    added = add(house, name="Outlook")
    (before,) = occupied(house, me.email)
    assert (before.spans, before.is_stale, before.fetched_at) == ((), True, None)
    refresh(house)
    (after,) = occupied(house, me.email)
    assert hours([after]) == [(6, 7, "busy")]
    assert (after.city, after.email_key, after.is_stale, after.fetched_at) == ("gwangjin", me.email, False, NOW)
    refresh(house)
    assert web.asked == [(ADDRESS, "", "")]
    web.says = [Fetched(None)]
    house.clock.forward(minutes=34)
    refresh(house)
    assert web.asked[1:] == [(ADDRESS, '"1"', "Mon, 11 Jan 2027 00:00:00 GMT")]
    (same,) = occupied(house, me.email)
    assert (same.spans, same.fetched_at) == (after.spans, house.clock.time)
    assert now(house, added).failures == 0


def test_a_meeting_of_ours_does_not_come_back_as_somebodys_busy_time(house: House, web: Web) -> None:
    meeting = house.book()
    ours = ONE.replace(b"UID:canary-guest-6", b"UID:" + meeting.uid.encode())
    web.says = [Fetched(ours)]
    add(house)
    refresh(house)
    add(house, city="gwangjin", file=ours)
    assert hours(occupied(house, house.person().email, cities=("gwangjin",))) == []


def test_what_does_not_change_is_read_anew_now_and_then(house: House, web: Web) -> None:
    """The days ahead become others: an answer that nothing changed would leave them empty."""
    add(house)
    refresh(house)
    house.clock.forward(hours=AT_LATEST.total_seconds() / 3600 + 1)
    refresh(house)
    assert web.asked == [(ADDRESS, "", "")] * 2


def test_a_calendar_that_fails_keeps_its_times_and_is_stale_after_a_day(house: House, web: Web) -> None:
    """H09: the source is down for three days."""
    added, me = add(house), house.person()
    refresh(house)
    web.says = [Unreachable("ConnectTimeout")]
    gaps, last = [], house.clock.time
    for _ in range(400):
        house.clock.forward(minutes=12)
        tries = len(web.asked)
        refresh(house)
        if len(web.asked) > tries:
            gaps.append(house.clock.time - last)
            last = house.clock.time
        if house.clock.time - NOW > timedelta(days=3):
            break
    (found,) = occupied(house, me.email)
    assert hours([found]) == [(6, 7, "busy")]
    assert (found.is_stale, found.fetched_at) == (True, NOW)
    assert now(house, added).error == "unreachable"
    assert gaps[:2] == sorted(gaps[:2])
    assert max(gaps) <= LONGEST_PAUSE * 1.2
    assert 10 < len(gaps) < 25  # H08: with growing pauses
    web.says = [Fetched(ONE)]
    house.clock.forward(hours=7)
    refresh(house)
    assert not occupied(house, me.email)[0].is_stale
    assert (now(house, added).error, now(house, added).failures) == ("", 0)


FAILURES: list[tuple[Fetched | Exception, str]] = [
    (Unreachable("gaierror"), "unreachable"),
    (TooLarge(), "too-large"),
    (Fetched(b"<html>"), "unreadable"),
    (Fetched(ONE.replace(b"SUMMARY", b"RRULE:FREQ=SECONDLY\r\nSUMMARY")), "rule"),
    (RuntimeError("of ours"), "unreachable"),
]


def test_each_failure_has_its_word_and_keeps_the_times(house: House, web: Web) -> None:
    added = add(house)
    refresh(house)
    for said, error in FAILURES:
        web.says = [said]
        house.clock.forward(hours=8)
        refresh(house)
        assert now(house, added).error == error
    assert now(house, added).failures == len(FAILURES)
    assert hours(occupied(house, house.person().email)) == [(6, 7, "busy")]


def test_a_known_range_ends_somewhere_and_beyond_it_nobody_knows(house: House, web: Web) -> None:
    add(house)
    refresh(house)
    assert not occupied(house, house.person().email, days=400)[0].is_stale
    assert occupied(house, house.person().email, days=600)[0].is_stale


# --- H08


def test_one_host_is_asked_once_in_a_while_whoever_names_it(house: House, web: Web) -> None:
    """H08: a thousand people who name one address are no tool against its server; here as many as may be."""
    people = [
        admin.add_person(house.desk, f"Desk {n}", f"desk{n}@gwangjin.example", "gwangjin", "ko", "contact")
        for n in range(4)
    ]
    for person in people:
        add(house, person=person.email)
    other = add(house, address="https://other.example/a.ics")
    refresh(house)
    assert sorted(asked[0] for asked in web.asked) == [ADDRESS, "https://other.example/a.ics"]
    refresh(house)
    calendars.ask_soon(house.desk, house.person(), other.calendar.id)
    refresh(house)
    assert len(web.asked) == 2
    for n in range(3):
        house.clock.forward(seconds=61)
        refresh(house)
        assert sum(asked[0] == ADDRESS for asked in web.asked) == n + 2
        house.clock.forward(seconds=-1)
        refresh(house)
        assert sum(asked[0] == ADDRESS for asked in web.asked) == n + 2
        house.clock.forward(seconds=1)
    assert all(not owner.is_stale for owner in occupied(house, *(person.email for person in people)))


def test_two_workers_read_no_calendar_twice_and_a_lost_lease_writes_nothing(house: House, web: Web) -> None:
    added = add(house)
    house.clock.forward(minutes=1)
    with house.desk.store.write() as db:
        mine = rows.claim(db, house.clock.time, "mine")
        for seconds in (0, 1, 30):  # the other machine's clock is behind
            assert rows.claim(db, house.clock.time - timedelta(seconds=seconds), "other") is None
    assert mine is not None
    assert not _due(house)
    house.clock.forward(minutes=6)
    assert _due(house)
    with house.desk.store.write() as db:
        theirs = rows.claim(db, house.clock.time, "other")
        assert theirs is not None
        known = {"now": NOW, "known_until": NOW, "next_fetch_at": NOW, "validators": ("", "")}
        assert not rows.was_read(db, mine, {"busy": [(1, 2)]}, **known)  # type: ignore[arg-type]
        assert not rows.failed(db, mine, "unreachable", NOW)
        assert rows.unchanged(db, theirs, NOW, NOW + EVERY)
    assert occupied(house, house.person().email)[0].spans == ()
    assert now(house, added).failures == 0


def _due(house: House) -> bool:
    with house.desk.store.read() as db:
        return rows.is_any_due(db, house.clock.time)


def test_a_clock_that_was_wrong_leaves_no_calendar_waiting(house: House, web: Web) -> None:
    house.clock.time += timedelta(days=3000)
    add(house)
    refresh(house)
    house.clock.time = NOW
    refresh(house)
    assert len(web.asked) == 2


# --- L10, H10


def test_only_intervals_are_kept_and_the_address_is_sealed(
    house: House, web: Web, caplog: pytest.LogCaptureFixture
) -> None:
    """L10, H10: neither what stands in a calendar nor where it lies is in the database or in the log."""
    caplog.set_level(logging.DEBUG)
    add(house)
    web.says = [Fetched(calendar((6, 7, ""), (8, 9, "STATUS:TENTATIVE"))), Unreachable("status 404")]
    refresh(house)
    add(house, file=calendar((2, 3, "")))
    house.clock.forward(hours=1)
    refresh(house)
    assert hours(occupied(house, house.person().email)) == [(2, 3, "busy"), (6, 7, "busy"), (8, 9, "tentative")]
    for canary in CANARIES:
        assert not databases.holds(house.desk.store, canary), canary
        assert canary not in caplog.text, canary
    assert databases.holds(house.desk.store, "calendar.example")


def test_an_address_can_be_opened_with_an_older_key_and_with_no_other(house: House, web: Web) -> None:
    added = add(house)
    desk = house.desk
    renewed = replace(desk, key=b"another key of thirty-two letters", older_keys=(desk.key,))
    Refresher(renewed, threading.Event()).once()  # and then it is sealed with the newer one
    house.clock.forward(hours=1)
    Refresher(replace(renewed, older_keys=()), threading.Event()).once()
    assert [asked[0] for asked in web.asked] == [ADDRESS, ADDRESS]
    house.clock.forward(hours=1)
    refresh(house)
    assert now(house, added).error == "key"
    assert len(web.asked) == 2
    seal = sealing.sealed([desk.key], ADDRESS)
    assert sealing.sealed([desk.key], ADDRESS) != seal
    assert sealing.opened([desk.key], seal[:-4] + "AAA=") is None


# --- who keeps which


def test_everybody_keeps_their_own_and_a_coordinator_those_of_the_city(house: House) -> None:
    me, operator, partner = house.person(), house.person(role="operator"), house.person("ulaanbaatar")
    desk_ = admin.add_person(house.desk, "Desk", "desk@gwangjin.example", "gwangjin", "ko", "contact")
    mine = add(house, file=ONE)
    of_city = add(house, file=ONE, city="gwangjin")
    of_desk = add(house, file=ONE, person=desk_.email)
    by_operator = add(house, operator, file=ONE, city="ulaanbaatar")
    theirs = add(house, partner, file=ONE)

    def seen(actor: Person, city: str | None = None) -> list[int]:
        return [entry.calendar.id for entry in calendars.listing(house.desk, actor, city)]

    ids = [entry.calendar.id for entry in (mine, of_city, of_desk, by_operator, theirs)]
    assert seen(me) == ids[:1]
    assert seen(me, "gwangjin") == ids[:3]
    assert seen(operator, "ulaanbaatar") == ids[3:]
    assert [e.calendar.id for e in calendars.all_listed(house.desk, me)] == ids[:3]
    assert sorted(e.calendar.id for e in calendars.all_listed(house.desk, operator)) == sorted(ids)
    wrong: list[tuple[type[SchedulerError], Person, dict[str, str]]] = [
        (Forbidden, me, {"city": "ulaanbaatar"}), (Invalid, me, {"person": partner.email}),
        (Invalid, me, {"city": "x"}),
        (Invalid, me, {"person": "nobody@gwangjin.example"}), (Invalid, me, {"person": me.email, "city": "gwangjin"}),
        (Forbidden, desk_, {"city": "gwangjin"}), (Invalid, desk_, {}),
    ]  # fmt: skip
    for error, actor, whose in wrong:
        with pytest.raises(error):
            add(house, actor, file=ONE, **whose)
    for error, city in ((Forbidden, "ulaanbaatar"), (NotFound, "nowhere")):
        with pytest.raises(error):
            calendars.listing(house.desk, me, city)
    for act in (calendars.ask_soon, calendars.remove):
        with pytest.raises(NotFound):
            act(house.desk, me, theirs.calendar.id)
    calendars.remove(house.desk, me, of_desk.calendar.id)
    assert seen(me, "gwangjin") == ids[:2]


SENSELESS: list[tuple[dict[str, object], tuple[str, str]]] = [
    ({"address": "https://10.0.0.1/"}, ("/url", "bad-calendar-address")),
    ({"address": ""}, ("/url", "bad-calendar-address")),
    ({"address": None}, ("", "one-calendar-source")),
    ({"address": ADDRESS, "file": ONE}, ("", "one-calendar-source")),
    ({"name": "x" * 101}, ("/name", "too-long")),
    ({"file": b"/etc/passwd"}, ("/ics", "calendar-unreadable")),
    ({"file": b"x" * 5_000_001}, ("/ics", "calendar-too-large")),
    ({"file": ONE.replace(b"SUMMARY", b"RRULE:FREQ=DAILY;INTERVAL=0\r\nSUMMARY")}, ("/ics", "calendar-rule")),
]


def test_what_cannot_be_meant_is_told_and_nothing_is_kept(house: House) -> None:
    for new, fault in SENSELESS:
        with pytest.raises(Invalid) as refused:
            add(house, **new)
        assert [(found.pointer, found.key) for found in refused.value.faults] == [fault]
    assert not databases.contents(house.desk.store)["calendars"]


def test_nobody_keeps_more_than_a_few_or_adds_them_all_day(house: House) -> None:
    limits = house.desk.settings.limits.model_copy(update={"calendars_per_owner": 2, "calendar_changes_per_hour": 3})
    few = House(replace(house.desk, settings=house.desk.settings.model_copy(update={"limits": limits})), house.clock)
    added = add(few)
    add(few)
    with pytest.raises(Invalid) as refused:
        add(few)
    assert [fault.key for fault in refused.value.faults] == ["too-many-calendars"]
    add(few, city="gwangjin")
    with pytest.raises(TooMany):
        calendars.ask_soon(few.desk, few.person(), added.calendar.id)


def test_looking_at_what_is_refused_is_limited_too(house: House) -> None:
    limits = house.desk.settings.limits.model_copy(update={"calendar_changes_per_hour": 2})
    few = House(replace(house.desk, settings=house.desk.settings.model_copy(update={"limits": limits})), house.clock)
    for error in (Invalid, Invalid, TooMany):
        with pytest.raises(error):
            add(few, address="https://10.0.0.1/")


def test_with_a_person_or_by_hand_a_calendar_goes_with_its_times(house: House, web: Web) -> None:
    left = admin.add_person(house.desk, "Left", "left@gwangjin.example", "gwangjin", "ko", "coordinator")
    add(house, left, file=ONE)
    mine = add(house, file=ONE)
    admin.disable_person(house.desk, left.email, house.person().email)
    assert [row["calendar_id"] for row in databases.contents(house.desk.store)["busy_times"]] == [mine.calendar.id]
    assert occupied(house, left.email) == []
    calendars.remove(house.desk, house.person(), mine.calendar.id)
    assert not databases.contents(house.desk.store)["busy_times"]


def test_a_restored_copy_brings_no_calendar_back_that_was_removed(house: House, tmp_path: Path) -> None:
    removed, kept = add(house, file=ONE), add(house, city="gwangjin", file=ONE)
    backups.backup(house.desk.settings, tmp_path / "copy.db")
    calendars.remove(house.desk, house.person(), removed.calendar.id)
    backups.restore(house.desk.settings, tmp_path / "copy.db", NOW)
    found = databases.contents(house.desk.store)
    assert [row["id"] for row in found["calendars"]] == [kept.calendar.id]
    assert {row["calendar_id"] for row in found["busy_times"]} == {kept.calendar.id}


def test_a_file_is_known_for_two_weeks(house: House) -> None:
    added = add(house, file=ONE)
    assert not added.is_stale
    house.clock.forward(days=15)
    assert calendars.listing(house.desk, house.person())[0].is_stale
    with pytest.raises(NotFound):
        calendars.ask_soon(house.desk, house.person(), added.calendar.id)


# --- suggestions


def starts(desk: Desk, *people: str) -> tuple[list[str], list[tuple[str, str]]]:
    wanted = Wanted(("gwangjin", "ulaanbaatar", "eregli"), DAY.date(), DAY.date(), 60, people=people)
    found = suggestions.suggest(desk, wanted)
    return [f"{slot.start:%H:%M}" for slot in found.slots], [(u.city, u.email) for u in found.unknown]


def test_suggestions_leave_out_when_somebody_is_busy_and_say_whose_hours_nobody_knows(house: House, web: Web) -> None:
    """Stale is not free: it is told beside the hours."""
    me = house.person()
    everything = [f"{hour:02}:{minute:02}" for hour in range(5, 9) for minute in (0, 15, 30, 45)][2:13]
    assert starts(house.desk, me.email) == (everything, [])
    add(house, file=calendar((6, 7, "")))
    assert starts(house.desk) == (everything, [])
    assert starts(house.desk, me.email.upper()) == (["07:00", "07:15", "07:30", "07:45", "08:00"], [])
    add(house, city="gwangjin")
    assert starts(house.desk)[1] == [("gwangjin", "")]
    web.says = [Fetched(calendar((7, 8, "STATUS:TENTATIVE")))]
    refresh(house)
    assert starts(house.desk) == (["05:30", "05:45", "06:00", "08:00"], [])
    house.clock.forward(days=2)
    assert starts(house.desk, me.email) == (["08:00"], [("gwangjin", "")])
    assert t.busy_times.name in databases.contents(house.desk.store)
