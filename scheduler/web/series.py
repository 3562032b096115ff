"""Planning a standing meeting: the dates, what keeps the meeting away from some of them, and when it is held instead.

The form changes nothing, so it travels in the address, which can be kept or sent to a colleague.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask import Blueprint, render_template, request, url_for

from scheduler import planning_answers, series, suggestions
from scheduler.core.errors import Invalid
from scheduler.core.planning import Occasion, Planned
from scheduler.core.rotation import Turn
from scheduler.core.series import Plan
from scheduler.web import clocks, slots
from scheduler.web.choices import city_options
from scheduler.web.clocks import LocalTime, day_in
from scheduler.web.reader import desk, directory, language, person
from scheduler.web.series_form import SeriesForm, first_values

blueprint = Blueprint("series", __name__)

Page = str | tuple[str, int]


@dataclass(frozen=True, slots=True)
class Row:
    """One date as shown. `times` are those of all cities when it is held, `burdens` the minutes of those who bear any;
    `address` leads to the form of a single meeting."""

    day: date
    kind: str
    reasons: list[str]
    times: list[LocalTime]
    burdens: list[tuple[str, int]]
    address: str
    turn: str = ""

    @property
    def is_as_named(self) -> bool:
        """Whether it is held on the very date that the row is named by."""
        return bool(self.times) and self.times[0].start.date() == self.day


@dataclass(frozen=True, slots=True)
class Table:
    rows: list[Row]
    totals: list[tuple[str, int]]

    def count(self, *kinds: str) -> int:
        return sum(row.kind in kinds for row in self.rows)


@blueprint.get("/meetings/series")
def show() -> Page:
    asked = "date" in request.args
    values = request.args if asked else first_values(day_in(desk().now(), person().city), person().city)
    form = SeriesForm(values, person().city)
    plan = _plan(form) if asked else None
    page = render_template(
        "series.html",
        form=form,
        partners=[option for option in city_options() if option[0] != person().city],
        plan=plan,
        table=_table(form, [(None, planned) for planned in plan.dates], plan.minutes, plan) if plan else None,
        rotation=_table(form, plan.rotation.dates, plan.rotation.minutes, plan) if plan and plan.rotation else None,
        better=_better(form, plan) if plan else "",
        record=_city_of_record(form, plan) if plan else "",
        unknown=[slots.unknown(entry, {}) for entry in plan.unknown] if plan else [],
        versions=suggestions.data_versions(),
    )
    return page, 422 if form.faults else 200


def _plan(form: SeriesForm) -> Plan | None:
    try:
        return series.plan(desk(), form.wanted())
    except Invalid as error:
        form.accuse(error)
        return None


def _table(
    form: SeriesForm, dates: Iterable[tuple[Turn | None, Planned]], minutes: Mapping[str, int], plan: Plan
) -> Table:
    totals = _named({slug: minutes[slug] for slug in form.cities})
    return Table([_row(form, planned, turn, plan) for turn, planned in dates], totals)


def _row(form: SeriesForm, planned: Planned, turn: Turn | None, plan: Plan) -> Row:
    held = planned.occasion
    return Row(
        planned.day,
        planned.kind,
        [planning_answers.obstacle_sentence(o, directory(), language()) for o in planned.obstacles],
        clocks.local_times(held.start, form.minutes, form.cities, form.host) if held else [],
        [entry for entry in _named(held.burdens) if entry[1]] if held else [],
        _address(form, held, plan) if held else "",
        directory().city_name(turn.city, language()) if turn else "",
    )


def _city_of_record(form: SeriesForm, plan: Plan) -> str:
    slug = next(slug for slug in form.cities if clocks.zone_of(slug) == plan.rhythm.zone)
    return directory().city_name(slug, language())


def _named(minutes: Mapping[str, int]) -> list[tuple[str, int]]:
    return [(directory().city_name(slug, language()), n) for slug, n in minutes.items()]


def _address(form: SeriesForm, held: Occasion, plan: Plan) -> str:
    """The form of a single meeting with this date."""
    local = next(iter(held.local.values()))
    return url_for(
        "proposal.new",
        city=[slug for slug in form.cities if slug != form.host],
        date=local.date().isoformat(),
        time=f"{local:%H:%M}",
        zone=plan.rhythm.zone,
        duration=form.minutes,
    )


def _better(form: SeriesForm, plan: Plan) -> str:
    """The same page with the time that is within everybody's office hours."""
    if plan.better is None:
        return ""
    values: dict[str, Any] = form.typed.to_dict(flat=False) | {"time": f"{plan.better:%H:%M}"}
    return url_for("series.show", **values)
