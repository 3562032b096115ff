"""The calls of the API about cities: who they are, their hours, and their days off."""

from __future__ import annotations

from typing import Any

from flask import Response

from scheduler import city_answers as shown
from scheduler import city_bodies as taken
from scheduler import office
from scheduler.core.cities import City
from scheduler.core.errors import NotFound
from scheduler.web.calls import call, caller, respond
from scheduler.web.problems import language
from scheduler.web.reader import desk, directory

SLUG = "/cities/<slug>"


@call("GET", "/cities", "All cities", gives=shown.CitiesAnswer)
def list_cities() -> Any:
    return {"cities": [shown.represent_city(c, language()) for c in directory().cities.values()]}


@call("POST", "/cities", "Adds a city", takes=taken.NewCityBody, gives=shown.CityAnswer, status=201)
def add_city(body: taken.NewCityBody) -> Response:
    """For operators."""
    city = office.add(desk(), caller(), taken.as_city(body))
    return respond(shown.represent_city(city, language()), 201, {"Location": f"/api/v1/cities/{city.slug}"})


@call("GET", SLUG, "One city with its hours", gives=shown.CityAnswer)
def show_city(slug: str) -> Any:
    return shown.represent_city(_city(slug), language())


@call("PATCH", SLUG, "Changes a city by JSON Merge Patch", takes=taken.CityBody, gives=shown.CityAnswer)
def change_city(slug: str, body: Any) -> Any:
    """A coordinator changes their own city, an operator any. Meetings that are made already keep their time."""
    city = office.change(desk(), caller(), slug, lambda city: taken.patched(city, body))
    return shown.represent_city(city, language())


@call(
    "GET", f"{SLUG}/closures", "Days off of a city, and holidays on which it works",
    query=taken.ClosuresQuery, gives=shown.ClosuresAnswer,
)  # fmt: skip
def list_closures(slug: str, query: taken.ClosuresQuery) -> Any:
    """Each local day once, with where it comes from. At most 400 days."""
    city = _city(slug)
    since = query.since or office.today(desk(), city)
    until = query.until or office.year_on(since)
    return shown.represent_closures(office.days_off(desk(), city, since, until), language())


@call(
    "POST", f"{SLUG}/closures", "Closes days, or reopens a public holiday",
    takes=taken.ClosureBody, gives=shown.EnteredAnswer, status=201,
)  # fmt: skip
def add_closure(slug: str, body: taken.ClosureBody) -> Any:
    if body.kind == "reopened":
        return {"id": office.reopen(desk(), caller(), slug, taken.as_reopened(body))}
    return {"id": office.close(desk(), caller(), slug, taken.as_closing(body))}


@call("DELETE", f"{SLUG}/closures/<int(max=9223372036854775807):closure_id>", "Removes an entry", status=204)
def remove_closure(slug: str, closure_id: int) -> Response:
    """Opens again what the entry closed, closes again what it reopened."""
    office.remove(desk(), caller(), slug, closure_id)
    return Response(status=204)


def _city(slug: str) -> City:
    found = directory().cities.get(slug)
    if found is None:
        raise NotFound
    return found
