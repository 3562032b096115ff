"""Every sentence a person reads, in Korean, Mongolian, Turkish and English as equals.

A sentence has a dotted key: the file's name, then the table's, then the entry's (`mail.subject.invitation` stands in
translations/<language>/mail.toml under [subject]). Values fill `{named}` places. An entry that depends on a number is
a table of CLDR plural categories (`one`, `other`) chosen by the value `n`. People read the 24-hour clock everywhere.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import cache, lru_cache
from typing import Any, Literal

from babel import Locale
from babel.dates import format_date, get_day_names
from markupsafe import Markup, escape

from scheduler.core.words import LANGUAGES
from scheduler.paths import TRANSLATIONS

LANGUAGE_NAMES = {"ko": "한국어", "mn": "Монгол", "tr": "Türkçe", "en": "English"}
DEFAULT_LANGUAGE = "en"

_PLURAL_CATEGORIES = frozenset({"zero", "one", "two", "few", "many", "other"})  # CLDR

_DATE_PATTERNS = {
    "ko": "y년 M월 d일(EEE)",
    "mn": "y 'оны' M 'сарын' d, EEEE 'гараг'",
    "tr": "d MMMM y EEEE",
    "en": "EEEE, d MMMM y",
}
_SHORT_DATE_PATTERNS = {"ko": "M월 d일(EEE)", "mn": "M 'сарын' d (EEE)", "tr": "d MMM EEE", "en": "EEE, d MMM"}


_YEARLY_PATTERNS = {"ko": "M월 d일", "mn": "M 'сарын' d", "tr": "d MMMM", "en": "d MMMM"}
_PLAIN_DATE_PATTERNS = {"ko": "y년 M월 d일", "mn": "y 'оны' M 'сарын' d", "tr": "d MMMM y", "en": "d MMMM y"}


@cache
def catalogue(language: str) -> dict[str, str | dict[str, str]]:
    """All sentences of a language by dotted key; entries with plural forms are dicts."""
    found: dict[str, str | dict[str, str]] = {}
    for path in sorted((TRANSLATIONS / language).glob("*.toml")):
        _flatten(tomllib.loads(path.read_text("utf-8")), path.stem, found)
    return found


def _flatten(table: dict[str, Any], prefix: str, found: dict[str, str | dict[str, str]]) -> None:
    for key, value in table.items():
        name = f"{prefix}.{key}"
        if isinstance(value, dict) and not _PLURAL_CATEGORIES.issuperset(value):
            _flatten(value, name, found)
        else:
            found[name] = value


def text(language: str, key: str, /, **values: Any) -> str:
    """The sentence `key` in `language`, filled with `values`. An unknown key is a KeyError: a test finds it first."""
    return _form(language, key, values).format(**values)


def html(language: str, key: str, /, **values: Any) -> Markup:
    """As `text`, for HTML: the sentence and every value are escaped (Markup values stand as they are)."""
    if not values:
        return _fixed_html(language, key)
    sentence = escape(_form(language, key, values))
    return Markup(str(sentence).format(**{name: escape(value) for name, value in values.items()}))


@cache
def _fixed_html(language: str, key: str) -> Markup:
    return Markup(str(escape(_form(language, key, {}))).format())


def has(language: str, key: str) -> bool:
    return key in catalogue(language)


def _form(language: str, key: str, values: dict[str, Any]) -> str:
    entry = catalogue(language if language in LANGUAGES else DEFAULT_LANGUAGE)[key]
    if isinstance(entry, str):
        return entry
    return entry.get(_plural(language)(values["n"]), entry["other"])


@cache
def _plural(language: str) -> Callable[[int], str]:
    rule: Callable[[int], str] = Locale.parse(language).plural_form
    return rule


@lru_cache(maxsize=4096)
def full_date(language: str, day: date) -> str:
    """A date with its year and weekday, as an official letter writes it."""
    return format_date(day, _DATE_PATTERNS[language], locale=language)


@lru_cache(maxsize=4096)
def short_date(language: str, day: date) -> str:
    """A date without its year, with its weekday."""
    return format_date(day, _SHORT_DATE_PATTERNS[language], locale=language)


def plain_date(language: str, day: date, *, yearly: bool = False) -> str:
    """A date without its weekday; `yearly`: as it comes every year."""
    patterns = _YEARLY_PATTERNS if yearly else _PLAIN_DATE_PATTERNS
    return format_date(day, patterns[language], locale=language)


@cache
def weekdays(language: str, width: Literal["wide", "abbreviated"] = "wide") -> tuple[str, ...]:
    """The names of the weekdays, Monday first, as they stand alone: with a capital letter in Mongolian too."""
    names = get_day_names(width, locale=language)
    return tuple(names[day][:1].upper() + names[day][1:] for day in range(7))


def clock(moment: datetime) -> str:
    return f"{moment.hour:02d}:{moment.minute:02d}"


def utc_offset(offset: timedelta) -> str:
    """`UTC+9`, `UTC+5:30`, `UTC-3`, `UTC`."""
    minutes = int(offset.total_seconds()) // 60
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes > 0 else '-'}{hours}" + (f":{rest:02d}" if rest else "")


def negotiate(accept_language: str) -> str:
    """The first of our languages in an Accept-Language header, by its weights; English when there is none."""
    weighted = []
    for position, part in enumerate(accept_language.split(",")[:20]):
        tag, _, q = part.strip().partition(";q=")
        try:
            weight = float(q) if q else 1.0
        except ValueError:
            continue
        weighted.append((-weight, position, tag.split("-")[0].lower()))
    return next((tag for _, _, tag in sorted(weighted) if tag in LANGUAGES), DEFAULT_LANGUAGE)
