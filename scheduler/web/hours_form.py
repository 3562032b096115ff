"""The form of a city's hours: its inputs to what the core reads, a city to its inputs, a fault to its input.

A day is one line of intervals, such as `09:00-12:00, 13:00-18:00`, read as generously as people write: `9-12`, a long
dash or a tilde, dots for colons. A line that cannot be read so is one fault, however many commas it has.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from werkzeug.datastructures import MultiDict

from scheduler import i18n
from scheduler.core import office
from scheduler.core.cities import City
from scheduler.core.errors import Fault, Invalid, Outdated
from scheduler.core.office import MOST_SEASONS, WEEK, Written, WrittenSeason, WrittenWeek
from scheduler.web.forms import Form
from scheduler.web.reader import language, sentence

WEEKS = ("hours", "stretch", "preferred")
NUMBERS = {"weight": 1, "notice_hours": 0, "buffer_minutes": 0}  # with what an empty input means
SEASON_DAYS = ("from", "to")

_BETWEEN_INTERVALS = re.compile(r"[,;、，\n]")
_TIME = r"\s*([0-9]{1,2})(?:[:.]([0-9]{2}))?\s*"
_TYPED = re.compile(rf"{_TIME}[-‐‑–—~〜～]{_TIME}")


class HoursForm(Form):
    @classmethod
    def of(cls, city: City) -> HoursForm:
        said = office.written(city)
        values: dict[str, str] = {"seen": digest(city)}
        for name in WEEKS:
            values |= {f"{name}-{day}": ", ".join(getattr(said, name)[day]) for day in WEEK}
        values |= {name: str(getattr(said, name)) for name in NUMBERS}
        for row, season in enumerate(said.seasons):
            values |= {f"season-{row}-from": season.since, f"season-{row}-to": season.until}
            values |= {f"season-{row}-{day}": ", ".join(season.hours[day]) for day in WEEK}
        return cls(MultiDict(values))

    @property
    def seasons(self) -> list[int]:
        """Numbers of the rows of seasons: the filled ones, and an empty one."""
        filled = [row for row in range(MOST_SEASONS) if self._is_filled(row)]
        free = filled[-1] + 1 if filled else 0
        return [*filled, free] if free < MOST_SEASONS else filled

    def has_faults(self, row: int) -> bool:
        return any(fault.name.startswith(f"season-{row}-") for fault in self.faults)

    def change(self, city: City) -> City:
        """The city with what was typed; raises Outdated if it is not the city that was seen, and Invalid."""
        seen = self.value("seen")
        if seen and seen != digest(city):
            raise Outdated
        faults: list[Fault] = []
        said = Written(
            hours=self._week("hours"),
            stretch=self._week("stretch"),
            preferred=self._week("preferred"),
            seasons=tuple(self._season(row) for row in self._kept()),
            **{name: self._number(name, usual, faults) for name, usual in NUMBERS.items()},
        )
        try:
            changed = office.planned(city, said)
        except Invalid as error:
            faults += error.faults
        if faults:
            raise Invalid(*faults)
        return changed

    def accuse(self, error: Invalid) -> None:
        """Shows the error's faults at their inputs, in the order of the page."""
        self.blame(error.faults, self._locate)
        order = {name: place for place, name in enumerate(self._names())}
        self.faults.sort(key=lambda problem: order.get(problem.name, -1))

    def _week(self, name: str) -> WrittenWeek:
        return tuple(intervals(self.value(f"{name}-{day}")) for day in WEEK)

    def _number(self, name: str, usual: int, faults: list[Fault]) -> int:
        typed = self.value(name).strip()
        if typed and not re.fullmatch("[0-9]{1,6}", typed):
            faults.append(Fault(f"/{name}", "not-a-number"))
            return usual
        return int(typed) if typed else usual

    def _season(self, row: int) -> WrittenSeason:
        since, until = (self.value(f"season-{row}-{name}").strip() for name in SEASON_DAYS)
        return WrittenSeason(since, until, self._week(f"season-{row}"))

    def _kept(self) -> list[int]:
        return [r for r in range(MOST_SEASONS) if self._is_filled(r) and not self.value(f"season-{r}-remove")]

    def _is_filled(self, row: int) -> bool:
        return any(self.value(name).strip() for name in self._season_names(row))

    @staticmethod
    def _season_names(row: int) -> list[str]:
        return [f"season-{row}-{name}" for name in (*SEASON_DAYS, *WEEK)]

    def _names(self) -> Iterator[str]:
        """The names of the inputs in the order of the page."""
        yield from (f"{name}-{day}" for day in WEEK for name in WEEKS)
        for row in range(MOST_SEASONS):
            yield from self._season_names(row)
        yield from NUMBERS

    def _locate(self, pointer: str) -> tuple[str, str, str]:
        if match := re.fullmatch(r"/(hours|stretch|preferred)/(\d)(?:/\d+)?", pointer):
            name = f"{match[1]}-{match[2]}"
            return name, name, f"{i18n.weekdays(language())[int(match[2])]}, {sentence(f'office.page.{match[1]}')}"
        if match := re.fullmatch(r"/seasons/(\d+)/(from|to|hours)(?:/(\d))?(?:/\d+)?", pointer):
            row = self._kept()[int(match[1])]
            part = (match[3] or "0") if match[2] == "hours" else match[2]
            label = i18n.weekdays(language())[int(part)] if part.isdigit() else sentence(f"office.page.{part}")
            name = f"season-{row}-{part}"
            return name, name, f"{sentence('office.page.season', n=row + 1)}, {label}"
        name = pointer.strip("/")
        return (name, name, sentence(f"office.page.{name}")) if name in NUMBERS else ("", "", "")


def intervals(typed: str) -> tuple[str, ...]:
    """The intervals of a line as the core reads them; the line itself if it is none of intervals."""
    parts = [part for part in _BETWEEN_INTERVALS.split(typed) if part.strip()]
    found = [_TYPED.fullmatch(part) for part in parts]
    if not all(found):
        return (typed.strip(),)
    return tuple(f"{int(m[1]):02d}:{m[2] or '00'}-{int(m[3]):02d}:{m[4] or '00'}" for m in found if m)


def digest(city: City) -> str:
    """Differs when anything of this form differs."""
    return hashlib.sha256(repr(office.written(city)).encode()).hexdigest()[:16]
