"""The page of one meeting and what can be done there."""

from __future__ import annotations

import re
from dataclasses import replace

from scheduler import booking, meetings
from scheduler.core.meeting import draft_of
from scheduler.core.words import Wording

from .conftest import HOST, signed_in


def the_meeting(desk):
    return meetings.listing(desk, None, meetings.Filter()).meetings[0]


def edited(page: str) -> dict:
    """What the edit form would send if nothing were touched."""
    fields: dict[str, list[str]] = {}
    for tag in re.findall(r"<input[^>]*>", page):
        name, value = (re.search(rf'{key}="([^"]*)"', tag) for key in ("name", "value"))
        kind = re.search(r'type="(\w+)"', tag)[1]
        if name and name[1] != "csrf_token" and (kind not in ("radio", "checkbox") or " checked" in tag):
            fields.setdefault(name[1], []).append(value[1] if value else "")
    for name, content in re.findall(r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', page, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', content) or re.search(r'value="([^"]*)"', content)
        fields[name] = [chosen[1]]
    for name, text in re.findall(r'<textarea[^>]*name="([^"]+)"[^>]*>\n(.*?)</textarea>', page, re.DOTALL):
        fields[name] = [text]
    return fields


def test_saving_an_untouched_form_changes_nothing(host, desk, meeting_path):
    before = the_meeting(desk)
    form = edited(host.get(f"{meeting_path}/edit").text)
    assert host.post(meeting_path, form).status_code == 303
    assert the_meeting(desk) == before


def test_moving_by_a_slot_asks_everybody_again(host, desk, meeting_path):
    form = edited(host.get(f"{meeting_path}/edit").text)
    found = host.post(f"{meeting_path}/slots", form)
    assert 'value="2026-11-27T05:30Z"' in found.text
    assert host.post(meeting_path, form | {"start": "2026-11-27T05:30Z"}).status_code == 303
    meeting = the_meeting(desk)
    assert (meeting.start.isoformat(), meeting.sequence) == ("2026-11-27T05:30:00+00:00", 1)


def test_a_person_is_taken_out_and_another_comes_in(host, desk, meeting_path):
    form = edited(host.get(f"{meeting_path}/edit").text)
    person = next(p for p in meetings.people(desk, None, "eregli"))
    form |= {"new-1-name": "", "new-1-email": "", "person": [str(person.id)], f"role-{person.id}": "observer"}
    assert host.post(meeting_path, form).status_code == 303
    invited = {i.invitee.email: i.invitee.role for i in the_meeting(desk).people}
    assert invited == {"planning.desk@ulaanbaatar.example": "required", person.email: "observer"}


def test_a_stale_form_shows_both_and_loses_nothing(host, desk, meeting_path):
    """K05."""
    form = edited(host.get(f"{meeting_path}/edit").text)
    owner = next(p for p in meetings.people(desk, None) if p.email == HOST)
    booking.edit(desk, owner, the_meeting(desk).id, lambda d: replace(d, title=Wording.of("Changed elsewhere")))
    page = host.post(meeting_path, form | {"title": "My own words"})
    assert page.status_code == 412
    assert "Changed elsewhere" in page.text
    assert "My own words" in page.text
    again = edited(page.text)
    assert host.post(meeting_path, again).status_code == 303
    assert the_meeting(desk).title.read_in("en") == "My own words"


def test_nothing_that_was_typed_into_a_stale_form_is_lost(app, host, desk, meeting_path):
    """K05: two browsers; the second finds both versions on its page, and every input as it was typed."""
    other = signed_in(app, desk, HOST)
    first, second = (edited(browser.get(f"{meeting_path}/edit").text) for browser in (host, other))
    assert host.post(meeting_path, first | {"title": "Saved first", "agenda": "Theirs"}).status_code == 303
    typed = {
        "title": "Typed second", "title-tr": "İkinci", "title-ko": "둘째", "agenda": "Mine", "duration": "45",
        "video-url": "https://video.example/mine", "room": "gwangjin-video", "start": "typed",
        "wall-date": "2026-11-26", "wall-time": "15:30", "new-2-name": "A third desk",
        "new-2-email": "third@eregli.example", "new-2-city": "eregli", "new-2-language": "tr", "new-2-role": "observer",
    }  # fmt: skip
    page = other.post(meeting_path, second | typed)
    assert page.status_code == 412
    for theirs in ("Saved first", "Theirs"):
        assert theirs in page.text
    shown = edited(page.text)
    assert {name: shown[name] for name in typed} == {name: [value] for name, value in typed.items()}
    assert the_meeting(desk).title.read_in("en") == "Saved first"
    assert other.post(meeting_path, shown).status_code == 303
    assert (the_meeting(desk).title.read_in("tr"), the_meeting(desk).duration_minutes) == ("İkinci", 45)


def test_the_draft_of_a_meeting_survives_the_form(host, desk, meeting_path):
    before = draft_of(the_meeting(desk))
    host.post(meeting_path, edited(host.get(f"{meeting_path}/edit").text))
    assert draft_of(the_meeting(desk)) == before


def test_cancelling_asks_first_and_keeps_the_reason(host, desk, meeting_path):
    assert host.get(f"{meeting_path}/cancellation").status_code == 200
    assert the_meeting(desk).status == "confirmed"
    host.post(f"{meeting_path}/cancellation", {"reason": "Flood in the town hall"})
    assert host.post(f"{meeting_path}/cancellation").status_code == 303
    assert the_meeting(desk).status == "cancelled"
    page = host.get(meeting_path).text
    assert "Flood in the town hall" in page
    assert f"{meeting_path}/edit" not in page
    assert host.get(f"{meeting_path}/edit").status_code == 409


def test_an_answer_by_telephone_is_recorded_as_such(host, desk, meeting_path):
    answer = {"email": "works.desk@eregli.example", "answer": "declined", "comment": "Council meets"}
    assert host.post(f"{meeting_path}/answers", answer).status_code == 303
    works = next(i for i in the_meeting(desk).people if i.invitee.email == "works.desk@eregli.example")
    assert (works.status, works.channel, works.comment) == ("declined", "telephone", "Council meets")
    assert "Council meets" in host.get(meeting_path).text


def test_an_answer_without_a_choice_is_told(host, meeting_path):
    page = host.post(f"{meeting_path}/answers", {"email": "works.desk@eregli.example", "comment": "kept"})
    assert page.status_code == 422
    assert 'value="kept"' in page.text
    assert '<a href="#answer">필수 항목이 비어 있습니다.' in page.text
    assert re.search(r'id="answer-error">필수 항목이 비어 있습니다.', page.text)


def test_a_partner_reads_and_answers_for_their_own_people_only(partner, desk, meeting_path):
    page = partner.get(meeting_path).text
    assert f"{meeting_path}/edit" not in page
    assert "planning.desk@ulaanbaatar.example</option>" not in page
    assert partner.get(f"{meeting_path}/edit").status_code == 403
    assert partner.post(f"{meeting_path}/cancellation").status_code == 403
    own = {"email": "planning.desk@ulaanbaatar.example", "answer": "accepted"}
    assert partner.post(f"{meeting_path}/answers", own).status_code == 303
    assert partner.post(f"{meeting_path}/answers", own | {"email": "works.desk@eregli.example"}).status_code == 403


def test_a_stranger_finds_nothing(stranger, meeting_path):
    """A02."""
    for path in (meeting_path, f"{meeting_path}/edit", f"{meeting_path}.ics", f"{meeting_path}/cancellation"):
        assert stranger.get(path).status_code == 404
    assert stranger.post(f"{meeting_path}/cancellation").status_code == 404


def test_resending_puts_one_mail_in_line(host, desk, meeting_path):
    invitation = the_meeting(desk).people[0]
    path = f"{meeting_path}/invitations/{invitation.id}/mail"
    assert host.get(path).status_code == 405
    assert host.post(path).status_code == 303
    assert host.post(f"{meeting_path}/invitations/nobody/mail").status_code == 404


def test_the_calendar_files_are_downloads(host, meeting_path):
    """C04."""
    for path in (f"{meeting_path}.ics", "/calendar.ics", "/calendar.ics?city=eregli&field=environment"):
        response = host.get(path)
        assert response.status_code == 200
        assert response.headers["Content-Type"] == "text/calendar; charset=utf-8"
        assert response.headers["Content-Disposition"].startswith("attachment")
        assert "BEGIN:VEVENT" in response.text


def test_the_agenda_shows_it_by_the_readers_own_day(host, partner, meeting_path):
    assert "2026년 11월 25일" in host.get("/").text
    assert "15:00~16:00" in host.page
    assert "Urban regeneration" in partner.get("/").text
    assert "Urban regeneration" not in host.get("/?show=past").text
    assert "Urban regeneration" not in host.get("/?field=culture").text


def test_an_empty_agenda_says_what_to_do(stranger):
    assert "/meetings/new" in stranger.get("/").text
