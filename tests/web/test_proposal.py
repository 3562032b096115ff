"""Proposing a meeting by the form, as a coordinator does it."""

from __future__ import annotations

import re

import pytest

from scheduler import meetings
from scheduler.core.cities import City
from scheduler.core.words import Wording
from scheduler.db import directory


def all_meetings(desk):
    return meetings.listing(desk, None, meetings.Filter()).meetings


def test_slots_are_shown_on_every_clock_and_closed_days_say_why(host, proposal):
    page = host.post("/meetings/slots", proposal)
    assert page.status_code == 200
    assert 'value="2026-11-25T05:30Z"' in page.text
    assert "14:30~15:30" in page.text
    assert "08:30~09:30" in page.text
    assert "울란바토르: 공휴일" in page.text  # 26 November, Proclamation of the Republic


def test_the_date_is_written_where_it_differs(host, proposal):
    proposal |= {"city": ["eregli"], "start": "", "wall-date": "2026-11-25", "wall-time": "02:00"}
    proposal = {name: value for name, value in proposal.items() if not name.startswith("new-0")}
    response = host.post("/meetings", proposal)
    page = host.get(response.headers["Location"]).text
    assert "20:00~21:00" in page
    assert '<strong class="day">11월 24일(화)</strong>' in page


def test_a_meeting_over_midnight_ends_on_the_next_date(host, proposal):
    late = {"start": "typed", "wall-date": "2026-11-25", "wall-time": "23:30", "duration": "90"}
    page = host.get(host.post("/meetings", proposal | late).headers["Location"]).text
    assert "23:30 ~ 11월 26일(목) 01:00" in page
    assert "1시간 30분" in page


def test_sending_makes_the_meeting_and_its_invitations(host, desk, proposal):
    response = host.post("/meetings", proposal)
    assert response.status_code == 303
    (meeting,) = all_meetings(desk)
    assert meeting.title.read_in("tr") == "Kentsel dönüşüm"
    assert meeting.title.read_in("mn") == "Urban regeneration"
    assert [i.invitee.email for i in meeting.people] == [
        "planning.desk@ulaanbaatar.example",
        "works.desk@eregli.example",
    ]
    page = host.get(response.headers["Location"]).text
    assert "15:00~16:00" in page
    assert "planning.desk@ulaanbaatar.example" in page


def test_the_same_form_sent_twice_makes_one_meeting(host, desk, proposal):
    first, second = host.post("/meetings", proposal), host.post("/meetings", proposal)
    assert first.headers["Location"] == second.headers["Location"]
    assert len(all_meetings(desk)) == 1


def test_a_changed_form_with_the_old_number_asks_before_a_second_meeting(host, desk, proposal):
    host.post("/meetings", proposal)
    page = host.post("/meetings", proposal | {"title": "Something else"})
    assert page.status_code == 409
    assert "Something else" in page.text
    new_key = re.search(r'name="key" value="([^"]+)"', page.text)[1]
    assert host.post("/meetings", proposal | {"title": "Something else", "key": new_key}).status_code == 303
    assert len(all_meetings(desk)) == 2


def test_nothing_typed_is_lost_when_something_is_wrong(host, desk, proposal):
    wrong = proposal | {"title": "", "new-0-email": "no address", "video-url": "javascript:alert(1)", "start": ""}
    wrong["title-tr"] = ""
    page = host.post("/meetings", wrong)
    assert page.status_code == 422
    assert not all_meetings(desk)
    for kept in ("1. Streets\n2. Markets", 'value="no address"', "javascript:alert(1)"):
        assert kept in page.text
    assert re.search(r'id="title"[^>]*aria-invalid="true"', page.text)
    assert re.search(r'id="new-0-email"[^>]*aria-invalid="true"', page.text)
    assert '<a href="#new-0-email">' in page.text
    assert "checked" in re.search(r'<input type="checkbox" name="city" value="eregli"[^>]*>', page.text)[0]


@pytest.mark.parametrize(
    ("typed", "pointer"),
    [
        ({"from": "soon"}, "from"),
        ({"to": "2026-11-01"}, "to"),
        ({"to": "2027-11-01"}, "to"),
        ({"duration": "an hour"}, "duration"),
    ],
)
def test_a_search_that_cannot_be_meant_is_told_at_its_input(host, proposal, typed, pointer):
    page = host.post("/meetings/slots", proposal | typed)
    assert page.status_code == 422
    assert re.search(rf'id="{pointer}"[^>]*aria-invalid="true"', page.text)


def test_a_half_typed_time_is_told(host, proposal):
    for day, time, missing in (("2026-11-25", "", "time"), ("2026-11-25", "25:00", "time"), ("", "15:00", "date")):
        page = host.post("/meetings", proposal | {"start": "", "wall-date": day, "wall-time": time})
        assert page.status_code == 422
        assert re.search(rf'id="wall-{missing}"[^>]*aria-invalid="true"', page.text), (day, time)


@pytest.mark.parametrize("typed", ["9:30", "09:30", "0930", "930", "09.30", " 09:30 "])
def test_a_typed_time_is_read_however_it_is_written(host, desk, proposal, typed):
    time = {"start": "typed", "wall-date": "2026-11-25", "wall-time": typed}
    assert host.post("/meetings", proposal | time).status_code == 303
    (meeting,) = all_meetings(desk)
    assert (meeting.zone, meeting.wall.isoformat()) == ("Asia/Seoul", "2026-11-25T09:30:00")


def test_faults_are_listed_in_the_order_of_the_form(host, proposal):
    wrong = {"title": "", "title-tr": "", "field": "", "new-0-email": "no address", "video-url": "x", "start": ""}
    page = host.post("/meetings", proposal | wrong | {"duration": "", "new-1-city": "gwangju"})
    named = re.findall(r'<a href="#([^"]+)">', page.text.partition('id="faults"')[2].partition("</ul>")[0])
    assert named == ["field", "title", "new-0-email", "new-1-city", "video-url", "duration", "when"]


def test_a_past_time_is_refused(host, proposal):
    assert host.post("/meetings", proposal | {"start": "2026-11-20T06:00Z"}).status_code == 422


def test_unknown_fields_set_nothing(host, desk, proposal):
    """A06."""
    host.post("/meetings", proposal | {"host": "eregli", "status": "cancelled", "sequence": "9", "owner_id": "1"})
    (meeting,) = all_meetings(desk)
    assert (meeting.host, meeting.status, meeting.sequence) == ("gwangjin", "confirmed", 0)


def test_texts_are_shown_as_text(host, proposal):
    """C01."""
    response = host.post(
        "/meetings", proposal | {"title": "<script>alert(1)</script>", "agenda": "{{ 7*7 }}<img src=x>"}
    )
    page = host.get(response.headers["Location"]).text
    assert "<script>alert" not in page
    assert "<img src=x>" not in page
    assert "{{ 7*7 }}" in page


def test_a_time_that_does_not_exist_offers_what_may_be_meant(host, desk, proposal):
    hours = (((540, 1020),),) * 5 + ((), ())
    with desk.store.write() as db:
        directory.add_city(db, City("mitte", Wording.of("Mitte"), "Europe/Berlin", "DE", "en", hours))
    gap = {"start": "", "wall-date": "2027-03-28", "wall-time": "02:30", "zone": "Europe/Berlin"}
    wanted = proposal | gap | {"city": ["ulaanbaatar", "eregli", "mitte"]}
    page = host.post("/meetings", wanted)
    assert page.status_code == 422
    assert 'value="02:30"' in page.text
    assert re.findall(r'name="start" value="(2027[^"]+)"', page.text) == ["2027-03-28T00:30Z", "2027-03-28T01:30Z"]
    assert host.post("/meetings", wanted | {"start": "2027-03-28T01:30Z"}).status_code == 303
    (meeting,) = all_meetings(desk)
    assert (meeting.zone, meeting.wall.isoformat()) == ("Europe/Berlin", "2027-03-28T03:30:00")


def test_a_new_person_reads_in_their_citys_language_unless_told_otherwise(host, desk, proposal):
    host.post("/meetings", proposal | {"new-0-language": "", "new-1-language": "en"})
    (meeting,) = all_meetings(desk)
    assert [i.invitee.language for i in meeting.people] == ["mn", "en"]
