"""Calendar feeds: what they hold, when they change, who may make and end them, and that reading leaves no trace."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import recurring_ical_events
import vobject
from ical.calendar_stream import IcsCalendarStream
from icalendar import Calendar

from scheduler import admin, answers, booking, entries, exports, feeds
from scheduler.core.cities import Person
from scheduler.core.errors import Forbidden, Invalid, NotFound
from scheduler.core.meeting import Meeting
from scheduler.core.words import LANGUAGES, Wording
from scheduler.db import tables as t
from scheduler.feeds import Edition
from tests.databases import holds
from tests.house import AYLIN, BAT, JOHN, KIM, START, House

BASE = "http://127.0.0.1:8000"


def made(house: House, kind: str = "city", key: str = "gwangjin", actor: Person | None = None, **more: str) -> str:
    """The token of a new feed."""
    made = feeds.create(house.desk, actor or house.person(), kind, key, **more)
    return made.url.removeprefix(f"{BASE}/feeds/").removesuffix(".ics")


def read(house: House, token: str) -> bytes:
    content = feeds.read(house.desk, token, lambda _: True)[1]
    assert content is not None
    return content.replace(b"\r\n ", b"")


def edition(house: House, token: str) -> Edition:
    return feeds.read(house.desk, token, lambda _: False)[0]


def uids(content: bytes) -> set[str]:
    return {line[4:].decode() for line in content.split(b"\r\n") if line.startswith(b"UID:")}


def two(house: House) -> tuple[Meeting, Meeting]:
    first = house.book()
    other = house.book(
        start=START + timedelta(days=1), cities=("gwangjin", "eregli"), people=(AYLIN, KIM), field="culture"
    )
    return first, other


# --- what it holds


def test_three_readers_find_every_meeting_at_its_time(house: House) -> None:
    first, other = two(house)
    _, content = feeds.read(house.desk, made(house), lambda _: True)
    assert content is not None
    starts = [first.start, other.start]
    events = IcsCalendarStream.calendar_from_ics(content.decode()).events
    assert sorted(event.dtstart.astimezone(UTC) for event in events) == starts
    assert sorted(e.dtstart.value.astimezone(UTC) for e in vobject.readOne(content.decode()).vevent_list) == starts
    found = recurring_ical_events.of(Calendar.from_ical(content)).between((2027, 1, 1), (2028, 1, 1))
    assert sorted(event.start.astimezone(UTC) for event in found) == starts


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_meetings_are_those_of_an_export(house: House, language: str) -> None:
    two(house)
    exported = exports.calendar_ics(house.desk, house.person(), language=language).replace(b"\r\n ", b"")
    content = read(house, made(house, language=language))
    assert content[content.index(b"BEGIN:VTIMEZONE") :] == exported[exported.index(b"BEGIN:VTIMEZONE") :]


def test_the_head_is_in_the_readers_language_and_zone(house: House) -> None:
    house.book()
    head = read(house, made(house, "person", AYLIN.email, language="tr")).partition(b"BEGIN:VTIMEZONE")[0].decode()
    assert "X-WR-TIMEZONE:Europe/Istanbul\r\n" in head
    assert "REFRESH-INTERVAL;VALUE=DURATION:PT1H\r\n" in head
    assert "X-PUBLISHED-TTL:PT1H\r\n" in head
    assert "X-WR-CALDESC:Görüntülü toplantılar" in head
    assert read(house, made(house)).count(b"X-WR-TIMEZONE:Asia/Seoul\r\n") == 1


def test_nobody_is_named_and_nothing_rings(house: House) -> None:
    two(house)
    content = read(house, made(house))
    for forbidden in (b"ATTENDEE", b"VALARM", b"/i/", b"meet+", BAT.email.encode(), KIM.email.encode()):
        assert forbidden not in content
    assert content.count(b":mailto:meet@cities.example\r\n") == 2


def test_each_kind_of_feed_holds_its_meetings(house: House) -> None:
    first, other = (meeting.uid for meeting in two(house))
    assert uids(read(house, made(house, "city", "gwangjin"))) == {first, other}
    assert uids(read(house, made(house, "city", "ulaanbaatar"))) == {first}
    assert uids(read(house, made(house, "field", "culture"))) == {other}
    assert uids(read(house, made(house, "partnership", "ulaanbaatar"))) == {first}
    assert uids(read(house, made(house, "person", BAT.email))) == {first}
    assert uids(read(house, made(house, "person", AYLIN.email))) == {first, other}
    assert uids(read(house, made(house, "person", house.person().email))) == {first, other}


def test_a_person_who_is_no_longer_invited_sees_the_meeting_no_more(house: House) -> None:
    meeting = house.book()
    token = made(house, "person", BAT.email.upper())
    before = edition(house, token)
    booking.edit(house.desk, house.person(), meeting.id, lambda d: house.draft(people=(AYLIN, KIM)))
    assert uids(read(house, token)) == set()
    assert edition(house, token).etag != before.etag


def test_a_confidential_meeting_is_busy_time_in_every_feed_l08(house: House) -> None:
    title, agenda = "Canary of the water works", "Secret agenda"
    house.book(title=Wording.of(title), agenda=Wording.of(agenda), confidential=True, room="gwangjin-video")
    keys = {"city": "gwangjin", "field": "environment", "partnership": "ulaanbaatar", "person": BAT.email}
    for kind, key in keys.items():
        content = read(house, made(house, kind, key, language="en"))
        assert b"SUMMARY:Busy\r\n" in content
        assert b"CLASS:CONFIDENTIAL\r\n" in content
        for secret in (title.encode(), agenda.encode(), b"video.example", b"DESCRIPTION", b"LOCATION", b"CATEGORIES"):
            assert secret not in content


def test_a_cancelled_meeting_stays_for_thirty_days_then_goes(house: House) -> None:
    meeting, token = house.book(), made(house)
    house.clock.forward(hours=5)
    booking.cancel(house.desk, house.person(), meeting.id)
    seen = [read(house, token)]
    etags = {edition(house, token).etag}
    for _ in range(30):
        house.clock.forward(days=1)
        seen.append(read(house, token))
        etags.add(edition(house, token).etag)
    assert all(b"STATUS:CANCELLED\r\n" in content and b"SEQUENCE:1\r\n" in content for content in seen)
    assert len(etags) == 31
    house.clock.forward(days=1)
    assert uids(read(house, token)) == set()


# --- when it changes


def test_a_change_makes_a_new_edition_and_an_answer_does_not(house: House) -> None:
    meeting, token = house.book(), made(house)
    first = edition(house, token)
    answers.answer_by_telephone(house.desk, house.person(), meeting.id, BAT.email, "accepted", "")
    assert edition(house, token) == first
    booking.edit(house.desk, house.person(), meeting.id, lambda d: house.draft(title=Wording.of("Other")))
    second = edition(house, token)
    assert second.etag != first.etag
    assert second.changed > first.changed  # within the same second
    assert b"SUMMARY:Other\r\n" in read(house, token)


def test_a_meeting_of_others_is_no_news(house: House) -> None:
    house.book()
    token = made(house, actor=house.person("gwangju"), key="gwangju")
    before = edition(house, token)
    house.book(start=START + timedelta(hours=1))
    assert edition(house, token) == before
    assert uids(read(house, token)) == set()


def test_a_city_that_left_the_meeting_sees_that_it_did(house: House) -> None:
    meeting = house.book()
    token = made(house, key="eregli", actor=house.person("eregli"))
    assert uids(read(house, token)) == {meeting.uid}
    smaller = house.draft(cities=("gwangjin", "ulaanbaatar"), people=(BAT, KIM))
    booking.edit(house.desk, house.person(), meeting.id, lambda d: smaller)
    assert uids(read(house, token)) == set()


def test_a_change_that_fails_changes_no_calendar(house: House) -> None:
    token = made(house)
    before = edition(house, token)
    house.book(room="gwangjin-video")
    after = edition(house, token)
    assert after.etag != before.etag
    with pytest.raises(Exception, match="room-taken"):
        house.book(room="gwangjin-video")
    assert edition(house, token) == after
    assert len(uids(read(house, token))) == 1


def test_meetings_from_before_have_the_same_bytes_with_and_without_stored_entries(house: House) -> None:
    two(house)
    token = made(house)
    stored = read(house, token)
    with house.desk.store.write() as db:
        db.execute(t.calendar_entries.delete())
    house.desk.shelf.__init__()  # type: ignore[misc]
    assert read(house, token) == stored
    with house.desk.store.read() as db:
        assert db.execute(t.calendar_entries.select()).first() is None  # reading has written nothing
    house.send_all()  # the worker comes by
    with house.desk.store.read() as db:
        assert len(db.execute(t.calendar_entries.select()).all()) == 2 * len(LANGUAGES)
    house.desk.shelf.__init__()  # type: ignore[misc]
    assert read(house, token) == stored
    assert entries.complete(house.desk, limit=100) == 0


def test_entries_of_another_maker_are_written_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.book()
    token = made(house)
    before = edition(house, token)
    monkeypatch.setattr(entries, "maker", lambda desk: "another")
    assert edition(house, token).etag != before.etag
    assert entries.complete(house.desk, limit=100) == 1
    assert entries.complete(house.desk, limit=100) == 0


def test_the_bytes_do_not_depend_on_the_process(house: House) -> None:
    two(house)
    token = made(house, language="mn")
    settings = house.desk.settings
    program = (
        "import sys, hashlib; from datetime import datetime, UTC; from scheduler import feeds, tokens;"
        "from scheduler.desk import Desk; from scheduler.db.engine import Store; from scheduler.config import *;"
        "url, token = sys.argv[1:]; mail = Mail(from_address='meet@cities.example', from_name='Cities');"
        "desk = Desk(Settings(mail=mail), Store(url), b'', lambda: datetime(2027, 1, 11, 1, tzinfo=UTC));"
        "edition, content = feeds.read(desk, token, lambda _: True);"
        "print(edition.etag, hashlib.sha256(content).hexdigest())"
    )
    told = set()
    for seed, zone in (("0", "UTC"), ("1", "Asia/Seoul"), ("2", "America/New_York")):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": "C"}
        arguments = [sys.executable, "-c", program, settings.database.url, token]
        folder = Path(__file__).parents[1]
        told.add(subprocess.run(arguments, env=environment, cwd=folder, capture_output=True, check=True).stdout)
    assert len(told) == 1
    assert edition(house, token).etag in told.pop().decode()


# --- who may


def test_the_token_is_long_random_and_kept_as_a_hash_d05(house: House) -> None:
    """D05."""
    tokens = {made(house) for _ in range(20)}
    assert len(tokens) == 20
    assert {len(token) >= 26 and token.isalnum() for token in tokens} == {True}
    assert not [token for token in tokens if holds(house.desk.store, token)]


def test_a_revoked_feed_is_gone_at_once_d07(house: House) -> None:
    """D07."""
    token, kept = made(house), made(house)
    read(house, token)
    (ident, _) = [one.feed.id for one in feeds.listing(house.desk, house.person())]
    feeds.revoke(house.desk, house.person(), ident)
    for unknown in (token, "x" * 53, ""):
        with pytest.raises(NotFound) as refused:
            read(house, unknown)
        assert refused.value.key == "not-found"
    assert read(house, kept)
    with pytest.raises(NotFound):
        feeds.revoke(house.desk, house.person(), ident)


def test_feeds_end_with_whoever_made_them_and_whose_they_are(house: House) -> None:
    """A07, D07."""
    operator = house.person(role="operator")
    by_host, of_host = made(house), made(house, "person", house.person().email, actor=operator)
    left = made(house, actor=operator)
    admin.disable_person(house.desk, house.person().email, operator.email)
    for token in (by_host, of_host):
        with pytest.raises(NotFound):
            read(house, token)
    assert read(house, left)


def test_a_city_sees_and_ends_only_its_own_feeds_a03(house: House) -> None:
    """A03."""
    made(house)
    (ours,) = feeds.listing(house.desk, house.person())
    stranger = house.person("gwangju")
    assert feeds.listing(house.desk, stranger) == []
    with pytest.raises(NotFound):
        feeds.revoke(house.desk, stranger, ours.feed.id)
    assert feeds.listing(house.desk, house.person(role="operator")) != []
    assert ours.name
    assert ours.owner == house.person().name


def test_no_feed_shows_what_its_maker_may_not_read(house: House) -> None:
    """A10: A coordinator of Gwangju, which takes part in nothing, gets empty calendars of whatever kind."""
    two(house)
    stranger = house.person("gwangju")
    for kind, key in (("city", "gwangjin"), ("field", "culture"), ("person", house.person().email)):
        assert uids(read(house, made(house, kind, key, stranger))) == set()
    with pytest.raises(Invalid):
        made(house, "person", BAT.email, stranger)  # who is invited elsewhere is not to be found out
    partner = house.person("ulaanbaatar")
    assert len(uids(read(house, made(house, "person", AYLIN.email, partner)))) == 1


def test_what_is_not_there_has_no_feed(house: House) -> None:
    wrong = {"city": "nowhere", "field": "nothing", "partnership": "gwangju", "person": "nobody@x.example", "all": ""}
    for kind, key in wrong.items():
        with pytest.raises(Invalid):
            made(house, kind, key)
    with pytest.raises(Invalid):
        made(house, language="xx")
    with pytest.raises(Forbidden):
        made(house, actor=Person(1, "Contact", "c@gwangjin.example", "gwangjin", "ko", "contact"))


def test_an_interpreter_who_is_invited_has_a_feed_too(house: House) -> None:
    admin.add_person(house.desk, JOHN.name, JOHN.email, "gwangjin", "en", "interpreter")
    meeting = house.book(people=(BAT, JOHN))
    assert uids(read(house, made(house, "person", JOHN.email))) == {meeting.uid}


def test_a_city_feed_is_never_older_than_the_day(house: House) -> None:
    house.book()
    token = made(house)
    house.clock.forward(days=3, hours=4)
    assert edition(house, token).changed == datetime(2027, 1, 14, tzinfo=UTC)
