"""The page "Sign-in and security": a person's password, second factor, recovery codes, and where they are signed in.

What changes a way in asks for a recent proof. Without one the page says so and takes it: password and code, or a link.
Secrets (the second factor, recovery codes) are shown in the answer to the form that made them, and never again.
"""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from scheduler import passwords, second_factor, sessions, ways_in
from scheduler.core.errors import Forbidden, Invalid
from scheduler.web import security
from scheduler.web.failures import say
from scheduler.web.reader import desk, person

blueprint = Blueprint("own_sign_in", __name__)
Page = AnyResponse | str | tuple[str, int]
DONE = ("password", "off", "ended", "others-ended", "proved")


@blueprint.get("/settings/sign-in")
def show() -> Page:
    done = request.args.get("done", "")
    return _page(done=done if done in DONE else "")


@blueprint.post("/settings/sign-in/proof")
def prove() -> Page:
    password, code = request.form.get("password", ""), request.form.get("code", "")
    try:
        ways_in.prove(desk(), person(), security.session(), password, code, security.client())
    except Invalid as wrong:
        return _page(status=422, proof_error=say(wrong.faults[0]))
    return _shown("proved")


@blueprint.post("/settings/sign-in/password")
def choose_password() -> Page:
    try:
        complete = ways_in.choose_password(desk(), person(), security.session(), request.form.get("password", ""))
    except Invalid as wrong:
        return _page(status=422, password_error=say(wrong.faults[0]))
    except Forbidden as refused:
        return _page(status=403, proof_error=say(refused))
    return _shown("password") if complete else redirect(url_for("own_sign_in.show_second_factor"), 303)


@blueprint.post("/settings/sign-in/password/removal")
def remove() -> Page:
    try:
        ways_in.remove(desk(), person(), security.session())
    except Forbidden as refused:
        return _page(status=403, proof_error=say(refused))
    return _shown("off")


@blueprint.get("/settings/sign-in/second-factor")
def show_second_factor() -> str:
    return _second_factor()


@blueprint.post("/settings/sign-in/second-factor")
def begin_second_factor() -> Page:
    try:
        ways_in.begin_second_factor(desk(), person(), security.session())
    except Forbidden as refused:
        return _page(status=403, proof_error=say(refused))
    return redirect(url_for("own_sign_in.show_second_factor"), 303)


@blueprint.post("/settings/sign-in/second-factor/confirmation")
def confirm_second_factor() -> Page:
    try:
        codes = ways_in.confirm(desk(), person(), security.session(), request.form.get("code", ""))
    except Invalid as wrong:
        return _second_factor(say(wrong.faults[0])), 422
    return _codes(codes)


@blueprint.post("/settings/sign-in/recovery-codes")
def make_codes() -> Page:
    try:
        return _codes(ways_in.new_recovery_codes(desk(), person(), security.session()))
    except Forbidden as refused:
        return _page(status=403, proof_error=say(refused))


@blueprint.post("/settings/sessions/<session_id>/ending")
def end_session(session_id: str) -> Page:
    sessions.end(desk(), person(), session_id)
    return _shown("ended")


@blueprint.post("/settings/sessions/ending")
def end_others() -> Page:
    sessions.end_others(desk(), person(), security.session())
    return _shown("others-ended")


def _shown(done: str) -> AnyResponse:
    return redirect(url_for("own_sign_in.show", done=done), 303)


def _page(status: int = 200, done: str = "", password_error: str = "", proof_error: str = "") -> Page:
    shown = [
        (session, sessions.is_this(session, security.session())) for session in sessions.of_person(desk(), person())
    ]
    return render_template(
        "settings/sign_in.html",
        ways=ways_in.of_person(desk(), person()),
        proved=sessions.is_proved(desk(), person(), security.session()),
        open_sessions=sorted(shown, key=lambda one: not one[1]),  # this one first
        least=passwords.LEAST,
        done=done,
        password_error=password_error,
        proof_error=proof_error,
    ), status


def _second_factor(error: str = "") -> str:
    secret = ways_in.offered_secret(desk(), person(), security.session())
    address = second_factor.address(secret, person().email, desk().settings.mail.from_name)
    return render_template(
        "settings/second_factor.html",
        secret=second_factor.in_groups(secret),
        address=address,
        picture=second_factor.picture(address),
        error=error,
    )


def _codes(codes: list[str]) -> str:
    return render_template("settings/recovery_codes.html", codes=codes)
