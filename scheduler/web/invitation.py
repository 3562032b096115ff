"""The page behind a personal link: what the meeting is, on every city's clock, and a form to answer it.

The secret stands in the address, so no cookie and no account is needed, and none is looked at: a coordinator who opens
the link sees what the invitee sees. Opening the page changes nothing, however often a mail scanner does it; only the
form's POST answers, and it carries the version that was on the page, so that nobody agrees to a time they never saw.
"""

from __future__ import annotations

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from scheduler import answers
from scheduler.answers import Opened
from scheduler.core.errors import Conflict, Invalid, NotFound
from scheduler.core.judging import COMMENT_LIMIT
from scheduler.core.meeting import Invitation
from scheduler.core.words import clean_text
from scheduler.web import clocks, reader, security
from scheduler.web.reader import desk, sentence
from scheduler.web.security import cookieless, public

blueprint = Blueprint("invitation", __name__)

Page = str | tuple[str, int] | Response


@blueprint.before_request
def _see_what_the_invitee_sees() -> None:
    g.person = None


@blueprint.errorhandler(NotFound)
def _unknown(error: NotFound) -> Page:
    return render_template("invitation/unknown.html"), 404


@blueprint.get("/i/<token>")
@public
def show(token: str) -> Page:
    return _page(token, _opened(token), done=bool(request.args.get("done")))


@blueprint.post("/i/<token>/answer")
@cookieless
def answer(token: str) -> Page:
    opened = _opened(token)
    status, comment = request.form.get("answer", ""), clean_text(request.form.get("comment", ""))
    wrong, fault = _fault(status, comment)
    if wrong:
        return _page(token, opened, wrong=wrong, fault=fault, comment=comment), 422
    try:
        answers.answer_by_link(desk(), token, status, comment, _sequence())
    except Conflict as conflict:
        return _page(token, _opened(token), conflict=conflict.key, comment=comment), 409
    except Invalid:
        fault = sentence("pages.invitation.fault.number")
        return _page(token, opened, wrong="answers", fault=fault, comment=comment), 422
    return redirect(url_for("invitation.show", token=token, done=1), 303)


def _opened(token: str) -> Opened:
    try:
        opened = answers.open_invitation(desk(), token)
    except NotFound:
        security.count_wrong_token()
        raise
    reader.read_in(opened.invitation.invitee.language)
    return opened


def _fault(status: str, comment: str) -> tuple[str, str]:
    """Which part of the form is wrong and what to do about it; both empty when nothing is."""
    if len(comment) > COMMENT_LIMIT:
        return "comment", sentence("pages.invitation.fault.long", n=len(comment), limit=COMMENT_LIMIT)
    if status not in answers.ANSWERS:
        return "answers", sentence("pages.invitation.fault.unchosen")
    return "", ""


def _sequence() -> int | None:
    """The version of the meeting that the page showed; None when the form does not say."""
    given = request.form.get("sequence", "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 10 else None


def _given(invitation: Invitation) -> str:
    """Which sentence says how the answer came."""
    if not invitation.answered_by:
        return "given"
    return "given_by" if invitation.channel == "telephone" else "given_from"


def _page(
    token: str,
    opened: Opened,
    *,
    done: bool = False,
    conflict: str = "",
    wrong: str = "",
    fault: str = "",
    comment: str | None = None,
) -> str:
    meeting, invitation = opened.meeting, opened.invitation
    own = invitation.invitee.city
    return render_template(
        "invitation/show.html",
        token=token,
        opened=opened,
        meeting=meeting,
        invitation=invitation,
        own=own,
        times=clocks.local_times(meeting.start, meeting.duration_minutes, dict.fromkeys([own, *meeting.cities]), own),
        given=_given(invitation),
        answers=answers.ANSWERS,
        limit=COMMENT_LIMIT,
        done=done and invitation.status != "waiting",
        conflict=conflict,
        wrong=wrong,
        fault=fault,
        comment=invitation.comment if comment is None else comment,
    )
