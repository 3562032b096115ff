"""Signing in by a link that is mailed, and signing out. By password: `password_sign_in`.

Opening the link shows a button, because mail scanners open links too; only the button uses the link up.
"""

from __future__ import annotations

import time

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from scheduler import access, limits
from scheduler.core.errors import NotFound
from scheduler.web import browsers, security
from scheduler.web.reader import desk, read_in
from scheduler.web.security import public

blueprint = Blueprint("sign_in", __name__)
EVEN_SECONDS = 0.1  # that the answer takes; writing a mail is far quicker, so time does not tell whether one was


@blueprint.get("/sign-in")
@public
def ask() -> str:
    return render_template("sign_in.html", email="")


@blueprint.post("/sign-in")
@public
def send() -> str | tuple[str, int]:
    """The same page for every address: whether it is known stays between us and its mailbox."""
    email = request.form.get("email", "").strip()[:254]
    if "@" not in email:
        return render_template("sign_in.html", email=email, wrong=True), 422
    limits.spend(desk(), limits.sign_in_requests(desk()), security.client())
    began = time.monotonic()
    access.ask_for_link(desk(), email)
    time.sleep(max(0.0, EVEN_SECONDS - (time.monotonic() - began)))
    return render_template("sign_in_sent.html", email=email)


@blueprint.get("/sign-in/<token>")
@public
def confirm(token: str) -> str | tuple[str, int]:
    try:
        person = access.person_of_link(desk(), token)
    except NotFound:
        return _stale()
    read_in(person.language)
    return render_template("sign_in_confirm.html", token=token, whose=person)


@blueprint.post("/sign-in/<token>")
@public
def enter(token: str) -> AnyResponse | tuple[str, int]:
    try:
        value = access.sign_in(desk(), token, browsers.label(request.user_agent.string), security.session())
    except NotFound:
        return _stale()
    response = redirect(url_for("agenda.show"), 303)
    security.keep_signed_in(response, value)
    return response


@blueprint.post("/sign-out")
@public
def leave() -> AnyResponse:
    """Public, because nothing is wrong with leaving after the session has ended."""
    access.sign_out(desk(), security.session())
    g.person = None
    response = redirect(url_for("sign_in.ask"), 303)
    security.forget(response)
    return response


def _stale() -> tuple[str, int]:
    security.count_wrong_token()
    return render_template("sign_in.html", email="", stale=True), 404
