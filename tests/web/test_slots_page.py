"""The hours that the page offers, and the pictures of the days beside them."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

import pytest
from flask import g

from scheduler import i18n
from scheduler.core.strips import picture
from scheduler.core.words import LANGUAGES
from scheduler.db import directory
from scheduler.web import strips
from tests.core.asking import EREGLI, GWANGJIN, THREE, WEDNESDAY, city, closed, find

pytestmark = pytest.mark.only_on("sqlite")

EVERY_HOUR = (((0, 1440),),) * 7


def find_hours(host, proposal, **more):
    """The page with the hours found, its pictures of days, and its dates without any."""
    page = host.post("/meetings/slots", proposal | more)
    assert page.status_code == 200
    days, _, closed_days = page.text.partition('<ul class="closed">')
    return page.text, days.split('<details class="day"')[1:], closed_days.split("<li><span>")[1:]


def notes(part):
    return [re.findall("<li>(.*?)</li>", found) for found in re.findall('<ul class="notes">(.*?)</ul>', part)]


def speak(desk, language):
    with desk.store.write() as db:
        for person in directory.people(db, "gwangjin"):
            directory.change_language(db, person.id, language)


def test_each_day_has_its_picture_and_each_hour_its_band(host, desk, proposal):
    speak(desk, "en")
    page, days, _ = find_hours(host, proposal)
    assert len(days) == 4  # of a week, less the weekend and the holiday of Mongolia
    for day in days:
        assert day.count('<svg class="strips"') == 1
        assert day.count('<svg class="band"') == day.count('name="start"') > 5
        assert day.count('class="through"') == day.count("<label")
    assert page.count('class="best"') == 1
    assert 'aria-label="The day in each city – Tuesday, 24 November 2026"' in days[0]


def test_what_is_true_of_all_hours_of_a_day_stands_at_the_day(host, desk, proposal):
    speak(desk, "en")
    _, days, _ = find_hours(host, proposal)
    after, *last_hours = notes(days[2])  # Friday
    assert after == ["Ulaanbaatar: the day after a day off – Republic Day."]
    assert 0 < len(last_hours) < days[2].count('name="start"')
    assert {note.partition(": ")[2] for told in last_hours for note in told} == {
        "last working hour before the weekend."
    }


def test_a_date_without_hours_has_its_picture_to_open_but_a_weekend_has_none(host, desk, proposal):
    speak(desk, "en")
    _, _, closed_days = find_hours(host, proposal)
    holiday, saturday, sunday = closed_days
    assert re.search(r"<details><summary>Show the hours of that day</summary>\s*<svg", holiday)
    assert '<div class="name"><span>Republic Day' in holiday
    assert "<svg" not in saturday + sunday


def test_where_nothing_fits_the_page_says_what_would_help(host, desk, proposal):
    speak(desk, "en")
    wednesday = {"from": "2026-11-25", "to": "2026-11-25", "duration": "225"}
    page, days, (closed_day,) = find_hours(host, proposal, **wednesday)
    assert days == []
    assert "<li>Gwangjin-gu ends 30 minutes later. (2 possible start times)</li>" in page
    assert "<li>A meeting of 210 minutes. (1 possible start time)</li>" in page
    assert "no hours in common that are long enough" in closed_day


def test_somebody_typed_in_by_hand_is_busy_too(host, desk, proposal):
    """The planning desk of Ulaanbaatar is required, the works desk of Eregli optional; both meet at 15:00."""
    speak(desk, "en")
    assert host.post("/meetings", proposal).status_code == 303
    wednesday = {"from": "2026-11-25", "to": "2026-11-25", "new-2-name": "Nobody", "new-3-email": "no address"}
    _, (day,), _ = find_hours(host, proposal, **wednesday)
    assert 'value="2026-11-25T06:00Z"' not in day
    assert 'value="2026-11-25T07:00Z"' in day
    _, (day,), _ = find_hours(host, proposal, **wednesday | {"new-0-role": "optional"})
    assert 'value="2026-11-25T06:00Z"' in day
    assert day.count("Perhaps without Ulaanbaatar Planning Desk, who is busy then") == 6
    assert day.count("Perhaps without Eregli Works Desk, who is busy then") == 6


def test_a_day_that_the_clock_skips_has_a_reason_and_no_picture(host, desk, proposal):
    """The clock of Apia went from 29 to 31 December 2011."""
    with desk.store.write() as db:
        home = directory.load(db).cities["gwangjin"]
        directory.change_city(db, replace(home, zone="Pacific/Apia"))
    dates = {"from": "2011-12-29", "to": "2011-12-31"}
    _, _, closed_days = find_hours(host, proposal, city=[], **dates)
    assert ["<svg" in day for day in closed_days] == [True, False, False]  # past; skipped; a Saturday


def test_every_label_is_there_in_every_language(host, desk, proposal):
    for language in LANGUAGES:
        speak(desk, language)
        page, *_ = find_hours(host, proposal)
        for key in ("office", "closed", "show"):
            assert i18n.text(language, f"web.strips.{key}") in page
        assert "web.strips" not in page


# ---- the drawing


@pytest.fixture
def draw(app):
    def drawn(cities, closures=None, day=WEDNESDAY):
        with app.test_request_context():
            g.language = "en"
            return strips.drawing(picture(find(cities, closures, since=day).search, day))

    return drawn


def test_places_are_shares_of_the_picture(draw):
    row = draw([GWANGJIN]).rows[0]
    assert [(box.kind, box.x, box.width) for box in row.boxes] == [
        ("office", "0.00%", "33.33%"),
        ("office", "44.44%", "55.56%"),
    ]
    assert [(mark.x, mark.time) for mark in row.marks] == [
        ("0.00%", "09:00"),
        ("33.33%", "12:00"),
        ("66.67%", "15:00"),
        ("100.00%", "18:00"),
    ]


def test_times_at_the_ends_stay_inside_and_long_pictures_can_leave_out_every_other(draw):
    assert [mark.kind for mark in draw([GWANGJIN]).rows[0].marks] == ["first", "", "", "last"]
    late, early = draw([city("whole", "Asia/Seoul", EVERY_HOUR), EREGLI]).rows
    assert {mark.time for mark in late.marks if "between" in mark.kind} == {"03:00", "09:00", "15:00", "21:00"}
    assert [mark.kind for mark in early.marks][:3] == ["first", "between", ""]


def test_only_what_has_room_is_named(draw):
    feast = closed("gwangjin", WEDNESDAY, name="Seollal")
    off = draw(THREE, feast).rows[0].boxes
    assert [(box.kind, box.text) for box in off] == [("closed", "Seollal")]
    half = closed("gwangjin", WEDNESDAY, "half-day", 1050, name="Eve")  # half an hour of fifteen
    assert [box.text for box in draw([GWANGJIN], half).rows[0].boxes] == ["", "", ""]
    weekend = draw([GWANGJIN], day=date(2027, 2, 13)).rows[0].boxes
    assert [(box.kind, box.text) for box in weekend] == [("closed", "Day off")]
