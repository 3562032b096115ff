"""What was typed into a form, and what is wrong with it.

A form answers the template: `value(name)` is what was typed, whatever it was, so nothing is lost when it is shown
again; `errors(name)` are the sentences at that input; `faults` is the summary on top. The core knows no inputs: its
faults point into a draft by JSON pointers, and `locate` turns a pointer into the name of an input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date

from werkzeug.datastructures import MultiDict

from scheduler.core.errors import Fault
from scheduler.web.failures import say

TYPED_TIME = "([01]?[0-9]|2[0-3])[:.]?([0-5][0-9])"  # 9:30, 09:30, 09.30, 0930


@dataclass(frozen=True, slots=True)
class Problem:
    """A fault as shown: at which input, where the summary's link leads, the input's label, and the sentence."""

    name: str
    anchor: str
    label: str
    text: str


class Form:
    def __init__(self, values: MultiDict[str, str] | None = None) -> None:
        self.typed: MultiDict[str, str] = values if values is not None else MultiDict()
        self.faults: list[Problem] = []

    def value(self, name: str) -> str:
        return self.typed.get(name, "")

    def values(self, name: str) -> list[str]:
        return self.typed.getlist(name)

    def errors(self, name: str) -> list[str]:
        return [fault.text for fault in self.faults if fault.name == name]

    def blame(self, faults: Iterable[Fault], locate: Callable[[str], tuple[str, str, str]]) -> None:
        """Adds the faults; `locate` gives input name, anchor and label of a pointer."""
        for fault in faults:
            problem = Problem(*locate(fault.pointer), say(fault))
            if problem not in self.faults:
                self.faults.append(problem)


def typed_date(typed: str) -> date | None:
    try:
        return date.fromisoformat(typed.strip())
    except ValueError:
        return None
