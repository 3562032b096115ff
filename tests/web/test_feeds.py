"""Feeds as calendar programs, browsers and the API see them."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from scheduler import booking, feeds, meetings
from scheduler.core.words import Wording
from scheduler.desk import Desk
from scheduler.web import create_app
from tests.databases import Databases, holds
from tests.house import START, House
from tests.web.api_client import OPERATOR, PARTNER, STRANGER, Api, api_of, faults, make_desk, meeting_body

BASE = "http://127.0.0.1:8000"


@pytest.fixture
def client(house: House):
    return create_app(desk=house.desk).test_client()


@pytest.fixture
def path(house: House) -> str:
    """The address of a feed with one meeting."""
    house.book()
    return feeds.create(house.desk, house.person(), "city", "gwangjin").url.removeprefix(BASE)


def ask(client, path: str, method: str = "GET", **headers: str):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.open(path, method=method, base_url=BASE, headers=named, buffered=True)


def test_a_feed_is_a_calendar_without_sign_in_or_cookie(client, path) -> None:
    answer = ask(client, path)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert answer.data.startswith(b"BEGIN:VCALENDAR\r\n")
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    assert "Set-Cookie" not in answer.headers
    assert re.fullmatch('"[^"]+"', answer.headers["ETag"])  # strong


def test_a_feed_is_for_its_reader_alone_c12(client, path) -> None:
    """C12."""
    for headers in ({}, {"If_None_Match": ask(client, path).headers["ETag"]}):
        answer = ask(client, path, **headers)
        assert "private" in answer.headers["Cache-Control"]
        assert "Vary" not in answer.headers


def test_what_is_no_news_is_304_and_nothing_is_rendered(client, path, monkeypatch) -> None:
    first = ask(client, path)
    monkeypatch.setattr("scheduler.feeds._joined", None)  # would fail
    for headers in (
        {"If_None_Match": first.headers["ETag"]},
        {"If_None_Match": f'"other", W/{first.headers["ETag"]}'},
        {"If_None_Match": "*"},
        {"If_Modified_Since": first.headers["Last-Modified"]},
    ):
        answer = ask(client, path, **headers)
        assert answer.status_code == 304, headers
        assert answer.data == b""
        assert answer.headers["ETag"] == first.headers["ETag"]


def test_a_change_is_news_within_the_same_second(client, path, house) -> None:
    first = ask(client, path)
    house.book(start=START + timedelta(hours=1))
    for headers in (
        {"If_None_Match": first.headers["ETag"]},
        {"If_Modified_Since": first.headers["Last-Modified"]},
        # RFC 9110 13.1.3: the date does not count beside a tag
        {"If_None_Match": '"other"', "If_Modified_Since": "Fri, 31 Dec 2100 00:00:00 GMT"},
    ):
        answer = ask(client, path, **headers)
        assert answer.status_code == 200, headers
        assert answer.data.count(b"BEGIN:VEVENT") == 2


def test_the_next_day_is_news(client, path, house) -> None:
    first = ask(client, path)
    house.clock.forward(days=1)
    assert ask(client, path, If_Modified_Since=first.headers["Last-Modified"]).status_code == 200
    assert ask(client, path, If_None_Match=first.headers["ETag"]).status_code == 200


def test_head_tells_the_same_without_the_body(client, path) -> None:
    got, head = ask(client, path), ask(client, path, "HEAD")
    assert head.status_code == 200
    assert head.data == b""
    for name in ("ETag", "Last-Modified", "Content-Length", "Content-Type", "Cache-Control"):
        assert head.headers[name] == got.headers[name]
    assert ask(client, path, "HEAD", If_None_Match=got.headers["ETag"]).status_code == 304


def test_only_reading_is_possible(client, path) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "PROPFIND"):
        assert ask(client, path, method).status_code == 405


def test_what_a_program_accepts_or_speaks_changes_nothing(client, path) -> None:
    plain = ask(client, path)
    other = ask(client, path, Accept="text/html", Accept_Language="tr", User_Agent="Google-Calendar-Importer")
    assert (other.data, other.headers["ETag"]) == (plain.data, plain.headers["ETag"])


def test_calendar_services_may_fetch_feeds_and_nothing_else(client) -> None:
    assert ask(client, "/robots.txt").text == "User-agent: *\nAllow: /feeds/\nDisallow: /\n"


def test_a_revoked_address_is_like_one_that_never_was_d07(client, path, house) -> None:
    """D07."""
    assert ask(client, path).status_code == 200
    (one,) = feeds.listing(house.desk, house.person())
    feeds.revoke(house.desk, house.person(), one.feed.id)
    revoked, random = ask(client, path), ask(client, f"/feeds/{'q' * 53}.ics")
    assert revoked.status_code == random.status_code == 404
    assert revoked.data == random.data
    alike = [{k: v for k, v in answer.headers.items() if k != "X-Request-ID"} for answer in (revoked, random)]
    assert alike[0] == alike[1]


def test_a_token_is_good_for_one_purpose_d06(client, path, house) -> None:
    """D06."""
    token = path.removeprefix("/feeds/").removesuffix(".ics")
    for other in (f"/i/{token}", f"/sign-in/{token}"):
        assert ask(client, other).status_code == 404
    assert ask(client, "/api/v1/cities", Authorization=f"Bearer {token}").status_code == 401
    meeting = house.book(start=START + timedelta(hours=2))
    for invitation in meeting.invitations:
        link = house.desk.addressed(invitation).link.rpartition("/")[2]
        assert ask(client, f"/feeds/{link}.ics").status_code == 404


def test_no_address_is_found_anywhere_else_d08(client, path, house, caplog) -> None:
    """D08."""
    caplog.set_level("DEBUG")
    token = path.removeprefix("/feeds/").removesuffix(".ics")
    answer = ask(client, path)
    assert token not in answer.text
    assert token not in str({**answer.headers})
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    house.send_all()
    assert token not in caplog.text
    assert not holds(house.desk.store, token)


# --- the page


def test_a_coordinator_makes_an_address_once_and_revokes_it(host, anybody, meeting_path) -> None:
    page = host.get("/settings/feeds")
    assert page.status_code == 200
    made = host.post("/settings/feeds", {"kind": "partnership", "partnership": "ulaanbaatar"})
    assert made.status_code == 200
    url = re.search(rf'value="({BASE}/feeds/[a-z0-9]+\.ics)"', made.text)[1]
    assert f'href="{url.replace("http:", "webcal:")}"' in made.text  # subscribe
    assert f'href="{url}" download=' in made.text  # download
    assert anybody.get(url.removeprefix(BASE)).text.count("BEGIN:VEVENT") == 1
    assert url not in host.get("/settings/feeds").text
    action = re.search(r'action="(/settings/feeds/\d+/revocation)"', host.page)[1]
    assert host.post(action).status_code == 303
    assert anybody.get(url.removeprefix(BASE)).status_code == 404
    assert action not in host.get("/settings/feeds").text


@pytest.mark.parametrize(("kind", "key"), [("city", "nowhere"), ("person", "nobody@example.org"), ("", ""), ("x", "y")])
def test_what_cannot_be_made_is_told_on_the_page(host, kind, key) -> None:
    answer = host.post("/settings/feeds", {"kind": kind, kind or "none": key})
    assert answer.status_code == 422
    assert 'id="faults"' in answer.text


def test_another_city_cannot_revoke(host, stranger, meeting_path) -> None:
    """A03."""
    host.post("/settings/feeds", {"kind": "city", "city": "gwangjin"})
    action = re.search(r'action="(/settings/feeds/\d+/revocation)"', host.page)[1]
    assert stranger.post(action).status_code == 404
    assert action in host.get("/settings/feeds").text


# --- the API


@pytest.fixture
def desk_of_api(tmp_path: Path, databases: Databases) -> Desk:
    return make_desk(tmp_path, databases.example(tmp_path))


@pytest.fixture
def api(desk_of_api: Desk) -> Api:
    return api_of(desk_of_api)


@pytest.mark.parametrize(
    "body",
    [
        {"city": "gwangjin"},
        {"field": "environment"},
        {"partnership": "ulaanbaatar"},
        {"partnership": ["gwangjin", "eregli"]},
        {"person": "urban@ulaanbaatar.example"},
        {"person": "international@gwangjin.example", "language": "en"},
    ],
)
def test_the_api_makes_lists_and_revokes(api: Api, body) -> None:
    api.post("/meetings", meeting_body())
    made = api.post("/feeds", body)
    assert made.status_code == 201
    assert set(made.json) == {"id", "url"}
    path = made.json["url"].removeprefix(BASE)
    assert ask(api.client, path).data.count(b"BEGIN:VEVENT") == 1
    listed = api.get("/feeds")
    (one,) = listed.json["feeds"]
    assert one["id"] == made.json["id"]
    assert path not in listed.text
    gone = api.send("DELETE", f"/feeds/{one['id']}")
    assert (gone.status_code, gone.data) == (204, b"")
    assert api.send("DELETE", f"/feeds/{one['id']}").status_code == 404
    assert ask(api.client, path).status_code == 404
    assert api.get("/feeds").json == {"feeds": []}


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({}, {"": "one-feed"}),
        ({"city": "gwangjin", "field": "environment"}, {"": "one-feed"}),
        ({"city": "nowhere"}, {"/city": "unknown-city"}),
        ({"field": "nothing"}, {"/field": "unknown-field"}),
        ({"partnership": "gwangju"}, {"/partnership": "no-partnership"}),
        ({"person": "nobody@example.org"}, {"/person": "unknown-person"}),
        ({"city": "gwangjin", "token": "mine"}, {"/token": "unknown-key"}),
    ],
)
def test_the_api_tells_what_cannot_be_made(api: Api, body, found) -> None:
    answer = api.post("/feeds", body)
    assert answer.status_code == 422
    assert faults(answer) == found


def test_a_feed_of_others_is_not_found_by_the_api_a03(api: Api, desk_of_api: Desk) -> None:
    """A03."""
    ident = api.post("/feeds", {"city": "gwangjin"}).json["id"]
    for email in (STRANGER, PARTNER):
        other = api_of(desk_of_api, email)
        assert other.get("/feeds").json == {"feeds": []}
        assert other.send("DELETE", f"/feeds/{ident}").status_code == 404
    operator = api_of(desk_of_api, OPERATOR)
    assert [feed["id"] for feed in operator.get("/feeds").json["feeds"]] == [ident]
    assert operator.send("DELETE", f"/feeds/{ident}").status_code == 204


def test_two_processes_agree_on_the_tag(house: House, path: str) -> None:
    """As two web processes on one database do: what one changes, the other tells."""
    other = replace(house.desk, shelf=type(house.desk.shelf)())
    first, second = (create_app(desk=desk).test_client() for desk in (house.desk, other))
    tag = ask(first, path).headers["ETag"]
    assert ask(second, path, If_None_Match=tag).status_code == 304
    (meeting,) = meetings.listing(house.desk, house.person(), meetings.Filter()).meetings
    booking.edit(other, house.person(), meeting.id, lambda draft: replace(draft, title=Wording.of("Other")))
    answer = ask(first, path, If_None_Match=tag)
    assert answer.status_code == 200
    assert b"SUMMARY:Other" in answer.data
    assert ask(second, path).data == answer.data


def test_last_modified_is_a_date_of_the_change(client, path, house) -> None:
    told = datetime.strptime(ask(client, path).headers["Last-Modified"], "%a, %d %b %Y %H:%M:%S GMT")  # noqa: DTZ007
    assert told == house.clock.time.replace(tzinfo=None)
