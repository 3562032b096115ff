"""One call of the API: who asks, what they send, what they get.

`call` registers a view together with its description, so that what is served and what OpenAPI says are one table. The
view gets its checked `body` and `query` as arguments and returns a JSON value or a response. Rights come from the
bearer token alone: a cookie gives none, and therefore no forgery check is needed here.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, current_app, g, request
from pydantic import BaseModel
from werkzeug.exceptions import UnsupportedMediaType

from scheduler import access, bodies
from scheduler.booking import RequestKey
from scheduler.core.cities import Person
from scheduler.core.errors import Fault, Invalid
from scheduler.web import problems, security
from scheduler.web.reader import desk

BODY_LIMIT = 1_000_000  # bytes
MERGE_PATCH = "application/merge-patch+json"

View = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Call:
    """What OpenAPI needs to know of a view. `rule` is Flask's."""

    method: str
    rule: str
    name: str
    summary: str
    description: str
    takes: type[BaseModel] | None
    query: type[BaseModel] | None
    gives: type[BaseModel] | str | None  # a model, or a media type
    status: int
    optional_body: bool
    public: bool
    has_etag: bool
    idempotent: bool  # takes an Idempotency-Key


blueprint = Blueprint("api", __name__, url_prefix="/api/v1")
CALLS: list[Call] = []


def call(
    method: str,
    rule: str,
    summary: str,
    *,
    takes: type[BaseModel] | None = None,
    query: type[BaseModel] | None = None,
    gives: type[BaseModel] | str | None = None,
    status: int = 200,
    optional_body: bool = False,
    public: bool = False,
    has_etag: bool = False,
    idempotent: bool = False,
    body_limit: int = BODY_LIMIT,
) -> Callable[[View], View]:
    def register(view: View) -> View:
        name, description = view.__name__, " ".join((view.__doc__ or "").split())
        described = (summary, description, takes, query, gives, status)
        CALLS.append(Call(method, rule, name, *described, optional_body, public, has_etag, idempotent))

        @functools.wraps(view)
        def served(**arguments: Any) -> Any:
            if not public:
                _authenticate()
            if query:
                arguments["query"] = bodies.read(query, request.args.to_dict())
            if takes:
                payload = _payload(method, optional_body, body_limit)
                arguments["body"] = payload if method == "PATCH" else bodies.read(takes, payload)
            answer = view(**arguments)
            return answer if isinstance(answer, Response) else respond(answer, status)

        blueprint.add_url_rule(rule, name, served, methods=[method])
        return view

    return register


@blueprint.errorhandler(Exception)
def _error(error: Exception) -> Response:
    return problems.of_error(error)


@blueprint.before_app_request
def _unknown_address() -> Response | None:
    """Errors of routing (404, 405, a foreign Host) belong to no blueprint; those under /api are ours all the same."""
    error = request.routing_exception
    if error is None or not request.path.startswith("/api/"):
        return None
    return problems.of_error(error)


def caller() -> Person:
    found: Person = g.caller
    return found


def _authenticate() -> None:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip()
    found = access.caller_of_bearer(desk(), token) if kind.lower() == "bearer" and token else None
    if found is None:
        if token:
            security.count_wrong_token()
        raise problems.Unauthorized(given=bool(token))
    g.caller, g.directory = found.person, found.directory
    current_app.extensions["api_requests"].spend(token)


def _payload(method: str, optional: bool, limit: int) -> Any:
    """The parsed JSON body; strict about what is no JSON (RFC 8259: NaN, doubled names, lone surrogates)."""
    request.max_content_length = limit
    data = request.get_data()
    if optional and not data:
        return {}
    accepted = ("application/json", MERGE_PATCH) if method == "PATCH" else ("application/json",)
    if request.mimetype not in accepted:
        raise UnsupportedMediaType
    try:
        text = data.decode("utf-8")
        payload = json.loads(text, parse_constant=_refuse, object_pairs_hook=_object)
        if "\\u" in text:  # only so are surrogates written
            json.dumps(payload, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise problems.NoJson from None
    return payload


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("doubled name")
    return found


def request_key() -> RequestKey | None:
    """The Idempotency-Key with what was sent under it: the same key may only come with the same body."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not re.fullmatch(r"[\x21-\x7e]{1,200}", key):
        raise Invalid(Fault("", "bad-idempotency-key"))
    canonical = json.dumps(json.loads(request.get_data()), sort_keys=True, separators=(",", ":"))
    return RequestKey(key, hashlib.sha256(f"{request.path}\n{canonical}".encode()).hexdigest())


def written(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def respond(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    body = value if isinstance(value, bytes) else written(value)
    same = {"Vary": "Authorization, Accept-Language", "Cache-Control": "no-store"}
    known = {"Content-Language": problems.language(), **same, **(headers or {})}
    return Response(body, status, known, mimetype="application/json")
