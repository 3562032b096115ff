"""Who reads the page, and in which language.

A signed-in person reads in their own language. Anybody else in the one of `?lang=`, which links then carry on, or what
their browser asks for. A view that knows better (a personal link knows its invitee) calls `read_in`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask, current_app, g, request
from markupsafe import Markup

from scheduler import i18n
from scheduler.core.cities import Directory, Objective, Person, Room
from scheduler.core.words import LANGUAGES
from scheduler.desk import Desk

# Endpoint and sentence of each entry of the navigation; entries of pages that this installation lacks are left out.
NAVIGATION = (
    ("agenda.show", "web.nav.agenda"),
    ("proposal.new", "web.nav.propose"),
    ("review.index", "web.nav.review"),
    ("cities.index", "web.nav.cities"),
    ("operation.show", "web.nav.operation"),
    ("mailbox.index", "web.nav.mailbox"),
)


def desk() -> Desk:
    found: Desk = current_app.extensions["desk"]
    return found


def person() -> Person:
    """The signed-in person. Only for views that are not public."""
    found: Person = g.person
    return found


def directory() -> Directory:
    """Cities, fields, rooms and objectives, loaded once per request."""
    found: Directory | None = g.get("directory")
    if found is None:
        found = g.directory = desk().directory()
    return found


def language() -> str:
    found: str | None = g.get("language")
    if found is None:
        found = g.language = _chosen() or i18n.negotiate(request.headers.get("Accept-Language", ""))
    return found


def _chosen() -> str:
    reader: Person | None = g.get("person")
    return reader.language if reader else _asked()


def _asked() -> str:
    asked = request.args.get("lang", "")
    return asked if asked in LANGUAGES else ""


def read_in(chosen: str) -> None:
    """Serves the rest of this request in `chosen`, unless the reader asked for another language by `?lang=`."""
    g.language = _asked() or chosen


def sentence(key: str, **values: Any) -> Markup:
    return i18n.html(language(), key, **values)


def introduce(app: Flask) -> None:
    app.template_global("t")(sentence)
    app.context_processor(_context)
    app.url_defaults(_carry_language)


def _context() -> dict[str, Any]:
    return {
        "person": g.get("person"),
        "language": language(),
        "language_names": i18n.LANGUAGE_NAMES,
        "navigation": _navigation() if g.get("person") else (),
        "in_language": lambda wording: wording.read_in(language()),
        "city_name": lambda slug: directory().city_name(slug, language()),
        "field_name": lambda code: directory().field_name(code, language()),
        "topic_name": lambda field, topic: directory().topic_name(field, topic, language()),
        "room_name": lambda code: _named(directory().rooms, code),
        "objective_name": lambda code: _named(directory().objectives, code),
    }


def _named(entries: Mapping[str, Room] | Mapping[str, Objective], code: str) -> str:
    entry = entries.get(code)
    return entry.name.read_in(language()) if entry else code


def _navigation() -> list[tuple[str, str, bool]]:
    known = current_app.view_functions
    return [
        (endpoint, key, endpoint == request.endpoint or endpoint.split(".")[0] == request.blueprint)
        for endpoint, key in NAVIGATION
        if endpoint in known
        and (endpoint != "mailbox.index" or desk().settings.mail.mailbox)
        and (endpoint != "operation.show" or person().role == "operator")
    ]


def _carry_language(endpoint: str, values: dict[str, Any]) -> None:
    if endpoint != "static" and g.get("person") is None and _asked():
        values.setdefault("lang", _asked())
