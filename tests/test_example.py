"""The example data, and what a city file may and may not say."""

from datetime import date

import pytest

from scheduler import example
from scheduler.core.errors import Invalid
from scheduler.core.words import LANGUAGES

DATA = example.load()
CITIES = {city.slug: city for city in DATA.cities}

CITY = """
[cities.springfield]
name = "Springfield"
zone = "Europe/Berlin"
country = "DE"
language = "en"
"""


def faults_of(text: str) -> dict[str, tuple[str, dict[str, object]]]:
    with pytest.raises(Invalid) as caught:
        example.parse_city_file(text)
    return {fault.pointer: (fault.key, fault.values) for fault in caught.value.faults}


def keys_of(text: str) -> dict[str, str]:
    return {pointer: key for pointer, (key, _) in faults_of(text).items()}


@pytest.mark.parametrize(
    ("slug", "zone", "country", "language", "room"),
    [
        ("gwangjin", "Asia/Seoul", "KR", "ko", "gwangjin-video"),
        ("ulaanbaatar", "Asia/Ulaanbaatar", "MN", "mn", "ulaanbaatar-video"),
        ("eregli", "Europe/Istanbul", "TR", "tr", "eregli-video"),
        ("gwangju", "Asia/Seoul", "KR", "ko", "gwangju-video"),
    ],
)
def test_the_four_example_cities(slug: str, zone: str, country: str, language: str, room: str) -> None:
    city = CITIES[slug]
    assert (city.zone, city.country, city.language) == (zone, country, language)
    assert [r.code for r in DATA.rooms if r.city == slug] == [room]


@pytest.mark.parametrize("slug", ["gwangjin", "gwangju"])
def test_korean_offices_keep_nine_to_six_with_lunch_at_noon(slug: str) -> None:
    assert CITIES[slug].hours == (((540, 720), (780, 1080)),) * 5 + ((), ())


@pytest.mark.parametrize("slug", ["ulaanbaatar", "eregli"])
def test_the_partners_keep_half_past_eight_to_half_past_five(slug: str) -> None:
    assert CITIES[slug].hours == (((510, 750), (810, 1050)),) * 5 + ((), ())


def test_every_name_is_given_in_all_four_languages() -> None:
    named = [*DATA.cities, *DATA.rooms, *DATA.objectives, *DATA.fields, *(t for f in DATA.fields for t in f.topics)]
    assert [n for n in named if {language for language, _ in n.name.texts} != set(LANGUAGES)] == []


def test_korean_and_mongolian_names_are_written_in_their_own_script() -> None:
    named = [*DATA.cities, *DATA.rooms, *DATA.objectives, *DATA.fields, *(t for f in DATA.fields for t in f.topics)]
    assert [n for n in named if not any("가" <= c <= "힣" for c in n.name.read_in("ko"))] == []
    assert [n for n in named if not any("Ѐ" <= c <= "ӿ" for c in n.name.read_in("mn"))] == []


def test_the_four_fields_and_their_topics() -> None:
    assert {f.code: [t.code for t in f.topics] for f in DATA.fields} == {
        "environment": ["urban-regeneration", "water-resources", "department-exchange"],
        "economy": ["social-economy", "job-creation", "local-specialties"],
        "culture": ["culture-and-festivals", "mutual-visits", "private-exchange"],
        "education": ["youth-exchange", "medical-assistance"],
    }


def test_gwangjins_two_sisterhoods() -> None:
    assert {(p.cities, p.kind, p.since) for p in DATA.partnerships} == {
        (("gwangjin", "ulaanbaatar"), "sisterhood", "2001-11"),
        (("gwangjin", "eregli"), "sisterhood", "2001-02"),
    }


def test_gwangjus_six_goals_are_objectives() -> None:
    assert len(DATA.objectives) == 6
    assert {o.city for o in DATA.objectives} == {"gwangju"}


def test_gwangjins_profile_has_its_facts() -> None:
    profile = DATA.profiles["gwangjin"]
    assert (profile["area_km2"], profile["population"], profile["foreign_residents"]) == (17.08, 351_699, 20_603)
    assert profile["foreign_residents_from"] == ("CN", "VN", "MN", "US", "UZ", "JP")


def test_every_city_has_one_coordinator_and_the_operator_sits_at_gwangjin() -> None:
    assert sorted(p.city for p in DATA.people if p.role == "coordinator") == sorted(CITIES)
    assert [p.city for p in DATA.people if p.role == "operator"] == ["gwangjin"]
    assert {p.language for p in DATA.people} == set(LANGUAGES)


def test_people_have_example_addresses_of_their_own_city() -> None:
    assert [p for p in DATA.people if not p.email.endswith(f"@{p.city}.example")] == []


def test_a_city_may_have_closures_and_reopened_days_and_no_hours() -> None:
    text = CITY + 'reopened = [2026-10-03]\nclosures = [{day = 2026-11-02, from = "13:00", name = "Fair"}]'
    city = example.parse_city_file(text).cities[0]
    assert city.hours == ((),) * 7
    assert city.reopened == {date(2026, 10, 3)}
    (closure,) = city.municipal
    assert (closure.day, closure.kind, closure.start, closure.name.read_in("en")) == (
        date(2026, 11, 2),
        "municipal",
        780,
        "Fair",
    )


def test_a_city_may_have_seasons_and_stretch_hours_and_a_price() -> None:
    text = (
        CITY
        + """
    weight = 2
    notice_hours = 48
    buffer_minutes = 15
    hours = {mon = ["09:00-17:00"]}
    stretch = {mon = ["07:00-20:00"]}
    preferred = {tue = ["14:00-17:00"]}
    seasons = [{from = "06-15", to = "08-31", hours = {mon = ["08:00-14:00"]}}]
    closures = [{day = 2027-08-02, until = 2027-08-04, kind = "holiday", from = "13:00", name = "Flood"}]
    """
    )
    city = example.parse_city_file(text).cities[0]
    assert (city.weight, city.notice_hours, city.buffer_minutes) == (2, 48, 15)
    assert (city.stretch[0], city.preferred[1]) == (((420, 1200),), ((840, 1020),))
    assert [(s.since, s.until, s.hours[0]) for s in city.seasons] == [("06-15", "08-31", ((480, 840),))]
    assert [(c.day.day, c.kind, c.start) for c in city.municipal] == [(day, "half-day", 780) for day in (2, 3, 4)]


@pytest.mark.parametrize(
    ("line", "place", "key"),
    [
        ('stretch = {sat = ["05:00-09:00"]}', "stretch/sat/0", "hours-at-night"),
        ('seasons = [{from = "06-15", to = "08-31", hours = {sun = ["8-9"]}}]', "seasons/0/hours/sun/0", "bad-hours"),
        ('seasons = [{to = "08-31", hours = {sun = ["08:00-09:00"]}}]', "seasons/0/from", "required"),
        ("weight = 10", "weight", "number-range"),
        ("weight = true", "weight", "not-a-number"),
        ('closures = [{day = 2027-08-02, until = 2027-08-01, name = "Fair"}]', "closures/0/until", "slots-reversed"),
        ('closures = [{day = 2027-08-02, kind = "fair", name = "Fair"}]', "closures/0/kind", "unknown-kind"),
    ],
)
def test_hours_that_a_file_cannot_mean(line: str, place: str, key: str) -> None:
    assert keys_of(CITY + line) == {f"/cities/springfield/{place}": key}


def test_a_file_may_refer_to_known_cities_and_fields() -> None:
    text = '[[partnerships]]\ncities = ["a", "b"]\nkind = "agreement"\nfields = ["culture"]'
    known = example.Known(cities=frozenset({"a", "b"}), fields=frozenset({"culture"}))
    assert example.parse_city_file(text, known).partnerships[0].cities == ("a", "b")
    assert keys_of(text) == {
        "/partnerships/0/cities/0": "unknown-city",
        "/partnerships/0/cities/1": "unknown-city",
        "/partnerships/0/fields/0": "unknown-field",
    }


def test_all_faults_of_a_city_are_told_at_once() -> None:
    text = """
    [cities."Bad Slug"]
    zone = "Asia/Atlantis"
    country = "EU"
    language = "de"
    mayor = "nobody"
    """
    assert faults_of(text) == {
        "/cities/Bad Slug": ("bad-code", {"code": "Bad Slug"}),
        "/cities/Bad Slug/name": ("required", {}),
        "/cities/Bad Slug/zone": ("unknown-zone", {"zone": "Asia/Atlantis"}),
        "/cities/Bad Slug/country": ("unknown-country", {"country": "EU"}),
        "/cities/Bad Slug/language": ("unknown-language", {"language": "de"}),
        "/cities/Bad Slug/mayor": ("unknown-key", {"key": "mayor"}),
    }


@pytest.mark.parametrize(
    ("hours", "place", "key"),
    [
        ('mon = ["9-12"]', "mon/0", "bad-hours"),
        ('mon = ["12:00-09:00"]', "mon/0", "bad-hours"),
        ('mon = ["09:00-09:00"]', "mon/0", "bad-hours"),
        ('mon = ["09:00-24:30"]', "mon/0", "bad-hours"),
        ('mon = ["09:00-12:00", "11:59-13:00"]', "mon/1", "hours-overlap"),
        ('mon = ["13:00-18:00", "09:00-12:00"]', "mon/1", "hours-overlap"),
        ('mon = "09:00-12:00"', "mon", "wrong-type"),
        ('monday = ["09:00-12:00"]', "monday", "unknown-key"),
    ],
)
def test_office_hours_that_cannot_be_meant(hours: str, place: str, key: str) -> None:
    assert keys_of(f"{CITY}[cities.springfield.hours]\n{hours}") == {f"/cities/springfield/hours/{place}": key}


def test_office_hours_may_last_until_midnight_and_touch() -> None:
    text = f'{CITY}[cities.springfield.hours]\nsun = ["00:00-12:00", "12:00-24:00"]'
    assert example.parse_city_file(text).cities[0].hours[6] == ((0, 720), (720, 1440))


@pytest.mark.parametrize(
    ("change", "place", "key"),
    [
        ('email = "nobody"', "email", "bad-email"),
        ('name = "win www.example.org"', "name", "url-in-name"),
        ('city = "elsewhere"', "city", "unknown-city"),
        ('role = "mayor"', "role", "unknown-role"),
        ('language = "xx"', "language", "unknown-language"),
        ("name = 7", "name", "wrong-type"),
        ('email = ""', "email", "required"),
    ],
)
def test_people_that_cannot_be_meant(change: str, place: str, key: str) -> None:
    entry = {"name": '"Desk"', "email": '"desk@a.example"', "city": '"springfield"', "role": '"contact"'}
    entry |= {"language": '"en"'} | dict([change.split(" = ")])
    lines = "\n".join(f"{k} = {v}" for k, v in entry.items())
    found = keys_of(f"{CITY}[[people]]\n{lines}")
    assert found[f"/people/0/{place}"] == key


def test_an_address_is_given_once_whatever_its_case() -> None:
    desk = '[[people]]\nname = "Desk"\nemail = "{}"\ncity = "springfield"\nlanguage = "en"\nrole = "contact"\n'
    found = keys_of(CITY + desk.format("desk@a.example") + desk.format("Desk@A.example"))
    assert found == {"/people/1/email": "duplicate-email"}


def test_a_room_code_is_given_once() -> None:
    other = CITY.replace("springfield", "shelbyville")
    rooms = '[cities.{}.rooms]\nhall = "Hall"\n'
    found = keys_of(CITY + rooms.format("springfield") + other + rooms.format("shelbyville"))
    assert found == {"/cities/shelbyville/rooms/hall": "duplicate-code"}


@pytest.mark.parametrize(
    ("line", "place", "key"),
    [
        ('cities = ["springfield"]', "cities", "partnership-of-two"),
        ('kind = "rivalry"', "kind", "unknown-partnership"),
        ('since = "2001-13"', "since", "bad-month"),
    ],
)
def test_partnerships_that_cannot_be_meant(line: str, place: str, key: str) -> None:
    entry = {"cities": '["springfield", "shelbyville"]', "kind": '"friendship"'} | dict([line.split(" = ")])
    lines = "\n".join(f"{k} = {v}" for k, v in entry.items())
    text = CITY + CITY.replace("springfield", "shelbyville") + f"[[partnerships]]\n{lines}"
    assert keys_of(text)[f"/partnerships/0/{place}"] == key


def test_dates_are_dates() -> None:
    assert keys_of(CITY + 'reopened = ["2026-10-03"]') == {"/cities/springfield/reopened/0": "not-a-date"}
    assert keys_of(CITY + 'closures = [{name = "Fair"}]') == {"/cities/springfield/closures/0/day": "required"}


def test_what_is_not_toml_is_told_with_its_line() -> None:
    assert "line 2" in str(faults_of("[cities.a]\nzone = ?")[""][1]["detail"])


@pytest.mark.parametrize("text", ["cities = 1", "people = {}", "people = [1]", "fields = []", "[cities]\na = 1"])
def test_a_file_of_another_shape_is_refused(text: str) -> None:
    assert "wrong-type" in keys_of(text).values()
