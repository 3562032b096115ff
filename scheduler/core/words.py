"""Texts in several languages, the cleaning of every text that comes from outside, and addresses as they are compared.

A `Wording` maps a language (ko, mn, tr, en) to a text; a text given without a language stands under `und`
(BCP 47: undetermined). Readers get their own language, else the undetermined text, else English, else any.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

LANGUAGES = ("ko", "mn", "tr", "en")
UNDETERMINED = "und"

# C0 but TAB and LF, DEL and C1, line and paragraph separators, lone surrogates: they break headers and calendars.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
# Bidirectional overrides and isolates, zero-width characters, Arabic letter mark, BOM: with them a text lies.
# Mongolian variation selectors (U+180B-E) and the narrow no-break space (U+202F) are letters' companions and stay.
_DECEIVING = re.compile("[\u202a-\u202e\u2066-\u2069\u200b-\u200f\u061c\ufeff]")
_SPACES = re.compile("[ \t\n\u00a0]+")


def clean_text(text: str) -> str:
    """`text` with LF line ends and without control or deceiving characters, stripped at both ends."""
    return without_control(text).strip()


def without_control(text: str) -> str:
    """`text` with LF line ends and without control or deceiving characters."""
    if text.replace("\n", "").isprintable():  # most texts: then it holds none of them
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x85", "\n")
    return _DECEIVING.sub("", _CONTROL.sub("", text))


def clean_line(text: str) -> str:
    """`clean_text` on one line: any run of white space becomes one space (U+202F stays, Mongolian suffixes need it)."""
    if text.isprintable() and "  " not in text:  # most texts
        return text.strip()
    return _SPACES.sub(" ", clean_text(text)).strip()


@dataclass(frozen=True, slots=True)
class Wording:
    """A text by language. Empty texts are not kept; `bool(wording)` tells whether there is any."""

    texts: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, value: str | Mapping[str, str] | None, *, lines: bool = False) -> Wording:
        """Cleaned wording of a plain text, a mapping language -> text, or None. `lines` keeps line ends."""
        clean = clean_text if lines else clean_line
        given = {UNDETERMINED: value} if isinstance(value, str) else dict(value or {})
        return cls(tuple((k, t) for k, v in sorted(given.items()) if (t := clean(v))))

    def __bool__(self) -> bool:
        return bool(self.texts)

    def read_in(self, language: str) -> str:
        texts = dict(self.texts)
        for choice in (language, UNDETERMINED, "en"):
            if choice in texts:
                return texts[choice]
        return self.texts[0][1] if self.texts else ""

    def as_given(self) -> str | dict[str, str]:
        """The plain text if it had no language, else the mapping."""
        texts = dict(self.texts)
        if not texts:
            return ""
        return texts[UNDETERMINED] if set(texts) == {UNDETERMINED} else texts


NOTHING = Wording()


@lru_cache(maxsize=4096)  # asked some thirty times for one booking
def email_key(email: str) -> str:
    """The address as it is compared: case-folded, its domain as an A-label (RFC 5890)."""
    local, _, domain = email.strip().rpartition("@")
    with suppress(UnicodeError):
        domain = domain.encode("idna").decode("ascii") if domain else ""
    return f"{local}@{domain}".casefold()
