"""Calendars that tell when people and cities are busy: one page for one's own, one for a city and its people."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from scheduler import calendars
from scheduler.calendars import Calendar, New
from scheduler.core.cities import Person
from scheduler.core.errors import Fault, Invalid, TooMany
from scheduler.web.forms import Form
from scheduler.web.reader import desk, person, sentence
from scheduler.web.security import takes

blueprint = Blueprint("calendars", __name__)

DONE = ("added", "asked", "removed")
_FORM_BYTES = calendars.FILE_BYTES + 1_000_000  # so that a file a little too large is told as such
Page = str | tuple[str, int] | tuple[str, int, dict[str, str]] | Response


@blueprint.get("/settings/calendars")
def own() -> str:
    return _page(Form())


@blueprint.post("/settings/calendars")
@takes(_FORM_BYTES)
def add_own() -> Page:
    return _add("")


@blueprint.get("/cities/<slug>/calendars")
def of_city(slug: str) -> str:
    return _page(Form(), slug)


@blueprint.post("/cities/<slug>/calendars")
@takes(_FORM_BYTES)
def add_of_city(slug: str) -> Page:
    return _add(slug)


@blueprint.post("/calendars/<int:calendar_id>/reading")
def read_soon(calendar_id: int) -> Response:
    return _back(calendars.ask_soon(desk(), person(), calendar_id), "asked")


@blueprint.post("/calendars/<int:calendar_id>/removal")
def remove(calendar_id: int) -> Response:
    return _back(calendars.remove(desk(), person(), calendar_id), "removed")


def _add(slug: str) -> Page:
    form = Form(request.form)
    people = calendars.people_of(desk(), person(), slug) if slug else []
    try:
        calendars.add(desk(), person(), _new(form, slug, people))
    except Invalid as error:
        form.blame(error.faults, _locate)
        return _page(form, slug), 422
    except TooMany as error:  # what was typed stays, to be sent again later
        form.blame([Fault("", error.key, error.values)], _locate)
        return _page(form, slug), 429, {"Retry-After": str(error.retry_after)}
    return redirect(_address(slug, "added"), 303)


def _new(form: Form, slug: str, people: list[Person]) -> New:
    uploaded = request.files.get("file")
    file = uploaded.read() if uploaded and uploaded.filename else None
    whose = form.value("person") if slug else ""
    if whose and whose not in (known.email for known in people):
        raise Invalid(Fault("/person", "unknown-person", {"email": whose[:200]}))
    return New(form.value("name"), whose, "" if whose else slug, form.value("url").strip() or None, file)


def _back(calendar: Calendar, done: str) -> Response:
    is_own = calendar.person_id == person().id
    return redirect(_address("" if is_own else calendar.city, done), 303)


def _address(slug: str, done: str) -> str:
    if slug:
        return url_for("calendars.of_city", slug=slug, done=done)
    return url_for("calendars.own", done=done)


def _page(form: Form, slug: str = "") -> str:
    done = request.args.get("done", "")
    return render_template(
        "calendars.html",
        form=form,
        slug=slug,
        done=done if done in DONE else "",
        calendars=calendars.listing(desk(), person(), slug or None),
        people=[(known.email, known.name) for known in calendars.people_of(desk(), person(), slug)] if slug else [],
    )


def _locate(pointer: str) -> tuple[str, str, str]:
    name = {"": "url", "/ics": "file"}.get(pointer, pointer.strip("/"))
    return name, name, str(sentence(f"calendars.page.{name}"))
