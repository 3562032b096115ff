"""B03, B04, D12, E07: limits for all processes, which keep nobody out who has a right and leave nothing half done."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from scheduler import access, booking, limits, reviews, tokens
from scheduler.config import Limits
from scheduler.core.errors import TooMany
from scheduler.core.meeting import Invitee
from scheduler.db import tables as t
from scheduler.desk import Desk
from scheduler.web import create_app
from tests import processes
from tests.house import AYLIN, BAT, KIM, NOW, House

BASE = "http://127.0.0.1:8000"


def limited(house: House, **limits_: int) -> House:
    settings = house.desk.settings.model_copy(update={"limits": Limits(**limits_)})
    house.desk = replace(house.desk, settings=settings)
    return house


def counters(house: House) -> list[tuple[object, ...]]:
    with house.desk.store.read() as db:
        return [tuple(row) for row in db.execute(t.counters.select())]


# --- counting


def test_what_is_beyond_is_refused_until_the_window_is_over(house: House) -> None:
    limit = limits.Limit("x", 3, limits.HOUR)
    house.clock.forward(minutes=50)
    for _ in range(3):
        limits.spend(house.desk, limit, "somebody")
    for _ in range(5):  # trying again does not make it longer
        with pytest.raises(TooMany) as refused:
            limits.spend(house.desk, limit, "somebody")
        assert refused.value.retry_after == 600
    limits.spend(house.desk, limit, "somebody else")
    limits.spend(house.desk, replace(limit, name="y"), "somebody")
    house.clock.forward(seconds=600)
    limits.spend(house.desk, limit, "somebody")
    assert len(counters(house)) == 1  # windows that are over are forgotten


def test_counters_tell_nobody_who_was_counted(house: House) -> None:
    limits.spend(house.desk, limits.Limit("x", 3, limits.HOUR), "192.0.2.7")
    (row,) = counters(house)
    assert "192.0.2.7" not in repr(row)
    other = replace(house.desk, key=b"another key of thirty-two bytes!")
    limits.spend(other, limits.Limit("x", 3, limits.HOUR), "192.0.2.7")
    assert len(counters(house)) == 2


def spend_one(desk: Desk, number: int) -> str:
    try:
        limits.spend(desk, limits.Limit("x", 7, limits.HOUR), "somebody")
    except TooMany:
        return "refused"
    return "counted"


def test_the_limit_is_one_for_all_processes(house: House, tmp_path: Path) -> None:
    """B04."""
    said = processes.all_at_once(spend_one, house.desk.settings, NOW, 12, tmp_path / "said")
    assert sorted(said) == ["counted"] * 7 + ["refused"] * 5


def counted(tally: limits.Tally, who: str) -> bool:
    try:
        tally.spend(who)
    except TooMany:
        return False
    return True


def test_a_tally_tells_the_others_now_and_then(house: House) -> None:
    limit = limits.Limit("api", 200, limits.MINUTE)
    first, second = limits.Tally(house.desk, limit), limits.Tally(house.desk, limit)
    done = sum(counted(tally, "token") for _ in range(200) for tally in (first, second))
    assert 200 <= done <= 200 + 2 * 4
    assert counters(house)[0][-1] <= 204
    first.spend("another token")
    house.clock.forward(minutes=1)
    first.spend("token")
    second.spend("token")


# --- on the web


@pytest.fixture
def app(house: House) -> Flask:
    return create_app(desk=house.desk)


def asked(app: Flask, method: str, path: str, client: str = "192.0.2.1", **more: object) -> TestResponse:
    browser: FlaskClient = app.test_client()
    return browser.open(path, method=method, base_url=BASE, environ_base={"REMOTE_ADDR": client}, **more)


def test_guessing_links_ends_soon_and_right_ones_still_work(house: House) -> None:
    """D12: pages, forms and API tokens share one limit; the answer to a wrong token is always the same."""
    app = create_app(desk=limited(house, wrong_tokens_per_hour=6).desk)
    link = tokens.derived(house.desk.key, tokens.LINK, house.invitation(house.book(), BAT))
    bearer = {"Authorization": f"Bearer {tokens.new_token()}"}
    wrong = [
        ("GET", f"/i/{tokens.new_token()}", {}),
        ("POST", f"/i/{tokens.new_token()}/answer", {"data": {"answer": "accepted"}}),
        ("GET", f"/sign-in/{tokens.new_token()}", {}),
        ("GET", "/api/v1/cities", {"headers": bearer}),
        ("HEAD", f"/i/{tokens.new_token()}", {}),
        ("GET", f"/i/{tokens.new_token()}", {}),
    ]
    assert [asked(app, *call[:2], **call[2]).status_code for call in wrong] == [404, 404, 404, 401, 404, 404]
    late = [asked(app, *call[:2], **call[2]) for call in wrong]
    assert {answer.status_code for answer in late} == {429}
    assert {answer.headers["Retry-After"] for answer in late} == {"3600"}
    assert late[0].text == late[5].text
    assert asked(app, "GET", f"/i/{link}").status_code == 200
    sign_in = access.new_sign_in_link(house.desk, house.person().email).removeprefix(BASE)
    assert asked(app, "GET", sign_in).status_code == 200
    assert asked(app, "GET", wrong[0][1], client="192.0.2.2").status_code == 404


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),  # one connection has a whole network
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
    ],
)
def test_a_client_is_whoever_can_change_its_address_at_will(house: House, first: str, second: str, same: bool) -> None:
    """B04."""
    app = create_app(desk=limited(house, wrong_tokens_per_hour=1).desk)
    assert asked(app, "GET", "/i/wrong", client=first).status_code == 404
    assert asked(app, "GET", "/i/wrong", client=second).status_code == (429 if same else 404)


@pytest.mark.parametrize("proxies", [0, 1])
def test_a_claimed_address_does_not_evade_the_limit(house: House, proxies: int) -> None:
    """B04: a header of the client's counts only as far as our own proxies wrote it."""
    limited(house, wrong_tokens_per_hour=2)
    server = house.desk.settings.server.model_copy(update={"proxies": proxies})
    desk = replace(house.desk, settings=house.desk.settings.model_copy(update={"server": server}))
    app = create_app(desk=desk)
    seen = []
    for number in range(4):
        claimed = f"198.51.100.{number}" + (", 203.0.113.9" if proxies else "")
        seen.append(asked(app, "GET", "/i/wrong", headers={"X-Forwarded-For": claimed}).status_code)
    assert seen == [404, 404, 429, 429]


def test_asking_for_sign_in_links_is_limited_whether_the_address_is_known_or_not(house: House) -> None:
    """B03, B06: 429 with the time, the same for all; nobody is kept from signing in by somebody else's tries."""
    import re

    app = create_app(desk=limited(house, sign_in_requests_per_hour=4).desk)
    browser = app.test_client()

    def ask(email: str, client: str = "192.0.2.1") -> TestResponse:
        page = browser.get("/sign-in", base_url=BASE).text
        token = re.search(r'name="csrf_token" value="([^"]+)"', page)
        assert token
        data = {"email": email, "csrf_token": token[1]}
        return browser.post("/sign-in", base_url=BASE, data=data, environ_base={"REMOTE_ADDR": client})

    known, unknown = house.person().email, "nobody@gwangjin.example"
    assert [ask(email).status_code for email in (known, unknown, known, unknown)] == [200] * 4
    refused = [ask(email) for email in (known, unknown)]
    assert [answer.status_code for answer in refused] == [429, 429]
    assert refused[0].text == refused[1].text
    assert refused[0].headers["Retry-After"] == "3600"
    assert ask(known, client="192.0.2.2").status_code == 200


def test_a_program_is_told_when_to_come_back(house: House) -> None:
    app = create_app(desk=limited(house, api_requests_per_minute=3).desk)
    _, first = access.new_api_token(house.desk, house.person().email)
    _, second = access.new_api_token(house.desk, house.person().email)
    headers = {"Authorization": f"Bearer {first}"}
    seen = [asked(app, "GET", "/api/v1/cities", headers=headers) for _ in range(4)]
    assert [answer.status_code for answer in seen] == [200, 200, 200, 429]
    assert seen[3].headers["Retry-After"] == "60"
    assert seen[3].mimetype == "application/problem+json"
    assert asked(app, "GET", "/api/v1/cities", headers={"Authorization": f"Bearer {second}"}).status_code == 200
    house.clock.forward(minutes=1)
    assert asked(app, "GET", "/api/v1/cities", headers=headers).status_code == 200


# --- mail


def test_beyond_the_hourly_mails_of_a_coordinator_nothing_is_saved_or_sent(house: House) -> None:
    """E07: a meeting is booked whole or not at all; moving and sending again count too, cancelling never fails."""
    limited(house, invitations_per_hour=12)  # three people and the coordinator's copy each
    house.book()
    meeting = house.book()
    house.send_all()
    many = tuple(Invitee(f"Desk {n}", f"desk{n}@eregli.example", "eregli", "tr") for n in range(20))
    before = house.outbox()
    with pytest.raises(TooMany) as refused:
        house.book(people=(*many, KIM))
    assert refused.value.key == "too-many-invitations"
    assert house.outbox() == before
    house.clock.forward(minutes=1)
    booking.edit(house.desk, house.person(), meeting.id, lambda d: replace(d, video_url="https://video.example/3"))
    with pytest.raises(TooMany):
        booking.resend(house.desk, house.person(), meeting.id, house.invitation(meeting, BAT).id)
    with pytest.raises(TooMany):
        booking.edit(house.desk, house.person(), meeting.id, lambda d: replace(d, video_url="https://video.example/4"))
    assert house.meeting(meeting.id).video_url == "https://video.example/3"
    booking.cancel(house.desk, house.person(), meeting.id)
    assert booking.create(house.desk, house.person("ulaanbaatar"), house.draft(host="ulaanbaatar")).meeting
    house.clock.forward(hours=1)
    house.book(people=many[:10])


def test_nobody_gets_more_mail_in_a_day_whoever_writes_it(house: House) -> None:
    """E07: across meetings, coordinators and spellings; the address is named, nothing is saved; cancelling goes on."""
    limited(house, mails_per_recipient_per_day=3)
    first = house.book(people=(BAT, KIM))
    house.book(people=(replace(BAT, email=BAT.email.upper()), KIM))
    house.clock.forward(hours=20)
    booking.create(house.desk, house.person("ulaanbaatar"), house.draft(host="ulaanbaatar", people=(BAT, AYLIN)))
    house.send_all()
    before = house.outbox()
    with pytest.raises(TooMany) as refused:
        house.book(people=(AYLIN, BAT))
    with pytest.raises(TooMany):
        booking.resend(house.desk, house.person(), first.id, house.invitation(first, BAT).id)
    with pytest.raises(TooMany):
        booking.edit(house.desk, house.person(), first.id, lambda d: replace(d, duration_minutes=90))
    assert house.outbox() == before
    assert house.meeting(first.id) == first
    values = {"email": BAT.email, "limit": 3, "hours": 4}
    assert (refused.value.key, refused.value.retry_after) == ("too-many-mails-to-person", 4 * 3600)
    assert refused.value.values.items() >= values.items()
    booking.cancel(house.desk, house.person(), first.id)
    house.clock.forward(hours=4, seconds=1)
    house.book(people=(AYLIN, BAT))


def test_the_address_that_gets_too_much_is_named_to_programs_too(house: House) -> None:
    """E07."""
    app = create_app(desk=limited(house, mails_per_recipient_per_day=1).desk)
    _, token = access.new_api_token(house.desk, house.person().email)
    house.book(people=(BAT,))
    body = {"title": "Water", "field": "environment", "host": "gwangjin", "cities": ["ulaanbaatar"],
            "start": "2027-03-10T06:00:00Z", "duration_minutes": 60,
            "people": [{"name": "Bat", "email": BAT.email, "city": "ulaanbaatar", "language": "mn"}]}  # fmt: skip
    answer = asked(app, "POST", "/api/v1/meetings", headers={"Authorization": f"Bearer {token}"}, json=body)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "86400")
    assert BAT.email in answer.json["detail"]


def test_an_answer_that_makes_somebody_a_guest_counts_too(house: House) -> None:
    """E07: inviting whoever answered unasked is mail as any other."""
    limited(house, mails_per_recipient_per_day=1)
    guest = replace(BAT, email="other@ulaanbaatar.example")
    house.book(people=(guest,))
    meeting = house.book(people=(BAT,))
    house.send_all()
    house.receive(house.reply(meeting, BAT, "ACCEPTED", edit=((BAT.email.encode(), guest.email.encode()),)))
    (review,) = reviews.reviews(house.desk, house.person())
    with pytest.raises(TooMany):
        reviews.decide(house.desk, house.person(), review.id, "invite")
    assert [r.id for r in reviews.reviews(house.desk, house.person())] == [review.id]
    assert len(house.meeting(meeting.id).people) == 1


def test_a_coordinators_own_copies_are_no_flood(house: House) -> None:
    limited(house, mails_per_recipient_per_day=2)
    for number in range(4):
        house.book(people=(replace(BAT, email=f"desk{number}@ulaanbaatar.example"),))


def test_a_hundred_changes_in_a_minute_are_one_mail_and_none_is_late(house: House) -> None:
    """E08: the newest version that has not left replaces the older ones; what left counts, the rest does not."""
    limited(house, mails_per_recipient_per_day=3)
    meeting = house.book(people=(BAT,))
    house.send_all()
    for number in range(100):
        house.clock.forward(seconds=0.6)
        booking.edit(house.desk, house.person(), meeting.id, lambda d, n=number: replace(d, duration_minutes=61 + n))
    house.send_all()
    sent = [row for row in house.outbox(recipient=BAT.email) if row.state == "handed-over"]
    assert Counter(row.state for row in house.outbox(recipient=BAT.email)) == {"handed-over": 2, "superseded": 99}
    assert (sent[-1].sequence, sent[-1].finished_at) == (100, house.clock.time)
    assert house.mails(BAT)[-1].get_body(("plain",)) is not None
    booking.edit(house.desk, house.person(), meeting.id, lambda d: replace(d, duration_minutes=30))
    house.send_all()
    with pytest.raises(TooMany):
        booking.edit(house.desk, house.person(), meeting.id, lambda d: replace(d, duration_minutes=45))
