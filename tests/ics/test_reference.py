"""Our own lines are those of icalendar: every calendar that we send, whatever stands in it, to the byte."""

from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.core.meeting import CHAIR, ROLES, STATUSES, Invitation, Invitee, Meeting, Message, Occasion
from scheduler.ics import write
from scheduler.ics.write import CalendarText
from tests.ics import reference, samples

ZONES = ("Asia/Seoul", "Asia/Ulaanbaatar", "Europe/Istanbul", "Europe/Berlin", "Africa/Cairo", "America/St_Johns")
# Where folds, escapes and quotes meet: at the 74th octet, in a character, before and after a backslash or a caret.
PIECES = ("\\", "\\N", "\\n", ";", ",", ":", "^", '"', "'", "’", " ", "\n", "\r", "a" * 35, "가", "👩🏽‍💻", "e\u0301")
texts = st.text(max_size=90) | st.lists(st.sampled_from(PIECES), max_size=30).map("".join)
instants = st.datetimes(datetime(2026, 1, 1), datetime(2031, 1, 1)).map(lambda d: d.replace(microsecond=0, tzinfo=UTC))  # noqa: DTZ001

calendar_texts = st.builds(
    CalendarText,
    *[st.lists(texts, max_size=3).map(tuple) if f.name == "categories" else texts for f in fields(CalendarText)],
)
invitees = st.builds(Invitee, texts, texts.map("{}@example.org".format), texts, texts, st.sampled_from([*ROLES, CHAIR]))
invitations = st.builds(Invitation, st.just("i"), invitees, lead=st.integers(0, 9), status=st.sampled_from(STATUSES))
meetings = st.builds(
    lambda zone, start, minutes, uid, **rest: replace(
        samples.at(zone, start), duration_minutes=minutes, uid=uid, **rest
    ),
    st.sampled_from(ZONES),
    instants,
    st.integers(5, 1440),
    texts,
    sequence=st.integers(0, 99),
    changed_at=instants,
    confidential=st.booleans(),
    status=st.sampled_from(["confirmed", "cancelled"]),
)
messages = st.builds(Message, st.sampled_from(Occasion), meetings, invitations, instants)


@given(messages, texts.map("{}@example.org".format), texts, calendar_texts)
def test_an_invitation_is_the_one_that_icalendar_writes(
    message: Message, address: str, name: str, text: CalendarText
) -> None:
    made = write.itip_object(message, address, name, text)
    assert made == reference.itip_object(message, address, name, text)


@given(st.lists(st.tuples(meetings, calendar_texts), max_size=4), texts, texts)
def test_an_export_is_the_one_that_icalendar_writes(
    entries: list[tuple[Meeting, CalendarText]], name: str, organizer: str
) -> None:
    given_ = {"name": name, "organizer_address": "meetings@meet.example", "organizer_name": organizer}
    assert write.publish(entries, **given_) == reference.publish(entries, **given_)


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("length", range(58, 80))
def test_a_fold_falls_where_icalendar_folds(piece: str, length: int) -> None:
    text = replace(samples.TEXTS["en"], summary="x" * length + piece * 40, join_label="x" * (length - 30) + piece * 4)
    message = samples.message(Occasion.INVITATION)
    made = write.itip_object(message, samples.ORGANIZER, "x" * (length - 12) + piece * 40, text)
    assert made == reference.itip_object(message, samples.ORGANIZER, "x" * (length - 12) + piece * 40, text)
