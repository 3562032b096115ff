"""The form of a standing meeting: its inputs to what is wanted, a fault to its input."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

from werkzeug.datastructures import MultiDict

from scheduler.core.errors import Fault, Invalid
from scheduler.core.rhythm import FREQUENCIES
from scheduler.series import Wanted
from scheduler.web.forms import TYPED_TIME, Form
from scheduler.web.meeting_form import DEFAULT_MINUTES
from scheduler.web.reader import directory, language, sentence

# Pointer of the core -> name of the input, key of its label.
_INPUTS = {
    "/cities": ("city", "web.form.partners"),
    "/wall": ("date", "series.form.date"),
    "/wall-time": ("time", "web.typed.time"),
    "/zone": ("zone", "web.typed.zone"),
    "/frequency": ("frequency", "series.form.frequency"),
    "/count": ("count", "series.form.count"),
    "/duration_minutes": ("duration", "web.form.duration"),
}


class SeriesForm(Form):
    """`host` is the reader's city, which always takes part."""

    time_pattern = TYPED_TIME

    def __init__(self, values: MultiDict[str, str], host: str) -> None:
        super().__init__(values)
        self.host = host

    @property
    def cities(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([self.host, *self.values("city")]))

    @property
    def minutes(self) -> int:
        return _number(self.value("duration"))

    @property
    def frequencies(self) -> list[tuple[str, str]]:
        return [(code, str(sentence(f"series.frequency.{code}"))) for code in FREQUENCIES]

    @property
    def zones(self) -> list[tuple[str, str]]:
        """One zone per entry, with the cities that live by it; the host's first."""
        slugs = sorted(directory().cities, key=lambda slug: slug != self.host)
        names: dict[str, list[str]] = {}
        for slug in slugs:
            names.setdefault(directory().cities[slug].zone, []).append(directory().city_name(slug, language()))
        return [(zone, f"{', '.join(there)} ({zone})") for zone, there in names.items()]

    def wanted(self) -> Wanted:
        """Raises Invalid for a date or a time that cannot be read."""
        return Wanted(
            cities=self.cities,
            wall=self._wall(),
            frequency=self.value("frequency"),
            count=_number(self.value("count")),
            duration_minutes=self.minutes,
            zone=self.value("zone"),
        )

    def accuse(self, error: Invalid) -> None:
        self.blame(error.faults, self._locate)

    def _wall(self) -> datetime:
        try:
            day = date.fromisoformat(self.value("date").strip())
        except ValueError:
            raise Invalid(Fault("/wall", "bad-date")) from None
        time = re.fullmatch(TYPED_TIME, self.value("time").strip())
        if time is None:
            raise Invalid(Fault("/wall-time", "bad-wall"))
        return datetime(day.year, day.month, day.day, int(time[1]), int(time[2]))  # noqa: DTZ001 (a wall time has no zone)

    @staticmethod
    def _locate(pointer: str) -> tuple[str, str, str]:
        name, label = next(found for place, found in _INPUTS.items() if f"{pointer}/".startswith(f"{place}/"))
        return name, "cities" if name == "city" else name, str(sentence(label))


def first_values(today: date, host: str) -> MultiDict[str, str]:
    """What stands in a new form: an hour once a month, six times, from next week on."""
    day = today + timedelta(days=7)
    values = {"date": day.isoformat(), "time": "15:00", "zone": directory().cities[host].zone}
    return MultiDict(values | {"frequency": "monthly-weekday", "count": "6", "duration": str(DEFAULT_MINUTES)})


def _number(typed: str) -> int:
    return int(typed) if re.fullmatch(r"[0-9]{1,4}", typed.strip()) else 0
