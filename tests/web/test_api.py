"""The API as a script uses it: meetings from creation to cancellation, lists, slots, exports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scheduler.desk import Desk
from tests.databases import Databases
from tests.web.api_client import (
    BASE_URL,
    OPERATOR,
    PARTNER,
    STRANGER,
    Api,
    api_of,
    faults,
    make_desk,
    meeting_body,
    person,
)


@pytest.fixture
def desk(tmp_path: Path, databases: Databases) -> Desk:
    return make_desk(tmp_path, databases.example(tmp_path))


@pytest.fixture
def api(desk: Desk) -> Api:
    return api_of(desk)


@pytest.fixture
def meeting(api: Api) -> dict[str, Any]:
    return dict(api.post("/meetings", meeting_body()).json)


def test_a_meeting_is_created_and_shown_alike(api: Api) -> None:
    created = api.post("/meetings", meeting_body())
    assert created.status_code == 201, created.json
    shown = api.get(f"/meetings/{created.json['id']}")
    assert created.headers["Location"] == f"/api/v1/meetings/{created.json['id']}"
    assert created.headers["ETag"] == shown.headers["ETag"] == '"1"'
    assert shown.json == created.json
    assert shown.json | {"id": 0, "uid": "", "invitations": []} == {
        "id": 0,
        "uid": "",
        "status": "confirmed",
        "sequence": 0,
        "version": 1,
        "title": {"ko": "도시재생 화상회의", "en": "Urban regeneration"},
        "field": "environment",
        "topic": "",
        "objective": "",
        "host": "gwangjin",
        "cities": ["gwangjin", "ulaanbaatar", "eregli"],
        "zone": "Asia/Seoul",
        "wall": "2027-03-09T15:00",
        "start": "2027-03-09T06:00:00Z",
        "end": "2027-03-09T07:00:00Z",
        "local": {
            "gwangjin": "2027-03-09T15:00:00+09:00",
            "ulaanbaatar": "2027-03-09T14:00:00+08:00",
            "eregli": "2027-03-09T09:00:00+03:00",
        },
        "duration_minutes": 60,
        "agenda": "1. Figures\n2. Plans",
        "video_url": "https://video.example/room",
        "room": "",
        "confidential": False,
        "invitations": [],
        "proposals": [],
    }


def test_invitations_are_those_of_people_without_the_copy_of_the_chair(meeting: dict[str, Any]) -> None:
    assert [i["email"] for i in meeting["invitations"]] == [
        "urban@gwangjin.example",
        "urban@ulaanbaatar.example",
        "urban@eregli.example",
    ]
    assert meeting["invitations"][2] == {
        "name": "urban",
        "email": "urban@eregli.example",
        "city": "eregli",
        "language": "tr",
        "role": "optional",
        "status": "waiting",
        "comment": "",
        "answered_at": None,
        "delivery": "queued",
    }


def test_a_wall_time_is_meant_on_the_clock_of_its_zone(api: Api) -> None:
    body = meeting_body(start=None, wall="2027-03-09T09:00", zone="Europe/Istanbul")
    made = api.post("/meetings", body).json
    assert (made["start"], made["zone"], made["wall"]) == (
        "2027-03-09T06:00:00Z",
        "Europe/Istanbul",
        "2027-03-09T09:00",
    )


def test_the_same_key_and_body_make_one_meeting(api: Api) -> None:
    first = api.post("/meetings", meeting_body(), Idempotency_Key="k1")
    api.patch(f"/meetings/{first.json['id']}", {"title": "Changed"})
    again = api.post("/meetings", dict(reversed(meeting_body().items())), Idempotency_Key="k1")
    assert (again.status_code, again.data) == (201, first.data)
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["ETag"] == first.headers["ETag"]
    assert len(api.get("/meetings").json["meetings"]) == 1


def test_the_same_key_with_another_body_is_refused(api: Api) -> None:
    api.post("/meetings", meeting_body(), Idempotency_Key="k1")
    again = api.post("/meetings", meeting_body(duration_minutes=90), Idempotency_Key="k1")
    assert (again.status_code, faults(again)) == (422, {"": "idempotency-key-reused"})
    assert len(api.get("/meetings").json["meetings"]) == 1


@pytest.mark.parametrize("key", ["", "a b", "x" * 201, "é"])
def test_a_key_that_cannot_be_used_is_refused(api: Api, key: str) -> None:
    assert faults(api.post("/meetings", meeting_body(), Idempotency_Key=key)) == {"": "bad-idempotency-key"}


@pytest.mark.parametrize(
    ("patch", "sequence", "changed"),
    [
        ({"start": "2027-03-10T06:00:00Z"}, 1, {"wall": "2027-03-10T15:00"}),
        ({"wall": "2027-03-10T16:00"}, 1, {"start": "2027-03-10T07:00:00Z"}),
        ({"duration_minutes": 90}, 1, {"end": "2027-03-09T07:30:00Z"}),
        ({"video_url": "https://video.example/other"}, 1, {"video_url": "https://video.example/other"}),
        ({"room": "gwangjin-video"}, 1, {"room": "gwangjin-video"}),
        ({"title": {"en": None, "ko": "새 제목"}}, 0, {"title": {"ko": "새 제목"}}),
        ({"title": {"tr": "Toplantı"}}, 0, {}),
        ({"agenda": None}, 0, {"agenda": ""}),
        ({"field": "economy"}, 0, {"field": "economy"}),
    ],
)
def test_a_patch_changes_what_it_names_and_raises_the_sequence_by_the_table(
    api: Api, meeting: dict[str, Any], patch: dict[str, Any], sequence: int, changed: dict[str, Any]
) -> None:
    answer = api.patch(f"/meetings/{meeting['id']}", patch)
    assert answer.status_code == 200, answer.json
    assert (answer.json["sequence"], answer.json["version"]) == (sequence, 2)
    assert answer.json | changed == answer.json
    assert answer.json["uid"] == meeting["uid"]
    untouched = set(meeting) - set(patch) - {"start", "end", "wall", "local", "sequence", "version"}
    assert {k: answer.json[k] for k in untouched} == {k: meeting[k] for k in untouched}


def test_an_empty_patch_changes_nothing(api: Api, meeting: dict[str, Any]) -> None:
    assert api.patch(f"/meetings/{meeting['id']}", {}).json == meeting


def test_people_are_a_whole_list_matched_regardless_of_case(api: Api, meeting: dict[str, Any]) -> None:
    path = f"/meetings/{meeting['id']}"
    api.post(f"{path}/answers", {"email": "urban@eregli.example", "answer": "accepted"})
    kept = person("Urban@EREGLI.example", "eregli", "tr")
    new = person("water@gwangjin.example", "gwangjin", "ko")
    answer = api.patch(path, {"people": [kept, new]})
    assert answer.status_code == 200, answer.json
    statuses = {i["email"].lower(): i["status"] for i in answer.json["invitations"]}
    assert statuses == {"urban@eregli.example": "accepted", "water@gwangjin.example": "waiting"}
    assert answer.json["sequence"] == 0


def test_merge_patch_has_its_own_media_type(api: Api, meeting: dict[str, Any]) -> None:
    answer = api.client.patch(
        f"/api/v1/meetings/{meeting['id']}",
        base_url=BASE_URL,
        data='{"field": "culture"}',
        content_type="application/merge-patch+json",
        headers={"Authorization": f"Bearer {api.token}"},
    )
    assert (answer.status_code, answer.json["field"]) == (200, "culture")


@pytest.mark.parametrize(
    ("etag", "status"), [('"1"', 200), ("*", 200), ('"7", "1"', 200), ('"7"', 412), ('W/"1"', 412), ("x", 412)]
)
def test_if_match_guards_against_lost_updates(api: Api, meeting: dict[str, Any], etag: str, status: int) -> None:
    """K05."""
    answer = api.patch(f"/meetings/{meeting['id']}", {"field": "culture"}, If_Match=etag)
    assert answer.status_code == status
    assert api.get(f"/meetings/{meeting['id']}").json["version"] == (2 if status == 200 else 1)


def test_a_cancellation_may_be_repeated_and_ends_all_changes(api: Api, meeting: dict[str, Any]) -> None:
    path = f"/meetings/{meeting['id']}"
    first = api.post(f"{path}/cancellation", {"reason": "Flood"})
    again = api.send("POST", f"{path}/cancellation")
    assert (first.status_code, first.json["status"], first.json["sequence"]) == (200, "cancelled", 1)
    assert (again.status_code, again.json) == (200, first.json)
    refused = api.patch(path, {"title": "Other"})
    assert (refused.status_code, refused.json["code"]) == (409, "meeting-cancelled")


def test_an_answer_by_telephone_is_recorded(api: Api, meeting: dict[str, Any]) -> None:
    answer = api.post(
        f"/meetings/{meeting['id']}/answers",
        {"email": "URBAN@eregli.example", "answer": "declined", "comment": "on leave"},
    )
    assert answer.status_code == 201, answer.json
    told = answer.json["invitations"][2]
    assert (told["status"], told["comment"], told["answered_at"]) == ("declined", "on leave", "2027-01-04T00:00:00Z")
    assert answer.json["version"] == 1  # an answer is no edit


def test_an_answer_for_somebody_who_is_not_invited_is_refused(api: Api, meeting: dict[str, Any]) -> None:
    body = {"email": "nobody@eregli.example", "answer": "accepted"}
    answer = api.post(f"/meetings/{meeting['id']}/answers", body)
    assert answer.status_code in (404, 422), answer.json


def test_lists_are_filtered_and_paged(api: Api) -> None:
    for day in (9, 10, 11):
        api.post("/meetings", meeting_body(start=f"2027-03-{day:02}T06:00:00Z"))
    starts = [m["start"][8:10] for m in api.get("/meetings?from=2027-03-10&to=2027-03-10").json["meetings"]]
    assert starts == ["10"]
    assert api.get("/meetings?city=eregli&field=environment&status=confirmed").json["next"] is None
    assert len(api.get("/meetings?city=eregli&field=environment&status=confirmed").json["meetings"]) == 3
    assert api.get("/meetings?field=economy").json == {"meetings": [], "next": None}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("from=soon", {"/from": "not-a-date"}),
        ("colour=red", {"/colour": "unknown-key"}),
        ("status=lost", {"/status": "unknown-status"}),
    ],
)
def test_a_query_that_cannot_be_meant_is_refused(api: Api, query: str, expected: dict[str, str]) -> None:
    assert faults(api.get(f"/meetings?{query}")) == expected


def test_lists_of_cities_fields_rooms_and_people(api: Api) -> None:
    cities = {c["slug"]: c for c in api.get("/cities").json["cities"]}
    assert cities["gwangjin"]["name"] == "광진구"
    assert cities["eregli"]["hours"][0] == [["08:30", "12:30"], ["13:30", "17:30"]]
    assert [f["code"] for f in api.get("/fields").json["fields"]] == ["environment", "economy", "culture", "education"]
    assert [r["code"] for r in api.get("/rooms?city=eregli").json["rooms"]] == ["eregli-video"]
    assert {p["city"] for p in api.get("/people?city=eregli").json["people"]} == {"eregli"}


def test_slots_are_in_everybodys_hours(api: Api) -> None:
    body = {
        "cities": ["gwangjin", "ulaanbaatar", "eregli"],
        "from": "2027-03-08",
        "to": "2027-03-13",
        "duration_minutes": 60,
        "limit": 3,
    }
    answer = api.post("/slots", body, Accept_Language="en")
    assert answer.status_code == 200, answer.json
    assert answer.json["slots"][0] == {
        "start": "2027-03-12T05:30:00Z",
        "end": "2027-03-12T06:30:00Z",
        "local": {
            "gwangjin": "2027-03-12T14:30:00+09:00",
            "ulaanbaatar": "2027-03-12T13:30:00+08:00",
            "eregli": "2027-03-12T08:30:00+03:00",
        },
        "cost": 0,
        "costs": answer.json["slots"][0]["costs"],
        "hints": ["day-after-holiday:eregli"],
        "absent": [],
    }
    assert answer.json["total"] == 11
    assert len(answer.json["slots"]) == 3
    closed = {(e["date"], e["city"]): (e["reason"], e["name"]) for e in answer.json["excluded"]}
    assert closed[("2027-03-08", "ulaanbaatar")][0] == "holiday"  # International Women's Day
    assert closed[("2027-03-10", "eregli")][0] == "holiday"  # Ramazan Bayramı
    assert closed[("2027-03-13", "gwangjin")][0] == "weekend"
    assert set(answer.json["data"]) == {"tz", "holidays"}


@pytest.mark.only_on("sqlite")
def test_the_slots_of_2027_keep_off_holidays_and_half_days(api: Api) -> None:
    def asked(cities: list[str], since: str, until: str, minutes: int = 60) -> dict[str, Any]:
        body = {"cities": cities, "from": since, "to": until, "duration_minutes": minutes, "limit": 100}
        return dict(api.post("/slots", body, Accept_Language="en").json)

    three = ["gwangjin", "ulaanbaatar", "eregli"]
    new_year = asked(three, "2027-02-08", "2027-02-10")
    told = [(e["date"], e["city"], e["reason"]) for e in new_year["excluded"]]
    assert told == [(f"2027-02-0{day}", city, "holiday") for day in (8, 9) for city in three[:2]]
    minutes = [8 * 60 + 30 + 15 * n for n in range(11)]  # in Ereğli, three hours before Greenwich
    assert [slot["local"]["eregli"] for slot in new_year["slots"]] == [
        f"2027-02-10T{m // 60:02d}:{m % 60:02d}:00+03:00" for m in minutes
    ]
    republic_eve = asked(["eregli"], "2027-10-28", "2027-10-28")["slots"]
    assert [slot["local"]["eregli"][11:16] for slot in republic_eve][:: len(republic_eve) - 1] == ["08:30", "11:30"]
    assert {hint for slot in republic_eve for hint in slot["hints"]} == {"half-day:eregli", "day-before-holiday:eregli"}
    nowhere = asked(three, "2027-02-10", "2027-02-10", 300)
    assert {key: value for key, value in nowhere["compromises"][-1].items() if value is not None} == {
        "kind": "shorter",
        "slots": 1,
        "first": "2027-02-10T05:30:00Z",
        "minutes": 210,
    }


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"from": "2027-13-01"}, {"/from": "not-a-date"}),
        ({"limit": 0}, {"/limit": "number-range"}),
        ({"cities": []}, {"/cities": "no-cities"}),
        ({"colour": 1}, {"/colour": "unknown-key"}),
        ({"duration_minutes": 0}, {"/duration_minutes": "duration-range"}),
    ],
)
def test_slots_that_cannot_be_meant_are_refused(api: Api, change: dict[str, Any], expected: dict[str, str]) -> None:
    body = {"cities": ["gwangjin"], "from": "2027-03-08", "to": "2027-03-13", "duration_minutes": 60} | change
    assert faults(api.post("/slots", body)) == expected


def test_exports_are_calendars(api: Api, meeting: dict[str, Any]) -> None:
    for path in (f"/meetings/{meeting['id']}.ics", "/calendar.ics", "/calendar.ics?city=eregli&field=environment"):
        answer = api.get(path)
        assert answer.content_type == "text/calendar; charset=utf-8"
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert b"METHOD:PUBLISH" in answer.data
        assert meeting["uid"].encode() in answer.data.replace(b"\r\n ", b"")
        assert b"ATTENDEE" not in answer.data


def test_a_partner_reads_but_does_not_change(desk: Desk, meeting: dict[str, Any]) -> None:
    """A03."""
    partner, path = api_of(desk, PARTNER), f"/meetings/{meeting['id']}"
    assert partner.get(path).status_code == 200
    assert partner.patch(path, {"title": "Mine"}).status_code == 403
    assert partner.post(f"{path}/cancellation", {}).status_code == 403
    assert partner.post(f"{path}/answers", {"email": "urban@eregli.example", "answer": "accepted"}).status_code == 403
    own = partner.post(f"{path}/answers", {"email": "urban@ulaanbaatar.example", "answer": "accepted"})
    assert own.status_code == 201


def test_a_stranger_cannot_tell_a_meeting_from_none(desk: Desk, meeting: dict[str, Any]) -> None:
    """A02."""
    stranger = api_of(desk, STRANGER)
    calls = [("GET", "", None), ("GET", ".ics", None), ("PATCH", "", {}), ("POST", "/cancellation", {})]
    calls += [("POST", "/answers", {"email": "urban@eregli.example", "answer": "accepted"})]
    for method, rest, body in calls:
        theirs = stranger.send(method, f"/meetings/{meeting['id']}{rest}", body)
        none = stranger.send(method, f"/meetings/12345{rest}", body)
        assert (theirs.status_code, theirs.data) == (404, none.data)
    assert stranger.get("/meetings").json["meetings"] == []


def test_people_are_added_by_their_own_city(desk: Desk, api: Api) -> None:
    water = {
        "name": "Water desk",
        "email": "water@gwangjin.example",
        "city": "gwangjin",
        "language": "ko",
        "role": "contact",
    }
    assert api.post("/people", water).status_code == 201
    assert "water@gwangjin.example" in [p["email"] for p in api.get("/people?city=gwangjin").json["people"]]
    other = water | {"email": "water@eregli.example", "city": "eregli"}
    assert api.post("/people", other).status_code == 403
    assert api.post("/people", water | {"email": "x@gwangjin.example", "role": "operator"}).status_code == 403
    assert api_of(desk, OPERATOR).post("/people", other).status_code == 201


def test_a_person_that_cannot_be_meant_is_refused(desk: Desk) -> None:
    body = {"name": "", "email": "nowhere", "city": "gwangjin", "language": "de", "role": "king"}
    assert faults(api_of(desk, OPERATOR).post("/people", body)) == {
        "/language": "unknown-language",
        "/role": "unknown-role",
    }
    answer = api_of(desk, OPERATOR).post("/people", body | {"language": "tr", "role": "contact"})
    assert faults(answer) == {"/name": "required", "/email": "bad-email"}


def test_nothing_waits_for_review(api: Api) -> None:
    assert api.get("/review").json == {"reviews": []}
    assert api.post("/review/1/decision", {"decision": "no"}).status_code == 404
