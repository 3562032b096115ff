"""Public holidays of Korea, Mongolia and Turkey: the days, the half days, the names in four languages, and what
they do to the suggestions of the three example cities."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

import pytest

from scheduler import i18n, public_holidays
from scheduler.core.calendars import Calendar
from scheduler.core.cities import City
from scheduler.core.hours import closed_days
from scheduler.core.slots import closure_years, find_slots
from scheduler.core.words import LANGUAGES, Wording

YEARS = range(2025, 2032)
OURS = ("KR", "MN", "TR")


def town(slug, zone, country, *hours):
    return City(slug, Wording.of(slug), zone, country, "en", (hours,) * 5 + ((), ()))


GWANGJIN = town("gwangjin", "Asia/Seoul", "KR", (540, 720), (780, 1080))
ULAANBAATAR = town("ulaanbaatar", "Asia/Ulaanbaatar", "MN", (510, 750), (810, 1050))
EREGLI = town("eregli", "Europe/Istanbul", "TR", (510, 750), (810, 1050))
THREE = [GWANGJIN, ULAANBAATAR, EREGLI]


def suggest(since, until=None, cities=THREE, now=datetime(2025, 12, 1, tzinfo=UTC)):
    until = until or since
    years = closure_years(since, until)
    closures = {city.slug: closed_days(city, public_holidays.closures(city.country, years)) for city in cities}
    return find_slots([Calendar.of(city, closures[city.slug], years) for city in cities], since, until, 60, now=now)


def told(found, language="en"):
    return [(e.day.isoformat()[5:], e.city, e.reason, e.name.read_in(language)) for e in found.excluded]


def days(country, year, kind="holiday"):
    found = public_holidays.closures(country, [year]).values()
    return " ".join(sorted(c.day.strftime("%m-%d") for c in found if c.kind == kind))


# ---- the days

GOLDEN = {
    ("KR", 2026): "01-01 02-16 02-17 02-18 03-01 03-02 05-01 05-05 05-24 05-25 06-03 06-06 07-17 08-15 08-17 "
    "09-24 09-25 09-26 10-03 10-05 10-09 12-25",
    ("KR", 2027): "01-01 02-06 02-07 02-08 02-09 03-01 05-01 05-03 05-05 05-13 06-06 07-17 07-19 08-15 08-16 "
    "09-14 09-15 09-16 10-03 10-04 10-09 10-11 12-25 12-27",
    ("MN", 2026): "01-01 02-18 02-19 02-20 03-08 05-31 06-01 07-10 07-11 07-12 07-13 07-14 07-15 11-10 11-26 12-29",
    ("TR", 2026): "01-01 03-20 03-21 03-22 04-23 05-01 05-19 05-27 05-28 05-29 05-30 07-15 08-30 10-29",
    ("TR", 2027): "01-01 03-09 03-10 03-11 04-23 05-01 05-16 05-17 05-18 05-19 07-15 08-30 10-29",
}


@pytest.mark.parametrize(("country", "year"), GOLDEN)
def test_the_days_of_a_year(country, year):
    assert days(country, year) == GOLDEN[country, year]


def test_turkey_closes_at_one_on_three_days_and_no_other_of_ours_does():
    assert days("TR", 2026, "half-day") == "03-19 05-26 10-28"
    assert days("TR", 2027, "half-day") == "03-08 05-15 10-28"
    for year in YEARS:
        assert not days("KR", year, "half-day") + days("MN", year, "half-day")
        half = [c for c in public_holidays.closures("TR", [year]).values() if c.kind == "half-day"]
        assert {c.start for c in half} == {13 * 60}
        assert all(not c.start for c in public_holidays.closures("TR", [year]).values() if c.kind == "holiday")


def test_an_eve_on_a_public_holiday_is_closed_all_day():
    both = public_holidays.closures("TR", [2029])[date(2029, 4, 23)]  # eve of Kurban Bayramı, and 23 April
    assert (both.kind, both.start, both.name.read_in("tr")) == ("holiday", 0, "Ulusal Egemenlik ve Çocuk Bayramı")


def test_mongolian_working_days_of_note_are_not_closed():
    assert date(2026, 10, 29) not in public_holidays.closures("MN", [2026])  # Capital City Day


def test_a_closure_tells_its_source_and_the_data_their_version():
    closure = public_holidays.closures("MN", [2026])[date(2026, 2, 18)]
    assert closure.source == f"holidays {public_holidays.data_version()} MN"
    assert re.fullmatch(r"\d+\.\d+(\.\d+)?", public_holidays.data_version())


def test_the_answer_is_the_callers_own():
    public_holidays.closures("KR", [2026]).clear()
    assert len(public_holidays.closures("KR", [2026])) == 22


# ---- names


def name(country, *day):
    wording = public_holidays.closures(country, [day[0]])[date(*day)].name
    return [wording.read_in(language) for language in LANGUAGES]


def test_names_are_the_official_ones_in_each_language():
    assert name("KR", 2027, 2, 8)[0] == "설날 연휴"
    assert name("KR", 2027, 2, 9) == [
        "대체공휴일(설날)",
        "Нөхөн амралтын өдөр: Соллал (Солонгосын сар шинэ)",
        "Telafi tatili: Seollal (Kore Yeni Yılı)",
        "Substitute holiday for Korean New Year (Seollal)",
    ]
    assert name("MN", 2027, 2, 9) == [
        "차강사르(몽골 설)",
        "Цагаан сар",
        "Tsagaan Sar (Moğol Yeni Yılı)",
        "Tsagaan Sar (Lunar New Year)",
    ]
    assert name("TR", 2027, 3, 8) == [
        "라마단 바이람 전일(13:00부터 휴무)",
        "Рамазан баярын өмнөх өдөр (13:00 цагаас амарна)",
        "Ramazan Bayramı Arifesi (saat 13:00 itibarıyla tatil)",
        "Eve of Eid al-Fitr (Ramazan Bayramı) (closed from 13:00)",
    ]


def test_two_holidays_on_one_day_stand_side_by_side_in_the_same_order_everywhere():
    assert name("KR", 2028, 10, 3)[0::3] == ["추석; 개천절", "Chuseok (Harvest Festival); National Foundation Day"]
    assert name("KR", 2025, 5, 6)[0] == "대체공휴일(부처님오신날); 대체공휴일(어린이날)"
    assert name("TR", 2027, 5, 19)[2] == "Atatürk'ü Anma, Gençlik ve Spor Bayramı; Kurban Bayramı"


def test_a_reckoned_date_says_so():
    assert name("TR", 2034, 12, 12)[:3] == [
        "라마단 바이람(예정)",
        "Рамазан баяр (урьдчилсан)",
        "Ramazan Bayramı (tahmini)",
    ]


@pytest.mark.parametrize("country", OURS)
def test_no_name_of_ours_is_missing_in_any_language(country):
    for closure in public_holidays.closures(country, YEARS).values():
        texts = dict(closure.name.texts)
        assert set(texts) == set(LANGUAGES), closure
        assert re.search("[가-힣]", texts["ko"]), closure
        assert re.search("[а-яөү]", texts["mn"]), closure
        assert not re.search("[가-힣а-я]", texts["tr"] + texts["en"]), closure


def test_the_catalogues_have_the_same_entries():
    keys = [{key for key in i18n.catalogue(language) if key.startswith("holidays.")} for language in LANGUAGES]
    assert all(found == keys[0] for found in keys)
    assert len(keys[0]) > 40


def test_other_countries_have_the_names_that_the_package_has():
    iceland = public_holidays.closures("IS", [2027])
    assert dict(iceland[date(2027, 12, 25)].name.texts) == {"en": "Christmas Day"}
    assert (iceland[date(2027, 12, 24)].kind, iceland[date(2027, 12, 24)].start) == ("half-day", 13 * 60)
    kosovo = public_holidays.closures("XK", [2027])[date(2027, 1, 1)].name
    assert [kosovo.read_in(language) for language in ("tr", "mn")] == ["Yılbaşı", "New Year's Day"]


def test_a_name_that_the_catalogue_lacks_is_the_packages(monkeypatch):
    monkeypatch.setattr(i18n, "has", lambda language, key: False)
    public_holidays._closures.cache_clear()
    try:
        assert name("KR", 2026, 2, 17) == ["설날", "Korean New Year", "Korean New Year", "Korean New Year"]
        eve = public_holidays.closures("TR", [2026])[date(2026, 10, 28)]
        assert (eve.kind, eve.start, eve.name.read_in("en")) == ("half-day", 780, "Republic Day (from 1pm)")
    finally:
        public_holidays._closures.cache_clear()


def test_a_half_day_that_tells_no_hour_closes_nobody():
    assert not [c for c in public_holidays.closures("CN", [2027]).values() if c.kind == "half-day"]


@pytest.mark.parametrize("code", ["ZZ", "", "kr", "KOR", "__", "US_"])
def test_an_unknown_country_has_no_holidays_and_is_no_fault(code):
    assert not public_holidays.is_country(code)
    assert public_holidays.closures(code, YEARS) == {}


def test_names_do_not_depend_on_the_environment(monkeypatch):
    monkeypatch.setenv("LANGUAGE", "th")
    monkeypatch.setenv("LANG", "th_TH.UTF-8")
    public_holidays._closures.cache_clear()
    assert name("US", 2027, 7, 4)[3] == "Independence Day"
    assert name("KR", 2027, 2, 7)[3] == "Korean New Year (Seollal)"


# ---- what they do to the suggestions


def test_seollal_and_tsagaan_sar_close_a_week_of_february_2026():
    found = suggest(date(2026, 2, 16), date(2026, 2, 20))
    assert found.slots == ()
    assert told(found) == [
        ("02-16", "gwangjin", "holiday", "Day before Korean New Year (Seollal)"),
        ("02-17", "gwangjin", "holiday", "Korean New Year (Seollal)"),
        ("02-18", "gwangjin", "holiday", "Day after Korean New Year (Seollal)"),
        ("02-18", "ulaanbaatar", "holiday", "Tsagaan Sar (Lunar New Year)"),
        ("02-19", "ulaanbaatar", "holiday", "Tsagaan Sar (Lunar New Year)"),
        ("02-20", "ulaanbaatar", "holiday", "Tsagaan Sar (Lunar New Year)"),
    ]


def test_in_2027_the_8th_and_9th_of_february_are_closed_by_two_cities_and_the_10th_has_eleven_starts():
    found = suggest(date(2027, 2, 8), date(2027, 2, 10))
    assert [(day, city) for day, city, *_ in told(found)] == [
        ("02-08", "gwangjin"),
        ("02-08", "ulaanbaatar"),
        ("02-09", "gwangjin"),
        ("02-09", "ulaanbaatar"),
    ]
    first = datetime(2027, 2, 10, 5, 30, tzinfo=UTC)
    assert [slot.start for slot in found.slots] == [first + timedelta(minutes=15 * n) for n in range(11)]
    assert first + timedelta(minutes=150) == datetime(2027, 2, 10, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize("year", [2026, 2027])
def test_on_28_october_konya_is_open_only_in_the_morning(year):
    alone = suggest(date(year, 10, 28), cities=[EREGLI])
    hours = [slot.local["eregli"].strftime("%H:%M") for slot in alone.slots]
    assert (hours[0], hours[-1]) == ("08:30", "11:30")
    assert len(suggest(date(year, 10, 28)).slots) == 11


def test_eight_in_seoul_on_seollal_is_closed_although_it_is_the_day_before_in_utc():
    early = town("early", "Asia/Seoul", "KR", (480, 600))
    found = suggest(date(2026, 2, 13), date(2026, 2, 17), cities=[early])
    assert [slot.start.strftime("%d %H:%M") for slot in found.slots][:2] == ["12 23:00", "12 23:15"]
    assert {slot.local["early"].date() for slot in found.slots} == {date(2026, 2, 13)}
    assert told(found, "ko")[-2:] == [
        ("02-16", "early", "holiday", "설날 연휴"),
        ("02-17", "early", "holiday", "설날"),
    ]
