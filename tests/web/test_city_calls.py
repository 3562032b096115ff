"""Cities by the API: what they tell of their hours and days off, who may change it, and what cannot be meant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.databases import Databases
from tests.web.api_client import OPERATOR, PARTNER, Api, api_of, faults, make_desk

WEEK = [[["09:00", "12:00"]]] * 5 + [[], []]
NONE: list[list[list[str]]] = [[]] * 7
KONYA = {"name": "Konya", "zone": "Europe/Istanbul", "country": "TR", "language": "tr", "hours": WEEK}


@dataclass
class Callers:
    host: Api
    partner: Api
    operator: Api

    def closures(self, query: str, slug: str = "gwangjin") -> list[dict[str, Any]]:
        answer = self.host.get(f"/cities/{slug}/closures?{query}")
        assert answer.status_code == 200, answer.text
        return list(answer.json["closures"])


@pytest.fixture(scope="module")
def callers(tmp_path_factory: pytest.TempPathFactory, module_databases: Databases) -> Iterator[Callers]:
    folder = tmp_path_factory.mktemp("cities")
    desk = make_desk(folder, module_databases.example(folder))
    yield Callers(api_of(desk), api_of(desk, PARTNER), api_of(desk, OPERATOR))
    desk.store.close()


def test_a_city_tells_its_hours_and_what_is_usual_otherwise(callers: Callers) -> None:
    city = callers.host.get("/cities/eregli").json
    assert city["hours"] == [[["08:30", "12:30"], ["13:30", "17:30"]]] * 5 + [[], []]
    assert (city["seasons"], city["stretch"], city["preferred"]) == ([], NONE, NONE)
    assert (city["weight"], city["notice_hours"], city["buffer_minutes"]) == (1, 0, 0)
    assert city in callers.host.get("/cities").json["cities"]
    assert callers.host.get("/cities/atlantis").status_code == 404


def test_a_coordinator_changes_their_own_city_part_by_part(callers: Callers) -> None:
    season = {"from": "07-01", "to": "08-31", "hours": WEEK}
    changes = {"seasons": [season], "stretch": [[["07:00", "20:00"]], *NONE[1:]], "weight": 3, "notice_hours": 48}
    before = callers.host.get("/cities/gwangjin").json
    answer = callers.host.patch("/cities/gwangjin", changes)
    assert (answer.status_code, answer.json) == (200, before | changes)
    assert callers.partner.get("/cities/gwangjin").json["seasons"] == [season]
    assert callers.host.patch("/cities/gwangjin", {"name": {"en": "Gwangjin"}}).json["names"]["ko"] == "광진구"
    back = callers.operator.patch(
        "/cities/gwangjin", dict.fromkeys([*changes, "preferred"]) | {"name": before["names"]}
    )
    assert (back.status_code, back.json) == (200, before)


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ({"hours": WEEK[:6]}, {"/hours": "seven-days"}),
        ({"hours": [[["09:00"]], *NONE[1:]]}, {"/hours/0/0": "bad-hours"}),
        ({"hours": [[["09:00", "12:00"], ["11:00", "13:00"]], *NONE[1:]]}, {"/hours/0/1": "hours-overlap"}),
        ({"stretch": [[], [["05:00", "09:00"]], *NONE[2:]]}, {"/stretch/1/0": "hours-at-night"}),
        ({"seasons": [{"from": "x", "to": "08-31", "hours": WEEK}]}, {"/seasons/0/from": "bad-season-day"}),
        ({"seasons": [{"from": "07-01", "hours": WEEK}]}, {"/seasons/0/to": "required"}),
        ({"weight": 10, "buffer_minutes": -1}, {"/weight": "number-range", "/buffer_minutes": "number-range"}),
        ({"weight": "2"}, {"/weight": "not-a-number"}),
        ({"zone": "Asia/Atlantis", "country": "EU"}, {"/zone": "unknown-zone", "/country": "unknown-country"}),
        ({"zone": None}, {"/zone": "required"}),
        ({"name": ""}, {"/name": "required"}),
        ({"name": {"de": "Bezirk"}}, {"/name/de": "unknown-language"}),
        ({"language": "de"}, {"/language": "unknown-language"}),
        ({"slug": "other"}, {"/slug": "unknown-key"}),
        ({"mayor": None}, {"/mayor": "unknown-key"}),
        ([], {"": "wrong-type"}),
    ],
)
def test_what_cannot_be_meant_changes_nothing(callers: Callers, patch: Any, expected: dict[str, str]) -> None:
    before = callers.host.get("/cities").json
    answer = callers.host.patch("/cities/gwangjin", patch)
    assert (answer.status_code, faults(answer)) == (422, expected)
    assert callers.host.get("/cities").json == before


def test_an_operator_adds_a_city(callers: Callers) -> None:
    assert callers.host.post("/cities", KONYA | {"slug": "konya"}).status_code == 403
    answer = callers.operator.post("/cities", KONYA | {"slug": "konya", "weight": 2})
    assert (answer.status_code, answer.headers["Location"]) == (201, "/api/v1/cities/konya")
    assert callers.host.get("/cities/konya").json == answer.json
    for body, expected in (
        (KONYA | {"slug": "konya"}, {"/slug": "duplicate-code"}),
        (KONYA | {"slug": "Kon ya"}, {"/slug": "bad-code"}),
        (KONYA | {"slug": "other", "zone": "Nowhere"}, {"/zone": "unknown-zone"}),
    ):
        assert faults(callers.operator.post("/cities", body)) == expected


def test_each_day_off_tells_where_it_comes_from(callers: Callers) -> None:
    (eve, republic_day) = callers.closures("from=2027-10-28&to=2027-10-29", "eregli")
    assert (eve["date"], eve["kind"], eve["from"]) == ("2027-10-28", "half-day", "13:00")
    assert (republic_day["kind"], republic_day["from"], republic_day["id"]) == ("holiday", None, None)
    assert eve["source"].startswith("holidays ")
    assert eve["source"].endswith(" TR")
    assert (eve["set_by"], eve["set_at"]) == (None, None)
    assert set(republic_day["names"]) == {"ko", "mn", "tr", "en"}


def test_days_are_closed_and_opened_again(callers: Callers) -> None:
    body = {"day": "2027-06-02", "until": "2027-06-03", "from": "13:00", "name": {"ko": "구민의 날", "en": "City day"}}
    made = callers.host.post("/cities/gwangjin/closures", body)
    assert made.status_code == 201
    number = made.json["id"]
    found = callers.closures("from=2027-06-01&to=2027-06-05")
    assert [(c["date"], c["kind"], c["from"], c["id"]) for c in found] == [
        ("2027-06-02", "municipal", "13:00", number), ("2027-06-03", "municipal", "13:00", number),
    ]  # fmt: skip
    assert (found[0]["source"], found[0]["set_at"]) == ("gwangjin", "2027-01-04T00:00:00Z")
    assert found[0]["set_by"]
    assert faults(callers.host.post("/cities/gwangjin/closures", body)) == {"/day": "day-entered"}
    assert callers.partner.send("DELETE", f"/cities/ulaanbaatar/closures/{number}").status_code == 404
    assert callers.partner.send("DELETE", f"/cities/gwangjin/closures/{number}").status_code == 403
    assert callers.host.send("DELETE", f"/cities/gwangjin/closures/{number}").status_code == 204
    assert callers.host.send("DELETE", f"/cities/gwangjin/closures/{number}").status_code == 404
    assert callers.closures("from=2027-06-01&to=2027-06-05") == []


def test_a_temporary_holiday_closes_the_slots_and_a_reopened_one_opens_them(callers: Callers) -> None:
    def starts(day: str) -> int:
        asked = {"cities": ["gwangjin"], "from": day, "to": day, "duration_minutes": 60, "limit": 1}
        return len(callers.host.post("/slots", asked).json["slots"])

    assert (starts("2027-06-09"), starts("2027-03-01")) == (1, 0)
    law = {"day": "2027-06-09", "kind": "holiday", "name": "임시공휴일"}
    closing = callers.host.post("/cities/gwangjin/closures", law).json["id"]
    opening = callers.host.post("/cities/gwangjin/closures", {"day": "2027-03-01", "kind": "reopened"}).json["id"]
    assert (starts("2027-06-09"), starts("2027-03-01")) == (0, 1)
    (works,) = callers.closures("from=2027-03-01&to=2027-03-01")
    assert (works["kind"], works["id"], works["source"]) == ("reopened", opening, "gwangjin")
    assert works["names"]["ko"] == "3·1절"
    for number in (closing, opening):
        assert callers.host.send("DELETE", f"/cities/gwangjin/closures/{number}").status_code == 204
    assert (starts("2027-06-09"), starts("2027-03-01")) == (1, 0)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"day": "2027-06-02"}, {"/name": "required"}),
        ({"day": "2026-06-02", "name": "x"}, {"/day": "in-the-past"}),
        ({"day": "2037-06-02", "name": "x"}, {"/day": "too-far-ahead"}),
        ({"day": "2 June", "name": "x"}, {"/day": "not-a-date"}),
        ({"day": "2027-06-02", "from": "1 pm", "name": "x"}, {"/from": "bad-time"}),
        ({"day": "2027-06-02", "until": "2027-06-01", "name": "x"}, {"/until": "slots-reversed"}),
        ({"day": "2027-06-02", "kind": "storm", "name": "x"}, {"/kind": "unknown-kind"}),
        ({"day": "2027-06-02", "kind": "reopened"}, {"/day": "no-holiday"}),
        ({"day": "2027-03-01", "kind": "reopened", "name": "x"}, {"/name": "unknown-key"}),
        ({"name": "x"}, {"/day": "required"}),
    ],
)
def test_days_off_that_cannot_be_meant(callers: Callers, body: dict[str, Any], expected: dict[str, str]) -> None:
    answer = callers.host.post("/cities/gwangjin/closures", body)
    assert (answer.status_code, faults(answer)) == (422, expected)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("from=2027-02-01&to=2027-01-01", {"/to": "slots-reversed"}),
        ("from=2027-02-01&to=2028-06-01", {"/to": "slots-too-long"}),
        ("from=9999-01-01&to=9999-12-31", {"/to": "slots-too-far"}),
        ("from=9999-12-31", {"/to": "slots-too-far"}),
        ("from=0001-01-01&to=0001-01-02", {"/from": "slots-too-early"}),
    ],
)
def test_days_off_are_told_of_a_range_that_can_be_known(callers: Callers, query: str, expected: dict[str, str]) -> None:
    answer = callers.host.get(f"/cities/gwangjin/closures?{query}")
    assert (answer.status_code, faults(answer)) == (422, expected)
