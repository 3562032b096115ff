"""The four languages say the same things, completely, each in its own script, and the code asks for nothing else."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

from scheduler import i18n, paths, ways_in
from scheduler.core import laws
from scheduler.core.hints import CODES
from scheduler.core.meeting import CHAIR, ROLES, STATUSES
from scheduler.core.planning import KINDS
from scheduler.core.rhythm import FREQUENCIES
from scheduler.core.words import LANGUAGES
from scheduler.example import PARTNERSHIP_KINDS, PERSON_ROLES
from scheduler.planning_answers import OWN_REASONS
from scheduler.web import calendars, changes_of_law, own_sign_in

AREAS = sorted({path.name for path in paths.TRANSLATIONS.glob("*/*.toml")})
OTHERS = [language for language in LANGUAGES if language != "en"]  # each is compared with English
KEYS = sorted({key for language in LANGUAGES for key in i18n.catalogue(language)})

# Sentences that need no letter of the language's own: names, numbers, abbreviations, places to fill.
WITHOUT_OWN_SCRIPT = re.compile(
    r"[\s\d{}()\[\]/.,:;~–—·→#…+*%<>=«»“”\"'?!-]|[a-z_]+(?=})|\b[A-Z][A-Za-z-]*\b|\.(ics|eml)\b"
)
OWN_SCRIPT = {"ko": re.compile("[가-힣]"), "mn": re.compile("[а-яёөү]", re.IGNORECASE)}

OUTCOMES = {
    "accepted",
    "declined",
    "tentative",
    "delegated-recorded",
    "counter-recorded",
    "refresh-sent",
    "ignored-stale",
    "ignored-duplicate",
    "ignored-cancelled",
    "ignored-auto-reply",
    "ignored-loop",
    "bounce-recorded",
    "pending-approval-uninvited",
    "held-sender-mismatch",
    "human-review",
    "quarantined-malformed",
    "rejected-too-large",
    "rejected-unknown-uid",
    "rejected-unknown-instance",
    "rejected-not-invited",
    "rejected-not-organizer",
}

# Words that the code composes a key of, so that no literal key names them.
SETS = {
    "mail.security": {*ways_in.CHANGES, "ended", "ended_all", "not_you", "button"},
    "law.meaning": {laws.MOVED, laws.NONEXISTENT, laws.AMBIGUOUS},
    "law.said": set(changes_of_law.SAID),
    "sign_in.done": set(own_sign_in.DONE),
    "calendars.done": set(calendars.DONE),
    "words.answer": {"accepted", "tentative", "declined"},
    "words.status": set(STATUSES),
    "words.meeting_status": {"confirmed", "cancelled", "held", "proposed"},
    "words.role": {*ROLES, CHAIR},
    "words.person_role": set(PERSON_ROLES),
    "words.delivery": {"queued", "handed-over", "refused", "bounced", "superseded", "held", "dropped"},
    "words.channel": {"mail", "link", "telephone"},
    "words.reason": {"weekend", "holiday", "half-day", "municipal", "busy", "notice", "no-common-hours"},
    "words.hint": set(CODES),
    "words.compromise": {"hours-earlier", "hours-later", "optional", "later", "shorter"},
    "words.outcome": OUTCOMES,
    "words.partnership": set(PARTNERSHIP_KINDS),
    "words.weekday_short": {"mon", "tue", "wed", "thu", "fri", "sat", "sun"},
    "words.decision": {"same-person", "invite", "apply", "no", "done"},
    "series.frequency": set(FREQUENCIES),
    "series.kind": set(KINDS),
    "series.obstacle": set(OWN_REASONS),
    "words.duration": {"minutes", "hours"},
}


def forms(language: str, key: str) -> dict[str, str]:
    """The texts of an entry by plural category; an entry without categories has `other` alone."""
    entry = i18n.catalogue(language)[key]
    return {"other": entry} if isinstance(entry, str) else {k: t for k, t in entry.items() if isinstance(t, str)}


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def python_files() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(paths.PACKAGE.rglob("*.py")):
        yield path, ast.parse(path.read_text("utf-8"))


def literal(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def keys_in_code() -> Iterator[tuple[str, str]]:
    """Literal keys that code and templates ask i18n for, with their place."""
    for path, tree in python_files():
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            if name in ("text", "html", "t", "say") and path.parent != paths.TRANSLATIONS:
                for key in filter(None, (literal(argument) for argument in call.args[:2])):
                    if re.fullmatch(r"[a-z_]+(\.[A-Za-z0-9_-]+)+", key) and not key.endswith(("html", "txt")):
                        yield key, f"{path.relative_to(paths.PACKAGE)}:{call.lineno}"
    asked = re.compile(r"""\b(?:t|html|text|say)\(\s*["']([a-z_]+(?:\.[A-Za-z0-9_-]+)+)["']\s*[,)]""")
    for path in sorted(p for p in paths.TEMPLATES.rglob("*") if p.is_file()):
        for key in asked.findall(path.read_text("utf-8")):
            yield key, str(path.relative_to(paths.TEMPLATES))


def errors_in_code() -> Iterator[tuple[str, set[str] | None, str]]:
    """Literal keys of errors that are raised, the values given (None: not to be seen from here), their place."""
    for path, tree in python_files():
        for node in ast.walk(tree):
            where = f"{path.relative_to(paths.PACKAGE)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Call) and (found := _error_of_call(node)):
                yield *found, where
            if isinstance(node, ast.Tuple) and len(node.elts) == 3 and isinstance(node.elts[2], ast.Dict):
                place, key = literal(node.elts[0]), literal(node.elts[1])  # a fault that is yet to get its pointer
                if place and key:
                    yield key, _values(node.elts[2], []), where


def _error_of_call(call: ast.Call) -> tuple[str, set[str] | None] | None:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    at = {"Fault": 1, "fault": 1, "TooMany": 1, "checked": 2}.get(name, 0)
    key = literal(call.args[at]) if len(call.args) > at else None
    if key is None:
        return None
    if name == "Fault":
        return key, _values(call.args[2] if len(call.args) > 2 else None, call.keywords)
    if name in ("Conflict", "NotFound", "Forbidden", "RoomTaken", "MeetingCancelled", "Outdated", "fault"):
        return key, {k.arg for k in call.keywords if k.arg} if all(k.arg for k in call.keywords) else None
    return (key, None) if name in ("_fault", "TooMany", "checked") else None


def _values(node: ast.expr | None, keywords: list[ast.keyword]) -> set[str] | None:
    node = node or next((k.value for k in keywords if k.arg == "values"), None)
    if node is None:
        return set()
    if isinstance(node, ast.Dict) and all(key is not None and literal(key) for key in node.keys):
        return {str(literal(key)) for key in node.keys if key is not None}
    return None


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_area(language: str) -> None:
    assert sorted(path.name for path in (paths.TRANSLATIONS / language).glob("*.toml")) == AREAS


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_key(language: str) -> None:
    assert sorted(set(KEYS) - i18n.catalogue(language).keys()) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_empty_or_padded(language: str) -> None:
    texts = {f"{key}[{form}]": text for key in KEYS for form, text in forms(language, key).items()}
    assert [name for name, text in texts.items() if not text or text != text.strip()] == []


@pytest.mark.parametrize("language", OTHERS)
def test_all_languages_fill_the_same_places(language: str) -> None:
    found, english = ({key: _places_of(key, spoken) for key in KEYS} for spoken in (language, "en"))
    assert {key: filled for key, filled in found.items() if filled != english[key]} == {}


def _places_of(key: str, language: str) -> set[str]:
    return set().union(*(places(text) for text in forms(language, key).values()))


@pytest.mark.parametrize("language", LANGUAGES)
def test_places_are_names(language: str) -> None:
    named = {key: places(text) for key in KEYS for text in forms(language, key).values()}
    assert {key: found for key, found in named.items() if any(not re.fullmatch("[a-z_]+", p) for p in found)} == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_plural_forms_are_those_of_the_language(language: str) -> None:
    """`other` in every table, no category that CLDR does not give the language, every one it does."""
    categories = {"other"} if language == "ko" else {"one", "other"}
    tables = {key: set(entry) for key in KEYS if isinstance(entry := i18n.catalogue(language)[key], dict)}
    assert {key: found for key, found in tables.items() if found != categories} == {}


@pytest.mark.parametrize("language", OTHERS)
def test_an_entry_is_plural_in_all_languages_or_in_none(language: str) -> None:
    found, english = ({key for key in KEYS if isinstance(i18n.catalogue(s)[key], dict)} for s in (language, "en"))
    assert found == english


@pytest.mark.parametrize("language", OWN_SCRIPT)
def test_sentences_are_in_the_script_of_their_language(language: str) -> None:
    texts = {key: text for key in KEYS for text in forms(language, key).values() if WITHOUT_OWN_SCRIPT.sub("", text)}
    assert {key: text for key, text in texts.items() if not OWN_SCRIPT[language].search(text)} == {}


@pytest.mark.parametrize("language", ["tr", "en"])
def test_latin_languages_have_no_foreign_letters(language: str) -> None:
    foreign = re.compile("[가-힣Ѐ-ӿ一-鿿]")
    assert {k: t for k in KEYS for t in forms(language, k).values() if foreign.search(t)} == {}


def test_translations_are_not_left_in_english() -> None:
    """A sentence of several words that is the same in English and another language was forgotten."""
    english = {k: t for k in KEYS if len(re.findall(r"\b[a-z]+\b(?!})", t := forms("en", k)["other"])) > 3}
    left = {k for k, t in english.items() for other in ("ko", "mn", "tr") if forms(other, k)["other"] == t}
    assert left == set()


def test_no_key_that_is_asked_for_is_missing() -> None:
    missing = {key: where for key, where in keys_in_code() if not i18n.has("en", key)}
    assert missing == {}


def sentence_of(error: str, where: str) -> str | None:
    """The key of an error's sentence: faults that only a form or only a program can make have their own area."""
    areas = ("errors", "web.error") if where.startswith("web/") else ("errors",)
    return next((k for area in (*areas, "api.fault") if i18n.has("en", k := f"{area}.{error}")), None)


def test_no_error_that_is_raised_is_without_its_sentence() -> None:
    assert {key: where for key, _, where in errors_in_code() if sentence_of(key, where) is None} == {}


def test_errors_bring_the_values_that_their_sentences_need() -> None:
    raised = [(sentence_of(key, where), values, where) for key, values, where in errors_in_code() if values is not None]
    assert {where: key for key, values, where in raised if key and places(forms("en", key)["other"]) - values} == {}


@pytest.mark.parametrize("prefix", SETS)
def test_every_word_of_a_set_is_there_and_no_other(prefix: str) -> None:
    assert {key.removeprefix(f"{prefix}.") for key in KEYS if key.startswith(f"{prefix}.")} == SETS[prefix]


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_fill_in(language: str) -> None:
    values: dict[str, Any] = {name: 2 for key in KEYS for t in forms(language, key).values() for name in places(t)}
    values["n"] = 2
    assert [key for key in KEYS if not i18n.text(language, key, **values)] == []


def test_translation_files_are_tidy() -> None:
    """No control or deceiving characters, and Unix line ends."""
    odd = re.compile("[\x00-\x09\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
    found = [str(p) for p in paths.TRANSLATIONS.glob("*/*.toml") if odd.search(p.read_bytes().decode("utf-8"))]
    assert found == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_keys_keep_one_order_in_all_languages(language: str) -> None:
    """So that the four files can be read side by side."""
    order = {area: list(_in_order(area, "en")) for area in AREAS}
    assert {area for area in AREAS if list(_in_order(area, language)) != order[area]} == set()


def _in_order(area: str, language: str) -> Iterator[str]:
    def walk(table: dict[str, Any], prefix: str) -> Iterator[str]:
        for key, value in table.items():
            if isinstance(value, dict) and "other" not in value:
                yield from walk(value, f"{prefix}{key}.")
            else:
                yield f"{prefix}{key}"

    return walk(tomllib.loads((paths.TRANSLATIONS / language / area).read_text("utf-8")), "")
