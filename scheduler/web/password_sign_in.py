"""Signing in by password: the page for the password, then the page for the code.

What is shown and how long it takes is the same for every address that is not signed in, known or not.
"""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from scheduler import password_sign_in
from scheduler.core.errors import Fault, Invalid, NotFound
from scheduler.web import browsers, security
from scheduler.web.failures import say
from scheduler.web.reader import desk, read_in
from scheduler.web.security import public

blueprint = Blueprint("password_sign_in", __name__)
Page = AnyResponse | str | tuple[str, int]


@blueprint.get("/sign-in/password")
@public
def ask() -> str:
    return render_template("sign_in_password.html", email="", error="")


@blueprint.post("/sign-in/password")
@public
def begin() -> Page:
    """Without a password: the page for it, with the address that was typed before."""
    email, password = request.form.get("email", "").strip()[:254], request.form.get("password")
    if password is None:
        return render_template("sign_in_password.html", email=email, error="")
    try:
        value = password_sign_in.begin(desk(), email, password, security.client())
    except Invalid as wrong:
        return render_template("sign_in_password.html", email=email, error=say(wrong.faults[0])), 422
    response = redirect(url_for("password_sign_in.ask_code"), 303)
    security.keep_half(response, value)
    return response


@blueprint.get("/sign-in/code")
@public
def ask_code() -> Page:
    return _code_page()


@blueprint.post("/sign-in/code")
@public
def enter() -> Page:
    try:
        value = password_sign_in.finish(
            desk(), _half(), request.form.get("code", ""), browsers.label(request.user_agent.string), security.session()
        )
    except Invalid as wrong:
        return _code_page(wrong.faults[0], 422)
    except NotFound:
        return _begin_anew()
    response = redirect(url_for("agenda.show"), 303)
    security.keep_signed_in(response, value)
    security.forget_half(response)
    return response


def _half() -> str:
    return request.cookies.get(security.half_cookie(), "")


def _code_page(fault: Fault | None = None, status: int = 200) -> Page:
    """In the language of whoever gave the password."""
    try:
        person = password_sign_in.person_of_half(desk(), _half())
    except NotFound:
        return _begin_anew()
    read_in(person.language)
    return render_template("sign_in_code.html", error=say(fault) if fault else ""), status


def _begin_anew() -> AnyResponse:
    response = redirect(url_for("password_sign_in.ask"), 303)
    security.forget_half(response)
    return response
