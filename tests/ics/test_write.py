"""Single rules of what goes out: who is told what, in which zone, and that nothing but the arguments matters."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from icalendar import Calendar, Event

from scheduler.core.meeting import Invitation, Occasion
from scheduler.ics import read, write
from tests.ics import samples

REQUESTS = (Occasion.INVITATION, Occasion.MOVED, Occasion.CHANGED, Occasion.RESENT)


def the_event(data: bytes) -> Event:
    (event,) = Calendar.from_ical(data).events
    return event


@pytest.mark.parametrize("occasion", REQUESTS)
def test_an_invitation_asks_only_its_receiver(occasion: Occasion) -> None:
    data = samples.sent(occasion, to=samples.invitation("tr"))
    event = the_event(data)
    assert b"\r\nMETHOD:REQUEST\r\n" in data
    assert str(event["ORGANIZER"]) == f"mailto:{samples.ORGANIZER}"
    assert str(event["ATTENDEE"]) == "mailto:imar@eregli.example"
    assert dict(event["ATTENDEE"].params) == {
        "CN": "”İmar” Müdürlüğü; Ereğli",
        "CUTYPE": "INDIVIDUAL",
        "ROLE": "REQ-PARTICIPANT",
        "PARTSTAT": "NEEDS-ACTION",
        "RSVP": "TRUE",
        "LANGUAGE": "tr",
    }
    assert event["STATUS"] == "CONFIRMED"
    assert event["X-MICROSOFT-DISALLOW-COUNTER"] == "TRUE"
    assert not event.walk("VALARM")


def test_who_has_answered_is_not_asked_again() -> None:
    event = the_event(samples.sent(Occasion.CHANGED, to=samples.invitation("ko", status="tentative")))
    assert event["ATTENDEE"].params["PARTSTAT"] == "TENTATIVE"
    assert "RSVP" not in event["ATTENDEE"].params


def test_the_chair_gets_a_copy_that_asks_nothing() -> None:
    event = the_event(samples.sent(to=Invitation("inv-chair", samples.CHAIRPERSON)))
    assert event["ATTENDEE"].params["ROLE"] == "CHAIR"
    assert event["ATTENDEE"].params["PARTSTAT"] == "ACCEPTED"
    assert "RSVP" not in event["ATTENDEE"].params


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("required", "REQ-PARTICIPANT"),
        ("interpreter", "REQ-PARTICIPANT"),
        ("optional", "OPT-PARTICIPANT"),
        ("observer", "OPT-PARTICIPANT"),
    ],
)
def test_everybody_who_may_answer_has_a_role_with_buttons(role: str, expected: str) -> None:
    invitation = samples.invitation()
    event = the_event(samples.sent(to=replace(invitation, invitee=replace(invitation.invitee, role=role))))
    assert event["ATTENDEE"].params["ROLE"] == expected


def test_a_cancelled_meeting_is_taken_out_of_every_calendar() -> None:
    cancelled = samples.meeting(status="cancelled", sequence=3)
    data = samples.sent(Occasion.CANCELLED, cancelled, samples.invitation("mn", status="accepted", lead=1))
    event = the_event(data)
    assert b"\r\nMETHOD:CANCEL\r\n" in data
    assert event["STATUS"] == "CANCELLED"
    assert event["SEQUENCE"] == 4
    assert event["UID"] == cancelled.uid
    assert event.start.astimezone(UTC) == cancelled.start
    assert event["ATTENDEE"].params["PARTSTAT"] == "ACCEPTED"
    assert "RSVP" not in event["ATTENDEE"].params


def test_a_removed_person_is_told_so_and_not_that_nobody_meets() -> None:
    data = samples.sent(Occasion.REMOVED, to=samples.invitation("tr", lead=1))
    assert b"\r\nMETHOD:CANCEL\r\n" in data
    assert "STATUS" not in the_event(data)
    assert the_event(data)["SEQUENCE"] == 1


def test_a_confidential_meeting_says_so() -> None:
    assert the_event(samples.sent())["CLASS"] == "PUBLIC"
    assert the_event(samples.sent(about=samples.meeting(confidential=True)))["CLASS"] == "CONFIDENTIAL"


def test_what_is_empty_is_left_out() -> None:
    bare = write.CalendarText(" \n", "", "\x00", "", ("", " "), join_label="nothing to join")
    event = the_event(samples.sent(text=bare))
    assert not {"SUMMARY", "DESCRIPTION", "LOCATION", "URL", "CATEGORIES", "CONFERENCE"} & set(event)


def test_the_link_stands_in_conference_with_its_label() -> None:
    unfolded = samples.sent(to=samples.invitation("tr")).replace(b"\r\n ", b"").decode()
    label = 'LABEL="Toplantıya katıl: görüntülü"'
    assert f"\r\nCONFERENCE;VALUE=URI;FEATURE=AUDIO,VIDEO;{label}:{samples.JOIN}\r\n" in unfolded


def test_the_domain_is_ascii_and_the_local_part_keeps_its_case() -> None:
    invitation = samples.invitation()
    invitee = replace(invitation.invitee, email="Imar.Md@ereğli.example")
    assert str(the_event(samples.sent(to=replace(invitation, invitee=invitee)))["ATTENDEE"]) == (
        "mailto:Imar.Md@xn--ereli-m1a.example"
    )


# -- time --


def times(data: bytes) -> list[str]:
    return [line for line in data.decode().split("\r\n") if line.startswith(("DTSTART;T", "DTSTART:2", "DTEND"))]


def test_times_stand_on_the_clock_of_the_city_of_record() -> None:
    data = samples.sent()
    assert times(data) == ["DTSTART;TZID=Asia/Seoul:20260901T150000", "DTEND;TZID=Asia/Seoul:20260901T160000"]
    assert data.index(b"BEGIN:VTIMEZONE") < data.index(b"BEGIN:VEVENT")


def test_a_zone_without_a_rule_for_all_readers_is_written_in_utc() -> None:
    data = samples.sent(about=samples.at("Africa/Cairo", datetime(2026, 5, 4, 8, tzinfo=UTC)))
    assert times(data) == ["DTSTART:20260504T080000Z", "DTEND:20260504T090000Z"]
    assert b"VTIMEZONE" not in data


@pytest.mark.parametrize("hour", [0, 1])
def test_an_hour_that_comes_twice_is_written_in_utc(hour: int) -> None:
    data = samples.sent(about=samples.at("Europe/Berlin", datetime(2026, 10, 25, hour, 15, tzinfo=UTC)))
    assert times(data) == [f"DTSTART:20261025T0{hour}1500Z", f"DTEND:20261025T0{hour + 1}1500Z"]


def test_an_export_has_each_zone_once_in_order() -> None:
    summer = datetime(2026, 7, 1, 7, tzinfo=UTC)
    spread = [
        samples.at(zone, summer + timedelta(days=n), uid=f"{n}@meet.example")
        for n, zone in enumerate(["Europe/Istanbul", "Africa/Cairo", "Asia/Seoul", "Europe/Berlin", "Asia/Seoul"])
    ]
    data = published(spread)
    assert [z["TZID"] for z in Calendar.from_ical(data).timezones] == ["Asia/Seoul", "Europe/Berlin", "Europe/Istanbul"]
    assert [e.start.astimezone(UTC) for e in Calendar.from_ical(data).events] == [m.start for m in spread]
    assert data == published(reversed(spread))


def published(meetings: Any) -> bytes:
    entries = [(meeting, samples.TEXTS["en"]) for meeting in meetings]
    return write.publish(entries, name="All", organizer_address="meetings@meet.example", organizer_name="")


def test_an_export_names_nobody_and_keeps_what_was_cancelled() -> None:
    data = published([samples.meeting(status="cancelled", sequence=2, invitations=(samples.invitation(),))])
    event = the_event(data)
    assert b"\r\nMETHOD:PUBLISH\r\n" in data
    assert "ATTENDEE" not in event
    assert event["STATUS"] == "CANCELLED"
    assert event["SEQUENCE"] == 2
    assert event["DTSTAMP"].dt == samples.CREATED
    assert published([]).count(b"BEGIN:") == 1


# -- the same arguments, the same bytes --


@pytest.mark.parametrize("seed", ["0", "1", "4242"])
def test_no_other_process_writes_other_bytes(seed: str) -> None:
    program = "import sys; from tests.ics import samples; sys.stdout.buffer.write(b''.join(samples.golden().values()))"
    env = {**os.environ, "PYTHONHASHSEED": seed, "TZ": "Pacific/Apia", "LC_ALL": "C", "LANG": "tr_TR.UTF-8"}
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, env=env, capture_output=True, check=True)
    assert done.stdout == b"".join(samples.golden().values())


# -- the other side --


@pytest.mark.parametrize("partstat", ["ACCEPTED", "DECLINED", "TENTATIVE"])
def test_an_answer_to_our_invitation_can_be_read(partstat: str) -> None:
    now = samples.CREATED + timedelta(hours=2)
    invite = samples.sent(about=samples.meeting(sequence=2), to=samples.invitation("tr"))
    answer = write.reply(invite, partstat.lower(), 'Geliyoruz;\n"iki" kişi, c:\\yol', now)
    calendar = read.parse(answer)
    (event,) = calendar.events
    assert calendar.method == "REPLY"
    assert [(a.email, a.partstat, a.name) for a in event.attendees] == [
        ("imar@eregli.example", partstat, "”İmar” Müdürlüğü; Ereğli")
    ]
    assert (event.uid, event.sequence, event.dtstamp) == (samples.meeting().uid, 2, now)
    assert event.comment == 'Geliyoruz;\n"iki" kişi, c:\\yol'
    assert event.organizer == samples.ORGANIZER
    assert (event.start, event.end) == (samples.meeting().start, samples.meeting().end)
    assert all(len(line) <= 75 for line in answer.split(b"\r\n"))
    assert the_event(answer)["SUMMARY"] == samples.TEXTS["tr"].summary


def test_an_answer_without_a_word_has_no_comment() -> None:
    assert b"COMMENT" not in write.reply(samples.sent(), "ACCEPTED", " \n", samples.CREATED)
