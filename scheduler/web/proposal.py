"""Proposing a meeting: one form, which the reader sends twice, first to see the slots, then to invite.

Both times it comes back with everything that was typed. A number made when the form is first shown travels with it, so
that sending the invitations twice by mistake makes one meeting.
"""

from __future__ import annotations

import hashlib
import json
import secrets

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from scheduler import booking, meetings
from scheduler.core.errors import Conflict, Invalid
from scheduler.web import slots
from scheduler.web.choices import Choices
from scheduler.web.clocks import day_in
from scheduler.web.failures import say, status_of
from scheduler.web.meeting_form import MeetingForm, first_values
from scheduler.web.reader import desk, directory, person, sentence

blueprint = Blueprint("proposal", __name__)

Page = str | tuple[str, int]

# What a link may fill in, and which inputs.
_GIVEN = {
    "date": ("wall-date", "from", "to"),
    "time": ("wall-time",),
    "zone": ("zone",),
    "duration": ("duration",),
}


@blueprint.get("/meetings/new")
def new() -> Page:
    values = first_values(day_in(desk().now(), person().city))
    values["key"] = secrets.token_urlsafe(16)
    values["zone"] = directory().cities[person().city].zone
    for name in _GIVEN.keys() & request.args.keys():
        values.update(dict.fromkeys(_GIVEN[name], request.args[name]))
    values.setlist("city", request.args.getlist("city"))
    return _page(_form(values))


@blueprint.post("/meetings/slots")
def find() -> Page:
    form = _form(request.form)
    return _page(form, slots.find(form))


@blueprint.post("/meetings")
def create() -> Page | Response:
    form = _form(request.form)
    try:
        booked = booking.create(desk(), person(), form.draft(), _request_key(), directory=directory())
    except Invalid as error:
        if any(fault.key == "idempotency-key-reused" for fault in error.faults):
            return _page(form, None, sentence("web.propose.already_sent"), 409)
        form.accuse(error)
        return _page(form, slots.find_again(form))
    except Conflict as error:
        return _page(form, slots.find_again(form), say(error), status_of(error))
    return redirect(url_for("meetings.show", meeting_id=booked.meeting.id, said="invited"), 303)


def _form(values: MultiDict[str, str]) -> MeetingForm:
    """The people to tick are all but the reader, whose copy comes by itself."""
    known = [p for p in meetings.people(desk(), person()) if p.id != person().id]
    return MeetingForm(values, person().city, known)


def _page(form: MeetingForm, found: slots.Found | None = None, conflict: str = "", status: int = 200) -> Page:
    """`conflict` is a sentence on top. After a conflict the form has a new number: sent again, it is a new request."""
    key = secrets.token_urlsafe(16) if conflict else form.value("key")
    page = render_template("propose.html", form=form, key=key, choices=Choices(form), found=found, conflict=conflict)
    return page, 422 if form.faults else status


def _request_key() -> booking.RequestKey | None:
    key = request.form.get("key", "")
    typed = {name: values for name, values in request.form.lists() if name not in ("csrf_token", "key")}
    digest = hashlib.sha256(json.dumps(typed, sort_keys=True).encode()).hexdigest()
    return booking.RequestKey(key[:100], digest) if key else None
