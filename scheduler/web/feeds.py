"""Calendar feeds: what calendar programs fetch, and the page on which coordinators make and revoke the addresses."""

from __future__ import annotations

import re

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.http import is_resource_modified
from werkzeug.wrappers import Response as AnyResponse

from scheduler import feeds, meetings
from scheduler.core.errors import Invalid
from scheduler.feeds import Edition
from scheduler.web.choices import city_options, field_options
from scheduler.web.forms import Form
from scheduler.web.reader import desk, directory, language, person, sentence
from scheduler.web.security import public

blueprint = Blueprint("feeds", __name__)

CALENDAR = "text/calendar; charset=utf-8"
Page = str | tuple[str, int]


@blueprint.get("/feeds/<token>.ics")
@public
def calendar(token: str) -> Response:
    """The secret is the address: no sign-in, no cookie, and nothing that depends on who asks."""
    edition, content = feeds.read(desk(), token, _is_news)
    response = Response(status=304) if content is None else Response(content, content_type=CALENDAR)
    response.set_etag(edition.etag)
    response.last_modified = edition.changed
    response.headers["Cache-Control"] = "private, no-cache"  # kept by its reader alone, who asks whether it is new
    return response


def _is_news(edition: Edition) -> bool:
    """By If-None-Match, else by If-Modified-Since (RFC 9110 13.1)."""
    return is_resource_modified(request.environ, etag=edition.etag, last_modified=edition.changed)


@blueprint.get("/settings/feeds")
def index() -> str:
    return _page(Form())


@blueprint.post("/settings/feeds")
def create() -> Page:
    form = Form(request.form)
    kind = form.value("kind")
    try:
        made = feeds.create(desk(), person(), kind, form.value(kind), form.value("language"))
    except Invalid as error:
        form.blame(error.faults, _locate)
        return _page(form), 422
    return _page(Form(), made)


@blueprint.post("/settings/feeds/<int:feed_id>/revocation")
def revoke(feed_id: int) -> AnyResponse:
    feeds.revoke(desk(), person(), feed_id)
    return redirect(url_for("feeds.index", done=1), 303)


def _page(form: Form, made: feeds.Made | None = None) -> str:
    """`made` is shown this once: only a hash of its address is stored."""
    return render_template(
        "settings/feeds.html",
        form=form,
        made=made,
        webcal=re.sub("^https?", "webcal", made.url) if made else "",
        done=bool(request.args.get("done")),
        feeds=feeds.listing(desk(), person()),
        cities=sorted(city_options(), key=lambda option: option[0] != person().city),
        fields=field_options(),
        partners=_partners(),
        people=_people(),
    )


def _partners() -> list[tuple[str, str]]:
    own = person().city
    slugs = {slug for bond in directory().partnerships if own in bond.cities for slug in bond.cities} - {own}
    return [(slug, name) for slug, name in city_options() if slug in slugs]


def _people() -> list[tuple[str, list[tuple[str, str]]]]:
    """By city, the reader's own first."""
    own, known = person().city, meetings.people(desk(), person())
    groups = [
        (slug, [(p.email, p.name) for p in known if p.city == slug])
        for slug in sorted(directory().cities, key=lambda slug: slug != own)
    ]
    return [(directory().city_name(slug, language()), people) for slug, people in groups if people]


def _locate(pointer: str) -> tuple[str, str, str]:
    name = pointer.strip("/") or "kind"
    return name, name, str(sentence(f"feeds.page.{name}"))
