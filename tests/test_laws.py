"""Changes of law from the finding to the mail: nothing moves without approval, everybody hears of what was approved."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from scheduler import booking, laws, public_holidays, reviews
from scheduler.cli import main
from scheduler.core import laws as core
from scheduler.core.cities import Closure
from scheduler.core.errors import Conflict, Forbidden, Invalid, NotFound
from scheduler.core.meeting import Meeting
from scheduler.core.words import LANGUAGES, Wording
from scheduler.db import tables as t
from scheduler.mail import compose
from tests import databases, lands
from tests.house import AYLIN, BAT, JOHN, KIM, START, House, calendar_of, parsed
from tests.mail import samples

MINE = "international@gwangjin.example"
DAY = Closure(date(2027, 2, 10), "holiday", Wording.of({"en": "Day of Mourning", "ko": "애도의 날"}))


def declared(country: str, year: int) -> dict[date, Closure]:
    """Turkey declares a holiday on the day of the meetings."""
    return {DAY.day: DAY} if (country, year) == ("TR", 2027) else {}


@pytest.fixture(scope="module")
def summer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lands.folder(tmp_path_factory.mktemp("laws"), lands.SUMMER)


@pytest.fixture(scope="module")
def winter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lands.folder(tmp_path_factory.mktemp("winter"), lands.WINTER)


def text_of(row: object) -> str:
    body = parsed(row.content).get_body(("plain",))  # type: ignore[attr-defined]
    assert body is not None
    return body.get_content()


def answered(house: House, meeting: object) -> None:
    house.send_all()
    assert house.receive(house.reply(meeting, BAT, "ACCEPTED")).outcome == "accepted"  # type: ignore[arg-type]


def test_the_wall_time_is_kept_when_that_is_approved_and_not_before(house: House, summer: Path) -> None:
    """J10."""
    desk, meeting = house.desk, house.book()
    answered(house, meeting)
    booked, sent = house.meeting(meeting.id), len(house.outbox())
    assert laws.check(desk) == []
    with lands.believing(summer):
        (found,) = laws.check(desk)
        assert (found.meaning, found.instants) == ("moved", (START - timedelta(hours=1),))
        assert house.meeting(meeting.id) == booked
        assert len(house.outbox()) == sent
        with pytest.raises(Forbidden):
            laws.approve(desk, house.person("ulaanbaatar"), meeting.id, laws.WALL)
        with pytest.raises(NotFound):
            laws.approve(desk, house.person("gwangju"), meeting.id, laws.WALL)
        with pytest.raises(Invalid):
            laws.approve(desk, house.person(), meeting.id, "neither")
        after = laws.approve(desk, house.person(), meeting.id, laws.WALL)
        assert after
        assert after == house.meeting(meeting.id)
        assert (after.wall, after.start, after.sequence) == (booked.wall, START - timedelta(hours=1), 1)
        assert {i.status for i in after.people} == {"waiting"}
        assert laws.check(desk) == []
        assert laws.approve(desk, house.person(), meeting.id, laws.WALL) is None  # again: nothing
        news = house.outbox(sequence=1)
        assert {row.recipient for row in news} == {p.email for p in (BAT, AYLIN, KIM)} | {MINE}
        assert {row.kind for row in news} == {"moved"}
        assert len(house.outbox()) == sent + len(news)
        # Ulaanbaatar knew 14:00 and has 13:00 now; Eregli knew 09:00, and its clocks went back too.
        (to_bat,) = [row for row in news if row.recipient == BAT.email]
        assert "14:00–15:00" in text_of(to_bat).split("Ulaanbaatar")[0]
        assert "13:00–14:00" in text_of(to_bat)
        assert "DTSTART;TZID=Asia/Seoul:20270210T150000" in calendar_of(house.mails(BAT)[-1]).decode()
        (to_aylin,) = [row for row in news if row.recipient == AYLIN.email]
        assert "09:00–10:00" in text_of(to_aylin)
        assert "07:00–08:00" in text_of(to_aylin)


def test_the_instant_is_kept_and_everybody_hears_what_their_clock_shows(house: House, summer: Path) -> None:
    desk, meeting = house.desk, house.book()
    answered(house, meeting)
    with lands.believing(summer):
        after = laws.approve(desk, house.person(), meeting.id, laws.INSTANT)
        assert after
        assert (after.wall.hour, after.start, after.sequence) == (16, START, 1)
        assert {i.status for i in after.people} == {"waiting"}
        assert laws.check(desk) == []
        (to_kim,) = house.outbox(recipient=KIM.email, sequence=1)
        assert to_kim.kind == "moved"
        assert "15:00~16:00" in text_of(to_kim)
        assert "16:00~17:00" in text_of(to_kim)
        assert "DTSTART;TZID=Asia/Seoul:20270210T160000" in calendar_of(house.mails(KIM)[-1]).decode()


def test_a_partner_whose_clock_alone_changed_hears_of_it(house: House, winter: Path) -> None:
    desk, meeting = house.desk, house.book()
    answered(house, meeting)
    with lands.believing(winter):
        (found,) = laws.check(desk)
        assert (found.meaning, [s.city for s in found.shifts]) == ("same", ["eregli"])
        outcome = laws.approve_all(desk, house.person(), laws.WALL)
        assert (outcome.done, outcome.left) == ((meeting.id,), ())
        after = house.meeting(meeting.id)
        assert (after.wall, after.start, after.sequence) == (found.meeting.wall, START, 1)
        (to_aylin,) = house.outbox(recipient=AYLIN.email, sequence=1)
        assert "09:00–10:00" in text_of(to_aylin)
        assert "08:00–09:00" in text_of(to_aylin)
        assert laws.approve_all(desk, None, laws.WALL).done == ()


def test_all_are_decided_at_once_but_for_those_that_cannot_be(house: House, summer: Path) -> None:
    """A room that is free at the old moment may be taken at the new one; that keeps no other meeting from its own."""
    desk, room = house.desk, {"room": "gwangjin-video", "cities": ("gwangjin", "eregli"), "people": (KIM,)}
    free = house.book(**room)
    taken = house.book(**room, start=datetime(2027, 2, 12, 6, tzinfo=UTC))
    gone = house.book(start=START + timedelta(days=5))
    booking.cancel(desk, house.person(), gone.id)
    with lands.believing(summer):
        by_new_law = {**room, "wall": datetime(2027, 2, 12, 15), "start": None, "duration_minutes": 30}  # noqa: DTZ001
        other = house.book(**by_new_law)
        assert other.start == taken.start - timedelta(hours=1)
        outcome = laws.approve_all(desk, house.person(), laws.WALL)
        assert outcome.done == (free.id,)
        assert [(n, error.key) for n, error in outcome.left] == [(taken.id, "room-taken")]
        assert [f.meeting.id for f in laws.check(desk)] == [taken.id]
        assert laws.findings(desk, house.person("eregli")) == []  # theirs to read, not to decide
        assert laws.approve_all(desk, None, laws.INSTANT).done == (taken.id,)


def test_meetings_that_follow_each_other_in_a_room_make_way(house: House, tmp_path: Path) -> None:
    desk, room = house.desk, {"room": "gwangjin-video", "cities": ("gwangjin",), "people": (KIM,)}
    chain = [house.book(**room, start=START + timedelta(hours=n)).id for n in range(3)]
    with lands.believing(lands.folder(tmp_path, {"Asia/Seoul": lands.fixed(8, "KST")})):  # all are an hour later
        outcome = laws.approve_all(desk, house.person(), laws.WALL)
    assert (sorted(outcome.done), outcome.left) == (sorted(chain), ())


def test_nothing_is_told_of_a_change_that_nobody_decided_about(house: House, summer: Path) -> None:
    """Whatever else is done to the meeting, its people get no mail with the new clocks; cancellations do go out."""
    desk, meeting, kim = house.desk, house.book(), house.person()
    answered(house, meeting)
    house.send_all()
    refresh = house.reply(meeting, AYLIN, "ACCEPTED", edit=((b"METHOD:REPLY", b"METHOD:REFRESH"),))
    stranger = house.reply(meeting, AYLIN, "ACCEPTED", edit=((AYLIN.email.encode(), b"mayor@eregli.example"),))
    house.receive(stranger)
    before, sent = house.meeting(meeting.id), len(house.outbox())
    with lands.believing(summer):
        changes: list[dict[str, Any]] = [
            {"title": Wording.of("Water")},
            {"duration_minutes": 90},
            {"video_url": "https://video.example.org/room/2"},
            {"people": (BAT, AYLIN, KIM, JOHN)},
            {"start": START, "wall": None, "title": Wording.of("Water")},  # no other moment
        ]
        refused = [partial(_edit, house, meeting, **change) for change in changes]
        refused += [partial(booking.resend, desk, kim, meeting.id, house.invitation(meeting, AYLIN).id)]
        refused += [partial(reviews.decide, desk, kim, reviews.reviews(desk, kim)[0].id, "invite")]
        for act in refused:
            with pytest.raises(Conflict) as error:
                act()
            assert error.value.key == "law-undecided"
        _edit(house, meeting, objective="")
        assert house.receive(refresh.replace(b"method=REPLY", b"method=REFRESH")).outcome == "human-review"
        assert [house.meeting(meeting.id), len(house.outbox())] == [before, sent + 1]
        assert house.outbox()[-1].kind == "notice-review"
        assert house.receive(house.reply(meeting, KIM, "DECLINED")).outcome == "declined"
        _edit(house, meeting, people=(BAT, KIM))
        (farewell,) = house.outbox(recipient=AYLIN.email, kind="removed")
        assert "09:00–10:00" in text_of(farewell)  # as they know it
        _edit(house, meeting, start=START + timedelta(days=1), wall=None)  # that is a decision
        assert laws.check(desk) == []
        assert house.outbox()[-1].kind == "moved"
        _edit(house, meeting, title=Wording.of("Water"))
    booking.cancel(desk, kim, meeting.id)
    assert house.outbox()[-1].kind == "cancelled"


def _edit(house: House, meeting: Meeting, **change: Any) -> None:
    house.clock.forward(seconds=1)
    booking.edit(house.desk, house.person(), meeting.id, lambda draft: replace(draft, **change))


def test_two_decisions_at_once_are_one(house: House, summer: Path) -> None:
    desk, meeting = house.desk, house.book()
    with lands.believing(summer):
        ways = [laws.WALL, laws.INSTANT, laws.WALL]
        with ThreadPoolExecutor(3) as at_once:
            done = list(at_once.map(lambda keep: laws.approve(desk, house.person(), meeting.id, keep), ways))
        assert len([meeting for meeting in done if meeting]) == 1  # the others hear that they came too late
        assert house.meeting(meeting.id).sequence == 1
        assert len(house.outbox(sequence=1)) == 4


def test_a_newly_declared_holiday_is_acknowledged_without_a_word_to_anybody(house: House) -> None:
    desk, meeting = house.desk, house.book()
    (found,) = laws.check(desk, declared)
    assert [(slug, closure.name.read_in("en")) for slug, closure in found.closures] == [("eregli", "Day of Mourning")]
    assert not found.is_of_time
    assert laws.approve(desk, None, meeting.id, laws.WALL, declared) is None  # that is no answer to it
    assert laws.approve_all(desk, None, laws.INSTANT, declared) == laws.Outcome(())
    booking.edit(desk, house.person(), meeting.id, lambda d: replace(d, duration_minutes=90))  # nor is that
    booking.edit(desk, house.person(), meeting.id, lambda d: replace(d, duration_minutes=60))
    assert len(laws.check(desk, declared)) == 1
    before = databases.fingerprint(desk.store, without=("meetings",))
    kept = laws.approve(desk, house.person(), meeting.id, laws.CLOSED, declared)
    assert kept
    assert laws.check(desk, declared) == []
    assert (kept.sequence, kept.version) == (2, 3)
    assert databases.fingerprint(desk.store, without=("meetings",)) == before


def test_a_day_that_a_city_closes_itself_counts_like_a_holiday(house: House) -> None:
    meeting = house.book()
    with house.desk.store.write() as db:
        values = {"city": "ulaanbaatar", "day": DAY.day, "kind": "municipal", "name": {"en": "Cold"}, "start": 0}
        db.execute(t.closures.insert().values(**values))
        db.execute(t.editions.update().values(edition=secrets.token_hex(16)))
    (found,) = laws.check(house.desk)
    assert [(slug, c.kind) for slug, c in found.closures] == [("ulaanbaatar", "municipal")]
    booking.edit(
        house.desk, house.person(), meeting.id, lambda d: replace(d, start=START + timedelta(days=1), wall=None)
    )
    assert laws.check(house.desk) == []
    house.book(start=START + timedelta(hours=1))  # knowing it
    assert laws.check(house.desk) == []


def test_each_coordinator_hears_once_of_what_was_found(
    house: House, summer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(laws, "_PAGE", 1)  # more meetings than are looked at together
    desk, meeting = house.desk, house.book()
    house.book(start=START + timedelta(days=1))
    assert laws.watch(desk) == 0
    with lands.believing(summer):
        house.send_all()
        assert laws.watch(desk) == 0
        (word,) = house.outbox(kind="notice-law")
        assert (word.recipient, word.envelope_from) == (MINE, "")
        assert str(parsed(word.content)["Subject"]).endswith("2건")
        told = text_of(word)
        assert "/meetings/changes-of-law" in told
        assert told.count("2월 10일(수) 09:00 → 2월 10일(수) 08:00") == 1
        laws.approve(desk, None, meeting.id, laws.WALL)
        assert laws.watch(desk) == 0
        marks = {row.id: bool(row.law_notice) for row in _meetings(house)}
        assert sorted(marks.values()) == [False, True]
        assert not marks[meeting.id]
    assert laws.watch(desk) == 1  # Seoul has its hour back: what was approved is to be decided again
    assert len(house.outbox(kind="notice-law")) == 2
    assert {row.id: bool(row.law_notice) for row in _meetings(house)} == {n: n == meeting.id for n in marks}


def test_each_part_of_what_was_found_is_told_once(house: House, summer: Path) -> None:
    desk, meeting = house.desk, house.book()
    with lands.believing(summer):
        assert [laws.watch(desk), laws.watch(desk, declared), laws.watch(desk, declared)] == [1, 1, 0]
        laws.approve(desk, None, meeting.id, laws.WALL, declared)
        assert len(laws.check(desk, declared)) == 1
        assert laws.watch(desk, declared) == 0  # of the closed day that is left they know
        assert laws.watch(desk) == 0
        assert laws.watch(desk, declared) == 1  # it was opened again, and closed again


@pytest.mark.parametrize("cities", [("ulaanbaatar", "eregli", "gwangju"), ("eregli",), ("ulaanbaatar",)])
def test_an_edit_of_the_cities_does_not_tell_again(
    house: House, monkeypatch: pytest.MonkeyPatch, cities: tuple[str, ...]
) -> None:
    desk, meeting = house.desk, house.book(people=(KIM,))
    monkeypatch.setattr(public_holidays, "of_year", declared)
    assert laws.watch(desk, declared) == 1
    booking.edit(desk, house.person(), meeting.id, lambda d: replace(d, cities=cities))
    waits = [bool(row.law_notice) for row in _meetings(house)]
    assert waits == ["eregli" in cities]  # about the closed day of a city that went there is nothing to decide
    assert laws.watch(desk, declared) == 0


def test_a_worker_that_is_started_again_and_again_looks_once_a_day_and_at_new_data(
    house: House, summer: Path, winter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, watch = [], laws.watch
    monkeypatch.setattr(laws, "watch", lambda desk, public: looks.append(desk.now()) or watch(desk, public))
    house.book()
    for hours, seen in ((0, 1), (22, 1), (1, 2), (0, 2)):
        house.clock.forward(hours=hours)
        house.send_all()
        assert len(looks) == seen
    with lands.believing(winter):
        house.send_all()
        house.send_all()
        assert len(house.outbox(kind="notice-law")) == 1
    assert len(looks) == 3
    monkeypatch.setattr(laws, "watch_today", lambda desk: 1 / 0)
    house.send_all()  # mail does not wait for it


def _meetings(house: House) -> list:
    with house.desk.store.read() as db:
        return list(db.execute(t.meetings.select()))


def test_two_workers_tell_a_coordinator_once(house: House, summer: Path) -> None:
    house.book()
    with lands.believing(summer):
        threads = [threading.Thread(target=laws.watch, args=(house.desk,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(house.outbox(kind="notice-law")) == 1


def test_a_meeting_from_before_is_taken_note_of_by_the_first_check(house: House, winter: Path) -> None:
    meeting = house.book()
    with house.desk.store.write() as db:
        db.execute(t.meetings.update().values(known=""))
    with lands.believing(winter):
        assert laws.findings(house.desk, None) == []
        assert laws.check(house.desk) == []
    assert [s.city for s in laws.check(house.desk)[0].shifts] == ["eregli"]
    assert house.meeting(meeting.id).version == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_words_to_coordinators_are_in_their_language(language: str, summer: Path) -> None:
    meeting = samples.meeting()
    cities = [samples.DIRECTORY.cities[slug] for slug in meeting.cities]
    meeting = replace(meeting, known=core.known(meeting.start, 60, cities, lambda *_: {}))
    closing = replace(DAY, day=meeting.start.date())
    with lands.believing(summer):
        found = core.find(meeting, samples.DIRECTORY, lambda *_: {closing.day: closing})
        assert found is not None
        person = replace(samples.COORDINATOR, language=language)
        mail = compose.law_mail([found], person, samples.DIRECTORY, samples.SENDER, "<l1@meet.example>", samples.NOW)
    assert mail.envelope_from == ""
    message = parsed(mail.content)
    assert message["Content-Language"] == language
    for kind in ("plain", "html"):
        body = message.get_body((kind,))
        assert body is not None
        assert closing.name.read_in(language) in body.get_content()


@pytest.fixture
def config(house: House, tmp_path: Path) -> Path:
    settings, file = house.desk.settings, tmp_path / "config.toml"
    file.write_text(
        f'[server]\nsecret_key_file = "{settings.server.secret_key_file}"\n'
        f'[database]\nurl = "{settings.database.url}"\n'
        f'[mail]\nsmtp_url = "{settings.mail.smtp_url}"\nfrom_address = "meet@cities.example"\n',
        "utf-8",
    )
    return file


@pytest.mark.only_on("sqlite")
def test_a_folder_without_zones_is_a_fault_in_one_line(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with lands.believing(tmp_path / "nowhere"):
        assert main(["--config", str(config), "zones", "check"]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "PYTZ_TZDATADIR" in err
    assert str(tmp_path / "nowhere") in err


LATER = datetime(2030, 2, 6, 6, tzinfo=UTC)  # the command line has the real clock


@pytest.mark.only_on("sqlite")
def test_the_command_line_believes_the_zone_folder(house: House, summer: Path, config: Path) -> None:
    meeting = house.book(start=LATER)
    command = [
        sys.executable,
        "-m",
        "scheduler",
        "--config",
        str(config),
        "zones",
        "check",
        "--json",
        "--apply",
        "wall",
    ]
    environment = {**os.environ, "PYTZ_TZDATADIR": str(summer)}
    ran = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    found = json.loads(ran.stdout)
    (only,) = found["meetings"]
    assert (only["id"], only["wall"], only["start"]) == (meeting.id, "2030-02-06T15:00", "2030-02-06T06:00:00Z")
    assert (only["meaning"], only["choices"]) == ("moved", ["2030-02-06T05:00:00Z"])
    assert only["local"]["eregli"] == {"before": "2030-02-06T09:00", "after": "2030-02-06T08:00"}
    assert found["applied"] == [meeting.id]
    assert house.meeting(meeting.id).start == LATER - timedelta(hours=1)


@pytest.mark.only_on("sqlite")
def test_the_command_line_tells_what_it_found_and_what_it_could_not_do(
    house: House, winter: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        return main(["--config", str(config), *arguments]), *capsys.readouterr()

    meeting = house.book(start=LATER)
    vanishes = house.book(wall=datetime(2030, 3, 31, 3, 30), start=None, zone="Europe/Istanbul")  # noqa: DTZ001
    assert run("zones", "check") == (0, "", "")
    with lands.believing(winter):
        status, out, _ = run("zones", "check")
        assert status == 0
        assert "Eregli: the meeting now begins at Wed, 6 Feb 08:00 instead of Wed, 6 Feb 09:00." in out
        assert "the agreed time no longer exists" in out
        status, out, err = run("zones", "check", "--apply", "wall")
        assert (status, f"wall: {meeting.id}\n" in out) == (1, True)
        assert err.count("\n") == 1
        assert err.startswith(f"scheduler: meeting {vanishes.id}: /wall: ")
        assert "Please keep the moment, or choose another time" in err
        assert run("zones", "check", "--apply", "instant")[0] == 0
        assert run("zones", "check") == (0, "", "")
    with house.desk.store.write() as db:
        values = {"city": "gwangju", "day": LATER.date(), "kind": "municipal", "name": {"en": "Flood"}, "start": 0}
        db.execute(t.closures.insert().values([values | {"city": slug} for slug in ("gwangju", "gwangjin")]))
        db.execute(t.editions.update().values(edition=secrets.token_hex(16)))
    status, out, _ = run("holidays", "check", "--json")
    assert [x["closures"][0]["name"] for x in json.loads(out)["meetings"]] == ["Flood"]
    assert "closed by the city itself – Flood" in run("holidays", "check")[1]
