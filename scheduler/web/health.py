"""For machines: supervisors that ask whether the process works, and crawlers that are told to stay out."""

from __future__ import annotations

from flask import Blueprint, Response

from scheduler.web.reader import desk
from scheduler.web.security import public

blueprint = Blueprint("health", __name__)


@blueprint.get("/health/live")
@public
def live() -> Response:
    return _plain("ok", 200)


@blueprint.get("/health/ready")
@public
def ready() -> Response:
    """200 when the database answers, else 503."""
    try:
        desk().directory()
    except Exception:
        return _plain("the database does not answer", 503)
    return _plain("ok", 200)


@blueprint.get("/robots.txt")
@public
def robots() -> Response:
    """Crawlers stay out; calendar services, which ask here too, may fetch the feeds they were given."""
    return _plain("User-agent: *\nAllow: /feeds/\nDisallow: /", 200)


def _plain(text: str, status: int) -> Response:
    return Response(text + "\n", status, mimetype="text/plain")
