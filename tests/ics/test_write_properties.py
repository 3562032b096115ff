"""Whatever people type, it stays a text: no new property, no control byte, nothing lost, nothing cut in two."""

import re
from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ical.calendar_stream import IcsCalendarStream
from icalendar import Calendar
from icalendar.cal.component import Component

from scheduler.core.meeting import Occasion
from scheduler.core.words import clean_line, clean_text
from scheduler.ics import read, write
from tests.ics import samples

# CR stands only before LF, LF only at a line's end, and no other control or separator at all (TAB may stay in texts).
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]|\r(?!\n)|(?<!\r)\n")

PAYLOADS = [
    "\r\nATTENDEE:mailto:evil@x.example",
    "\nX-EVIL:1",
    "\rX-EVIL:1",
    "\x85X-EVIL:1\u2028X-EVIL:2\u2029X-EVIL:3",
    "\r\n X\r\n\tY",
    "\x00\x01\x0b\x0c\x1b[31m\x7f\x9f",
    '";X-EVIL="1":mailto:evil@x.example',
    "^n^'^^\"",
    "\\n\\N\\;\\,\\\\",
    "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\nBEGIN:VCALENDAR\r\nMETHOD:CANCEL",
    "=?utf-8?q?=0d=0aX-EVIL:1?=",
    "\u202e\u2066\u200b\ufeff",
]
controls = st.text(alphabet=st.sampled_from('\x00\t\n\x0b\x0c\r\x1b\x7f\x85\u2028\u2029";:,=\\^ a가'), max_size=12)
payloads = st.sampled_from(PAYLOADS) | controls


def everywhere(payload: str, occasion: Occasion) -> bytes:
    """An iTIP object in every input of which `payload` stands in the middle."""

    def spoil(value: str) -> str:
        return value[:3] + payload + value[3:]

    to = samples.invitation("tr")
    invitee = replace(to.invitee, **{name: spoil(getattr(to.invitee, name)) for name in ("name", "email", "language")})
    good = samples.TEXTS["tr"]
    text = write.CalendarText(
        **{
            field.name: tuple(map(spoil, value)) if isinstance(value, tuple) else spoil(value)
            for field in fields(good)
            if (value := getattr(good, field.name))
        }
    )
    message = samples.message(occasion, samples.meeting(uid=spoil(samples.meeting().uid)), replace(to, invitee=invitee))
    return write.itip_object(message, spoil(samples.ORGANIZER), spoil(samples.ORGANIZER_NAME), text)


def tree(component: Component) -> list[object]:
    """The names of components, properties and parameters, and how often each stands there."""
    properties = sorted((name, sorted(getattr(value, "params", {}))) for name, value in component.property_items())
    return [component.name, properties, [tree(child) for child in component.subcomponents]]


@given(payloads, st.sampled_from([Occasion.INVITATION, Occasion.CANCELLED]))
@example("".join(PAYLOADS), Occasion.INVITATION)
def test_no_input_becomes_a_property(payload: str, occasion: Occasion) -> None:
    spoilt, plain = everywhere(payload, occasion), everywhere("", occasion)
    assert tree(Calendar.from_ical(spoilt)) == tree(Calendar.from_ical(plain))
    assert len(read.parse(spoilt).events[0].attendees) == 1
    assert not CONTROL.search(spoilt.decode())


@given(payloads)
def test_no_input_becomes_a_property_of_an_export(payload: str) -> None:
    def export(name: str) -> bytes:
        text = replace(samples.TEXTS["en"], summary=f"a{name}b", description=f"a{name}b")
        return write.publish(
            [(samples.meeting(), text)], name=f"a{name}b", organizer_address=f"m{name}@x.example", organizer_name=name
        )

    spoilt = export(payload)
    assert [line[:6] for line in unfolded(spoilt)] == [line[:6] for line in unfolded(export("c"))]
    assert not CONTROL.search(spoilt.decode())


def unfolded(data: bytes) -> list[str]:
    lines = data.replace(b"\r\n ", b"").decode().split("\r\n")
    return [re.sub(r";CN=.*?(?=:mailto)", "", line) for line in lines]  # an empty name has no CN


titles = st.text(min_size=1, max_size=300) | st.lists(
    st.sampled_from(["도시재생 ", "Хот ", "ᠮᠣᠩ\u202fᠭᠣᠯ", "İğdır ", "👩🏽‍💻", "e\u0301", "\\n", ";", ",", '"', "a"]),
    max_size=80,
).map("".join)


@given(titles)
def test_every_title_comes_back_as_it_was(title: str) -> None:
    text = replace(samples.TEXTS["en"], summary=title, description=f"first\n{title}")
    data = samples.sent(text=text)
    for line in data.split(b"\r\n"):
        assert len(line) <= 75
        line.decode()
    (event,) = Calendar.from_ical(data).events
    assert str(event.get("summary", "")) == clean_line(title)
    assert str(event["description"]) == clean_text(f"first\n{title}")
    (again,) = IcsCalendarStream.calendar_from_ics(data.decode()).events
    assert (again.summary or "") == clean_line(title)


@given(titles, titles)
def test_every_name_and_comment_comes_back(name: str, comment: str) -> None:
    to = samples.invitation("mn")
    invite = samples.sent(to=replace(to, invitee=replace(to.invitee, name=name)))
    (event,) = read.parse(write.reply(invite, "DECLINED", comment, datetime(2026, 8, 9, tzinfo=UTC))).events
    assert event.attendees[0].name == clean_line(clean_line(name).replace('"', "”").replace("\\", "/")[:200])
    assert event.comment == clean_text(comment)


def test_a_lone_surrogate_is_left_out() -> None:
    text = replace(samples.TEXTS["en"], summary="Town \ud800hall")
    assert b"SUMMARY:Town hall\r\n" in samples.sent(text=text)


@pytest.mark.parametrize("length", range(60, 90))
def test_a_fold_never_cuts_a_character(length: int) -> None:
    data = samples.sent(text=replace(samples.TEXTS["en"], summary="x" * length + "도시🏙️재생"))
    assert all(len(line) <= 75 and line.decode() is not None for line in data.split(b"\r\n"))
