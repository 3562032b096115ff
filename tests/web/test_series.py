"""Planning a series, on its page and over the API; and the report of how early and late hours are shared."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from scheduler import access, calendars, fairness, i18n
from scheduler.calendars import New
from scheduler.core.words import LANGUAGES
from scheduler.db import fairness as ledger
from scheduler.desk import Desk
from tests.databases import fingerprint
from tests.house import KIM, Clock, House

from .conftest import PARTNER, Browser, signed_in

SIX = {
    "city": ["ulaanbaatar"],
    "date": "2027-01-08",
    "time": "15:00",
    "zone": "Asia/Seoul",
    "frequency": "monthly-date",
    "count": "6",
    "duration": "60",
}


def ask(browser: Browser, **changes):
    return browser.get(f"/meetings/series?{urlencode(SIX | changes, doseq=True)}")


def test_the_form_says_a_month_and_six_times_and_plans_nothing_yet(host: Browser) -> None:
    page = host.get("/meetings/series")
    assert page.status_code == 200
    assert 'value="2026-11-30"' in page.text  # in a week
    assert 'value="6"' in page.text
    assert "<table" not in page.text


def test_the_dates_tell_closures_in_the_readers_language_and_lead_to_the_form(host: Browser, desk: Desk) -> None:
    before = fingerprint(desk.store, without=("web_sessions",))
    page = html.unescape(ask(host).text)
    rows = re.findall(r"<tr>.*?</tr>", page.split("<tbody>")[1], re.DOTALL)
    assert len(rows) == 6
    assert "광진구: 공휴일 – 설날" in re.sub(r"서울 광진구|광진구", "광진구", rows[1])
    assert "차강사르" in rows[1] or "차간사르" in rows[1]
    assert "2027년 2월 10일(수)" in rows[1]
    links = [urlsplit(link) for link in re.findall(r'href="(/meetings/new\?[^"]+)"', page)]
    assert [parse_qs(link.query)["date"] for link in links] == [
        *(["2027-01-08"], ["2027-02-10"], ["2027-03-09"], ["2027-04-08"], ["2027-05-07"], ["2027-06-08"]),
    ]
    form = host.get(links[1].geturl().partition("#")[0]).text
    for name, value in (("wall-date", "2027-02-10"), ("wall-time", "15:00"), ("duration", "60")):
        assert re.search(rf'<input[^>]*name="{name}"[^>]*value="{value}"', form), name
    assert re.search(r'value="ulaanbaatar" checked|value="ulaanbaatar"[^>]* checked', form)
    assert fingerprint(desk.store, without=("web_sessions",)) == before


def test_the_date_of_a_plan_becomes_a_meeting(host: Browser, proposal: dict) -> None:
    ask(host)
    sent = {key: value for key, value in proposal.items() if key != "start"}
    sent |= {"wall-date": "2027-02-10", "wall-time": "15:00"}
    response = host.post("/meetings", sent)
    assert response.status_code == 303, response.text


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"date": "soon"}, "date"),
        ({"time": "25:00"}, "time"),
        ({"date": "2020-01-08"}, "date"),
        ({"count": "1"}, "count"),
        ({"count": "many"}, "count"),
        ({"frequency": "daily"}, "frequency"),
        ({"frequency": "quarterly", "count": "60"}, "count"),
        ({"duration": "0"}, "duration"),
        ({"zone": "Europe/Istanbul"}, "zone"),
        ({"zone": "Mars/Base"}, "zone"),
        ({"city": ["atlantis"]}, "cities"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(host: Browser, changes: dict, place: str) -> None:
    page = ask(host, **changes)
    assert page.status_code == 422
    assert f'href="#{place}"' in page.text
    assert f'id="{place}"' in page.text


def test_a_better_time_is_named_and_a_link_away(host: Browser) -> None:
    page = html.unescape(ask(host, city=["ulaanbaatar", "eregli"], time="10:00").text)
    (link,) = re.findall(r'href="(/meetings/series\?[^"]*time=14:30[^"]*)#plan"', page)
    assert host.get(link).status_code == 200


def bearer(desk: Desk) -> dict[str, str]:
    _, token = access.new_api_token(desk, PARTNER)
    return {"Authorization": f"Bearer {token}"}


BODY = {
    "cities": ["gwangjin", "ulaanbaatar"], "wall": "2027-01-08T15:00", "zone": "Asia/Seoul",
    "frequency": "monthly-date", "count": 6, "duration_minutes": 60,
}  # fmt: skip


def test_the_api_gives_the_same_plan(anybody: Browser, desk: Desk) -> None:
    headers = bearer(desk)

    def post(**changes):
        return anybody.client.post("/api/v1/series-plans", base_url=anybody.base, json=BODY | changes, headers=headers)

    plan = post().json
    assert [(d["date"], d["kind"], d["occasion"]["local"]["gwangjin"][:16]) for d in plan["dates"]] == [
        ("2027-01-08", "regular", "2027-01-08T15:00"),
        ("2027-02-08", "other-day", "2027-02-10T15:00"),
        ("2027-03-08", "other-day", "2027-03-09T15:00"),
        ("2027-04-08", "regular", "2027-04-08T15:00"),
        ("2027-05-08", "other-day", "2027-05-07T15:00"),
        ("2027-06-08", "regular", "2027-06-08T15:00"),
    ]
    assert [(o["city"], o["reason"]) for o in plan["dates"][1]["obstacles"]] == [
        ("gwangjin", "holiday"), ("ulaanbaatar", "holiday"),
    ]  # fmt: skip
    assert (plan["better"], plan["rotation"], plan["minutes"]) == (None, None, {"gwangjin": 0, "ulaanbaatar": 0})
    assert post(cities=["gwangjin", "ulaanbaatar", "eregli"], wall="2027-01-08T10:00").json["better"] == "14:30"
    for changes, pointer in (
        ({"count": 61}, "/count"), ({"frequency": "daily"}, "/frequency"), ({"wall": "2027-01-08"}, "/wall"),
        ({"room": "nowhere"}, "/room"), ({"cities": []}, "/cities"), ({"more": 1}, "/more"),
    ):  # fmt: skip
        refused = post(**changes)
        assert refused.status_code == 422, changes
        assert [error["pointer"] for error in refused.json["errors"]] == [pointer]


def test_people_who_are_busy_move_a_date(app, desk: Desk, anybody: Browser) -> None:
    House(desk, Clock(desk.now())).book(start=datetime(2027, 1, 8, 6, tzinfo=UTC), people=(KIM,))
    answer = anybody.client.post(
        "/api/v1/series-plans", base_url=anybody.base, json=BODY | {"people": [KIM.email]}, headers=bearer(desk)
    )
    first = answer.json["dates"][0]
    assert [o["reason"] for o in first["obstacles"]] == ["busy"]
    assert first["occasion"]["local"]["gwangjin"].startswith("2027-01-07T15:00")


def test_a_plan_tells_whose_hours_nobody_knows(host: Browser, desk: Desk, anybody: Browser) -> None:
    """Stale is not free."""
    house = House(desk, Clock(desk.now()))
    me = house.person()
    for city in ("", "gwangjin"):
        calendars.add(desk, me, New("", city=city, address="https://calendar.example/x.ics"))
    body = BODY | {"people": [me.email]}
    told = anybody.client.post("/api/v1/series-plans", base_url=anybody.base, json=body, headers=bearer(desk)).json
    unknown = {"city": "gwangjin", "known_at": None}
    assert told["unknown"] == [unknown | {"person": me.email}, unknown | {"person": None}]
    for language in LANGUAGES:
        access.change_language(desk, me, language)
        name = desk.directory().city_name("gwangjin", language)
        assert str(i18n.html(language, "web.slots.unknown", who=name)) in ask(host).text


# --- how early and late hours are shared


@pytest.fixture
def held(desk: Desk) -> None:
    house = House(desk, Clock(desk.now()))
    meeting = house.book(start=desk.now() + timedelta(hours=1), people=(KIM,), cities=("gwangjin", "ulaanbaatar"))
    with desk.store.write() as db:
        ledger.record(db, meeting.id, {"gwangjin": 150, "ulaanbaatar": 50})


@pytest.mark.usefixtures("held")
def test_the_report_shows_figures_bars_and_whose_turn_it_is(host: Browser) -> None:
    page = host.get("/reports/fairness").text
    assert "2시간 30분" in page
    assert [int(n) for n in re.findall(r'<rect class="\w+" width="(\d+)"', page)] == [1000, 333]
    assert "다음 이른 시간·늦은 시간은 울란바토르 차례입니다." in page
    assert "style=" not in page
    before = host.get("/reports/fairness?from=&to=2026-01-01").text
    assert "<rect" not in before
    for query in ("from=x", "from=2027-01-02&to=2027-01-01"):
        wrong = host.get(f"/reports/fairness?{query}")
        assert wrong.status_code == 422
        assert "error" in wrong.text


@pytest.mark.usefixtures("held")
def test_every_city_sees_its_own_side(app, desk: Desk, anybody: Browser) -> None:
    page = signed_in(app, desk, PARTNER).get("/reports/fairness").text
    assert [int(n) for n in re.findall(r'<rect class="\w+" width="(\d+)"', page)] == [333, 1000]
    headers = bearer(desk)

    def get(query: str = ""):
        return anybody.client.get(f"/api/v1/fairness{query}", base_url=anybody.base, headers=headers)

    own = get("?from=2026-11-23&to=2026-11-23").json
    assert (own["city"], own["from"], own["to"]) == ("ulaanbaatar", "2026-11-23", "2026-11-23")
    assert own["accounts"][0] == {
        "partner": "gwangjin", "meetings": 1, "minutes": {"ulaanbaatar": 50, "gwangjin": 150}, "turn": "ulaanbaatar",
    }  # fmt: skip
    assert get().json["accounts"][0]["meetings"] == 1
    assert get("?city=gwangjin").status_code == 404
    assert get("?from=2026-11-24").json["accounts"][0]["meetings"] == 0
    assert fairness.report(desk, None, "gwangjin").accounts[0].turn == "ulaanbaatar"
