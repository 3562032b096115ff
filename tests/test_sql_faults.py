"""I16, I01 to I14: each act with a fault at its first SQL statement, at its second, and so on until it passes.

After each fault the database is as before the act or as after it (of acts of several transactions: as after one of
them), whoever asked got an error or the fact is there, and doing it again ends as if nothing had been.
"""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError

from scheduler import access, answers, backups, booking, feeds, replies, reviews, tokens
from scheduler.booking import RequestKey
from scheduler.db import inbox
from scheduler.db import tables as t
from scheduler.db.engine import Store
from scheduler.desk import Desk
from scheduler.polling import Poller
from scheduler.worker import Worker
from tests import databases, letter_box, post_office, shaky_imap
from tests.house import BAT, Clock, House
from tests.post_office import PostOffice
from tests.shaky_imap import Shaky
from tests.test_polling import note

MANY = 400  # more statements than any of these has


class Fault(OperationalError):
    def __init__(self) -> None:
        super().__init__("a statement", None, Exception("the connection is lost"))


@contextmanager
def fault_at(number: int) -> Iterator[list[int]]:
    """The statement or commit of that number fails; gives the number of those that were begun."""
    count = [0]

    def take(*_: Any) -> None:
        count[0] += 1
        if count[0] == number:
            raise Fault

    event.listen(Engine, "before_cursor_execute", take)
    event.listen(Engine, "commit", take)
    try:
        yield count
    finally:
        event.remove(Engine, "before_cursor_execute", take)
        event.remove(Engine, "commit", take)


# --- what is compared


# What is new each time, by chance or by the clock; and what only tells how often something was tried.
_RANDOM = re.compile(
    r"id$|^uid$|^envelope_from$|^seed$|_hash$|^message_id$|^content$|^sha256$|^lease|^answer$|^told$|^raw$|^digest$|^dtstamp$"
    r"|_at$|^last_dtstamp$|^calendar_stamp$|^edition$|^attempts$|^tries$|^perhaps_left$|^proposal$|^made_by$|^received$"
)


def shape(desk: Desk) -> dict[str, list[str]]:
    """All that the database holds, but for what is never the same twice; NULL or not is told of that too."""
    with desk.store.read() as db:
        found = {}
        for name, table in t.metadata.tables.items():
            if name in databases.OF_THE_MOMENT:
                continue
            rows = [dict(row._mapping) for row in db.execute(select(table))]
            told = [
                {key: value is None if _RANDOM.search(key) else value for key, value in row.items()} for row in rows
            ]
            found[name] = sorted(map(repr, told))
        return found


# --- the acts


@dataclass
class Scene:
    """A city hall with a meeting whose mail is sent, an answer that waits for a decision, and a copy of it all."""

    house: House
    meeting_id: int
    copy: Path
    sign_in: str  # token of a link that was not used

    @property
    def desk(self) -> Desk:
        return self.house.desk

    def link(self) -> str:
        invitation = next(i for i in self.house.meeting(self.meeting_id).people if i.is_called(BAT.email))
        return tokens.derived(self.desk.key, tokens.LINK, invitation)


def book(scene: Scene) -> None:
    draft = scene.house.draft(room="gwangjin-video", people=(BAT,))
    booking.create(scene.desk, scene.house.person(), draft, RequestKey("k", "d"))


def move(scene: Scene) -> None:
    booking.edit(scene.desk, scene.house.person(), scene.meeting_id, lambda d: replace(d, duration_minutes=90))


def cancel(scene: Scene) -> None:
    booking.cancel(scene.desk, scene.house.person(), scene.meeting_id)


def answer_by_link(scene: Scene) -> None:
    answers.answer_by_link(scene.desk, scene.link(), "accepted", "We come")


def ask_for_a_link(scene: Scene) -> None:
    access.ask_for_link(scene.desk, scene.house.person().email)


def sign_in(scene: Scene) -> None:
    access.sign_in(scene.desk, scene.sign_in)


def make_a_feed(scene: Scene) -> None:
    feeds.create(scene.desk, scene.house.person(), "city", "gwangjin", "")


def decide(scene: Scene) -> None:
    (review,) = reviews.reviews(scene.desk, scene.house.person())
    reviews.decide(scene.desk, scene.house.person(), review.id, "invite")


def restore(scene: Scene) -> None:
    backups.restore(scene.desk.settings, scene.copy, scene.house.clock.time)


def send(scene: Scene) -> None:
    assert Worker(scene.desk, threading.Event()).once()


def poll(scene: Scene) -> None:
    assert Poller(scene.desk, threading.Event()).once()


@pytest.fixture
def stage(house: House, tmp_path: Path) -> Scene:
    """The scene as it is before each try; nobody has its database open."""
    meeting = house.book(people=(BAT,))
    house.send_all()
    stranger = ((BAT.email.encode(), b"other@ulaanbaatar.example"),)
    house.receive(house.reply(meeting, BAT, "ACCEPTED", edit=stranger))
    house.send_all()
    copy = tmp_path / "copy.db"
    backups.backup(house.desk.settings, copy)
    token = access.new_sign_in_link(house.desk, house.person().email).rpartition("/")[2]
    house.clock.forward(minutes=1)
    house.desk.store.close()
    return Scene(house, meeting.id, copy, token)


def tries(stage: Scene, folder: Path) -> Iterator[tuple[int, Scene]]:
    """Copies of the scene without end, with the number of the statement that shall fail; the first is not to fail."""
    for number in range(MANY):
        settings = databases.copied(stage.desk.settings, folder)
        clock = Clock(stage.house.clock.time)
        desk = Desk(settings, Store(settings.database.url), stage.desk.key, clock)
        copy = folder / f"copy-{number}.db"
        if stage.copy.exists():
            shutil.copy(stage.copy, copy)
        yield number, replace(stage, house=House(desk, clock), copy=copy)
        desk.store.close()
        databases.discard(settings)
        copy.unlink(missing_ok=True)


# --- what people ask for


def every(stride: int) -> pytest.MarkDecorator:
    """Faults at every so manieth statement; in the long run at each."""
    each = pytest.param(1, marks=(pytest.mark.long, pytest.mark.timeout(1800)))
    return pytest.mark.parametrize("stride", [stride, each])


ASKED = [book, move, cancel, answer_by_link, ask_for_a_link, sign_in, make_a_feed, decide]


@every(7)
@pytest.mark.parametrize("act", ASKED)
def test_what_is_asked_for_is_done_or_not_begun(
    stage: Scene, tmp_path: Path, act: Callable[[Scene], None], stride: int
) -> None:
    _fails_at_each(stage, tmp_path, act, stride)


@every(61)
def test_a_restore_is_done_or_not_begun(stage: Scene, tmp_path: Path, stride: int) -> None:
    """I17."""
    _fails_at_each(stage, tmp_path, restore, stride)


def _fails_at_each(stage: Scene, folder: Path, act: Callable[[Scene], None], stride: int) -> None:
    before, after, statements = shape(stage.desk), {}, 0
    stage.desk.store.close()
    for number, scene in tries(stage, folder):
        at, error = number * stride, None
        if number and at > statements:
            return
        with fault_at(at) as count:
            try:
                act(scene)
            except Exception as fault:
                error = fault
        found = shape(scene.desk)
        if number == 0:
            assert error is None
            after, statements = found, count[0]
            assert after != before
            continue
        assert found in (before, after), (at, _difference(found, before), _difference(found, after))
        assert found == after or error is not None, at
        if found == before:
            scene.house.clock.forward(seconds=1)
            act(scene)
        assert shape(scene.desk) == after, at
    raise AssertionError("too many statements")


def _difference(one: dict[str, list[str]], other: dict[str, list[str]]) -> dict[str, Any]:
    return {name: (one[name], other[name]) for name in one if one[name] != other[name]}


# --- what goes on by itself


@every(13)
def test_a_worker_hands_over_all_whatever_fails(stage: Scene, tmp_path: Path, stride: int) -> None:
    """The refusal of one mail and the notice of it are one step."""
    refuse = lambda recipient: "550 5.1.1 No such person" if recipient == BAT.email else "250 OK"  # noqa: E731
    with post_office.opened(PostOffice(refuse)) as office:
        stage.house.desk = replace(stage.desk, settings=post_office.sending_to(stage.desk.settings, office.port))
        move(stage)
        stage.desk.store.close()
        _goes_on(stage, tmp_path, send, _refusals_are_told, stride)
        assert len({arrival.sha256 for arrival in office.arrived}) == len({a.message_id for a in office.arrived})


def _refusals_are_told(scene: Scene) -> None:
    refused = [row for row in scene.house.outbox(state="refused") if row.invitation_id]
    assert len(scene.house.outbox(kind="notice-refused")) == len(refused)


@every(29)
def test_a_poller_takes_in_all_whatever_fails(stage: Scene, tmp_path: Path, stride: int) -> None:
    with shaky_imap.opened(Shaky()) as shaky:
        stage.house.desk = replace(stage.desk, settings=letter_box.polling(stage.desk.settings, shaky.port))
        meeting = stage.house.meeting(stage.meeting_id)
        shaky.put(stage.house.reply(meeting, BAT, "ACCEPTED"), note("words"))
        stage.desk.store.close()
        _goes_on(stage, tmp_path, poll, _answers_have_one_effect, stride)
        assert shaky.seen() == [1, 2]


@every(13)
def test_a_mail_that_is_handed_to_us_is_judged_whatever_fails(stage: Scene, tmp_path: Path, stride: int) -> None:
    raw = stage.house.reply(stage.house.meeting(stage.meeting_id), BAT, "ACCEPTED")
    stage.desk.store.close()

    def receive(scene: Scene) -> None:
        """As a mail server does: again until it is taken. What was taken and not judged is the worker's."""
        with scene.desk.store.read() as db:
            stored = db.scalar(select(t.inbox.c.id).where(t.inbox.c.sha256 == inbox.sha256(raw)))
        if stored is None:
            scene.house.receive(raw)
        replies.judge_stored(scene.desk)

    _goes_on(stage, tmp_path, receive, _answers_have_one_effect, stride)


def _answers_have_one_effect(scene: Scene) -> None:
    with scene.desk.store.read() as db:
        counted = len(list(db.scalars(select(t.inbox.c.id).where(t.inbox.c.outcome == "accepted"))))
        assert len(list(db.scalars(select(t.answers.c.id).where(t.answers.c.channel == "mail")))) == counted
    assert len(scene.house.outbox(kind="notice-answered")) == counted
    assert (scene.house.invitation(scene.house.meeting(scene.meeting_id), BAT).status == "accepted") == bool(counted)


def _goes_on(
    stage: Scene, folder: Path, act: Callable[[Scene], None], check: Callable[[Scene], None], stride: int
) -> None:
    after, statements = {}, 0
    for number, scene in tries(stage, folder):
        at = number * stride
        if number and at > statements:
            return
        with fault_at(at) as count, suppress(Exception):
            act(scene)
        check(scene)
        if number == 0:
            _rest(scene, act)
            after, statements = shape(scene.desk), count[0]
            continue
        _rest(scene, act)
        check(scene)
        assert shape(scene.desk) == after, (at, _difference(shape(scene.desk), after))
    raise AssertionError("too many statements")


def _rest(scene: Scene, act: Callable[[Scene], None]) -> None:
    """All leases end, and it is done again, without a fault."""
    for _ in range(3):
        scene.house.clock.forward(minutes=6)
        act(scene)
