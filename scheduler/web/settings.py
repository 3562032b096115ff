"""What the product knows about the reader, the language they read in, and what a program needs to act for them."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from scheduler import access
from scheduler.web.reader import desk, person

blueprint = Blueprint("settings", __name__)


@blueprint.get("/settings")
def show() -> str:
    return render_template("settings/show.html", done=bool(request.args.get("done")))


@blueprint.post("/settings/language")
def change_language() -> Response:
    access.change_language(desk(), person(), request.form.get("language", ""))
    return redirect(url_for("settings.show", done=1), 303)
