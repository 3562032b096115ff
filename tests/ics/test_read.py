"""Calendars as they come: of real programs, broken by gateways, and hostile."""

import contextlib
import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.core.itip import AttendeeLine, InboundEvent
from scheduler.ics import child, read
from scheduler.ics.read import Unreadable, parse

REPLIES = Path(__file__).parents[1] / "data" / "replies"
BAT = "bat@ub.example"
NAME = "Бат-Эрдэнэ, Д."
PARTSTATS = {"accepted": "ACCEPTED", "declined": "DECLINED", "tentative": "TENTATIVE"}

REPLY = """BEGIN:VCALENDAR
PRODID:-//Example//EN
VERSION:2.0
METHOD:REPLY
BEGIN:VEVENT
UID:1@meet.example
DTSTAMP:20260803T010000Z
SEQUENCE:2
DTSTART;TZID=Asia/Seoul:20260901T150000
DTEND;TZID=Asia/Seoul:20260901T160000
ORGANIZER:mailto:meet+k7q@meet.example
ATTENDEE;PARTSTAT=ACCEPTED;CN="Ereğli, İmar":mailto:imar@eregli.example
COMMENT:Geliyoruz\\; şu saatte\\n2 kişi
END:VEVENT
END:VCALENDAR
"""
EXPECTED = InboundEvent(
    uid="1@meet.example",
    sequence=2,
    dtstamp=datetime(2026, 8, 3, 1, tzinfo=UTC),
    organizer="meet+k7q@meet.example",
    attendees=(AttendeeLine("imar@eregli.example", "ACCEPTED", "Ereğli, İmar"),),
    comment="Geliyoruz; şu saatte\n2 kişi",
    start=datetime(2026, 9, 1, 6, tzinfo=UTC),
    end=datetime(2026, 9, 1, 7, tzinfo=UTC),
)


def event(text: str) -> InboundEvent:
    (found,) = parse(text.encode()).events
    return found


def with_line(line: str) -> InboundEvent:
    """The reply with `line` as its first line in the event, where the first of a name counts."""
    return event(REPLY.replace("BEGIN:VEVENT\n", f"BEGIN:VEVENT\n{line}\n"))


# -- real replies --


def captured(name: str) -> bytes:
    mail = message_from_bytes((REPLIES / f"{name}.eml").read_bytes(), policy=policy.default)
    (part,) = [p for p in mail.walk() if p.get_content_type() == "text/calendar"]
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload


@pytest.mark.parametrize("answer", PARTSTATS)
def test_a_real_answer_to_a_single_meeting(answer: str) -> None:
    calendar = parse(captured(f"single-{answer}"))
    (found,) = calendar.events
    assert calendar.method == "REPLY"
    assert found.uid == "4f6c0f1e-0b1d-4c8e-9a55-7a2b6d1c0009@cities.example"
    assert found.attendees == (AttendeeLine(BAT, PARTSTATS[answer], NAME),)
    assert found.organizer == "meet+k7q2x9@cities.example"
    assert (found.sequence, found.recurrence_id, found.comment) == (0, None, "")
    assert found.dtstamp is not None
    assert found.dtstamp.date().isoformat() == "2026-11-22"
    assert (found.start, found.end) == (datetime(2026, 12, 1, 7, tzinfo=UTC), datetime(2026, 12, 1, 8, tzinfo=UTC))


@pytest.mark.parametrize("answer", PARTSTATS)
def test_a_real_answer_to_a_series_keeps_its_moved_date_apart(answer: str) -> None:
    master, moved = parse(captured(f"series-{answer}")).events
    assert master.uid == moved.uid
    assert master.attendees == (AttendeeLine(BAT, PARTSTATS[answer], NAME),)
    assert master.recurrence_id is None
    # The program repeats everybody there as not having answered, with the old DTSTAMP.
    assert moved.recurrence_id == datetime(2026, 10, 5, 7, tzinfo=UTC)
    assert [(a.email, a.partstat) for a in moved.attendees] == [
        (BAT, "NEEDS-ACTION"),
        ("kim@seoul.example", "NEEDS-ACTION"),
    ]
    assert moved.dtstamp == datetime(2026, 8, 1, 2, tzinfo=UTC)
    assert moved.start == datetime(2026, 10, 6, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize("path", sorted(REPLIES.iterdir()), ids=lambda path: path.stem)
def test_the_child_process_reads_the_same(path: Path) -> None:
    assert read.read(captured(path.stem)) == parse(captured(path.stem))


# -- generous reading --


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n", "\n\n"])
@pytest.mark.parametrize("before", ["", "\ufeff", "\n\n", "\ufeff\n"])
def test_any_line_end_and_a_byte_order_mark(end: str, before: str) -> None:
    assert event(before + REPLY.replace("\n", end)) == EXPECTED


def test_names_in_any_case() -> None:
    lowered = REPLY
    for name in (
        "BEGIN",
        "END",
        "VCALENDAR",
        "VEVENT",
        "ATTENDEE",
        "PARTSTAT",
        "UID",
        "DTSTART",
        "TZID",
        "CN",
        "ACCEPTED",
    ):
        lowered = lowered.replace(name, name.lower())
    assert event(lowered.replace("mailto:imar@eregli", "MAILTO:IMAR@Eregli")) == EXPECTED


@pytest.mark.parametrize("charset", ["utf-8", "windows-1254"])
def test_turkish_in_its_old_character_set(charset: str) -> None:
    (found,) = parse(REPLY.encode(charset)).events
    assert found == EXPECTED


def test_korean_in_its_old_character_set() -> None:
    (found,) = parse(REPLY.replace("Ereğli, İmar", "도시재생과").replace("ş", "").encode("euc-kr")).events
    assert found.attendees[0].name == "도시재생과"


def test_a_fold_inside_a_character_is_mended() -> None:
    data = REPLY.encode()
    at = data.index("ğ".encode()) + 1
    assert parse(data[:at] + b"\r\n " + data[at:]).events == (EXPECTED,)


@pytest.mark.parametrize(
    "line",
    [
        "no colon at all",
        ";;;:x",
        "X-A;B:",
        'X-A;CN="open:1',
        ":value only",
        "\x00\x01",
        "DTSTAMP;VALUE",
        "END:VTODO",
        "é:1",
    ],
)
def test_a_broken_line_costs_that_line_only(line: str) -> None:
    assert with_line(line) == EXPECTED


@pytest.mark.parametrize("name", ["PRODID", "VERSION", "DTSTAMP", "ORGANIZER", "SEQUENCE", "DTSTART", "DTEND", "UID"])
def test_what_programs_forget_is_tolerated(name: str) -> None:
    found = event("".join(line for line in REPLY.splitlines(True) if not line.startswith(name)))
    assert found.attendees == EXPECTED.attendees


def test_a_missing_method_is_empty_and_a_missing_end_is_harmless() -> None:
    calendar = parse(REPLY.replace("METHOD:REPLY\n", "").replace("END:VCALENDAR\n", "").encode())
    assert (calendar.method, calendar.events) == ("", (EXPECTED,))


def test_alarms_and_other_components_are_not_looked_at() -> None:
    inside = "BEGIN:VALARM\nUID:evil\nATTENDEE;PARTSTAT=DECLINED:mailto:x@x.example\nEND:VALARM"
    beside = "BEGIN:VTODO\nUID:evil\nEND:VTODO\nBEGIN:VEVENT\n"
    assert with_line(inside) == EXPECTED
    assert event(REPLY.replace("BEGIN:VEVENT\n", beside)) == EXPECTED


# -- people --


@pytest.mark.parametrize(
    ("line", "email"),
    [
        ("ATTENDEE:Mailto:Kim@Seoul.example", "kim@seoul.example"),
        ("ATTENDEE:kim@seoul.example", "kim@seoul.example"),
        ("ATTENDEE:mailto:<kim@seoul.example>", "kim@seoul.example"),
        ("ATTENDEE:mailto:kim%40seoul.example", "kim@seoul.example"),
        ("ATTENDEE:mailto:kim+a@seoul.example?subject=x", "kim+a@seoul.example"),
        ("ATTENDEE;EMAIL=kim@seoul.example:urn:uuid:1234", "kim@seoul.example"),
        ("ATTENDEE;EMAIL=kim@seoul.example:/principals/1/", "kim@seoul.example"),
        ("ATTENDEE:mailto:Imar@ereğli.example", "imar@xn--ereli-m1a.example"),
        ("ATTENDEE:urn:uuid:AB", "urn:uuid:ab"),
    ],
)
def test_an_address_is_compared_without_its_dress(line: str, email: str) -> None:
    assert with_line(line).attendees[0].email == email


def test_delegation_and_a_comment_in_a_parameter() -> None:
    line = (
        'ATTENDEE;PARTSTAT=delegated;DELEGATED-TO="mailto:A@x.example","mailto:b@x.example";'
        'DELEGATED-FROM="mailto:c@x.example";X-RESPONSE-COMMENT="On leave^nuntil ^\'May^\'";CN=D ^^:mailto:d@x.example'
    )
    assert with_line(line).attendees[0] == AttendeeLine(
        email="d@x.example",
        partstat="DELEGATED",
        name="D ^",
        comment='On leave\nuntil "May"',
        delegated_to=("a@x.example", "b@x.example"),
        delegated_from=("c@x.example",),
    )


def test_texts_are_cleaned_and_cut() -> None:
    found = with_line(
        "COMMENT:a\x00\x1bb\u202e\u2028\nATTENDEE;CN=" + "x" * 900 + ":mailto:x@x.example\nCOMMENT:" + "y" * 5000
    )
    assert found.comment.startswith("ab\n")
    assert len(found.comment) == read.COMMENT_LENGTH
    assert len(found.attendees[0].name) == read.NAME_LENGTH


@pytest.mark.parametrize(
    ("value", "sequence"),
    [("0", 0), ("7", 7), ("-1", None), ("x", None), ("9999999999", 2**31 - 1), ("9" * 5000, None)],
)
def test_a_sequence_is_a_small_number_or_none(value: str, sequence: int | None) -> None:
    assert with_line(f"SEQUENCE:{value}").sequence == sequence


# -- time --


@pytest.mark.parametrize(
    ("line", "instant"),
    [
        ("DTSTART:20260901T060000Z", "2026-09-01T06:00Z"),
        ("DTSTART;TZID=Asia/Ulaanbaatar:20260901T150000", "2026-09-01T07:00Z"),
        ("DTSTART;TZID=Korea Standard Time:20260901T150000", "2026-09-01T06:00Z"),
        ('DTSTART;TZID="Turkey Standard Time":20260901T150000', "2026-09-01T12:00Z"),
        ("DTSTART;TZID=Ulaanbaatar Standard Time:20260901T150000", "2026-09-01T07:00Z"),
        ("DTSTART;TZID=W. Europe Standard Time:20260901T150000", "2026-09-01T13:00Z"),
        ("DTSTART;TZID=/example.org/20260101_1/America/Argentina/Buenos_Aires:20260901T150000", "2026-09-01T18:00Z"),
        ("DTSTART;TZID=/freeassociation.example/Asia/Seoul:20260901T150000", "2026-09-01T06:00Z"),
        ("DTSTART;TZID=Europe/Berlin:20261025T023000", "2026-10-25T00:30Z"),  # twice: the first
        ("DTSTART;TZID=Europe/Berlin:20260329T023000", "2026-03-29T01:30Z"),  # never: by the offset before
        ("DTSTART;TZID=Customized Time Zone:20260901T150000", None),
        ("DTSTART;TZID=tzone://Microsoft/Custom:20260901T150000", None),
        ("DTSTART:20260901T150000", None),  # floating
        ("DTSTART;VALUE=DATE:20260901", None),
        ("DTSTART;TZID=Asia/Seoul:20261301T150000", None),
        ("DTSTART;TZID=Asia/Seoul:00010101T000000", None),
        ("DTSTART:99991231T235959Z", "9999-12-31T23:59:59Z"),
        ("DTSTART;TZID=America/Adak:99991231T235959", None),
    ],
)
def test_a_local_time_becomes_an_instant_by_the_name_of_its_zone(line: str, instant: str | None) -> None:
    assert with_line(line).start == (datetime.fromisoformat(instant) if instant else None)


def test_a_floating_dtstamp_is_taken_as_utc() -> None:
    assert with_line("DTSTAMP:20260803T010000").dtstamp == EXPECTED.dtstamp


def test_an_answer_to_a_date_that_is_not_understood_is_not_an_answer_to_the_whole() -> None:
    for value in (":20260901T150000", ";TZID=Nowhere/City:20260901T150000", ";VALUE=DATE:20260901", ":x"):
        with pytest.raises(Unreadable, match="RECURRENCE-ID"):
            with_line(f"RECURRENCE-ID{value}")


FALSE_ZONE = """BEGIN:VTIMEZONE
TZID:{tzid}
BEGIN:STANDARD
DTSTART:19700101T000000
TZOFFSETFROM:+0100
TZOFFSETTO:+0100
END:STANDARD
END:VTIMEZONE
"""


@pytest.mark.parametrize("tzid", ["Korea Standard Time", "Asia/Seoul"])
@pytest.mark.parametrize("reader", [parse, read.read])
def test_a_false_vtimezone_is_believed_neither_in_its_file_nor_in_the_next(tzid: str, reader: object) -> None:
    assert callable(reader)
    honest = REPLY.replace("Asia/Seoul", tzid)
    attack = honest.replace("BEGIN:VEVENT", FALSE_ZONE.format(tzid=tzid) + "BEGIN:VEVENT")
    for text in (attack, honest, attack):
        assert reader(text.encode()).events == (EXPECTED,)


# -- hostile --


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"/etc/passwd",
        b"file:///etc/passwd",
        b"<html>",
        b"\x89PNG\r\n\x1a\n\x00\x00",
        REPLY.encode("utf-16"),
        b"BEGIN:VEVENT\nUID:1\nEND:VEVENT\n",
        REPLY.encode() * 2,
        b"BEGIN:VCALENDAR\n" + b"BEGIN:X\n" * 50_000,
        b"BEGIN:VCALENDAR\n" + b"BEGIN:VEVENT\nEND:VEVENT\n" * 1_001,
        REPLY[: REPLY.index("COMMENT")].encode(),
        b"x" * (read.MAX_BYTES + 1),
    ],
)
def test_what_is_no_calendar_is_refused_with_a_reason(data: bytes) -> None:
    with pytest.raises(Unreadable) as refused:
        parse(data)
    assert refused.value.reason
    assert "\n" not in refused.value.reason


def test_only_bytes_are_calendars() -> None:
    for reader in (parse, read.read):
        with pytest.raises(TypeError):
            reader("/etc/passwd")  # type: ignore[arg-type]


HUGE = {
    "parameters": "ATTENDEE" + ";X=1" * 100_000 + ":mailto:x@x.example",
    "one parameter": "ATTENDEE;CN=" + "," * 400_000 + ":mailto:x@x.example",
    "an open quote": 'ATTENDEE;CN="' + '",' * 200_000,
    "one line": "COMMENT:" + "\\" * 400_000,
    "carets": "ATTENDEE;CN=" + "^" * 400_000 + ":mailto:x@x.example",
    "domain": "ATTENDEE:mailto:x@" + "ü" * 200_000 + ".example",
    "domains": "ATTENDEE:mailto:x@" + "ü." * 100 + "example\n" * 1,
    "attendees": "ATTENDEE:mailto:x@ü.example\n" * 15_000,
    "blank": " \n" * 200_000,
    "spaces": "COMMENT:" + " " * 400_000 + "x",
    "rule": "RRULE:FREQ=SECONDLY;INTERVAL=0\nRDATE:" + "20260101T000000Z," * 20_000,
    "alarms": "BEGIN:VALARM\nREPEAT:999999999\nEND:VALARM\n" * 9_000,
    "numbers": "SEQUENCE:" + "9" * 400_000,
    "zone": "DTSTART;TZID=" + "a/" * 200_000 + ":20260901T150000",
}


@pytest.mark.parametrize("line", HUGE.values(), ids=HUGE)
def test_nothing_within_the_size_limit_takes_long(line: str) -> None:
    began = time.process_time()
    assert with_line(line).uid == EXPECTED.uid
    assert time.process_time() - began < 2


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_are_read_or_refused(noise: bytes) -> None:
    data = REPLY.encode()
    for broken in (noise, data.replace(b"COMMENT:", noise), data.replace(b"Asia/Seoul", noise), data + noise):
        with contextlib.suppress(Unreadable):
            parse(broken)


# -- the child process --


def test_a_refusal_comes_through_the_child_with_its_reason() -> None:
    with pytest.raises(Unreadable, match="no calendar in it"):
        read.read(b"/etc/passwd")


def test_the_child_keeps_to_a_size_limit_of_ones_own() -> None:
    big = REPLY.replace("COMMENT:", "COMMENT:" + "x" * read.MAX_BYTES).encode()
    assert read.read(big, max_bytes=2_000_000).events[0].uid == EXPECTED.uid
    with pytest.raises(Unreadable, match="larger than 512000 bytes"):
        read.read(big)


SPIN = "from scheduler.ics.child import limit_resources; limit_resources(1)\nwhile True: pass"
GROW = "from scheduler.ics.child import limit_resources; limit_resources()\nkeep = bytearray(700_000_000)"
STORE = "from scheduler.ics.child import limit_resources; limit_resources()\nopen(sys.argv[4], 'wb', 0).write(b'x')"
WITH_PATH = "import sys; sys.path.insert(0, sys.argv[1])\n"


@pytest.mark.parametrize("program", [SPIN, GROW], ids=["time", "memory"])
def test_a_child_beyond_its_limits_ends_as_unreadable(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "PROGRAM", WITH_PATH + program)
    with pytest.raises(Unreadable, match="the reader was stopped"):
        read.read(REPLY.encode())


def test_the_child_can_write_no_file(tmp_path: Path) -> None:
    target = tmp_path / "written"
    done = subprocess.run(
        [sys.executable, "-I", "-c", WITH_PATH + STORE, child.ROOT, "", "", str(target)],
        capture_output=True,
        check=False,
    )
    assert done.returncode
    assert target.read_bytes() == b""


def test_the_child_knows_no_secret_and_loads_little(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCHEDULER_MAIL__SMTP_URL", "smtp://user:password@localhost")
    shown = "import json, os, sys; sys.path.insert(0, sys.argv[1])\nfrom scheduler.ics import read\n"
    told = "print(json.dumps({'reason': ' '.join([*os.environ, *sys.modules])[:99999]}))"
    monkeypatch.setattr(read, "Unreadable", _Whole)
    monkeypatch.setattr(child, "PROGRAM", shown + told)
    with pytest.raises(_Whole) as seen:
        read.read(REPLY.encode())
    words = seen.value.reason.split()
    assert "scheduler.core.itip" in words
    assert not [
        word for word in words if word.startswith(("SCHEDULER_", "icalendar", "flask", "sqlalchemy", "pydantic"))
    ]
    assert capfd.readouterr().err == ""


class _Whole(Unreadable):
    """A reason that is not cut."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def test_the_package_is_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('not ours')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert read.read(REPLY.encode()).events == (EXPECTED,)


def test_the_answer_of_the_child_is_plain_json() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-c", child.PROGRAM, child.ROOT, "scheduler.ics.read", "100000"],
        input=REPLY.encode(),
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout)["calendar"]["events"][0]["start"] == "2026-09-01T06:00:00+00:00"
    assert done.stderr == b""
