"""What every request and every response must satisfy.

Deny by default: a view is for signed-in people unless it is marked `public`. Every unsafe request needs a CSRF token of
this browser's form cookie and must not come from another site; views whose secret is in their address (`cookieless`)
need no token, because no cookie gives them any right, but the site check stays. Sign-in is a row of the server's
(see `access`): its cookie holds only a random value, and a copied cookie dies with the sign-out.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, Request, Response, current_app, g, redirect, render_template, request, url_for
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask_wtf import CSRFProtect
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response as AnyResponse

from scheduler import access, limits
from scheduler.password_sign_in import HALF_MINUTES
from scheduler.web.reader import desk

View = TypeVar("View", bound=Callable[..., Any])

csrf = CSRFProtect()

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "X-Robots-Tag": "noindex, nofollow",
}
HSTS = "max-age=31536000; includeSubDomains"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def public(view: View) -> View:
    """Marks a view that needs no signed-in person."""
    view.is_public = True  # type: ignore[attr-defined]
    return view


def cookieless(view: View) -> View:
    """Marks a public view whose address holds the secret: it needs no CSRF token, only that no other site sends it."""
    csrf.exempt(view)
    return public(view)


def takes(limit: int) -> Callable[[View], View]:
    """Marks a view that takes so many bytes, instead of what other forms may have."""

    def mark(view: View) -> View:
        view.body_limit = limit  # type: ignore[attr-defined]
        return view

    return mark


def protect(app: Flask) -> None:
    https = desk_of(app).settings.server.is_https
    app.config.update(
        SESSION_COOKIE_NAME="__Host-form" if https else "form",  # holds the CSRF secret, nothing else
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SECURE=https,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
        WTF_CSRF_TIME_LIMIT=None,  # a form may lie open over lunch
        WTF_CSRF_SSL_STRICT=False,  # asks for a Referer, which our own policy withholds; `_refuse_other_sites` instead
        WTF_CSRF_CHECK_DEFAULT=False,  # `_refuse_forgery` calls it
    )
    app.session_interface = _FormCookie()
    csrf.init_app(app)
    app.before_request(_know_the_person)
    app.before_request(_refuse_other_sites)
    app.before_request(_refuse_forgery)
    app.before_request(_refuse_strangers)
    app.after_request(_harden)


class _FormCookie(SecureCookieSessionInterface):
    """Whoever brings none, programs above all, is spared the keys that read it."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        if self.get_cookie_name(app) not in request.cookies:
            return self.session_class()
        return super().open_session(app, request)


def desk_of(app: Flask) -> Any:
    return app.extensions["desk"]


def _know_the_person() -> None:
    value = request.cookies.get(sign_in_cookie())
    g.person = access.person_of_cookie(desk(), value) if value and request.endpoint != "static" else None


def _refuse_other_sites() -> None:
    """Browsers say whether a form comes from our own page. With our Referrer-Policy the Origin of our forms is `null`,
    so `null` alone proves nothing either way; a foreign Origin or any other site's mark does."""
    if request.method in SAFE_METHODS:
        return
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise BadRequest("cross-site")
    origin = request.headers.get("Origin", "null")
    if origin == "null":
        return
    if origin not in (desk().settings.server.base_url, request.host_url.rstrip("/")):
        raise BadRequest("foreign origin")


def _refuse_forgery() -> None:
    """Flask-WTF's check with its exemptions; raises CSRFError (400)."""
    if request.method in SAFE_METHODS or request.endpoint is None or request.blueprint == "api":
        return
    view = current_app.view_functions[request.endpoint]
    request.max_content_length = getattr(view, "body_limit", request.max_content_length)  # the check reads the form
    if f"{view.__module__}.{view.__name__}" not in csrf._exempt_views:
        csrf.protect()


_NOT_KEPT = ("csrf_token", "password", "code")  # no page repeats a secret


def _refuse_strangers() -> AnyResponse | tuple[str, int] | None:
    """Leads to the sign-in. A form of ours (its token was checked) whose sender's session ended meanwhile is not lost:
    the page holds what was typed, to be sent again after signing in elsewhere."""
    if g.person or request.endpoint is None or is_public(request.endpoint):
        return None
    if request.method in SAFE_METHODS:
        return redirect(url_for("sign_in.ask"), 303)
    typed = [(name, value) for name, value in request.form.items(multi=True) if name not in _NOT_KEPT]
    return render_template("session_ended.html", typed=typed), 401


def is_public(endpoint: str) -> bool:
    view = current_app.view_functions.get(endpoint)
    blueprint = endpoint.rpartition(".")[0]
    return endpoint == "static" or blueprint == "api" or getattr(view, "is_public", False)


def _harden(response: Response) -> Response:
    there = {name.lower() for name, _ in response.headers}
    for name, value in HEADERS.items():
        if name.lower() not in there:
            response.headers.add(name, value)
    if desk().settings.server.is_https:
        response.headers["Strict-Transport-Security"] = HSTS
    if request.endpoint != "static" and "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
        response.headers.add("Vary", "Cookie, Accept-Language")
    return response


def client() -> str:
    """Whom requests are counted for: an IPv4 address, or the IPv6 network of one connection (RFC 6177).

    What the client itself says of its address counts only as far as `server.proxies` vouch for it.
    """
    address = request.remote_addr or ""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)


def count_wrong_token() -> None:
    """Somebody brought a token that does not exist. Raises TooMany when they did so too often."""
    limits.spend(desk(), limits.wrong_tokens(desk()), client())


def sign_in_cookie() -> str:
    return "__Host-sid" if desk().settings.server.is_https else "sid"


def keep_signed_in(response: AnyResponse, value: str) -> None:
    server = desk().settings.server
    response.set_cookie(sign_in_cookie(), value, httponly=True, secure=server.is_https, samesite="Lax", path="/")


def forget(response: AnyResponse) -> None:
    _delete(response, sign_in_cookie())


def session() -> str:
    """The value of the sign-in cookie; empty without one."""
    return request.cookies.get(sign_in_cookie(), "")


def half_cookie() -> str:
    """Of somebody who gave the right password and not yet the code. No page but that for the code reads it."""
    return "__Host-half" if desk().settings.server.is_https else "half"


def keep_half(response: AnyResponse, value: str) -> None:
    seconds, https = HALF_MINUTES * 60, desk().settings.server.is_https
    name = half_cookie()
    response.set_cookie(name, value, max_age=seconds, httponly=True, secure=https, samesite="Lax", path="/")


def forget_half(response: AnyResponse) -> None:
    _delete(response, half_cookie())


def _delete(response: AnyResponse, name: str) -> None:
    server = desk().settings.server
    response.delete_cookie(name, httponly=True, secure=server.is_https, samesite="Lax", path="/")
