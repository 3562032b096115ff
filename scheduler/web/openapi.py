"""The description of the API (OpenAPI 3.1), made from the calls and models that serve it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from scheduler.representations import Problem
from scheduler.web.calls import MERGE_PATCH, Call

_DESCRIPTION = """\
Instants are RFC 3339 in UTC ending in `Z`; `local` maps a city's slug to the start with that city's offset; dates are
local dates; intervals are half-open. Errors are problem documents (RFC 9457) in the caller's language, or in the one of
`Accept-Language`. The ETag of a meeting counts its edits, not its answers: use it for `If-Match`, not for caching."""

_NUMBER = {"type": "integer", "minimum": 0}
_ERRORS = {
    400: "No JSON",
    401: "No valid token",
    403: "Known, but not yours to change",
    404: "Unknown, or of others",
    409: "The present state forbids it: room taken, meeting cancelled",
    412: "If-Match names an older version",
    413: "Body too large",
    415: "Not a JSON media type",
    422: "What cannot be meant; each fault under `errors`",
    429: "Too many; see Retry-After",
    500: "A failure; its `id` stands in the server's log",
}


def document(calls: Iterable[Call], base_url: str) -> dict[str, Any]:
    calls = list(calls)
    schemas = _schemas(calls)
    paths: dict[str, Any] = {}
    for call in calls:
        paths.setdefault(_path(call.rule), {})[call.method.lower()] = _operation(call)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sister City Meetings", "version": "1.0.0", "description": _DESCRIPTION},
        "servers": [{"url": f"{base_url}/api/v1"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "responses": {str(status): _problem(text) for status, text in _ERRORS.items()},
        },
    }


def _path(rule: str) -> str:
    return re.sub(r"<(?:[^:>]+:)?(\w+)>", r"{\1}", rule)


def _schemas(calls: list[Call]) -> dict[str, Any]:
    taken = [(c.takes, "validation") for c in calls if c.takes]
    given = [(c.gives, "serialization") for c in calls if isinstance(c.gives, type)]
    models: Any = list(dict.fromkeys([*taken, *given, (Problem, "serialization")]))
    _, found = models_json_schema(models, by_alias=True, ref_template="#/components/schemas/{model}")
    schemas: dict[str, Any] = found["$defs"]
    for patched in {c.takes for c in calls if c.method == "PATCH" and c.takes}:
        schemas[_patch_name(patched)] = _patch(schemas[patched.__name__])
    return schemas


def _patch_name(model: type[BaseModel]) -> str:
    return model.__name__.replace("Body", "Patch")


def _patch(schema: dict[str, Any]) -> dict[str, Any]:
    """The merge patch of a body: no member is required."""
    return {k: v for k, v in schema.items() if k != "required"} | {
        "title": schema["title"].replace("Body", "Patch"),
        "description": "A JSON Merge Patch (RFC 7396): null removes, lists are replaced whole",
    }


def _operation(call: Call) -> dict[str, Any]:
    operation: dict[str, Any] = {"operationId": call.name, "summary": call.summary, "responses": _responses(call)}
    if call.description:
        operation["description"] = call.description
    if parameters := _parameters(call):
        operation["parameters"] = parameters
    if call.takes:
        operation["requestBody"] = _request_body(call, call.takes)
    if call.public:
        operation["security"] = []
    return operation


def _parameters(call: Call) -> list[dict[str, Any]]:
    found = [
        {"name": name, "in": "path", "required": True, "schema": _NUMBER if kind else {"type": "string"}}
        for kind, name in re.findall(r"<(int[^:>]*:)?(\w+)>", call.rule)
    ]
    if call.query:
        schema = call.query.model_json_schema(by_alias=True)
        found += [{"name": name, "in": "query", "schema": value} for name, value in schema["properties"].items()]
    if call.idempotent:
        text = "The same key and body give the first answer again; another body is refused with 422"
        found.append(_header("Idempotency-Key", text))
    if call.has_etag and call.method != "GET" and call.status != 201:
        found.append(_header("If-Match", "Refuses with 412 unless the meeting still has this ETag"))
    return found


def _header(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "description": description, "schema": {"type": "string"}}


def _request_body(call: Call, model: type[BaseModel]) -> dict[str, Any]:
    is_patch = call.method == "PATCH"
    reference = {"$ref": f"#/components/schemas/{_patch_name(model) if is_patch else model.__name__}"}
    kinds = (MERGE_PATCH, "application/json") if is_patch else ("application/json",)
    return {"required": not call.optional_body, "content": {kind: {"schema": reference} for kind in kinds}}


def _responses(call: Call) -> dict[str, Any]:
    expected = {500} if call.public else {401, 429, 500}
    expected |= {404} if "<" in call.rule else set()
    expected |= {403} if call.method == "DELETE" else set()
    expected |= {422} if call.query else set()
    expected |= {400, 403, 409, 413, 415, 422} if call.takes else set()
    expected |= {412} if call.has_etag and call.method != "GET" and call.status != 201 else set()
    return {
        str(call.status): _success(call),
        **{str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(expected)},
    }


def _success(call: Call) -> dict[str, Any]:
    found: dict[str, Any] = {"description": "Created" if call.status == 201 else "Done"}
    if isinstance(call.gives, str):
        found["content"] = {call.gives: {"schema": {"type": "string" if call.gives.startswith("text/") else "object"}}}
    elif call.gives:
        found["content"] = {"application/json": {"schema": {"$ref": f"#/components/schemas/{call.gives.__name__}"}}}
    if call.has_etag:
        found["headers"] = {"ETag": {"description": "Counts edits of the meeting", "schema": {"type": "string"}}}
    return found


def _problem(text: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": text, "content": {"application/problem+json": {"schema": schema}}}
