"""For operators: how mail gets out and in, what is stuck and why, and what can be done about it."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from scheduler import operation
from scheduler.web import outcomes, reader
from scheduler.web.reader import desk

blueprint = Blueprint("operation", __name__)


@blueprint.get("/operation")
def show() -> str:
    return render_template(
        "operation/show.html",
        seen=operation.overview(desk(), reader.person()),
        remedies=operation.remedies,
        kind=_kind,
        outcomes=outcomes,
        said=_said(request.args.get("said", "")),
    )


@blueprint.post("/operation/mails/<int:mail_id>/remedy")
def mend(mail_id: int) -> Response:
    remedy = request.form.get("remedy", "")
    done = operation.act(desk(), reader.person(), remedy, [mail_id])
    return redirect(url_for("operation.show", said=remedy if done else "too-late"), 303)


def _kind(of_row: str) -> str:
    return "notice" if of_row.startswith("notice-") else of_row


def _said(word: str) -> str:
    return word if word in ("retry", "drop", "sent", "too-late") else ""
