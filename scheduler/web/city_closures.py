"""The page on which a city's coordinators close days, and open public holidays on which the city works."""

from __future__ import annotations

import re
from typing import Any

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from scheduler import i18n, office
from scheduler.core.cities import City
from scheduler.core.errors import Fault, Invalid
from scheduler.core.office import CLOSURE_KINDS, Closing, minutes_of
from scheduler.core.words import LANGUAGES, UNDETERMINED, Wording
from scheduler.web.cities import blueprint, days_off, kept
from scheduler.web.forms import TYPED_TIME, Form, typed_date
from scheduler.web.reader import desk, person, sentence

Page = AnyResponse | str | tuple[str, int]
DONE = ("closed", "removed", "reopened")
NAMES = tuple(f"name-{code}" for code in LANGUAGES)


@blueprint.get("/cities/<slug>/closures")
def edit_closures(slug: str) -> Page:
    return _page(kept(slug), Form())


@blueprint.post("/cities/<slug>/closures")
def add_closure(slug: str) -> Page:
    city, form = kept(slug), Form(request.form)
    try:
        office.close(desk(), person(), slug, _closing(form))
    except Invalid as error:
        form.blame(error.faults, _locate)
        return _page(city, form), 422
    return _shown(slug, "closed")


@blueprint.post("/cities/<slug>/closures/<int:closure_id>/removal")
def remove_closure(slug: str, closure_id: int) -> Page:
    office.remove(desk(), person(), slug, closure_id)
    return _shown(slug, "removed")


@blueprint.post("/cities/<slug>/reopenings")
def reopen(slug: str) -> Page:
    city, form = kept(slug), Form()
    day = typed_date(request.form.get("day", ""))
    try:
        if day is None:
            raise Invalid(Fault("", "not-a-date"))
        office.reopen(desk(), person(), slug, day)
    except Invalid as error:
        form.blame(error.faults, lambda _: ("", "", ""))
        return _page(city, form), 422
    return _shown(slug, "reopened")


def _shown(slug: str, done: str) -> AnyResponse:
    return redirect(url_for("cities.edit_closures", slug=slug, done=done), 303)


def _page(city: City, form: Form) -> str:
    done = request.args.get("done", "")
    now, days = days_off(city)
    return render_template(
        "cities/closures.html",
        city=city,
        form=form,
        done=done if done in DONE and request.method == "GET" else "",
        days=days,
        today=now.date(),
        kinds=CLOSURE_KINDS,
        in_languages=any(form.value(name) or form.errors(name) for name in NAMES),
    )


def _closing(form: Form) -> Closing:
    """What was typed; raises Invalid for what is no date or no time."""
    day, until = typed_date(form.value("day")), typed_date(form.value("until"))
    start = _minutes(form.value("from").strip())
    faults = []
    if day is None:
        faults.append(Fault("/day", "not-a-date" if form.value("day").strip() else "required"))
    if until is None and form.value("until").strip():
        faults.append(Fault("/until", "not-a-date"))
    if start is None:
        faults.append(Fault("/from", "bad-time", {"time": form.value("from").strip()[:60]}))
    if not _wording(form):
        faults.append(Fault("/name", "required"))
    if faults or day is None or start is None:
        raise Invalid(*faults)
    return Closing(day, until or day, _wording(form), form.value("kind") or CLOSURE_KINDS[0], start)


def _wording(form: Form) -> Wording:
    texts: dict[str, Any] = {UNDETERMINED: form.value("name")}
    return Wording.of(texts | {code: form.value(f"name-{code}") for code in LANGUAGES})


def _minutes(typed: str) -> int | None:
    """Minutes after midnight; an empty input means the whole day."""
    match = re.fullmatch(TYPED_TIME, typed)
    return minutes_of(f"{int(match[1]):02d}:{match[2]}") if match else None if typed else 0


def _locate(pointer: str) -> tuple[str, str, str]:
    if match := re.fullmatch("/name/(ko|mn|tr|en)", pointer):
        name = f"name-{match[1]}"
        return name, name, sentence("office.closures.name_in", name=i18n.LANGUAGE_NAMES[match[1]])
    name = pointer.strip("/")
    return name, name, sentence(f"office.closures.{name}")
