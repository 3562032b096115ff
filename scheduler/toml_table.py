"""A table of a TOML file, read by name: what is wrong with it is told at its place instead of failing.

All tables of one file share the list of faults, so that a file is read whole and every fault told at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from scheduler.core.drafts import NAME_LIMIT
from scheduler.core.errors import Fault
from scheduler.core.words import LANGUAGES, UNDETERMINED, Wording, clean_line

CODE_LIMIT = 64
_CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def is_code(text: str) -> bool:
    """Codes and slugs are of lower case letters, digits and single hyphens."""
    return bool(_CODE.fullmatch(text)) and len(text) <= CODE_LIMIT


@dataclass(frozen=True, slots=True)
class Table:
    values: dict[str, Any]
    pointer: str
    faults: list[Fault]

    def fault(self, at: str, error: str, /, **values: str | int) -> None:
        self.faults.append(Fault(f"{self.pointer}/{at}", error, values))

    def only(self, *keys: str) -> None:
        for key in self.values.keys() - set(keys):
            self.fault(key.replace("~", "~0").replace("/", "~1"), "unknown-key", key=key[:100])

    def text(self, key: str, *, optional: bool = False) -> str:
        value = self.values.get(key, "")
        if not isinstance(value, str):
            self.fault(key, "wrong-type")
            return ""
        if not (text := clean_line(value)) and not optional:
            self.fault(key, "required")
        return text

    def checked(self, key: str, good: Callable[[str], object], error: str, *, optional: bool = False) -> str:
        """A text that `good` accepts; the error names it by its last word (`unknown-zone` has a value `zone`)."""
        text = self.text(key, optional=optional)
        if text and not good(text):
            self.fault(key, error, **{error.rpartition("-")[2]: text[:100]})
        return text

    def wording(self, key: str) -> Wording:
        """A text, or a text by language."""
        value = self.values.get(key, "")
        texts = value if isinstance(value, dict) else {UNDETERMINED: value}
        if not all(isinstance(text, str) for text in texts.values()):
            self.fault(key, "wrong-type")
            return Wording()
        for language in texts.keys() - {*LANGUAGES, UNDETERMINED}:
            self.fault(key, "unknown-language", language=str(language)[:100])
        wording = Wording.of(texts)
        if not wording:
            self.fault(key, "required")
        if any(len(text) > NAME_LIMIT for _, text in wording.texts):
            self.fault(key, "too-long", limit=NAME_LIMIT)
        return wording

    def strings(self, key: str) -> list[str]:
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            self.fault(key, "wrong-type")
            return []
        return [clean_line(entry) for entry in value]

    def day(self, key: str) -> date:
        value = self.values.get(key)
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
        self.fault(key, "required" if value is None else "not-a-date")
        return date.min

    def number(self, key: str, default: int) -> int:
        value = self.values.get(key, default)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        self.fault(key, "not-a-number")
        return default

    def days(self, key: str) -> list[date]:
        values = self.values.get(key, [])
        if not isinstance(values, list):
            self.fault(key, "wrong-type")
            return []
        entries = Table({str(index): value for index, value in enumerate(values)}, f"{self.pointer}/{key}", self.faults)
        return [entries.day(index) for index in entries.values]

    def table(self, key: str) -> Table:
        value = self.values.get(key, {})
        if not isinstance(value, dict):
            self.fault(key, "wrong-type")
            value = {}
        return Table(value, f"{self.pointer}/{key}", self.faults)

    def listed(self, key: str) -> Iterator[Table]:
        """The entries of an array of tables."""
        value = self.values.get(key, [])
        if not isinstance(value, list):
            self.fault(key, "wrong-type")
            value = []
        entries = Table({str(index): entry for index, entry in enumerate(value)}, f"{self.pointer}/{key}", self.faults)
        return (entries.table(index) for index in entries.values)

    def codes(self) -> Iterator[str]:
        """The keys of a table of codes or slugs."""
        for code in self.values:
            if not is_code(code):
                self.fault(code.replace("~", "~0").replace("/", "~1"), "bad-code", code=code[:100])
            yield code

    def named(self, key: str) -> Iterator[tuple[str, Table]]:
        within = self.table(key)
        return ((code, within.table(code)) for code in within.codes())
