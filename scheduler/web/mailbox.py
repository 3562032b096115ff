"""Pages of the demo mailbox: read what would have been sent, and answer it as its receiver.

They exist only where mail is written to a folder and the product stands on this machine alone; anywhere else every
address here is unknown.
"""

from __future__ import annotations

import re

from flask import Blueprint, Response, abort, make_response, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from scheduler import mailbox
from scheduler.answers import ANSWERS
from scheduler.config import Settings, is_loopback
from scheduler.core.judging import COMMENT_LIMIT
from scheduler.core.words import clean_text
from scheduler.web import outcomes
from scheduler.web.reader import desk
from scheduler.web.security import public

blueprint = Blueprint("mailbox", __name__)

# The mail's own inline styles may show; nothing in it may load or run, open a window or move another page.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
    "object-src 'none'; frame-ancestors 'none'; sandbox allow-forms allow-same-origin allow-downloads"
)

_OWN_COPY = re.compile(rb"^ATTENDEE;[^\n]*\bROLE=CHAIR\b", re.MULTILINE)


def is_available(settings: Settings) -> bool:
    server = settings.server
    return settings.mail.mailbox is not None and not server.is_https and is_loopback(server.hosts[0])


@blueprint.before_request
def _only_in_a_demonstration() -> None:
    if not is_available(desk().settings):
        abort(404)


@blueprint.get("/mailbox")
@public
def index() -> str:
    return render_template("mailbox/index.html", messages=mailbox.messages(desk()))


@blueprint.get("/mailbox/<message_id>")
@public
def show(message_id: str) -> Response:
    """The mail, and after an answer (PRG) what became of it."""
    letter = mailbox.message(desk(), message_id)
    response = make_response(
        render_template(
            "mailbox/show.html",
            letter=letter,
            answerable=letter.answerable and not _is_own_copy(letter.calendar),
            body=Markup(letter.html),  # composed by us; the page's policy lets nothing in it run
            answers=ANSWERS,
            limit=COMMENT_LIMIT,
            outcome=outcomes.outcome(request.args.get("outcome", "")),
            reason=outcomes.reason(request.args.get("reason", "")),
        )
    )
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return response


def _is_own_copy(calendar: bytes) -> bool:
    """Whether the mail is the copy of the meeting's coordinator, which asks for no answer (RFC 5545, 3.2.16)."""
    return bool(_OWN_COPY.search(calendar.replace(b"\r\n ", b"")))


@blueprint.get("/mailbox/<message_id>.eml")
@public
def download(message_id: str) -> Response:
    response = Response(mailbox.content(desk(), message_id), mimetype="message/rfc822")
    response.headers["Content-Disposition"] = f'attachment; filename="{message_id[:12]}.eml"'
    return response


@blueprint.post("/mailbox/<message_id>/answer")
@public
def answer(message_id: str) -> AnyResponse:
    comment = clean_text(request.form.get("comment", ""))[:COMMENT_LIMIT]
    receipt = mailbox.answer(desk(), message_id, request.form.get("answer", ""), comment)
    shown = url_for(
        "mailbox.show", message_id=message_id, outcome=receipt.outcome, reason=receipt.reason, _anchor="outcome"
    )
    return redirect(shown, 303)
