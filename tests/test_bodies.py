"""Bodies: what is refused, where the fault is shown, and the merge patch (RFC 7396)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from scheduler import bodies
from scheduler.core.errors import Invalid
from scheduler.core.meeting import Draft

BODY: dict[str, Any] = {
    "title": {"ko": "도시재생 회의", "en": "Urban regeneration"},
    "field": "environment",
    "host": "gwangjin",
    "cities": ["ulaanbaatar", "eregli"],
    "wall": "2027-03-09T15:00",
    "zone": "Asia/Seoul",
    "duration_minutes": 60,
    "people": [{"name": "Urban desk", "email": "urban@eregli.example", "city": "eregli", "language": "tr"}],
}


def faults(value: object) -> dict[str, str]:
    with pytest.raises(Invalid) as raised:
        bodies.read_draft(value)
    return {f.pointer: f.key for f in raised.value.faults}


def test_a_body_is_read_as_a_draft() -> None:
    draft = bodies.read_draft(BODY)
    assert draft.title.read_in("ko") == "도시재생 회의"
    assert (draft.wall, draft.zone, draft.start) == (datetime(2027, 3, 9, 15), "Asia/Seoul", None)  # noqa: DTZ001
    assert draft.people[0].role == "required"


def test_all_faults_of_form_are_told_at_once_each_at_its_place() -> None:
    wrong = {
        **BODY,
        "title": {"ko": 7},
        "duration_minutes": "60",
        "sequence": 4,
        "people": [{"email": 3, "city": "eregli", "language": "xx", "role": "boss", "is_admin": True}],
        "confidential": "yes",
        "a/b~c": 1,
    }
    del wrong["host"]
    assert faults(wrong) == {
        "/title/ko": "wrong-type",
        "/host": "required",
        "/duration_minutes": "not-a-number",
        "/people/0/name": "required",
        "/people/0/email": "wrong-type",
        "/people/0/language": "unknown-language",
        "/people/0/role": "unknown-role",
        "/people/0/is_admin": "unknown-key",
        "/confidential": "wrong-type",
        "/sequence": "unknown-key",
        "/a~1b~0c": "unknown-key",
    }


@pytest.mark.parametrize("value", [None, [], "x", 3, True])
def test_what_is_no_object_is_refused(value: object) -> None:
    assert faults(value) == {"": "wrong-type"}


@pytest.mark.parametrize("name", ["candidates", "repeat"])
def test_what_this_version_does_not_do_is_said(name: str) -> None:
    assert faults({**BODY, name: []}) == {f"/{name}": "not-yet-supported"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2027-03-09T06:00:00Z", datetime(2027, 3, 9, 6, tzinfo=UTC)),
        ("2027-03-09t06:00:00z", datetime(2027, 3, 9, 6, tzinfo=UTC)),
        ("2027-03-09T15:00:00+09:00", datetime(2027, 3, 9, 6, tzinfo=UTC)),
        ("2027-03-09T06:00Z", datetime(2027, 3, 9, 6, tzinfo=UTC)),
        ("2027-03-09T06:00:00.5Z", datetime(2027, 3, 9, 6, 0, 0, 500_000, tzinfo=UTC)),
    ],
)
def test_instants_are_rfc_3339(text: str, expected: datetime) -> None:
    assert bodies.read_draft(_at(start=text)).start == expected


@pytest.mark.parametrize(
    "text",
    [
        "2027-03-09T06:00:00",
        "2027-03-09",
        "2027-02-30T06:00:00Z",
        "0001-01-01T00:00:00+23:00",
        "soon",
        1,
        "",
        "٢٠٢٧-03-09T06:00Z",
    ],
)
def test_what_is_no_instant_is_refused(text: object) -> None:
    assert faults(_at(start=text)) == {"/start": "not-an-instant"}


@pytest.mark.parametrize("text", ["2027-03-09T15:00Z", "2027-03-09 15:00", "2027-03-09T25:00", "15:00", 5])
def test_what_is_no_wall_time_is_refused(text: object) -> None:
    assert faults(_at(wall=text, zone="Asia/Seoul")) == {"/wall": "not-a-wall-time"}


def test_a_wall_time_needs_its_zone() -> None:
    assert faults(_at(wall="2027-03-09T15:00")) == {"/zone": "required"}


def _at(**time: object) -> dict[str, Any]:
    return {k: v for k, v in BODY.items() if k not in ("wall", "zone")} | time


def patched(patch: object, **changes: Any) -> Draft:
    return bodies.patched(bodies.read_draft({**BODY, **changes}), patch)


def test_a_draft_survives_its_own_body() -> None:
    draft = bodies.read_draft({**BODY, "agenda": "1.\n2.", "room": "gwangjin-video", "confidential": True})
    assert bodies.read_draft(bodies.as_body(draft)) == draft
    assert bodies.patched(draft, {}) == draft


def test_null_removes_and_objects_merge() -> None:
    changed = patched({"title": {"ko": None, "tr": "Kentsel dönüşüm"}, "topic": None}, topic="urban-regeneration")
    assert changed.title.as_given() == {"en": "Urban regeneration", "tr": "Kentsel dönüşüm"}
    assert changed.topic == ""


def test_a_plain_title_replaces_a_title_by_language_and_back() -> None:
    assert patched({"title": "Plain"}).title.as_given() == "Plain"
    assert patched({"title": {"tr": "Toplantı"}}, title="Plain").title.as_given() == {"tr": "Toplantı"}


def test_people_are_replaced_as_a_whole_list() -> None:
    person = {"name": "A", "email": "a@gwangjin.example", "city": "gwangjin", "language": "ko", "role": "optional"}
    assert [p.email for p in patched({"people": [person]}).people] == ["a@gwangjin.example"]


def test_a_new_start_replaces_the_wall_time_and_keeps_the_city_of_record() -> None:
    changed = patched({"start": "2027-03-10T06:00:00Z"})
    assert (changed.start, changed.wall, changed.zone) == (datetime(2027, 3, 10, 6, tzinfo=UTC), None, "Asia/Seoul")


def test_a_new_wall_time_is_meant_on_the_clock_of_the_city_of_record() -> None:
    assert patched({"wall": "2027-03-10T16:00"}).wall == datetime(2027, 3, 10, 16)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ({"title": None}, {"/title": "required"}),
        ({"people": None}, {"/people": "required"}),
        ({"duration_minutes": 1.5}, {"/duration_minutes": "not-a-number"}),
        ({"status": None}, {"/status": "unknown-key"}),
        ({"version": 9, "uid": "x"}, {"/version": "unknown-key", "/uid": "unknown-key"}),
        ({"repeat": "FREQ=DAILY"}, {"/repeat": "not-yet-supported"}),
        ([], {"": "wrong-type"}),
        ("x", {"": "wrong-type"}),
    ],
)
def test_a_patch_that_cannot_be_meant_is_refused(patch: object, expected: dict[str, str]) -> None:
    with pytest.raises(Invalid) as raised:
        patched(patch)
    assert {f.pointer: f.key for f in raised.value.faults} == expected
