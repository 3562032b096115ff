"""Reports about what was held. The first: how the reader's city and its partners share early and late hours."""

from __future__ import annotations

from datetime import date, timedelta

from flask import Blueprint, render_template, request
from werkzeug.datastructures import MultiDict

from scheduler import fairness
from scheduler.core.errors import Fault, Invalid
from scheduler.fairness import Report
from scheduler.web.clocks import day_in
from scheduler.web.forms import Form
from scheduler.web.reader import desk, person, sentence

blueprint = Blueprint("reports", __name__)

YEAR = timedelta(days=365)
CHART_WIDTH = 1000  # units of the longest bar
Page = str | tuple[str, int]


@blueprint.get("/reports/fairness")
def fairness_of_hours() -> Page:
    form = Form(_values())
    try:
        found = fairness.report(desk(), person(), person().city, _date(form, "from"), _date(form, "to"))
    except Invalid as error:
        form.blame(error.faults, _locate)
        return render_template("reports/fairness.html", form=form, report=None, width=None), 422
    return render_template("reports/fairness.html", form=form, report=found, width=_widths(found))


def _values() -> MultiDict[str, str]:
    """Without any dates, the last year; an empty one is no bound."""
    if "from" in request.args or "to" in request.args:
        return request.args
    today = day_in(desk().now(), person().city)
    return MultiDict({"from": (today - YEAR).isoformat(), "to": today.isoformat()})


def _date(form: Form, name: str) -> date | None:
    typed = form.value(name).strip()
    try:
        return date.fromisoformat(typed) if typed else None
    except ValueError:
        raise Invalid(Fault(f"/{name}", "bad-date")) from None


def _locate(pointer: str) -> tuple[str, str, str]:
    name = pointer.strip("/")
    return name, name, str(sentence(f"web.form.{name}"))


def _widths(report: Report) -> dict[int, int]:
    """By minutes the width of a bar; all bars of the page have the same scale."""
    found = {minutes for account in report.accounts for minutes in account.minutes.values()}
    longest = max(found, default=0) or 1
    return {minutes: minutes * CHART_WIDTH // longest for minutes in found}
