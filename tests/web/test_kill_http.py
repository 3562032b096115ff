"""kill -9 of the real web server at every step of a booking and of an answer, over HTTP; then the request again."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import func, select

from scheduler import access, tokens
from scheduler.db import tables as t
from tests import databases, failpoints, processes
from tests.callers import Caller, Heard
from tests.house import BAT, NOW, House
from tests.town import until

from .api_client import OWNER, meeting_body

TABLES = (t.meetings, t.bookings, t.invitations, t.outbox, t.requests, t.answers)
STEPS = [step for step in failpoints.WEB if step != "written"]
SAID = ("answered",)  # dies only when the answer is on its way


@dataclass
class Office:
    """An installation with a server that stays, on `port`, beside those that die."""

    house: House
    port: int
    token: str

    def dying(self, failpoint: str, token: str = "") -> tuple[Caller, processes.BaseProcess]:
        port = processes.free_port()
        process = processes.start(processes.serve, self.house.desk.settings, NOW, port, failpoint=failpoint)
        until(lambda: _listens(port))
        return Caller(port, token), process

    def staying(self, token: str = "") -> Caller:
        return Caller(self.port, token)

    def counts(self) -> list[int]:
        with self.house.desk.store.read() as db:
            return [db.scalar(select(func.count()).select_from(table)) or 0 for table in TABLES]


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.fixture
def office(house: House) -> Iterator[Office]:
    _, token = access.new_api_token(house.desk, OWNER)
    port = processes.free_port()
    process = processes.start(processes.serve, house.desk.settings, NOW, port)
    until(lambda: _listens(port))
    yield Office(house, port, token)
    process.kill()
    process.join(processes.PATIENCE)


def _book(caller: Caller, key: str) -> Heard | None:
    return caller.once("POST", "/api/v1/meetings", meeting_body(), Idempotency_Key=key)


def test_a_booking_over_http_is_whole_or_not_there_and_its_repetition_is_the_same_meeting(office: Office) -> None:
    """I01, I02: whoever saw 201 has the meeting and a mail for each person; whoever saw nothing asks again."""
    one = [1, 0, 4, 4, 1, 0]
    for number, step in enumerate(STEPS):
        before = office.counts()
        caller, process = office.dying(f"{step}:1", office.token)
        heard = _book(caller, f"key-{number}")
        assert processes.was_killed(process), step
        new = [now - then for now, then in zip(office.counts(), before, strict=True)]
        assert new == (one if step in ("committed", "answering", "answered") else [0] * 6), step
        assert heard is None or (step in SAID and heard.status == 201)
        again = _book(office.staying(office.token), f"key-{number}")
        assert again
        assert again.status == 201
        assert [now - then for now, then in zip(office.counts(), before, strict=True)] == one
        assert heard is None or again.body == heard.body
    databases.must_be_whole(office.house.desk.store)


def test_a_booking_killed_after_each_insert_leaves_nothing(office: Office) -> None:
    """I01."""
    for number in range(1, 100):
        before = office.counts()
        caller, process = office.dying(f"written:{number}", office.token)
        heard = _book(caller, f"key-{number}")
        if heard:
            process.kill()
            process.join(processes.PATIENCE)
            break
        assert processes.was_killed(process)
        assert office.counts() == before
    assert number > 4  # PostgreSQL gets all rows in one statement


def _answer(caller: Caller, link: str, comment: str) -> Heard | None:
    return caller.once("POST", f"/i/{link}/answer", {"answer": "accepted", "comment": comment, "sequence": "0"})


def test_an_answer_by_link_is_there_or_not_and_given_again_makes_the_same_state(office: Office) -> None:
    """I11: killed after the commit and before the page, the person presses again and the page says recorded."""
    house = office.house
    for step in STEPS:
        meeting = house.book(people=(BAT,))
        link = tokens.derived(house.desk.key, tokens.LINK, house.invitation(meeting, BAT))
        caller, process = office.dying(f"{step}:1")
        heard = _answer(caller, link, step)
        assert processes.was_killed(process), step
        there = step in ("committed", "answering", "answered")
        assert house.invitation(meeting, BAT).status == ("accepted" if there else "waiting")
        assert heard is None or (step in SAID and heard.status == 303)
        again = _answer(office.staying(), link, step)
        assert again
        assert again.status == 303
        page = office.staying().once("GET", again.headers["Location"])
        assert page
        assert page.status == 200
        found = house.invitation(meeting, BAT)
        assert (found.status, found.comment) == ("accepted", step)
        assert len(house.outbox(kind="notice-answered", meeting_id=meeting.id)) == 1


def test_what_a_page_said_is_recorded_is_there_after_everything_was_killed(office: Office) -> None:
    """I12."""
    house = office.house
    meeting = house.book(people=(BAT,))
    link = tokens.derived(house.desk.key, tokens.LINK, house.invitation(meeting, BAT))
    caller, process = office.dying("")
    heard = _answer(caller, link, "We come")
    process.kill()
    process.join(processes.PATIENCE)
    house.desk.store.close()
    assert heard
    assert heard.status == 303
    caller, process = office.dying("")
    page = caller.once("GET", f"/i/{link}")
    process.kill()
    process.join(processes.PATIENCE)
    assert page
    assert "We come" in page.body.decode()
