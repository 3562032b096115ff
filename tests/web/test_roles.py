"""A01: every route and method, walked as everybody. A route that is not in the table fails, and so does one too many.

The table says the status for each role in the order of ROLES; `sign-in` is a redirect to that page. Whoever is refused
changes nothing, and what is of others looks like what is not there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from scheduler import access, admin, calendars, feeds, mailbox, office, reviews, tokens
from scheduler.core.meeting import Meeting
from scheduler.core.office import Closing
from scheduler.core.words import Wording
from scheduler.db import access as rows
from scheduler.db import tables as t
from scheduler.desk import Desk
from scheduler.web import create_app
from tests import databases
from tests.databases import Contents, Databases
from tests.house import BAT, House
from tests.passwords import owner

from .conftest import PROPOSAL

BASE, COOKIE = "http://127.0.0.1:8000", "form"
API = "/api/v1"
ROLES = ("anonymous", "contact", "host", "partner", "stranger", "operator")
EMAILS = {
    "contact": "desk@gwangjin.example",  # of the host city, but without an account
    "host": "international@gwangjin.example",
    "partner": "international@ulaanbaatar.example",
    "stranger": "international@gwangju.example",
    "operator": "operator@gwangjin.example",
}
TABLE = """
GET   /api/v1/feeds                                            401     401     200     200     200     200
POST  /api/v1/feeds                                            401     401     201     201     201     201
DELETE /api/v1/feeds/<feed_id>                                  401     401     204     404     404     204
GET   /api/v1/calendars                                        401     401     200     200     200     200
POST  /api/v1/calendars                                        401     401     201     403     403     201
DELETE /api/v1/calendars/<calendar_id>                          401     401     204     404     404     204
GET   /settings/calendars                                  sign-in sign-in     200     200     200     200
POST  /settings/calendars                                      401     401     303     303     303     303
GET   /cities/<slug>/calendars                             sign-in sign-in     200     403     403     200
POST  /cities/<slug>/calendars                                 401     401     303     403     403     303
POST  /calendars/<calendar_id>/reading                         401     401     303     404     404     303
POST  /calendars/<calendar_id>/removal                         401     401     303     404     404     303
GET   /feeds/<token>.ics                                       200     200     200     200     200     200
GET   /settings/feeds                                      sign-in sign-in     200     200     200     200
POST  /settings/feeds                                          401     401     200     200     200     200
POST  /settings/feeds/<feed_id>/revocation                     401     401     303     404     404     303
GET   /                                                       sign-in sign-in     200     200     200     200
GET   /api/v1/calendar.ics                                        401     401     200     200     200     200
GET   /api/v1/cities                                              401     401     200     200     200     200
POST  /api/v1/cities                                              401     401     403     403     403     201
GET   /api/v1/cities/<slug>                                       401     401     200     200     200     200
PATCH /api/v1/cities/<slug>                                       401     401     200     403     403     200
GET   /api/v1/cities/<slug>/closures                              401     401     200     200     200     200
POST  /api/v1/cities/<slug>/closures                              401     401     201     403     403     201
DELETE /api/v1/cities/<slug>/closures/<closure_id>                401     401     204     403     403     204
GET   /api/v1/fairness                                            401     401     200     200     200     200
GET   /api/v1/fields                                              401     401     200     200     200     200
GET   /api/v1/meetings                                            401     401     200     200     200     200
GET   /api/v1/meetings/<meeting_id>                               401     401     200     200     404     200
GET   /api/v1/meetings/<meeting_id>.ics                           401     401     200     200     404     200
GET   /api/v1/openapi.json                                        200     200     200     200     200     200
GET   /api/v1/people                                              401     401     200     200     200     200
GET   /api/v1/review                                              401     401     200     200     200     200
GET   /api/v1/rooms                                               401     401     200     200     200     200
GET   /calendar.ics                                           sign-in sign-in     200     200     200     200
GET   /cities                                                 sign-in sign-in     200     200     200     200
GET   /cities/<slug>                                          sign-in sign-in     200     200     200     200
GET   /cities/<slug>/hours                                    sign-in sign-in     200     403     403     200
POST  /cities/<slug>/hours                                        401     401     303     403     403     303
GET   /cities/<slug>/closures                                 sign-in sign-in     200     403     403     200
POST  /cities/<slug>/closures                                     401     401     303     403     403     303
POST  /cities/<slug>/closures/<closure_id>/removal                401     401     303     403     403     303
POST  /cities/<slug>/reopenings                                   401     401     303     403     403     303
GET   /health/live                                                200     200     200     200     200     200
GET   /health/ready                                               200     200     200     200     200     200
GET   /i/<token>                                                  200     200     200     200     200     200
GET   /mailbox                                                    200     200     200     200     200     200
GET   /mailbox/<message_id>                                       200     200     200     200     200     200
GET   /mailbox/<message_id>.eml                                   200     200     200     200     200     200
GET   /meetings/<meeting_id>                                  sign-in sign-in     200     200     404     200
GET   /meetings/<meeting_id>.ics                              sign-in sign-in     200     200     404     200
GET   /meetings/<meeting_id>/cancellation                     sign-in sign-in     200     403     404     200
GET   /meetings/<meeting_id>/edit                             sign-in sign-in     200     403     404     200
GET   /meetings/changes-of-law                                sign-in sign-in     200     200     200     200
POST  /meetings/changes-of-law/decision                           401     401     303     303     303     303
POST  /meetings/<meeting_id>/changes-of-law/decision              401     401     303     403     404     303
GET   /meetings/series                                        sign-in sign-in     200     200     200     200
GET   /meetings/new                                           sign-in sign-in     200     200     200     200
GET   /operation                                              sign-in sign-in     404     404     404     200
GET   /reports/fairness                                       sign-in sign-in     200     200     200     200
GET   /review                                                 sign-in sign-in     200     200     200     200
GET   /robots.txt                                                 200     200     200     200     200     200
GET   /settings                                               sign-in sign-in     200     200     200     200
GET   /sign-in                                                    200     200     200     200     200     200
GET   /sign-in/<token>                                            200     200     200     200     200     200
GET   /sign-in/password                                           200     200     200     200     200     200
POST  /sign-in/password                                           200     200     200     200     200     200
GET   /sign-in/code                                               303     303     303     303     303     303
POST  /sign-in/code                                               303     303     303     303     303     303
GET   /settings/sign-in                                       sign-in sign-in     200     200     200     200
POST  /settings/sign-in/proof                                     401     401     422     422     422     422
POST  /settings/sign-in/password                                  401     401     303     303     303     303
POST  /settings/sign-in/password/removal                          401     401     303     303     303     303
GET   /settings/sign-in/second-factor                         sign-in sign-in     404     404     404     404
POST  /settings/sign-in/second-factor                             401     401     404     404     404     404
POST  /settings/sign-in/second-factor/confirmation                401     401     404     404     404     404
POST  /settings/sign-in/recovery-codes                            401     401     404     404     404     404
POST  /settings/sessions/<session_id>/ending                      401     401     303     404     404     404
POST  /settings/sessions/ending                                   401     401     303     303     303     303
GET   /static/<filename>                                          200     200     200     200     200     200
PATCH /api/v1/meetings/<meeting_id>                               401     401     200     403     404     200
POST  /api/v1/meetings                                            401     401     201     403     403     201
POST  /api/v1/meetings/<meeting_id>/answers                       401     401     201     201     404     201
POST  /api/v1/meetings/<meeting_id>/cancellation                  401     401     200     403     404     200
POST  /api/v1/people                                              401     401     201     403     403     201
POST  /api/v1/review/<review_id>/decision                         401     401     200     403     404     200
POST  /api/v1/series-plans                                        401     401     200     200     200     200
POST  /api/v1/slots                                               401     401     200     200     200     200
POST  /i/<token>/answer                                           303     303     303     303     303     303
POST  /mailbox/<message_id>/answer                                303     303     303     303     303     303
POST  /meetings                                                   401     401     303     303     303     303
POST  /meetings/<meeting_id>                                      401     401     422     403     404     422
POST  /meetings/<meeting_id>/answers                              401     401     303     303     404     303
POST  /meetings/<meeting_id>/cancellation                         401     401     303     403     404     303
POST  /meetings/<meeting_id>/invitations/<invitation_id>/mail     401     401     303     403     404     303
POST  /meetings/<meeting_id>/slots                                401     401     422     403     404     422
POST  /meetings/slots                                             401     401     422     422     422     422
POST  /operation/mails/<mail_id>/remedy                           401     401     404     404     404     303
POST  /review/<review_id>/decision                                401     401     303     403     404     303
POST  /settings/language                                          401     401     303     303     303     303
POST  /sign-in                                                    200     200     200     200     200     200
POST  /sign-in/<token>                                            303     303     303     303     303     303
POST  /sign-out                                               sign-in sign-in sign-in sign-in     sign-in     sign-in
"""


def _table() -> dict[tuple[str, str], dict[str, str]]:
    found = {}
    for line in TABLE.strip().splitlines():
        method, rule, *statuses = line.split()
        found[method, rule] = dict(zip(ROLES, statuses, strict=True))
    return found


WALK = _table()


@dataclass
class Stage:
    """A meeting of Gwangjin-gu with Ulaanbaatar and Eregli, mail in and out, and everybody's cookie and token."""

    desk: Desk
    app: Flask
    meeting: Meeting
    values: dict[str, str]
    cookies: dict[str, str]
    bearers: dict[str, str]
    at_first: tuple[Contents, dict[str, str]]  # all rows of the database, and a digest of each table
    pages: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)  # see `_form_token`

    def contents(self) -> dict[str, str]:
        """A digest of each table, but for signs of life, counters, and when a session was last used."""
        return databases.fingerprint(self.desk.store, without=("web_sessions", "heartbeats", "counters", "delays"))


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, module_databases: Databases) -> Iterator[Stage]:
    from scheduler.config import Database, Mail, Server, Settings
    from tests.house import Clock, desk_of

    folder = tmp_path_factory.mktemp("roles")
    settings = Settings(
        server=Server(secret_key_file=folder / "secret.key"),
        database=Database(url=module_databases.example(folder)),
        mail=Mail(smtp_url=f"mailbox:{folder / 'mail'}", from_address="meet@cities.example"),
    )
    clock = Clock()
    desk = desk_of(settings, clock)
    yield _prepared(House(desk, clock))
    desk.store.close()


def _prepared(house: House) -> Stage:
    desk = house.desk
    admin.add_person(desk, "Front desk", EMAILS["contact"], "gwangjin", "ko", "contact")
    meeting = house.book()
    house.send_all()
    house.receive(house.reply(meeting, BAT, "ACCEPTED", edit=((BAT.email.encode(), b"other@ulaanbaatar.example"),)))
    (review,) = reviews.reviews(desk, None)
    with desk.store.write() as db:
        closed = {"city": "eregli", "day": meeting.start.date(), "kind": "municipal", "name": {"tr": "Kar"}, "start": 0}
        db.execute(t.closures.insert().values(closed))  # after the meeting was booked: something to decide
        db.execute(t.editions.update().values(edition=tokens.new_token()[:32]))
        (mail,) = db.execute(t.outbox.select().where(t.outbox.c.recipient == BAT.email)).all()
        db.execute(t.outbox.update().where(t.outbox.c.id == mail.id).values(state="refused"))
    people = {p.email: p for p in admin.list_people(desk)}
    cookies, bearers = {}, {}
    for role, email in EMAILS.items():
        # Written as rows: a contact gets neither from us, but may have been a coordinator before.
        cookies[role], bearers[role] = tokens.new_token(), tokens.new_token()
        with desk.store.write() as db:
            later = desk.now().replace(year=desk.now().year + 1)
            rows.add_session(db, tokens.hashed(cookies[role]), people[email].id, desk.now(), later)
            rows.add_api_token(db, tokens.hashed(bearers[role]), people[email].id, desk.now())
    values = {
        "meeting_id": str(meeting.id),
        "invitation_id": house.invitation(meeting, BAT).id,
        "review_id": str(review.id),
        "mail_id": str(mail.id),
        "message_id": mailbox.messages(desk)[0].id,
        "slug": "gwangjin",
        "filename": "style.css",
        "invitation": tokens.derived(desk.key, tokens.LINK, house.invitation(meeting, BAT)),
        "sign_in": access.new_sign_in_link(desk, EMAILS["host"]).rpartition("/")[2],
    }
    cookie = access.sign_in(desk, values["sign_in"])
    values |= {"session_id": tokens.hashed(cookie)[:16], "half": _half(house)}
    values["sign_in"] = access.new_sign_in_link(desk, EMAILS["host"]).rpartition("/")[2]
    day = date(2027, 6, 1)
    values["closure_id"] = str(office.close(desk, None, "gwangjin", Closing(day, day, Wording.of("City day"))))
    made = feeds.create(desk, house.person(), "city", "gwangjin", "")
    values |= {"feed_id": str(made.feed.id), "feed": made.url.rpartition("/")[2].removesuffix(".ics")}
    kept = calendars.add(
        desk, house.person(), calendars.New("Works", city="gwangjin", address="https://a.example/x.ics")
    )
    values["calendar_id"] = str(kept.calendar.id)
    at_first = databases.contents(desk.store), databases.fingerprint(desk.store)
    return Stage(desk, create_app(desk=desk), meeting, values, cookies, bearers, at_first)


def _half(house: House) -> str:
    """Of somebody of Eregli who gave the right password and not yet the code."""
    mine = owner(house, house.person("eregli"))
    return mine.half()


# --- what is sent, so that whoever may do it can


def _json(body: dict[str, Any]) -> dict[str, Any]:
    return {"json": body}


MEETING = {
    "title": "Water", "field": "environment", "cities": ["eregli"], "start": "2027-03-10T06:00:00Z",
    "duration_minutes": 60,
    "people": [{"name": "A", "email": "a@eregli.example", "city": "eregli", "language": "tr", "role": "required"}],
}  # fmt: skip
SLOTS = {"cities": ["gwangjin", "ulaanbaatar"], "from": "2027-03-01", "to": "2027-03-02", "duration_minutes": 60}
CITY = {"slug": "busan", "name": "Busan", "zone": "Asia/Seoul", "country": "KR", "language": "ko", "hours": [[]] * 7}
SERIES = {
    "cities": ["gwangjin", "ulaanbaatar"], "wall": "2027-03-10T15:00", "frequency": "weekly", "count": 2,
    "duration_minutes": 60,
}  # fmt: skip
PERSON = {"name": "New desk", "email": "new@gwangjin.example", "city": "gwangjin", "language": "ko", "role": "contact"}
SENT: dict[str, Callable[[], dict[str, Any]]] = {
    f"POST {API}/feeds": lambda: _json({"city": "gwangjin"}),
    "POST /settings/feeds": lambda: {"data": {"kind": "city", "city": "gwangjin"}},
    f"POST {API}/calendars": lambda: _json({"city": "gwangjin", "url": "https://calendar.example/a.ics"}),
    "POST /settings/calendars": lambda: {"data": {"url": "https://calendar.example/a.ics", "name": "Outlook"}},
    "POST /cities/<slug>/calendars": lambda: {"data": {"url": "webcal://calendar.example/a.ics"}},
    f"POST {API}/people": lambda: _json(PERSON),
    f"POST {API}/cities": lambda: _json(CITY),
    f"PATCH {API}/cities/<slug>": lambda: _json({"weight": 2}),
    f"POST {API}/cities/<slug>/closures": lambda: _json({"day": "2027-06-02", "name": "Founding day"}),
    "POST /cities/<slug>/hours": lambda: {"data": {"hours-0": "09:00-12:00", "weight": "2"}},
    "POST /cities/<slug>/closures": lambda: {"data": {"day": "2027-06-02", "name": "Founding day"}},
    "POST /cities/<slug>/reopenings": lambda: {"data": {"day": "2027-03-01"}},
    f"POST {API}/slots": lambda: _json(SLOTS),
    f"POST {API}/series-plans": lambda: _json(SERIES),
    f"POST {API}/meetings": lambda: _json(MEETING | {"host": "gwangjin"}),
    f"PATCH {API}/meetings/<meeting_id>": lambda: _json({"video_url": "https://video.example/2"}),
    f"POST {API}/meetings/<meeting_id>/answers": lambda: _json({"email": BAT.email, "answer": "accepted"}),
    f"POST {API}/review/<review_id>/decision": lambda: _json({"decision": "no"}),
    "POST /meetings/<meeting_id>/answers": lambda: {"data": {"email": BAT.email, "answer": "accepted"}},
    "POST /meetings/changes-of-law/decision": lambda: {"data": {"keep": "closed"}},
    "POST /meetings/<meeting_id>/changes-of-law/decision": lambda: {"data": {"keep": "closed"}},
    "POST /review/<review_id>/decision": lambda: {"data": {"decision": "no"}},
    "POST /operation/mails/<mail_id>/remedy": lambda: {"data": {"remedy": "retry"}},
    "POST /settings/language": lambda: {"data": {"language": "en"}},
    "POST /meetings": lambda: {
        "data": {**PROPOSAL, "start": "2027-03-10T06:00Z", "city": ["gwangjin", "ulaanbaatar", "eregli"]}
    },
    "POST /settings/sign-in/password": lambda: {"data": {"password": "wolverine harp 71 carpet"}},
    "POST /sign-in": lambda: {"data": {"email": EMAILS["host"]}},
    "POST /i/<token>/answer": lambda: {"data": {"answer": "declined", "sequence": "0"}},
    "POST /mailbox/<message_id>/answer": lambda: {"data": {"answer": "accepted"}},
}


# --- the walk


def plain(rule: str) -> str:
    """A rule without its converters."""
    return re.sub(r"<(?:[^<>]*:)?(\w+)>", r"<\1>", rule)


def routes(app: Flask) -> list[tuple[str, str]]:
    return sorted(
        (method, plain(rule.rule)) for rule in app.url_map.iter_rules() for method in rule.methods - {"HEAD", "OPTIONS"}
    )


def path_of(stage: Stage, rule: str) -> str:
    token = stage.values[{"/sign-in": "sign_in", "/feeds": "feed"}.get(rule.partition("/<")[0], "invitation")]
    return re.sub(r"<(\w+)>", lambda found: {**stage.values, "token": token}[found[1]], rule)


def ask(
    stage: Stage, method: str, rule: str, role: str, sent: dict[str, Any] | None = None, cookie: str = "sid"
) -> Any:
    """One request, as the role's browser or program sends it. `sent` instead of what stands in SENT."""
    client = stage.app.test_client()
    sent = SENT.get(f"{method} {rule}", dict)() if sent is None else sent
    if rule.startswith(API):
        headers = {"Authorization": f"Bearer {stage.bearers[role]}"} if role in stage.bearers else {}
        return client.open(path_of(stage, rule), method=method, base_url=BASE, headers=headers, buffered=True, **sent)
    if role in stage.cookies:
        client.set_cookie(cookie, stage.cookies[role], domain="127.0.0.1")
    if method != "GET":
        sent = {**sent, "data": {**sent.get("data", {}), "csrf_token": _form_token(stage, client, role, cookie)}}
    return client.open(path_of(stage, rule), method=method, base_url=BASE, buffered=True, **sent)


def _form_token(stage: Stage, client: FlaskClient, role: str, cookie: str) -> str:
    """That of a page that the role opened before; the cookie of the page comes with it."""
    if (role, cookie) not in stage.pages:
        signed_in = role in ("host", "partner", "stranger", "operator")
        page = client.get("/settings" if signed_in else "/sign-in", base_url=BASE)
        token, own = re.search(r'name="csrf_token" value="([^"]+)"', page.text), client.get_cookie(COOKIE, "127.0.0.1")
        assert token
        assert own
        stage.pages[role, cookie] = own.value, token[1]
    own_cookie, token_of_page = stage.pages[role, cookie]
    client.set_cookie(COOKIE, own_cookie, domain="127.0.0.1")
    return token_of_page


def said(answer: Any) -> str:
    return "sign-in" if answer.headers.get("Location") == "/sign-in" else str(answer.status_code)


@pytest.fixture
def untouched(stage: Stage) -> Iterator[Callable[[], None]]:
    """Brings the database back to what it was."""
    before, digests = stage.at_first

    def bring_back() -> None:
        now = databases.fingerprint(stage.desk.store)
        if changed := {name: before[name] for name, digest in digests.items() if now[name] != digest}:
            databases.bring_back(stage.desk.store, changed)

    yield bring_back
    bring_back()


def test_every_route_is_in_the_table_and_no_other(stage: Stage) -> None:
    assert routes(stage.app) == sorted(WALK)


@pytest.mark.parametrize(("method", "rule"), sorted(WALK))
def test_everybody_gets_what_the_table_says(
    stage: Stage, untouched: Callable[[], None], method: str, rule: str
) -> None:
    before, got = stage.contents(), {}
    for role in ROLES:
        answer = ask(stage, method, rule, role)
        got[role] = said(answer)
        changed = stage.contents() != before
        assert not (changed and (method == "GET" or got[role] == "sign-in" or got[role] >= "400")), role
        if method == "GET":
            assert said(ask(stage, "HEAD", rule, role)) == got[role], role
        elif changed:
            untouched()
    assert got == WALK[method, rule]


@pytest.mark.parametrize(("method", "rule"), [key for key, row in sorted(WALK.items()) if row["stranger"] == "404"])
def test_what_is_of_others_looks_like_what_is_not_there(stage: Stage, method: str, rule: str) -> None:
    """A02, A03."""
    theirs = ask(stage, method, rule, "stranger")
    values = stage.values | dict.fromkeys(
        ("meeting_id", "review_id", "mail_id", "feed_id", "session_id", "calendar_id"), "99999"
    )
    nothing = ask(replace(stage, values=values), method, rule, "stranger")
    assert (nothing.status_code, _steady(nothing.text)) == (404, _steady(theirs.text))
    kept = ("Content-Type", "Cache-Control", "Vary")
    assert [nothing.headers.get(name) for name in kept] == [theirs.headers.get(name) for name in kept]


def _steady(page: str) -> str:
    return re.sub(r'name="csrf_token" value="[^"]+"', "", page)


def test_a_cookie_gives_no_right_to_the_api_and_a_token_none_to_the_pages(stage: Stage) -> None:
    client = stage.app.test_client()
    client.set_cookie("sid", stage.cookies["operator"], domain="127.0.0.1")
    assert client.get(f"{API}/cities", base_url=BASE).status_code == 401
    for token in (stage.bearers["operator"], stage.values["invitation"], stage.values["sign_in"]):
        asked = {"headers": {"Authorization": f"Bearer {token}"}, "base_url": BASE}
        assert said(stage.app.test_client().get("/", **asked)) == "sign-in"
        if token != stage.bearers["operator"]:
            assert stage.app.test_client().get(f"{API}/cities", **asked).status_code == 401


@pytest.mark.parametrize(("method", "rule"), sorted(WALK))
def test_half_signed_in_one_is_a_stranger_everywhere_but_at_the_page_for_the_code(
    stage: Stage, untouched: Callable[[], None], method: str, rule: str
) -> None:
    """B08: whichever cookie or header the half sign-in is sent in."""
    half = stage.values["half"]
    browser = replace(stage, cookies={"half": half}, bearers={"half": half})
    got = [said(ask(browser, method, rule, "half"))]
    if method != "GET":
        untouched()
    got.append(said(ask(browser, method, rule, "half", cookie="half")))
    if rule == "/sign-in/code":
        assert got == ["303", "200" if method == "GET" else "422"]
    else:
        assert got == [WALK[method, rule]["anonymous"]] * 2
