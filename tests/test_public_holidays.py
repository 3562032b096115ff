"""Public holidays of Korea, Mongolia and Turkey: the days, the half days, the names in four languages, and what
they do to the suggestions of the three example cities."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from scheduler import i18n, public_holidays
from scheduler.core.calendars import Calendar
from scheduler.core.cities import City
from scheduler.core.closures import closed_days
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

TABLE = (Path(__file__).parent / "data" / "closed_days.txt").read_text("utf-8")


def golden():
    """By country and year: month-day, with `@13` where only the afternoon is closed, and `~` where estimated."""
    found = {}
    for line in TABLE.splitlines():
        if line.startswith("#"):
            continue
        if not line.startswith(" "):
            country, year, line = line.split(" ", 2)
            found[country, int(year)] = []
        found[country, int(year)] += line.split()
    return found


GOLDEN = golden()


@pytest.mark.parametrize(("country", "year"), GOLDEN)
def test_the_days_of_a_year(country, year):
    found = public_holidays.closures(country, [year])
    told = [f"{day:%m-%d}" + (f"@{found[day].start // 60}" if found[day].start else "") for day in sorted(found)]
    assert told == [day.rstrip("~") for day in GOLDEN[country, year]]


def test_the_table_has_every_year_and_says_what_is_estimated():
    assert sorted(GOLDEN) == [(country, year) for country in OURS for year in range(2025, 2031)]
    estimated = {key: [day for day in days if day.endswith("~")] for key, days in GOLDEN.items()}
    assert not any(days for (_, year), days in estimated.items() if year < 2027)
    assert estimated["KR", 2028] + estimated["KR", 2030] == ["04-12~", "03-27~", "06-12~"]


# The days that follow the moon. In Korea Seollal, Buddha's birthday and Chuseok, in Turkey Ramazan Bayramı and Kurban
# Bayramı, as the observatory and the office of religious affairs compute them years ahead; in Mongolia Tsagaan Sar,
# Buddha's birthday and that of Chinggis Khaan, of which nobody publishes more than the next: beyond it they prove only
# that the data have not changed.
MOON = {
    "KR": {2025: "01-29 05-05 10-06", 2026: "02-17 05-24 09-25", 2027: "02-07 05-13 09-15", 2028: "01-27 05-02 10-03",
           2029: "02-13 05-20 09-22", 2030: "02-03 05-09 09-12"},
    "TR": {2025: "03-30 06-06", 2026: "03-20 05-27", 2027: "03-09 05-16", 2028: "02-26 05-05", 2029: "02-14 04-24",
           2030: "02-04 04-13"},
    "MN": {2025: "03-01 06-11 11-21", 2026: "02-18 05-31 11-10", 2027: "02-07 05-20 11-29", 2028: "02-26 06-07 11-17",
           2029: "02-14 05-27 11-07", 2030: "02-03 05-17 11-26"},
}  # fmt: skip
DECLARED = {2025: ["01-27", "06-03"], 2026: ["06-03"], 2028: ["04-12"], 2030: ["03-27", "06-12"]}  # in Korea


@pytest.mark.parametrize(("country", "year"), GOLDEN)
def test_the_table_is_what_the_laws_say(country, year):
    law = {"KR": korean_law, "MN": mongolian_law, "TR": turkish_law}[country]
    expected = sorted(law(year, [on(year, day) for day in MOON[country][year].split()]))
    whole = [on(year, day.rstrip("~")) for day in GOLDEN[country, year] if "@" not in day]
    assert whole == expected
    if country == "TR":
        eves = [on(year, day) - timedelta(1) for day in (*MOON["TR"][year].split(), "10-29")]
        halves = [on(year, day[:5]) for day in GOLDEN[country, year] if "@" in day]
        assert halves == sorted(set(eves) - set(whole))


def korean_law(year, moon):
    """Seollal and Chuseok are given back for a Sunday, the others (but New Year and Memorial Day) for a Saturday too,
    and all for each other; Labour Day and Constitution Day are public holidays since 2026."""
    new_year, buddha, harvest = moon
    feasts = [day + timedelta(n) for day in (new_year, harvest) for n in (-1, 0, 1)]
    common = [buddha, *(on(year, day) for day in ("03-01", "05-05", "08-15", "10-03", "10-09", "12-25"))]
    common += [on(year, day) for day in ("05-01", "07-17") if year >= 2026]
    closed = {*feasts, *common, *(on(year, day) for day in ("01-01", "06-06", *DECLARED.get(year, [])))}
    all_ = feasts + common
    given_back = [day for day in feasts if day.weekday() == 6 or all_.count(day) > 1]
    given_back += [day for day in set(common) if day.weekday() > 4 or (common.count(day) > 1)]
    for day in sorted(given_back):
        while day in closed or day.weekday() > 4:
            day += timedelta(1)
        closed.add(day)
    return closed


def mongolian_law(year, moon):
    new_year, *others = moon
    fixed = ("01-01", "03-08", "06-01", *(f"07-{n}" for n in range(10, 16)), "11-26", "12-29")
    return {*(new_year + timedelta(n) for n in range(3)), *others, *(on(year, day) for day in fixed)}


def turkish_law(year, moon):
    ramazan, kurban = moon
    fixed = ("01-01", "04-23", "05-01", "05-19", "07-15", "08-30", "10-29")
    feasts = [ramazan + timedelta(n) for n in range(3)] + [kurban + timedelta(n) for n in range(4)]
    return {*feasts, *(on(year, day) for day in fixed)}


def on(year, day):
    return date.fromisoformat(f"{year}-{day}")


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
