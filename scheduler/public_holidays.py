"""Public holidays of a country as closures. The only module that imports `holidays`.

The package names a holiday in its country's own language and in English, and falls back to English without a word for
any other. For Korea, Mongolia and Turkey the names therefore come from our own catalogue, in ko, mn, tr and en,
found by the package's English name (`holidays.KR.korean-new-year`); a name that the catalogue lacks, and every other
country, has what the package has.

A half day closes at an hour that the package tells only inside the name ("Republic Day (from 1pm)"). A half day whose
name tells none is not a closure of everybody (China: an afternoon for women, for soldiers) and is left out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from functools import cache
from importlib.metadata import version

from scheduler import i18n
from scheduler.core.cities import Closure
from scheduler.core.words import LANGUAGES, Wording

HALF_DAY, PUBLIC = "half_day", "public"  # categories of the package
_SUBSTITUTE = "Alternative holiday for "
_ESTIMATED = " (estimated)"
_FROM = re.compile(r" \((?:from )?(\d{1,2})(?:[:.](\d{2}))? ?(am|pm)\)")


@cache
def data_version() -> str:
    """Version of the holiday data in use."""
    return version("holidays")


@cache
def is_country(code: str) -> bool:
    """Whether holidays of the ISO 3166-1 alpha-2 `code` are known."""
    import holidays  # here, because most commands end without it

    return len(code) == 2 and code in holidays.list_supported_countries()


def closures(country: str, years: Iterable[int]) -> dict[date, Closure]:
    """The public holidays and half days of `country` by local day; none for a country that is not known."""
    found: dict[date, Closure] = {}
    for year in years:
        found |= _closures(country, year)
    return found


def of_year(country: str, year: int) -> Mapping[date, Closure]:
    """The same of one year; kept, and not to be changed."""
    return _closures(country, year)


@cache
def _closures(country: str, year: int) -> dict[date, Closure]:
    if not is_country(country):
        return {}
    half = {day: c for day, name in _names(country, year, HALF_DAY).items() if (c := _half_day(country, day, name))}
    whole = {day: _whole_day(country, day, name) for day, name in _names(country, year, PUBLIC).items()}
    return half | whole


def _names(country: str, year: int, category: str, language: str = "en") -> dict[date, str]:
    """Names by day in the language asked for, else as the package has them."""
    import holidays

    supported = getattr(holidays, country).supported_languages
    if category not in getattr(holidays, country).supported_categories:
        return {}
    locale = next((name for name in sorted(supported) if name.split("_")[0] == language), None)
    # With no language at all the package would ask the environment's locale.
    locale = locale or getattr(holidays, country).default_language or "en_US"
    return dict(holidays.country_holidays(country, years=year, categories=(category,), language=locale))


def _whole_day(country: str, day: date, name: str) -> Closure:
    wording = _join([_wording(country, part) for part in name.split("; ")])
    return _closure(country, day, "holiday", wording or _package_wording(country, day, PUBLIC))


def _half_day(country: str, day: date, name: str) -> Closure | None:
    hour = _FROM.search(name)
    if not hour:
        return None
    start = (int(hour[1]) % 12 + 12 * (hour[3] == "pm")) * 60 + int(hour[2] or 0)
    time = f"{start // 60:02d}:{start % 60:02d}"
    eves = [_wording(country, _FROM.sub("", part), "-eve") for part in name.split("; ")]
    own = [_formed(eve, "half-day", time=time) for eve in eves]
    return replace(
        _closure(country, day, "half-day", _join(own) or _package_wording(country, day, HALF_DAY)), start=start
    )


def _closure(country: str, day: date, kind: str, name: Wording) -> Closure:
    return Closure(day, kind, name, source=f"holidays {data_version()} {country}")


def _wording(country: str, english: str, suffix: str = "") -> Wording:
    """Our own names of one holiday; empty if the catalogue lacks it."""
    if english.endswith(_ESTIMATED):
        return _formed(_wording(country, english.removesuffix(_ESTIMATED), suffix), "estimated")
    if english.startswith(_SUBSTITUTE):
        return _formed(_wording(country, english.removeprefix(_SUBSTITUTE), suffix), "substitute")
    key = f"holidays.{country}.{_slug(english)}{suffix}"
    if not all(i18n.has(language, key) for language in LANGUAGES):
        return Wording()
    return Wording.of({language: i18n.text(language, key) for language in LANGUAGES})


def _slug(english: str) -> str:
    plain = unicodedata.normalize("NFKD", english).encode("ascii", "ignore").decode().lower().replace("'", "")
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def _formed(wording: Wording, form: str, **values: str) -> Wording:
    key = f"holidays.form.{form}"
    return Wording.of({language: i18n.text(language, key, name=name, **values) for language, name in wording.texts})


def _join(parts: list[Wording]) -> Wording:
    """Several holidays on one day; empty if one of them has no name of ours."""
    if not all(parts):
        return Wording()
    return Wording.of({language: "; ".join(part.read_in(language) for part in parts) for language in LANGUAGES})


def _package_wording(country: str, day: date, category: str) -> Wording:
    """The package's names: English (or the country's own tongue) and those of our languages that it has."""
    import holidays

    known = {name.split("_")[0] for name in getattr(holidays, country).supported_languages}
    texts = {
        language: _names(country, day.year, category, language).get(day, "")
        for language in LANGUAGES
        if language in known
    }
    return Wording.of(texts or {"und": _names(country, day.year, category).get(day, "")})
