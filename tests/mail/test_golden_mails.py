"""Mails as they leave, byte for byte, and their calendars in the eyes of three independent readers.

After a change that is meant: UPDATE_GOLDEN=1 pytest tests/mail/test_golden_mails.py, and look at the difference.
"""

from __future__ import annotations

import email
import email.policy
import os
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import icalendar
import pytest
import recurring_ical_events
import vobject
from ical.calendar_stream import IcsCalendarStream

from scheduler.core.meeting import Occasion
from scheduler.mail.compose import Mail
from tests.mail import samples

GOLDEN = Path(__file__).parent / "golden"


def _invitation(language: str) -> Mail:
    return samples.mail(to=samples.invitation(language))


CHANGES = (Occasion.MOVED, Occasion.CHANGED, Occasion.CANCELLED, Occasion.REMOVED)
TOLD: dict[str, Callable[[], Mail]] = {
    **{f"invitation-{language}": partial(_invitation, language) for language in ("ko", "mn", "tr", "en")},
    **{str(occasion): partial(samples.mail, occasion) for occasion in CHANGES},
}
MAILS: dict[str, Callable[[], Mail]] = {
    **TOLD,
    "notice": partial(samples.notice, "answered"),
    "sign-in": samples.sign_in,
    "security": samples.security,
    "law": samples.law,
}


@pytest.mark.parametrize("name", MAILS)
def test_the_mail_is_the_one_that_was_agreed(name: str) -> None:
    file, content = GOLDEN / f"{name}.eml", MAILS[name]().content
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_bytes(content)
    assert content == file.read_bytes()


def test_no_agreed_mail_is_left_over() -> None:
    assert {file.stem for file in GOLDEN.iterdir()} == set(MAILS)


@pytest.mark.parametrize("name", TOLD)
def test_three_readers_agree_on_the_calendar_of_the_mail(name: str) -> None:
    mail = email.message_from_bytes((GOLDEN / f"{name}.eml").read_bytes(), policy=email.policy.default)
    part = next(p for p in mail.walk() if p.get_content_type() == "text/calendar")
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    text = content.decode()
    start = samples.message(Occasion.MOVED).meeting.start if name == "moved" else samples.START
    (event,) = IcsCalendarStream.calendar_from_ics(text).events
    assert event.dtstart.astimezone(UTC) == start  # type: ignore[union-attr]
    assert vobject.readOne(text).vevent.dtstart.value.astimezone(UTC) == start
    whole_year = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 12, 31, tzinfo=UTC))
    found = recurring_ical_events.of(icalendar.Calendar.from_ical(content), skip_bad_series=False).between(*whole_year)
    assert [e.start.astimezone(UTC) for e in found] == [start]
    assert part.get_param("method") == str(icalendar.Calendar.from_ical(content)["METHOD"])
