"""The calls of the API about standing meetings, and about how cities share early and late hours."""

from __future__ import annotations

from typing import Any

from scheduler import fairness, series, suggestions
from scheduler import planning_answers as shown
from scheduler import planning_bodies as taken
from scheduler.web.calls import call, caller
from scheduler.web.problems import language
from scheduler.web.reader import desk, directory


@call(
    "POST", "/series-plans", "Dates of a standing meeting, and others where a city is closed",
    takes=taken.SeriesPlanBody, gives=shown.SeriesPlanAnswer,
)  # fmt: skip
def plan_series(body: taken.SeriesPlanBody) -> Any:
    """The same wall time on each date; if a city is closed, the nearest open day, else another time. Stores nothing."""
    plan = series.plan(desk(), taken.as_wanted(body))
    return shown.represent_plan(plan, directory(), language(), suggestions.data_versions())


@call(
    "GET", "/fairness", "Minutes outside office hours that a city and each partner bore in meetings held",
    query=taken.FairnessQuery, gives=shown.FairnessAnswer,
)  # fmt: skip
def show_fairness(query: taken.FairnessQuery) -> Any:
    """Meetings are counted by the day on which they began; the ledger is written minutes after a meeting ends."""
    return shown.represent_report(
        fairness.report(desk(), caller(), query.city or caller().city, query.since, query.until)
    )
