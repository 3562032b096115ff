"""One line in the log for each request, and its id in the answer, so that both can be put together.

The path is written as the route says it, with the ids of rows; the secret of a personal link, and whatever somebody
typed after our address that is no page of ours, is not.
"""

from __future__ import annotations

import logging
import re
import secrets
import time

from flask import Flask, Response, g, request

from scheduler.logs import request_id

log = logging.getLogger("scheduler.requests")

HEADER = "X-Request-ID"


def introduce(app: Flask) -> None:
    app.before_request(_begin)
    app.after_request(_end)
    app.teardown_request(_forget)


def _begin() -> None:
    g.request_id, g.began = secrets.token_hex(8), time.perf_counter()
    request_id.set(g.request_id)


def _end(response: Response) -> Response:
    """The health checks of supervisors and the static files are left out: they would drown the rest."""
    response.headers[HEADER] = g.request_id
    if request.blueprint != "health" and request.endpoint != "static":
        person = g.get("person") or g.get("caller")
        known = {
            "method": request.method if request.method in _METHODS else "other",
            "path": shown_path(),
            "status": response.status_code,
            "milliseconds": round((time.perf_counter() - g.began) * 1000, 1),
            "person": person.id if person else None,
        }
        log.info("request", extra=known)
    return response


def _forget(_error: BaseException | None) -> None:
    request_id.set("")  # the thread goes on to other requests


_METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"})


def shown_path() -> str:
    """The route with the numbers of rows in it; any other part that varies is …, an unknown path is a dash."""
    given = request.view_args or {}

    def part(found: re.Match[str]) -> str:
        value = given.get(found[1])
        return str(value) if isinstance(value, int) else "…"

    return re.sub(r"<(?:[^<>]*:)?(\w+)>", part, request.url_rule.rule) if request.url_rule else "-"
