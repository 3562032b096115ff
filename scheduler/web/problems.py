"""How an error looks to a program: a problem document (RFC 9457) with the same statuses as the pages.

`title` and `detail` are in the caller's language, `code` is the same in all. Each fault of the input stands under
`errors` with the JSON pointer of its place; a wall time that cannot be resolved brings its `choices`.
"""

from __future__ import annotations

import json
import logging
import secrets
from typing import Any

from flask import Response, g, request
from werkzeug.exceptions import HTTPException

from scheduler import i18n
from scheduler.core.errors import Invalid, SchedulerError, TooMany
from scheduler.representations import FaultAnswer, Problem, sentence, told, utc
from scheduler.web.failures import status_of

log = logging.getLogger(__name__)

# Errors of HTTP: what they tell. The rest of a class shares the sentence of its hundred.
_HTTP = {
    400: "bad-request",
    401: "unauthorized",
    404: "not-found",
    405: "method-not-allowed",
    413: "payload-too-large",
    415: "unsupported-media-type",
    500: "internal",
}


class NoJson(HTTPException):
    code = 400


class Unauthorized(Exception):
    """No token, or one that is not valid (any more)."""

    def __init__(self, given: bool) -> None:
        self.given = given


def of_error(error: Exception) -> Response:
    """The answer to any error."""
    if isinstance(error, Unauthorized):
        challenge = 'Bearer realm="scheduler"' + (', error="invalid_token"' if error.given else "")
        return problem(401, "unauthorized", say("unauthorized"), headers={"WWW-Authenticate": challenge})
    if isinstance(error, SchedulerError):
        return _of_scheduler_error(error)
    if isinstance(error, HTTPException):
        return _of_http_error(error)
    return _of_failure(error)


def _of_scheduler_error(error: SchedulerError) -> Response:
    status = status_of(error)
    if status >= 500:
        log.error("%s at %s %s", error.key, request.method, request.url_rule, exc_info=error)
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, TooMany) else {}
    if not isinstance(error, Invalid):
        return problem(status, error.key, told(error, language()), headers=headers)
    faults = [FaultAnswer(pointer=f.pointer, detail=say(f.key, f.values), code=f.key) for f in error.faults]
    return problem(status, error.key, say(error.key), errors=faults, choices=[utc(c) for c in error.choices])


def _of_http_error(error: HTTPException) -> Response:
    if error.code is None or error.code < 400:
        response = error.get_response()
        assert isinstance(response, Response)
        return response
    headers = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
    general = 500 if error.code >= 500 else 400
    key = "bad-json" if isinstance(error, NoJson) else _HTTP.get(error.code, _HTTP[general])
    return problem(error.code, key, say(key), headers=headers)


def _of_failure(error: Exception) -> Response:
    error_id = secrets.token_hex(4)
    log.error("error %s at %s %s", error_id, request.method, request.url_rule, exc_info=error)
    return problem(500, "internal", say("internal"), error_id=error_id)


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    errors: list[FaultAnswer] | None = None,
    choices: list[str] | None = None,
    error_id: str = "",
    headers: dict[str, str] | None = None,
) -> Response:
    title = f"api.title.{status}"
    if not i18n.has("en", title):
        title = "api.title.500" if status >= 500 else "api.title.400"
    document = Problem(
        title=i18n.text(language(), title),
        status=status,
        detail=detail,
        code=code,
        errors=errors or [],
        choices=choices or None,
        id=error_id or None,
    )
    body = json.dumps(document.model_dump(exclude_none=True), ensure_ascii=False)
    response = Response(body, status, mimetype="application/problem+json", headers=headers)
    response.headers["Content-Language"] = language()
    return response


def say(key: str, values: dict[str, Any] | None = None) -> str:
    """The sentence of a core error or fault in the caller's language."""
    return sentence(key, values or {}, language())


def language() -> str:
    """One of our languages that the request asks for, else the caller's own."""
    asked = request.headers.get("Accept-Language", "")
    found = i18n.negotiate(asked)
    if found != i18n.DEFAULT_LANGUAGE or i18n.DEFAULT_LANGUAGE in asked.lower():
        return found
    caller = g.get("caller")
    return caller.language if caller else i18n.DEFAULT_LANGUAGE
