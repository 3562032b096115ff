"""For machines: supervisors that ask whether the process works, and crawlers that are told to stay out."""

from __future__ import annotations

import json
import logging
from typing import Any

from flask import Blueprint, Response

from scheduler import operation
from scheduler.web.reader import desk
from scheduler.web.security import public

log = logging.getLogger(__name__)

blueprint = Blueprint("health", __name__)


@blueprint.get("/health/live")
@public
def live() -> Response:
    return _plain("ok", 200)


@blueprint.get("/health/ready")
@public
def ready() -> Response:
    """200 when all is well, else 503 with what is not. Ages are seconds; null where there is nothing to tell."""
    try:
        found = operation.health(desk())
    except Exception:
        log.exception("the database does not answer")
        return _json({"status": "down", "database": "down", "outbox": None, "worker": None, "mailbox": None}, 503)
    body = {
        "status": "ok" if found.is_well else "late",
        "database": "ok",
        "outbox": {"queued": found.queued, "age_seconds": found.outbox},
        "worker": {"age_seconds": found.worker},
        "mailbox": None if found.mailbox is None else {"age_seconds": found.mailbox},
        "late": list(found.late),
    }
    return _json(body, 200 if found.is_well else 503)


@blueprint.get("/robots.txt")
@public
def robots() -> Response:
    """Crawlers stay out; calendar services, which ask here too, may fetch the feeds they were given."""
    return _plain("User-agent: *\nAllow: /feeds/\nDisallow: /", 200)


def _json(body: dict[str, Any], status: int) -> Response:
    return Response(json.dumps(body) + "\n", status, mimetype="application/json")


def _plain(text: str, status: int) -> Response:
    return Response(text + "\n", status, mimetype="text/plain")
