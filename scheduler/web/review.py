"""What waits for a person: mail that the rules must not decide alone, and the decisions it allows."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from scheduler import reviews
from scheduler.web import outcomes, reader
from scheduler.web.reader import desk

blueprint = Blueprint("review", __name__)


@blueprint.get("/review")
def index() -> str:
    waiting = reviews.reviews(desk(), reader.person())
    return render_template("review/index.html", waiting=waiting, done=bool(request.args.get("done")), outcomes=outcomes)


@blueprint.post("/review/<int:review_id>/decision")
def decide(review_id: int) -> Response:
    reviews.decide(desk(), reader.person(), review_id, request.form.get("decision", ""))
    return redirect(url_for("review.index", done=1), 303)
