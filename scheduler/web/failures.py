"""How an error looks on a page: one table from error to status, one page that says what to do.

The API has its own form of the same table (RFC 9457). A failure nobody foresaw gets an id that stands on the page and
in the log, and nothing else about it reaches the reader.
"""

from __future__ import annotations

import logging
import secrets

from flask import Flask, g, render_template, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, SecurityError

from scheduler import i18n
from scheduler.core.errors import (
    Busy,
    Conflict,
    Fault,
    Forbidden,
    Invalid,
    NotFound,
    NotReady,
    Outdated,
    SchedulerError,
    TooMany,
)
from scheduler.web import reader

log = logging.getLogger(__name__)

STATUSES: tuple[tuple[type[SchedulerError], int], ...] = (
    (Invalid, 422),
    (NotFound, 404),
    (Forbidden, 403),
    (Conflict, 409),
    (Outdated, 412),
    (TooMany, 429),
    (Busy, 503),
    (NotReady, 503),
    (SchedulerError, 500),
)
Answer = tuple[str, int] | tuple[str, int, dict[str, str]]


def introduce(app: Flask) -> None:
    app.register_error_handler(SchedulerError, _foreseen)
    app.register_error_handler(CSRFError, _forged)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unforeseen)


def status_of(error: SchedulerError) -> int:
    return next(status for kind, status in STATUSES if isinstance(error, kind))


def say(error: SchedulerError | Fault) -> str:
    """The error's sentence in the reader's language."""
    keys = (f"errors.{error.key}", f"web.error.{error.key}")
    key = next((k for k in keys if i18n.has(reader.language(), k)), "errors.invalid")
    return i18n.text(reader.language(), key, **error.values)


def _foreseen(error: SchedulerError) -> Answer:
    status = status_of(error)
    messages = [say(fault) for fault in error.faults] if isinstance(error, Invalid) else [say(error)]
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, TooMany) else {}
    return _page(status, messages, of_law=_is_of_law(error)), status, headers


def _is_of_law(error: SchedulerError) -> bool:
    """Whether the page of changes of law is where one goes on."""
    return error.key == "law-undecided" or (request.blueprint == "changes_of_law" and not isinstance(error, NotFound))


def _forged(error: CSRFError) -> Answer:
    return _page(400, [], "form-expired"), 400


def _http(error: HTTPException) -> Answer | HTTPException:
    if error.code is None or error.code < 400:
        return error
    if isinstance(error, SecurityError):  # a foreign Host: no address of ours can be written, so no page
        text = i18n.text(reader.language(), "web.failure.400.title")
        return text + "\n", 400, {"Content-Type": "text/plain; charset=utf-8"}
    headers = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
    return _page(error.code, []), error.code, headers


def _unforeseen(error: Exception) -> Answer:
    error_id = secrets.token_hex(4)
    log.error("error %s at %s %s", error_id, request.method, request.url_rule, exc_info=error)
    return _page(500, [], error_id=error_id), 500


def _page(status: int, messages: list[str], key: str = "", error_id: str = "", of_law: bool = False) -> str:
    g.setdefault("person", None)  # an early error (a foreign Host) comes before anybody is known
    known = key or (str(status) if i18n.has("en", f"web.failure.{status}.title") else "500" if status >= 500 else "400")
    return render_template("failure.html", key=known, messages=messages, error_id=error_id, of_law=of_law)
