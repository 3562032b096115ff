"""A03, A05, A09: an id, a name or an address of somebody else in a path or a body gives no right over it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from typing import Any

import pytest

from scheduler import admin, booking
from scheduler.core.meeting import Meeting
from tests.house import AYLIN, BAT, NOW, START, Clock, House

from . import test_roles as roles
from .test_roles import API, EMAILS, PERSON, SLOTS, Stage

stage, untouched = roles.stage, roles.untouched


@pytest.fixture(scope="module")
def other(stage: Stage) -> Meeting:
    """A meeting of Gwangju alone, with its own person and room, an hour after the one of Gwangjin-gu."""
    gwangju = next(p for p in admin.list_people(stage.desk) if p.email == EMAILS["stranger"])
    desk = replace(BAT, city="gwangju", email="desk@gwangju.example")
    wanted = House(stage.desk, Clock(NOW)).draft(
        host="gwangju", cities=("gwangju",), people=(desk,), start=START.replace(hour=8), room="gwangju-video"
    )
    return booking.create(stage.desk, gwangju, wanted).meeting


def invitation_of(meeting: Meeting) -> str:
    return next(i.id for i in meeting.people)


# --- A03: the parts of one address belong together


def test_an_invitation_of_one_meeting_is_none_of_another(stage: Stage, other: Meeting) -> None:
    """A03: both ids are real, and one is even one's own."""
    rule, before = "/meetings/<meeting_id>/invitations/<invitation_id>/mail", stage.contents()
    pairs = [
        ("host", str(stage.meeting.id), invitation_of(other)),
        ("host", str(other.id), stage.values["invitation_id"]),
        ("stranger", str(other.id), stage.values["invitation_id"]),
        ("stranger", str(stage.meeting.id), invitation_of(other)),
        ("partner", str(other.id), invitation_of(other)),
    ]
    for role, meeting, invitation in pairs:
        asked = replace(stage, values=stage.values | {"meeting_id": meeting, "invitation_id": invitation})
        assert roles.ask(asked, "POST", rule, role).status_code == 404, (role, meeting)
    assert stage.contents() == before


@pytest.mark.parametrize("rule", ["/meetings/<meeting_id>/answers", f"{API}/meetings/<meeting_id>/answers"])
def test_an_answer_is_for_somebody_who_is_invited_to_that_meeting(stage: Stage, other: Meeting, rule: str) -> None:
    """A03."""
    before, given = stage.contents(), {"email": "desk@gwangju.example", "answer": "accepted"}
    sent = {"json": given} if rule.startswith(API) else {"data": given}
    assert roles.ask(stage, "POST", rule, "host", sent).status_code == 422
    assert stage.contents() == before


# --- A05: in bodies


def _fails(stage: Stage, method: str, path: str, role: str, body: dict[str, Any], status: int) -> None:
    before = stage.contents()
    answer = roles.ask(stage, method, API + path, role, {"json": body})
    assert answer.status_code == status, answer.text
    assert stage.contents() == before


MEETING = roles.MEETING | {"host": "gwangjin"}


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"host": "ulaanbaatar"}, 403),
        ({"host": "gwangju"}, 403),
        ({"host": "../gwangjin"}, 422),
        ({"room": "gwangju-video"}, 422),  # of a city that takes no part
        ({"room": "1"}, 422),
        ({"objective": "nobody's"}, 422),
        ({"topic": "youth-exchange"}, 422),  # of another field
        ({"zone": "America/New_York", "wall": "2027-03-10T15:00", "start": None}, 422),
        ({"people": [MEETING["people"][0] | {"city": "gwangju"}]}, 422),
    ],
)
def test_what_is_of_others_is_not_booked(stage: Stage, more: dict[str, Any], status: int) -> None:
    """A05."""
    _fails(stage, "POST", "/meetings", "host", MEETING | more, status)


@pytest.mark.parametrize(
    ("role", "body", "status"),
    [
        ("host", {"host": "ulaanbaatar"}, 409),  # nobody gives a meeting to a city, or takes one, by an edit
        ("partner", {"host": "ulaanbaatar"}, 403),
        ("stranger", {"host": "gwangju"}, 404),
        ("stranger", {"cities": ["gwangju"]}, 404),
        ("host", {"room": "gwangju-video"}, 422),
        ("host", {"people": [{"name": "A", "email": "a@b.example", "city": "gwangju", "language": "ko"}]}, 422),
    ],
)
def test_nor_is_a_meeting_changed_to_it(stage: Stage, role: str, body: dict[str, Any], status: int) -> None:
    """A05."""
    _fails(stage, "PATCH", "/meetings/<meeting_id>", role, body, status)


def test_people_to_tick_are_those_on_the_form(stage: Stage) -> None:
    """A05: the number of somebody who left, of nobody, or of a meeting invites nobody."""
    gone = admin.add_person(stage.desk, "Gone", "gone@gwangjin.example", "gwangjin", "ko", "contact")
    admin.disable_person(stage.desk, gone.email, EMAILS["host"])
    before = stage.contents()
    for number in (gone.id, 0, -1, 99999, stage.meeting.id):
        form = {**roles.PROPOSAL, "new-0-email": "", "new-0-name": "", "new-1-email": "", "new-1-name": ""}
        form |= {"start": "2027-03-10T06:00Z", "person": str(number)}
        assert roles.ask(stage, "POST", "/meetings", "host", {"data": form}).status_code == 422
    assert stage.contents() == before


def test_a_key_of_somebody_elses_request_gives_not_their_meeting(
    stage: Stage, untouched: Callable[[], None], other: Meeting
) -> None:
    """A05: keys are a person's own, also when the bodies are alike."""
    client, made = stage.app.test_client(), {}
    for role, host in (("stranger", "gwangju"), ("host", "gwangjin")):
        person = MEETING["people"][0] | {"city": host, "email": f"a@{host}.example"}
        body = MEETING | {"host": host, "cities": ["eregli"], "people": [person]}
        headers = {"Authorization": f"Bearer {stage.bearers[role]}", "Idempotency-Key": "the-same"}
        answer = client.post(f"{API}/meetings", json=body, headers=headers, base_url=roles.BASE)
        made[role] = (answer.status_code, answer.json["id"], answer.json["host"])
    assert [m[0] for m in made.values()] == [201, 201]
    assert made["host"][1:] != made["stranger"][1:]


def test_whose_hours_are_free_tells_nothing_but_that(stage: Stage, other: Meeting) -> None:
    """A05: to look for a common hour, a city asks when others are busy; it is told the hour, not with what."""
    body = SLOTS | {"people": [AYLIN.email], "from": "2027-02-10", "to": "2027-02-10"}
    answer = roles.ask(stage, "POST", f"{API}/slots", "stranger", {"json": body})
    assert answer.status_code == 200
    for word in ("도시재생", "Urban", AYLIN.email, str(stage.meeting.id)):
        assert word not in answer.text


def test_another_citys_id_takes_as_long_as_none(stage: Stage, other: Meeting) -> None:
    """A02: the same kind of work is done for either, so the medians are of one size."""
    taken: dict[str, list[float]] = {str(other.id): [], "99999": []}
    for _ in range(15):
        for ident, times in taken.items():
            asked = replace(stage, values=stage.values | {"meeting_id": ident})
            began = time.perf_counter()
            assert roles.ask(asked, "GET", f"{API}/meetings/<meeting_id>", "partner").status_code == 404
            times.append(time.perf_counter() - began)
    theirs, nothing = (median(times) for times in taken.values())
    assert theirs < nothing + 0.02


# --- A09: whose address is there already


@pytest.mark.parametrize("email", [EMAILS["partner"], EMAILS["operator"], EMAILS["host"].upper()])
@pytest.mark.parametrize("role", ["host", "operator"])
def test_adding_an_address_that_is_there_changes_nobody(stage: Stage, role: str, email: str) -> None:
    """A09."""
    before, body = stage.contents(), PERSON | {"email": email, "role": "coordinator", "name": "Somebody else"}
    answer = roles.ask(stage, "POST", f"{API}/people", role, {"json": body})
    assert (answer.status_code, answer.json["errors"][0]["code"]) == (422, "duplicate-email")
    assert stage.contents() == before


def test_inviting_an_address_that_is_there_changes_nobody(stage: Stage, untouched: Callable[[], None]) -> None:
    """A09: whoever is invited under another name, city and language is still who they were, and signs in as before."""
    before = stage.contents()
    invited = {"name": "Somebody else", "email": EMAILS["partner"].upper(), "city": "eregli", "language": "tr"}
    body = MEETING | {"people": [invited | {"role": "observer"}]}
    assert roles.ask(stage, "POST", f"{API}/meetings", "host", {"json": body}).status_code == 201
    after = stage.contents()
    for table in ("people", "sign_in_links", "api_tokens"):
        assert after[table] == before[table]
    page = roles.ask(stage, "GET", "/settings", "partner")
    assert EMAILS["partner"] in page.text
    assert "Somebody else" not in page.text


def test_nobody_makes_an_operator_but_an_operator(stage: Stage) -> None:
    """A09."""
    _fails(stage, "POST", "/people", "host", PERSON | {"role": "operator"}, 403)
    _fails(stage, "POST", "/people", "host", PERSON | {"city": "ulaanbaatar"}, 403)
    _fails(stage, "POST", "/people", "partner", PERSON, 403)
