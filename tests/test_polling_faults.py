"""An IMAP server that fails at every verb: what was interrupted is taken up again, nothing twice, nothing lost."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from scheduler import polling
from scheduler.mail import imap
from scheduler.polling import Poller
from scheduler.worker import Worker
from tests import letter_box, shaky_imap
from tests.house import AYLIN, BAT, House
from tests.shaky_imap import FAULTS, LIES, VERBS, Shaky
from tests.test_polling import note, outcomes, poll, rows

POLLS = 8  # more than any single fault needs


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imap, "TIMEOUT", 0.25)


@pytest.fixture
def shaky() -> Iterator[Shaky]:
    with shaky_imap.opened(Shaky()) as shaky:
        yield shaky


@pytest.fixture
def town(house: House, shaky: Shaky) -> House:
    house.desk = replace(house.desk, settings=letter_box.polling(house.desk.settings, shaky.port))
    return house


def until_well(house: House) -> int:
    """Polls until two polls in a row go well; says how many did not."""
    went = []
    while went[-2:] != [True, True]:
        went.append(poll(house))
        assert len(went) < POLLS
    return went.count(False)


def subjects(house: House) -> list[str]:
    return [row.subject for row in rows(house)]


@pytest.mark.parametrize("verb", VERBS)
def test_after_any_fault_at_any_verb_every_message_has_one_effect(town: House, shaky: Shaky, verb: str) -> None:
    """J05, I13."""
    shaky.put(note("before"))
    for fault in FAULTS:
        shaky.put(note(f"{fault} 1"), note(f"{fault} 2"))
        shaky.fault = shaky_imap.at(verb, fault)
        until_well(town)
    wanted = ["before", *(f"{fault} {number}" for fault in FAULTS for number in (1, 2))]
    assert sorted(subjects(town)) == sorted(wanted)
    assert set(outcomes(town)) == {"human-review"}
    assert shaky.seen() == shaky.shown()


def test_messages_that_are_never_given_do_not_stop_the_others_and_wait_for_a_person(town: House, shaky: Shaky) -> None:
    """F13, J05: every other message is met with a fault, or with a lie about its literal, for ever."""
    faults = dict(enumerate([*FAULTS, *LIES], 1))
    shaky.put(*(note(f"n{number}") for number in range(2 * len(faults))))
    shaky.fault = lambda verb, uid: faults.get(uid // 2, "") if verb == "BODY" and uid % 2 == 0 else ""
    for _ in range(len(faults) * (polling.TRIES + 1)):
        poll(town)
    assert poll(town)
    given = [row.subject for row in rows(town) if row.raw]
    lost = [row for row in rows(town) if not row.raw]
    assert given == [f"n{number}" for number in range(0, 2 * len(faults), 2)]
    assert sorted(row.reason for row in lost) == sorted(
        f"the mail server does not give it: UID {2 * number} of UIDVALIDITY 7" for number in faults
    )
    assert {(row.outcome, row.waits) for row in lost} == {("quarantined-malformed", True)}
    assert shaky.seen() == shaky.shown()[::2]


def test_sizes_that_are_never_told_do_not_stop_the_messages(town: House, shaky: Shaky) -> None:
    """One message whose size the server cannot tell; asked for several it fails for all."""
    shaky.put(note("one"), note("two"), note("three"))

    def fault(verb: str, uid: int) -> str:
        together = shaky.asked.count("SIZES") == 1
        return "drop" if verb == "SIZES" and (together or uid == 2) else ""

    shaky.fault = fault
    for _ in range(POLLS):
        poll(town)
    assert poll(town)
    assert sorted(filter(None, subjects(town))) == ["one", "three"]
    assert outcomes(town).count("quarantined-malformed") == 1


def test_a_server_that_gives_nothing_at_all_loses_no_message(town: House, shaky: Shaky) -> None:
    """A message is set aside only while the server gives others, or after a day."""
    shaky.put(note("one"), note("two"))
    shaky.fault = shaky_imap.at("BODY", "no", 1_000)
    for _ in range(POLLS):
        assert poll(town)
        town.clock.forward(minutes=30)
    assert rows(town) == []
    shaky.fault = lambda verb, uid: ""
    assert poll(town)
    assert subjects(town) == ["one", "two"]
    assert shaky.seen() == [1, 2]


def test_a_message_that_is_not_given_for_a_day_waits_for_a_person(town: House, shaky: Shaky) -> None:
    shaky.put(note("one"))
    shaky.fault = shaky_imap.at("BODY", "no", 1_000)
    for _ in range(polling.TRIES):
        assert poll(town)
    town.clock.forward(seconds=polling.GIVE_UP.total_seconds())
    assert poll(town)
    assert outcomes(town) == ["quarantined-malformed"]
    assert shaky.seen() == []


def test_a_message_deleted_under_our_hands_is_no_fault(town: House, shaky: Shaky) -> None:
    shaky.put(note("one"), note("two"))

    def deletes(verb: str, uid: int) -> str:
        if verb == "BODY":
            shaky.letters.pop(1, None)
        return ""

    shaky.fault = deletes
    assert poll(town)
    assert poll(town)
    assert subjects(town) == ["two"]


@pytest.mark.parametrize("verb", ["SEARCH", "SIZES", "BODY", "STORE"])
def test_new_numbers_between_two_connections(town: House, shaky: Shaky, verb: str) -> None:
    """J05: the connection drops and the mailbox is another one afterwards."""
    meeting = town.book()
    shaky.put(town.reply(meeting, BAT, "ACCEPTED"), note("one"))
    shaky.fault = shaky_imap.at(verb, "drop")
    assert not poll(town)
    shaky.letters = dict(reversed(shaky.letters.items()))
    shaky.renumber()
    shaky.put(note("two"))
    assert poll(town)
    assert sorted(subjects(town)) == ["answer", "one", "two"]
    assert sorted(outcomes(town)) == ["accepted", "human-review", "human-review"]
    assert shaky.seen() == [1, 2, 3]


def test_numbers_that_go_back_to_what_they_were(town: House, shaky: Shaky) -> None:
    shaky.put(note("one"))
    for validity in (7, 9, 7, 9):
        shaky.uidvalidity = validity
        assert poll(town)
    assert subjects(town) == ["one"]


def test_a_message_that_shows_late_with_a_lower_number_is_taken(town: House, shaky: Shaky) -> None:
    """Two deliveries at once: the server shows the second one first."""
    shaky.put(note("one"), note("two"))
    shaky.hidden = {1}
    assert poll(town)
    shaky.hidden = set()
    assert poll(town)
    assert subjects(town) == ["two", "one"]


def test_a_server_without_uidvalidity_is_not_polled(town: House, shaky: Shaky) -> None:
    shaky.put(note("one"))
    shaky.uidvalidity = 0
    assert not poll(town)
    state = polling.state(town.desk)
    assert state is not None
    assert state.error == "the server gives no UIDVALIDITY"


def test_a_mailbox_that_takes_no_marks_is_polled_all_the_same(town: House, shaky: Shaky) -> None:
    shaky.put(note("one"))
    shaky.fault = shaky_imap.at("STORE", "no", 1_000)
    assert poll(town)
    assert poll(town)
    assert subjects(town) == ["one"]


# --- a million messages


@pytest.mark.parametrize("says_next", [True, False])
def test_a_huge_mailbox_is_listed_in_pieces(
    town: House, shaky: Shaky, monkeypatch: pytest.MonkeyPatch, says_next: bool
) -> None:
    """J05: the server never lists more than asked for, over wide gaps too."""
    for name, value in (("FEW", 20), ("WINDOW", 10), ("WIDEST", 400), ("BATCH", 7)):
        monkeypatch.setattr(imap, name, value)
    shaky.says_next = says_next
    for uid in [*range(1, 13), *range(900, 915), 5_000, 5_001]:
        shaky.put(note(f"n{uid}"), uid=uid)
    listed: list[int] = []
    search = shaky_imap._Handler._search

    def counted(handler: Any, criteria: str) -> list[bytes]:
        lines = search(handler, criteria)
        listed.append(len(lines[0].split()) - 2)
        return lines

    monkeypatch.setattr(shaky_imap._Handler, "_search", counted)
    assert poll(town)
    assert len(rows(town)) == len(shaky.letters)
    assert shaky.seen() == shaky.shown()
    assert max(listed) <= 20
    assert len(listed) < 40


# --- what a broken mailbox does not do


def test_pauses_grow_while_the_mailbox_cannot_be_had_and_end_when_it_can(town: House, shaky: Shaky) -> None:
    shaky.fault = shaky_imap.at("LOGIN", "no", 1_000)
    pauses = []
    for _ in range(8):
        assert not poll(town)
        state = polling.state(town.desk)
        assert state is not None
        pauses.append((state.next_poll_at - town.clock.time).total_seconds())
    assert 50 < pauses[0] < 70
    assert pauses[0] * 1.3 < pauses[1] < pauses[2] * 1.3
    assert max(pauses) <= polling.LONGEST_PAUSE.total_seconds() * 1.1
    shaky.fault = lambda verb, uid: ""
    town.clock.forward(seconds=pauses[-1])
    assert Poller(town.desk, threading.Event()).once(early=False)
    state = polling.state(town.desk)
    assert state is not None
    assert (state.failures, state.error) == (0, "")


@pytest.mark.parametrize("fault", ["silence", "drop", "no", "garbage"])
def test_a_broken_mailbox_does_not_stop_mail_out(
    town: House, shaky: Shaky, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap, "TIMEOUT", 30.0)  # as it is: a poller hangs as long
    shaky.fault = shaky_imap.at("LOGIN", fault, 1_000)
    town.book()
    stop = threading.Event()
    worker = threading.Thread(target=Worker(town.desk, stop).run)
    worker.start()
    waited = 0
    while {row.state for row in town.outbox()} != {"handed-over"}:
        stop.wait(0.02)
        waited += 1
        assert waited < 1_000
    monkeypatch.setattr("scheduler.worker.POLLER_END_SECONDS", 0.05)
    stop.set()
    worker.join(10)
    assert not worker.is_alive()


def test_once_does_both_and_tells_that_the_mailbox_failed(town: House, shaky: Shaky) -> None:
    shaky.fault = shaky_imap.at("LOGIN", "no")
    town.book()
    assert not Worker(town.desk, threading.Event()).once()
    assert {row.state for row in town.outbox()} == {"handed-over"}
    assert Worker(town.desk, threading.Event()).once()


def test_a_worker_that_is_ended_ends_between_two_messages(
    town: House, shaky: Shaky, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = threading.Event()
    shaky.put(note("one"), note("two"))
    shaky.fault = lambda verb, uid: stop.set() or "" if verb == "BODY" else ""  # type: ignore[func-returns-value]
    assert Poller(town.desk, stop).once()
    assert subjects(town) == ["one"]
    assert poll(town)
    assert subjects(town) == ["one", "two"]


def test_the_log_says_what_is_wrong_without_a_word_of_the_server_or_of_people(
    town: House, shaky: Shaky, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "scheduler")
    meeting = town.book()
    shaky.put(town.reply(meeting, AYLIN, "DECLINED", "canary"), note("canary"))
    for verb in VERBS:
        for fault in ("no", "garbage", "drop"):
            shaky.fault = shaky_imap.at(verb, fault)
            poll(town)
    until_well(town)
    assert "login refused" in caplog.text
    for secret in (letter_box.PASSWORD, "pass%22", "canary", AYLIN.email, letter_box.USER, "teapot", "not now"):
        assert secret not in caplog.text.casefold()
