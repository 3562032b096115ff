"""The page on which a city's coordinators keep its hours."""

from __future__ import annotations

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from scheduler import i18n, office
from scheduler.core.cities import City
from scheduler.core.errors import Invalid, Outdated
from scheduler.core.office import BOUNDS
from scheduler.web.cities import blueprint, kept
from scheduler.web.hours_form import HoursForm, digest
from scheduler.web.reader import desk, language, person

Page = AnyResponse | str | tuple[str, int]


@blueprint.get("/cities/<slug>/hours")
def edit_hours(slug: str) -> Page:
    city = kept(slug)
    return _page(city, HoursForm.of(city))


@blueprint.post("/cities/<slug>/hours")
def change_hours(slug: str) -> Page:
    city, form = kept(slug), HoursForm(request.form)
    try:
        office.change(desk(), person(), slug, form.change)
    except Invalid as error:
        form.accuse(error)
        return _page(city, form), 422
    except Outdated:
        return _page(city, form, outdated=True), 412
    return redirect(url_for("cities.show", slug=slug, done="hours"), 303)


def _page(city: City, form: HoursForm, outdated: bool = False) -> str:
    """`outdated`: somebody else was quicker; saving again is on top of that."""
    return render_template(
        "cities/hours.html",
        city=city,
        form=form,
        seen=digest(city) if outdated else form.value("seen") or digest(city),
        outdated=outdated,
        weekdays=i18n.weekdays(language()),
        bounds=BOUNDS,
    )
