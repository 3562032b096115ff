"""The log names rows and rules, never people: no address, name, subject, link or token, whatever happens."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace

import pytest
from sqlalchemy import Connection

from scheduler import access, admin, answers, booking, tokens, worker
from scheduler.core.errors import RoomTaken
from scheduler.core.words import Wording
from scheduler.db import outbox
from scheduler.db import tables as t
from scheduler.web import create_app
from scheduler.worker import Worker
from tests import post_office
from tests.house import AYLIN, BAT, KIM, House, parsed
from tests.post_office import LOST, PostOffice

TITLE = "Canary of the water works"
COMMENT = "Another canary"


def _told(recipient: str) -> str:
    """A mail server that repeats the address in its answer, as most do."""
    return {
        BAT.email: f"550 5.1.1 <{BAT.email}>: no such person",
        AYLIN.email: f"451 4.2.1 <{AYLIN.email}> is busy",
        KIM.email: LOST,
    }.get(recipient, f"250 2.0.0 <{recipient}> OK")


def _secrets(house: House) -> set[str]:
    with house.desk.store.read() as db:
        people = {(row.name, row.email) for row in db.execute(t.people.select())}
        meetings = [row.id for row in db.execute(t.meetings.select())]
    found = {text for pair in people for text in pair} | {TITLE, COMMENT, "canary", BAT.email}
    for invitation in (i for ident in meetings for i in house.meeting(ident).invitations):
        found |= {invitation.invitee.email, invitation.invitee.name}
        found |= {tokens.derived(house.desk.key, purpose, invitation) for purpose in (tokens.LINK, tokens.REPLY)}
    found |= {parsed(row.content)["Subject"] for row in house.outbox()}
    return {text.casefold() for text in found}


def _nothing_of(secrets: set[str], log: str) -> None:
    assert not [secret for secret in secrets if secret in log.casefold()], log


def test_booking_sending_and_receiving_leave_no_word_about_people(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """L06."""
    caplog.set_level(logging.DEBUG, "scheduler")
    with post_office.opened(PostOffice(_told)) as office:
        house.desk = replace(house.desk, settings=post_office.sending_to(house.desk.settings, office.port))
        access.ask_for_link(house.desk, house.person().email)
        cookie = access.sign_in(house.desk, access.new_sign_in_link(house.desk, house.person().email).split("/")[-1])
        _, bearer = access.new_api_token(house.desk, house.person().email)
        meeting = house.book(title=Wording.of(TITLE), room="gwangjin-video")
        with pytest.raises(RoomTaken):
            house.book(title=Wording.of(TITLE), room="gwangjin-video")
        for _ in range(3):
            Worker(house.desk, threading.Event()).once()
            house.clock.forward(minutes=5)
        answer = house.reply(meeting, AYLIN, "DECLINED", COMMENT)
        for raw in (
            answer,
            answer,
            b"\x00 not a mail " + COMMENT.encode(),
            answer.replace(AYLIN.email.encode(), b"x@y"),
        ):
            house.receive(raw)
        booking.cancel(house.desk, house.person(), meeting.id, COMMENT)
        admin.disable_person(house.desk, house.person().email, house.person(role="operator").email)
        Worker(house.desk, threading.Event()).once()
    assert {"handed over" in caplog.text, "refused" in caplog.text, "tried again" in caplog.text} == {True}
    _nothing_of(_secrets(house) | {cookie, bearer}, caplog.text)


def test_a_server_that_refuses_our_own_address_does_not_bring_it_into_the_log(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """L06."""
    caplog.set_level(logging.DEBUG, "scheduler")
    with post_office.opened(PostOffice(sender="550 5.7.1 <{}>: sender rejected")) as office:
        house.desk = replace(house.desk, settings=post_office.sending_to(house.desk.settings, office.port))
        house.book()
        Worker(house.desk, threading.Event()).once()
    assert any("sender rejected" in row.answer for row in house.outbox())
    assert "550" in caplog.text
    _nothing_of(_secrets(house), caplog.text)


def test_a_fault_of_the_database_is_logged_without_the_values(
    house: House, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """L06."""
    stop = threading.Event()

    def fault(db: Connection, *_: object) -> None:
        stop.set()
        columns = ("name", "email", "email_key", "city", "language", "role")
        values = dict.fromkeys(columns, BAT.email) | {"created_at": house.clock.time, "language": "mn"}
        db.execute(t.people.insert().values(**values | {"role": "contact"}))

    monkeypatch.setattr(outbox, "claim", fault)
    monkeypatch.setattr(worker, "SERVER_PAUSE_SECONDS", 0.0)
    Worker(house.desk, stop).run()
    assert "IntegrityError" in caplog.text
    _nothing_of(_secrets(house), caplog.text)


def test_a_fault_behind_a_secret_address_is_logged_without_it(
    house: House, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """L06."""
    caplog.set_level(logging.DEBUG)
    invitation = house.invitation(house.book(), BAT)
    link = tokens.derived(house.desk.key, tokens.LINK, invitation)
    sign_in = access.new_sign_in_link(house.desk, house.person().email).rpartition("/")[2]

    def fault(*_: object) -> None:
        raise RuntimeError

    for module, name in ((answers, "open_invitation"), (access, "person_of_link")):
        monkeypatch.setattr(module, name, fault)
    client = create_app(desk=house.desk).test_client()
    for path in (f"/i/{link}", f"/sign-in/{sign_in}"):
        assert client.get(path, base_url=house.desk.settings.server.base_url).status_code == 500
    assert "RuntimeError" in caplog.text
    _nothing_of(_secrets(house) | {link, sign_in}, caplog.text)
