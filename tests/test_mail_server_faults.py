"""A mail server that puts off, refuses, locks us out, hangs or breaks off: what becomes of mail, and who is told."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from scheduler import access, operation, worker
from scheduler.mail import smtp
from scheduler.web import create_app
from scheduler.worker import GIVE_UP, Worker
from tests import post_office
from tests.house import AYLIN, BAT, KIM, House
from tests.mail.test_smtp import AUTH, Sink, odd_server, smtp_server
from tests.post_office import PostOffice

OPERATOR = "operator@gwangjin.example"
FOR_NOW = ["421 4.3.2 Closing down", "450 4.2.0 Greylisted", "451 4.7.1 Try later", "452 4.3.1 No space"]
# aiosmtpd warns of exactly what is tried here: a server that wants a password although nothing is encrypted.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")


@pytest.fixture
def office() -> Iterator[PostOffice]:
    with post_office.opened(PostOffice()) as office:
        yield office


@pytest.fixture
def town(house: House, office: PostOffice) -> House:
    return sending(house, office.port)


def sending(house: House, port: int, login: str = "") -> House:
    settings = post_office.sending_to(house.desk.settings, port)
    mail = settings.mail.model_copy(update={"smtp_url": f"smtp://{login}127.0.0.1:{port}"})
    house.desk = replace(house.desk, settings=settings.model_copy(update={"mail": mail}))
    return house


def once(house: House) -> bool:
    return Worker(house.desk, threading.Event()).once()


# --- for the moment


@pytest.mark.parametrize("reply", FOR_NOW)
def test_what_is_put_off_leaves_later(town: House, office: PostOffice, reply: str) -> None:
    """J02: the pauses grow and differ, the bytes stay."""
    pauses = _put_off(town, office, reply, GIVE_UP / 10)
    assert len(set(pauses)) == len(pauses) > 5  # none is like another
    assert pauses[-1] > 4 * pauses[0]
    assert len({arrival.sha256 for arrival in office.turned_away}) == 1


def test_what_is_put_off_for_five_days_is_given_up(town: House, office: PostOffice) -> None:
    """J02."""
    assert len(set(_put_off(town, office, FOR_NOW[0], GIVE_UP))) > 20
    once(town)
    (row,) = town.outbox(recipient=BAT.email)
    assert row.state == "refused"
    assert len(town.outbox(kind="notice-refused")) == 1
    assert len({arrival.sha256 for arrival in office.turned_away}) == 1
    assert {r.state for r in town.outbox() if r.recipient != BAT.email} <= {"handed-over", "queued"}


def _put_off(town: House, office: PostOffice, reply: str, length: timedelta) -> list[timedelta]:
    """The pauses before each further try of a mail that is answered so all the time."""
    town.book(people=(BAT,))
    office.answer = lambda recipient: reply if recipient == BAT.email else "250 OK"
    began, pauses = town.clock.time, []
    while town.clock.time - began <= length:
        for _ in range(3):
            once(town)  # a server that closes down is left alone, so the others have their turn in the next round
        (row,) = town.outbox(recipient=BAT.email)
        assert row.state == "queued"
        assert row.answer.endswith(reply)
        pauses.append(row.next_attempt_at - town.clock.time)
        town.clock.time = row.next_attempt_at
    return pauses


# --- for good


@pytest.mark.parametrize("reply", ["550 5.1.1 No such person", "552 5.3.4 Too big", "554 5.7.1 Refused"])
def test_a_refusal_concerns_one_person_alone(town: House, office: PostOffice, reply: str) -> None:
    """J03."""
    town.book()
    office.answer = lambda recipient: reply if recipient == BAT.email else "250 OK"
    assert once(town)
    states = {row.recipient: row.state for row in town.outbox() if row.invitation_id}
    assert states.pop(BAT.email) == "refused"
    assert set(states.values()) == {"handed-over"}
    assert {AYLIN.email, KIM.email} <= states.keys()


def test_a_refused_password_costs_no_mail_and_is_told_loudly(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """J03: in the log, in readiness and on the operator's page; nothing is given up; all leaves when it is mended."""
    sink = Sink()
    with smtp_server(sink, **AUTH) as port:
        sending(house, port, "office:wrong@").book()
        for _ in range(10):
            assert not once(house)
            house.clock.forward(days=1)
        assert {(row.state, row.attempts, row.lease) for row in house.outbox()} == {("queued", 0, "")}
        assert [r.levelno for r in caplog.records if "refuses our sign-in" in r.message] == [logging.ERROR] * 10
        _is_told(house)
        sending(house, port, "office:right@")
        assert once(house)
    assert len(sink.arrived) == len(house.outbox()) == 4
    assert operation.health(house.desk).is_well
    assert "wrong" not in caplog.text


def _is_told(house: House) -> None:
    client = create_app(desk=house.desk).test_client()
    ready = client.get("/health/ready", base_url=house.desk.settings.server.base_url)
    assert ready.status_code == 503
    assert "account" in json.loads(ready.data)["late"]
    cookie = access.sign_in(house.desk, access.new_sign_in_link(house.desk, OPERATOR).rpartition("/")[2])
    client.set_cookie("sid", cookie, domain="127.0.0.1")
    page = client.get("/operation", base_url=house.desk.settings.server.base_url).text
    assert "mail.smtp_url" in page
    assert "535" in page


def test_a_server_that_refuses_us_is_not_asked_all_the_time(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """J03: whoever keeps asking with a wrong password is locked out."""
    stop, pauses = threading.Event(), list[float]()

    def waiting(seconds: float) -> bool:
        pauses.append(seconds)
        stop.set()
        return True

    with smtp_server(Sink(), **AUTH) as port:
        sending(house, port, "office:wrong@").book()
        monkeypatch.setattr(stop, "wait", waiting)
        Worker(house.desk, stop)._send_on_and_on()
    assert pauses == [worker.ACCOUNT_PAUSE_SECONDS]
    assert worker.ACCOUNT_PAUSE_SECONDS >= 300


# --- hanging and breaking off


def test_no_server_holds_a_worker_for_longer_than_a_minute_at_one_step() -> None:
    """J04: and all steps of one mail end before its lease does."""
    steps = 8  # connecting, greeting, EHLO, RSET, MAIL, RCPT, DATA, the end of the mail
    assert smtp.TIMEOUT <= 60
    assert timedelta(seconds=steps * smtp.TIMEOUT) < worker.outbox.LEASE


@pytest.mark.parametrize("verb", ["greeting", "EHLO", "MAIL", "RCPT", "DATA", "END"])
@pytest.mark.parametrize("fault", ["hangs", "breaks off", "half a line"])
def test_a_mail_returns_to_the_queue_wherever_the_server_stops(
    house: House, monkeypatch: pytest.MonkeyPatch, verb: str, fault: str
) -> None:
    """J04."""
    said = {"hangs": b"", "breaks off": None, "half a line": b"25"}[fault]
    greeting = said or b"" if verb == "greeting" else b"220 odd\r\n"
    with odd_server(greeting, **{verb: said}) as (port, _), monkeypatch.context() as impatient:
        sending(house, port).book(people=(BAT,))
        if verb == "greeting" or fault != "breaks off":  # else no time runs out, however slow the machine is
            impatient.setattr(smtp, "TIMEOUT", 0.6)
        assert not once(house)
    tried = [row for row in house.outbox() if row.attempts]
    assert [(row.state, row.lease, row.attempts) for row in tried] == [("queued", "", 1)]
    assert tried[0].perhaps_left == (verb in ("DATA", "END"))
    house.clock.forward(minutes=2)
    with post_office.opened(PostOffice()) as office:
        sending(house, office.port)
        assert once(house)
    assert {(a.message_id, a.sha256) for a in office.arrived} == {(r.message_id, r.sha256) for r in house.outbox()}


def test_a_server_without_any_extension_takes_all_our_mail(house: House) -> None:
    """J04: neither 8BITMIME nor SMTPUTF8 is needed; addresses that would need it are not accepted (see `drafts`)."""
    with odd_server(EHLO=b"502 5.5.1 What?\r\n") as (port, heard):
        sending(house, port).book()
        assert once(house)
    assert {row.state for row in house.outbox()} == {"handed-over"}
    assert not [line for line in heard if "BODY=" in line or "SMTPUTF8" in line]
