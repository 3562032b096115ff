"""Changes of law about the reader's meetings, and what is decided about each or about all."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from scheduler import laws
from scheduler.core.laws import Finding
from scheduler.mail import law
from scheduler.web.reader import desk, directory, language, person

blueprint = Blueprint("changes_of_law", __name__)

SAID = ("wall", "instant", "closed", "left", "nothing")


@blueprint.get("/meetings/changes-of-law")
def index() -> str:
    said = request.args.get("said", "")
    return render_template(
        "changes_of_law.html",
        findings=laws.findings(desk(), person()),
        said=said if said in SAID else "",
        lines=_lines,
        agreed=lambda meeting: law.agreed(meeting, directory(), language()),
        record_city=lambda meeting: law.record_city(meeting, directory(), language()),
    )


@blueprint.post("/meetings/changes-of-law/decision")
def decide_all() -> Response:
    keep = request.form.get("keep", "")
    outcome = laws.approve_all(desk(), person(), keep)
    return _done("left" if outcome.left else keep if outcome.done else "nothing")


@blueprint.post("/meetings/<int:meeting_id>/changes-of-law/decision")
def decide(meeting_id: int) -> Response:
    keep = request.form.get("keep", "")
    return _done(keep if laws.approve(desk(), person(), meeting_id, keep) else "nothing")


def _lines(found: Finding) -> Sequence[str]:
    return law.lines(found, directory(), language())


def _done(said: str) -> Response:
    return redirect(url_for("changes_of_law.index", said=said), 303)
