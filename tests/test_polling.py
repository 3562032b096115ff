"""The mailbox on a real IMAP server: every message is stored, judged once, and marked as seen."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from scheduler import polling, replies
from scheduler.db import mailboxes
from scheduler.db import tables as t
from scheduler.polling import Poller
from scheduler.worker import Worker
from tests import letter_box, shaky_imap
from tests.house import AYLIN, BAT, KIM, NOW, House
from tests.letter_box import LetterBox, Server
from tests.shaky_imap import Shaky


@pytest.fixture
def box(imap_server: Server) -> LetterBox:
    return imap_server.box()


@pytest.fixture
def town(house: House, box: LetterBox) -> House:
    """A house that polls the box."""
    house.desk = replace(house.desk, settings=letter_box.polling(house.desk.settings, box.server.port, box.folder))
    return house


@pytest.fixture
def shaky(house: House) -> Iterator[Shaky]:
    """A server that looks into no message, and so takes all of them."""
    with shaky_imap.opened(Shaky()) as shaky:
        yield shaky


@pytest.fixture
def village(house: House, shaky: Shaky) -> House:
    house.desk = replace(house.desk, settings=letter_box.polling(house.desk.settings, shaky.port))
    return house


def poll(house: House) -> bool:
    house.clock.forward(seconds=1)
    return Poller(house.desk, threading.Event()).once()


def note(text: str, headers: str = "") -> bytes:
    """A mail that a person must read."""
    head = f"{headers}From: <desk@eregli.example>\r\nTo: <meet@cities.example>\r\nSubject: {text}\r\n"
    return f"{head}Message-ID: <{text}@mail.example.org>\r\n\r\n{text}\r\n".encode()


def rows(house: House) -> list[Any]:
    with house.desk.store.read() as db:
        return list(db.execute(t.inbox.select().order_by(t.inbox.c.id)))


def outcomes(house: House) -> list[str]:
    return [row.outcome for row in rows(house)]


def placed(house: House) -> list[tuple[int, int]]:
    """Which message of the mailbox, as it is numbered now, is which row of the inbox."""
    m = t.mailbox_messages.c
    with house.desk.store.read() as db:
        newest = db.execute(t.mailboxes.select()).one().uidvalidity
        found = db.execute(t.mailbox_messages.select().where(m.uidvalidity == newest).order_by(m.uid))
        return [(row.uid, row.inbox_id) for row in found]


def test_an_answer_in_the_mailbox_is_stored_recorded_and_marked_as_seen(town: House, box: LetterBox) -> None:
    meeting = town.book()
    raw = town.reply(meeting, BAT, "ACCEPTED", "We come")
    box.put(raw)
    assert poll(town)
    (row,) = rows(town)
    assert (row.raw, row.outcome) == (raw, "accepted")
    assert town.invitation(meeting, BAT).status == "accepted"
    assert box.seen() == box.uids() != []


def test_a_message_is_fetched_once_however_often_is_polled(town: House, box: LetterBox) -> None:
    box.put(note("one"), note("two"))
    for _ in range(3):
        assert poll(town)
    box.put(note("three"))
    for _ in range(2):
        assert poll(town)
    assert [row.subject for row in rows(town)] == ["one", "two", "three"]


def test_what_another_program_has_read_is_taken_all_the_same(town: House, box: LetterBox) -> None:
    box.put(note("one"))
    box.mark_seen()
    assert poll(town)
    assert outcomes(town) == ["human-review"]


def test_what_another_program_deletes_stays_stored(town: House, box: LetterBox) -> None:
    box.put(note("one"), note("two"), note("three"))
    first = box.uids()[0]
    box.delete(first)
    assert poll(town)
    box.delete(*box.uids())
    box.put(note("four"))
    assert poll(town)
    assert [row.subject for row in rows(town)] == ["two", "three", "four"]


def test_a_folder_is_named_as_it_is_called_whatever_that_looks_like(imap_server: Server, house: House) -> None:
    """F17: the name of a folder is never a command."""
    box = imap_server.box('답장 & "x" \\ (LOGOUT) {3}')
    settings = letter_box.polling(house.desk.settings, imap_server.port, box.folder)
    house.desk = replace(house.desk, settings=settings)
    box.put(note("one"))
    assert poll(house)
    assert box.seen() == box.uids()
    assert outcomes(house) == ["human-review"]


def test_the_worker_polls_beside_sending(town: House, box: LetterBox) -> None:
    meeting = town.book()
    box.put(town.reply(meeting, BAT, "ACCEPTED"))
    stop = threading.Event()
    worker = threading.Thread(target=Worker(town.desk, stop).run)
    worker.start()
    end = time.monotonic() + 30
    while not (box.seen() and {row.state for row in town.outbox()} == {"handed-over"}):
        assert time.monotonic() < end
    stop.set()
    worker.join(30)
    assert not worker.is_alive()
    assert town.invitation(meeting, BAT).status == "accepted"


# --- numbers


def test_new_numbers_of_all_messages_have_no_second_effect(town: House, box: LetterBox) -> None:
    """F12: after a restored backup the server numbers everything anew; each message is the row that it was."""
    meeting = town.book()
    without_id = note("no id").replace(b"Message-ID", b"X-Id")
    box.put(town.reply(meeting, BAT, "DECLINED"), note("one"), note("one"), without_id, without_id, b"\0" * 9)
    assert poll(town)
    before, mails = rows(town), len(town.outbox())
    box.renumber()
    box.put(note("new"))
    assert poll(town)
    assert rows(town)[:-1] == before
    assert rows(town)[-1].subject == "new"
    assert [row.outcome for row in before] == [
        "declined",
        "human-review",
        "ignored-duplicate",
        "human-review",
        "ignored-duplicate",
        before[5].outcome,
    ]
    assert len(town.outbox()) == mails
    assert [inbox_id for _, inbox_id in placed(town)] == [row.id for row in rows(town)]
    assert box.seen() == box.uids()


def test_a_message_that_comes_back_changed_by_a_server_is_known_by_its_message_id(town: House, box: LetterBox) -> None:
    """F12: moved to another folder and back, with a header more."""
    meeting = town.book()
    raw = town.reply(meeting, BAT, "ACCEPTED")
    box.put(raw)
    assert poll(town)
    box.delete(*box.uids())
    box.put(b"X-Moved: yes\r\n" + raw)
    assert poll(town)
    assert outcomes(town) == ["accepted", "ignored-duplicate"]


def test_a_mail_that_came_by_the_pipe_too_has_one_effect(town: House, box: LetterBox) -> None:
    raw = note("one")
    town.receive(raw)
    box.put(raw)
    assert poll(town)
    assert outcomes(town) == ["human-review"]
    assert box.seen() == box.uids()


# --- when it was received


def received(house: House, box: LetterBox, headers: str) -> Any:
    box.put(note("one", headers), at=NOW)
    house.clock.forward(hours=1)
    assert poll(house)
    return rows(house)[0].received


@pytest.mark.parametrize(
    ("headers", "minutes"),
    [
        ("", 0),  # no Received: the mailbox says when
        ("Received: from a by b; Mon, 11 Jan 2027 00:58:00 +0000\r\n", -2),  # our server had it before the mailbox
        ("Received: from a by b; Mon, 11 Jan 2027 01:58:00 +0000\r\n", 0),  # that cannot be our server's stamp
        ("Received: from a by b; Fri, 31 Dec 9999 00:00:00 +0000\r\n", 0),
        ("Received: nonsense\r\n", 0),
        ("Date: Sun, 10 Jan 2027 00:00:00 +0000\r\n", 0),
    ],
)
def test_received_is_our_servers_stamp_else_the_date_of_the_mailbox(
    town: House, box: LetterBox, headers: str, minutes: int
) -> None:
    assert received(town, box, headers) == NOW + timedelta(minutes=minutes)


def test_the_order_of_two_answers_is_by_the_mailbox_not_by_the_poll(town: House, box: LetterBox) -> None:
    """F19: an answer that claims to be from the year 9999 counts as of its arrival; a later honest one wins."""
    meeting = town.book()
    future = b"DTSTAMP:99991231T000000Z"
    town.clock.forward(minutes=1)
    stamped = f"DTSTAMP:{town.clock.time:%Y%m%dT%H%M%SZ}".encode()
    forged = town.reply(meeting, BAT, "ACCEPTED", edit=((stamped, future),))
    box.put(forged, at=town.clock.time)
    town.clock.forward(minutes=30)
    box.put(town.reply(meeting, BAT, "DECLINED"), at=town.clock.time)
    town.clock.forward(hours=5)
    assert poll(town)
    assert town.invitation(meeting, BAT).status == "declined"


# --- sizes


def test_of_a_message_that_is_too_large_only_the_beginning_is_fetched(town: House, box: LetterBox) -> None:
    large = note("large") + b"x" * 200_000
    limits = town.desk.settings.limits.model_copy(update={"mail_bytes": 100_000})
    town.desk = replace(town.desk, settings=town.desk.settings.model_copy(update={"limits": limits}))
    box.put(large, note("small"))
    assert poll(town)
    assert outcomes(town) == ["rejected-too-large", "human-review"]
    assert rows(town)[0].raw == large[: replies.KEPT_OF_TOO_LARGE]
    assert box.seen() == box.uids()


# --- who polls


def test_of_two_pollers_one_polls(town: House, box: LetterBox) -> None:
    """J12."""
    box.put(note("one"))
    name = town.desk.settings.inbox.account.name  # type: ignore[union-attr]
    with town.desk.store.write() as db:
        assert mailboxes.claim(db, name, town.clock.time, "another") is not None
    assert poll(town)
    assert rows(town) == []
    town.clock.forward(seconds=mailboxes.LEASE.total_seconds())
    assert poll(town)
    assert len(rows(town)) == 1


def test_whoever_lost_the_lease_writes_nothing_more(
    town: House, box: LetterBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.put(note("one"), note("two"))
    judge = replies.judge_kept

    def slow(desk: Any, inbox_id: int) -> replies.Receipt:
        with town.desk.store.write() as db:
            db.execute(t.mailboxes.update().values(lease="another"))
        return judge(desk, inbox_id)

    monkeypatch.setattr(replies, "judge_kept", slow)
    assert poll(town)
    assert [row.subject for row in rows(town)] == ["one"]
    with town.desk.store.read() as db:
        assert db.execute(t.mailboxes.select()).one().lease == "another"


def test_two_pollers_at_the_same_moment_store_every_message_once(town: House, box: LetterBox) -> None:
    """J12, when the lease does not hold: the second one ends at the first message that it wants to store."""
    box.put(*(note(f"n{number}") for number in range(20)))
    barrier = threading.Barrier(4)

    def race() -> None:
        barrier.wait(30)
        Poller(town.desk, threading.Event()).once()

    threads = [threading.Thread(target=race) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert poll(town)
    assert sorted(row.subject for row in rows(town)) == sorted(f"n{number}" for number in range(20))


def test_a_mailbox_is_polled_when_its_time_has_come(town: House, box: LetterBox) -> None:
    poller = Poller(town.desk, threading.Event())
    assert poller.once(early=False)
    box.put(note("one"))
    town.clock.forward(seconds=59)
    assert poller.once(early=False)
    assert rows(town) == []
    town.clock.forward(seconds=1)
    assert poller.once(early=False)
    assert len(rows(town)) == 1


@pytest.mark.parametrize("years", [-10, 10])
def test_a_clock_that_was_wrong_does_not_stop_the_polling(town: House, box: LetterBox, years: int) -> None:
    """J09: neither the pause nor the lease of a poll is believed from far away."""
    town.clock.forward(days=365 * years)
    name = town.desk.settings.inbox.account.name  # type: ignore[union-attr]
    with town.desk.store.write() as db:  # a worker that dies
        assert mailboxes.claim(db, name, town.clock.time, "another") is not None
    town.clock.time = NOW + timedelta(minutes=1)
    box.put(note("one"))
    assert Poller(town.desk, threading.Event()).once(early=False)
    assert len(rows(town)) == 1


def test_how_polling_goes_is_told(town: House, box: LetterBox) -> None:
    assert polling.state(town.desk) is None
    assert poll(town)
    state = polling.state(town.desk)
    assert state == mailboxes.State(town.clock.time, 0, "", town.clock.time + timedelta(seconds=60))
    town.desk = replace(town.desk, settings=letter_box.polling(town.desk.settings, box.server.port, "no such folder"))
    assert not poll(town)
    assert not poll(town)
    state = polling.state(town.desk)
    assert state is not None
    assert (state.polled_at, state.failures) == (None, 2)
    assert state.error.startswith("the folder cannot be opened")


def test_without_a_mailbox_nothing_is_polled(house: House) -> None:
    assert poll(house)
    assert polling.state(house.desk) is None


# --- nothing is lost


@pytest.fixture
def poisons() -> list[bytes]:
    """F13: what has broken mail readers before."""
    deep = b"".join(b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(5_000))
    return [
        deep,
        b"X-H: 1\r\n" * 100_000 + b"\r\n",
        b"Subject: " + b"x" * 1_000_000 + b"\r\n\r\n",
        b"From: =?utf-8?q?a=0d=0ab?= <a@b.example>\r\n\r\n",
        b"Content-Type: text/plain; charset=nonsense\r\n\r\n\xff\xfe\x00",
        b"\x00" * 1_000,
        b"\r\n",
        b"Content-Type: text/calendar\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!!",
    ]


def test_poison_is_set_aside_and_the_next_message_is_served(village: House, shaky: Shaky, poisons: list[bytes]) -> None:
    """F13."""
    meeting = village.book()
    shaky.put(*poisons, village.reply(meeting, BAT, "ACCEPTED"))
    assert poll(village)
    assert village.invitation(meeting, BAT).status == "accepted"
    assert [row.raw for row in rows(village)][:-1] == poisons
    assert all(outcomes(village))
    assert shaky.seen() == shaky.shown()


def test_a_message_that_breaks_the_judging_is_tried_thrice_and_does_not_stop_the_next(
    town: House, box: LetterBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F13: also when the fault is none that was foreseen."""
    judge = replies._judge_mail
    tried: list[int] = []

    def breaks(desk: Any, kept: Any) -> replies.Receipt:
        if b"poison" in kept.raw:
            tried.append(kept.id)
            raise MemoryError
        return judge(desk, kept)

    monkeypatch.setattr(replies, "_judge_mail", breaks)
    box.put(note("poison"), note("next"))
    for _ in range(8):
        assert poll(town)
        town.clock.forward(minutes=10)
    assert outcomes(town) == ["quarantined-malformed", "human-review"]
    assert len(tried) == 1 + replies.TRIES
    assert box.seen() == box.uids()


@pytest.mark.parametrize("seed", range(3))
def test_messages_in_are_applied_or_for_review_or_set_aside_or_ignored(
    village: House, shaky: Shaky, poisons: list[bytes], seed: int
) -> None:
    """F14: a random mix; every message is counted once, and nothing else is."""
    chance, town, meeting = random.Random(seed), village, village.book()
    kinds = [
        lambda: town.reply(meeting, chance.choice((BAT, AYLIN, KIM)), chance.choice(("ACCEPTED", "DECLINED", "X-ODD"))),
        lambda: town.reply(meeting, BAT, "ACCEPTED", sender="stranger@mail.example.org", to="meet@cities.example"),
        lambda: note(f"n{chance.random()}"),
        lambda: note(f"n{chance.random()}", "Auto-Submitted: auto-replied\r\n"),
        lambda: note(f"n{chance.random()}", "X-Scheduler: cities.example\r\n"),
        lambda: chance.choice(poisons),
        lambda: chance.randbytes(chance.randrange(1, 400)),
    ]
    sent: list[bytes] = []
    for _ in range(6):
        for _ in range(chance.randrange(1, 8)):
            again = sent and chance.random() < 0.15
            sent.append(chance.choice(sent) if again else chance.choice(kinds)())
            shaky.put(sent[-1], at=town.clock.time)
        if chance.random() < 0.3:
            shaky.renumber()
        assert poll(town)
    counted = Counter(map(group, outcomes(town)))
    assert sum(counted.values()) == len(sent) == len(shaky.shown())
    assert "" not in counted
    assert sorted(inbox_id for _, inbox_id in placed(town)) == [row.id for row in rows(town)]
    assert sorted(row.raw for row in rows(town)) == sorted(sent)


def group(outcome: str) -> str:
    applied = ("accepted", "declined", "tentative", "delegated-recorded", "refresh-sent", "bounce-recorded")
    review = ("pending-approval-uninvited", "held-sender-mismatch", "human-review")
    if outcome in applied:
        return "applied"
    if outcome in review:
        return "review"
    found = outcome.partition("-")[0]
    return found if found in ("quarantined", "ignored", "rejected") else ""


# --- a flood


def test_a_flood_of_one_sender_is_judged_when_the_others_have_been_served(
    village: House, shaky: Shaky, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F15: nothing of it is lost, and nobody waits for it."""
    monkeypatch.setattr(replies, "FLOOD", 5)
    meeting = village.book()
    shaky.put(*(note(f"flood {number}") for number in range(30)), village.reply(meeting, BAT, "ACCEPTED"))
    assert poll(village)
    assert village.invitation(meeting, BAT).status == "accepted"
    assert len(rows(village)) == 31
    assert outcomes(village).count("") == 25
    assert len(shaky.seen()) == 6
    village.clock.forward(seconds=replies.LEFT_BEHIND.total_seconds())
    assert poll(village)
    assert Counter(outcomes(village)) == {"human-review": 30, "accepted": 1}
    assert shaky.seen() == shaky.shown()


def test_of_what_is_left_each_sender_has_its_turn(village: House, monkeypatch: pytest.MonkeyPatch) -> None:
    with village.desk.store.write() as db:
        for number in range(4):
            replies.keep(village.desk, db, note(f"flood {number}"), 100)
        replies.keep(village.desk, db, note("other").replace(b"desk@", b"other@"), 100)
    village.clock.forward(seconds=replies.LEFT_BEHIND.total_seconds())
    order: list[int] = []
    monkeypatch.setattr(replies, "judge_kept", lambda desk, inbox_id: order.append(inbox_id))
    assert replies.judge_stored(village.desk) == 5
    assert order == [1, 5, 2, 3, 4]
    monkeypatch.setattr(replies, "SECONDS_FOR_STORED", -1.0)
    village.clock.forward(hours=1)
    assert replies.judge_stored(village.desk) == 0
