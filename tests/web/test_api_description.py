"""The description (OpenAPI 3.1) covers what is served, and what is served fits the description."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import current_app

from tests.databases import Databases
from tests.web.api_client import BASE_URL, Api, api_of, make_desk

METHODS = {"get", "post", "patch", "put", "delete"}


@pytest.fixture
def api(tmp_path: Path, databases: Databases) -> Api:
    return api_of(make_desk(tmp_path, databases.example(tmp_path)))


@pytest.fixture
def document(api: Api) -> dict[str, Any]:
    return dict(api.client.get("/api/v1/openapi.json", base_url=BASE_URL).json)


def test_the_description_is_public_and_of_version_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert document["paths"]["/openapi.json"]["get"]["security"] == []


def test_every_route_is_described_and_nothing_else(api: Api, document: dict[str, Any]) -> None:
    with api.client.application.app_context():
        served = {
            (re.sub(r"<(?:[^>]*:)?(\w+)>", r"{\1}", rule.rule.removeprefix("/api/v1")), method.lower())
            for rule in current_app.url_map.iter_rules()
            if rule.rule.startswith("/api/")
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        }
    described = {(path, m) for path, calls in document["paths"].items() for m in calls if m in METHODS}
    assert described == served


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for reference in _references(document):
        found: Any = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def test_every_call_is_complete(document: dict[str, Any]) -> None:
    operations = [(path, call) for path, calls in document["paths"].items() for call in calls.values()]
    assert len({call["operationId"] for _, call in operations}) == len(operations)
    for path, call in operations:
        assert call["summary"]
        assert any(status.startswith("2") for status in call["responses"])
        named = {p["name"] for p in call.get("parameters", []) if p["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", path))


def test_a_patch_requires_nothing_and_a_body_its_members(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert "required" not in schemas["MeetingPatch"]
    assert set(schemas["MeetingBody"]["required"]) == {"title", "field", "host", "cities", "duration_minutes", "people"}
    assert schemas["MeetingBody"]["additionalProperties"] is False
    assert {"from", "to"} <= set(schemas["SlotsBody"]["required"])
