"""The API, /api/v1: the same actions as the pages, for programs.

Each view reads the request, makes one call of an action, and responds. Meetings carry an ETag that counts edits.
"""

from __future__ import annotations

import json
from typing import Any

from flask import Response, request

from scheduler import admin, answers, bodies, booking, calendars, exports, feeds, meetings, reviews, suggestions
from scheduler import representations as shown
from scheduler.core.cities import Directory
from scheduler.core.errors import Outdated
from scheduler.core.meeting import Meeting
from scheduler.core.words import clean_text
from scheduler.web import city_calls, openapi, planning_calls
from scheduler.web.calls import CALLS, blueprint, call, caller, request_key, respond, written
from scheduler.web.problems import language
from scheduler.web.reader import desk, directory

__all__ = ["blueprint", "city_calls", "planning_calls"]

ID = "<int(max=9223372036854775807):meeting_id>"
CALENDAR = "text/calendar"


@call("GET", "/fields", "The fields of cooperation with their topics", gives=shown.FieldsAnswer)
def list_fields() -> Any:
    return {"fields": [shown.represent_field(f, language()) for f in directory().fields.values()]}


@call("GET", "/rooms", "Rooms and video accounts", query=bodies.CityQuery, gives=shown.RoomsAnswer)
def list_rooms(query: bodies.CityQuery) -> Any:
    rooms = [r for r in directory().rooms.values() if query.city in ("", r.city)]
    return {"rooms": [shown.represent_room(r, language()) for r in rooms]}


@call("GET", "/people", "People who can be invited", query=bodies.CityQuery, gives=shown.PeopleAnswer)
def list_people(query: bodies.CityQuery) -> Any:
    return {"people": [shown.represent_person(p) for p in meetings.people(desk(), caller(), query.city)]}


@call("POST", "/people", "Adds a person", takes=bodies.PersonBody, gives=shown.PersonAnswer, status=201)
def add_person(body: bodies.PersonBody) -> Any:
    """A coordinator adds people of their own city, an operator anybody."""
    person = admin.add_person(desk(), body.name, body.email, body.city, body.language, body.role, caller())
    return shown.represent_person(person)


@call("POST", "/slots", "Hours that suit everybody", takes=bodies.SlotsBody, gives=shown.SlotsAnswer)
def find_slots(body: bodies.SlotsBody) -> Any:
    """Starts within the office hours of all cities, and for each date without any the reason."""
    found = suggestions.suggest(desk(), bodies.as_wanted(body))
    return shown.represent_suggestions(found, directory(), language(), suggestions.data_versions())


@call(
    "POST", "/meetings", "Creates a meeting and sends the invitations",
    takes=bodies.MeetingBody, gives=shown.MeetingAnswer, status=201, has_etag=True, idempotent=True,
)  # fmt: skip
def create_meeting(body: bodies.MeetingBody) -> Response:
    """The meeting is confirmed at once. The same Idempotency-Key with the same body gives the first meeting again."""
    booked = booking.create(desk(), caller(), bodies.as_draft(body), request_key(), _first_answer, directory())
    version = json.loads(booked.answer)["version"] if booked.replayed else booked.meeting.version
    return respond(booked.answer, 201, {"ETag": f'"{version}"', "Location": f"/api/v1/meetings/{booked.meeting.id}"})


def _first_answer(meeting: Meeting, directory: Directory) -> bytes:
    """The answer to a creation: all mail waits to be sent."""
    now = desk().now()
    queued = {i.id: meetings.Delivery("queued", now) for i in meeting.invitations}
    return written(shown.represent_meeting(meeting, directory, queued, now=now))


@call(
    "GET", "/meetings", "Meetings in which the caller's city takes part",
    query=bodies.MeetingsQuery, gives=shown.MeetingsAnswer,
)  # fmt: skip
def list_meetings(query: bodies.MeetingsQuery) -> Any:
    wanted = meetings.Filter(query.since, query.until, query.city, query.field, query.status, query.cursor)
    found = meetings.listing(desk(), caller(), wanted)
    now = desk().now()
    return {
        "meetings": [shown.represent_meeting(m, directory(), None, now=now) for m in found.meetings],
        "next": found.next or None,
    }


@call("GET", f"/meetings/{ID}", "One meeting with its invitations", gives=shown.MeetingAnswer, has_etag=True)
def show_meeting(meeting_id: int) -> Response:
    return _sheet(meeting_id)


@call(
    "PATCH", f"/meetings/{ID}", "Changes a meeting by JSON Merge Patch (RFC 7396)",
    takes=bodies.MeetingBody, gives=shown.MeetingAnswer, has_etag=True,
)  # fmt: skip
def edit_meeting(meeting_id: int, body: Any) -> Response:
    """`people` is the new whole list, matched by e-mail regardless of case. A new `start` replaces the wall time."""
    expected = _expected_version(meeting_id)
    booking.edit(desk(), caller(), meeting_id, lambda draft: bodies.patched(draft, body), expected)
    return _sheet(meeting_id)


@call(
    "POST", f"/meetings/{ID}/cancellation", "Cancels a meeting; repeated, nothing more happens",
    takes=bodies.CancellationBody, gives=shown.MeetingAnswer, optional_body=True, has_etag=True,
)  # fmt: skip
def cancel_meeting(meeting_id: int, body: bodies.CancellationBody) -> Response:
    booking.cancel(desk(), caller(), meeting_id, body.reason or "", _expected_version(meeting_id))
    return _sheet(meeting_id)


@call(
    "POST", f"/meetings/{ID}/answers", "Records an answer given by telephone",
    takes=bodies.AnswerBody, gives=shown.MeetingAnswer, status=201, has_etag=True,
)  # fmt: skip
def record_answer(meeting_id: int, body: bodies.AnswerBody) -> Response:
    comment = clean_text(body.comment or "")
    answers.answer_by_telephone(desk(), caller(), meeting_id, body.email, body.answer, comment)
    return _sheet(meeting_id, 201)


@call("GET", f"/meetings/{ID}.ics", "One meeting as iCalendar, METHOD:PUBLISH", gives=CALENDAR)
def export_meeting(meeting_id: int) -> Response:
    return _calendar(exports.meeting_ics(desk(), caller(), meeting_id, language()), f"meeting-{meeting_id}.ics")


@call("GET", "/calendar.ics", "Meetings as iCalendar, METHOD:PUBLISH", query=bodies.CalendarQuery, gives=CALENDAR)
def export_calendar(query: bodies.CalendarQuery) -> Response:
    return _calendar(exports.calendar_ics(desk(), caller(), query.city, query.field, language()), "calendar.ics")


@call(
    "POST", "/feeds", "Makes the secret address of a calendar feed",
    takes=bodies.FeedBody, gives=shown.NewFeedAnswer, status=201,
)  # fmt: skip
def create_feed(body: bodies.FeedBody) -> Any:
    """Meetings in which the caller's city takes part: with a city, in a field, of a partnership, or of a person.

    Confidential ones appear as busy time. The address is shown this once.
    """
    made = feeds.create(desk(), caller(), *body.wanted(), body.language or "")
    return {"id": made.feed.id, "url": made.url}


@call("GET", "/feeds", "Feeds of the meetings of the caller's city", gives=shown.FeedsAnswer)
def list_feeds() -> Any:
    return shown.represent_feeds(feeds.listing(desk(), caller()))


@call("DELETE", "/feeds/<int(max=9223372036854775807):feed_id>", "Revokes a feed at once", status=204)
def revoke_feed(feed_id: int) -> Response:
    feeds.revoke(desk(), caller(), feed_id)
    return Response(status=204)


@call(
    "POST", "/calendars", "Adds a calendar that tells when somebody is busy",
    takes=bodies.CalendarBody, gives=shown.CalendarAnswer, status=201, body_limit=2 * calendars.FILE_BYTES,
)  # fmt: skip
def add_calendar(body: bodies.CalendarBody) -> Any:
    """A coordinator adds those of their city and its people, an operator any. Only intervals are kept.

    An address is read within minutes and then about every half hour; it is never shown again.
    """
    return shown.represent_calendar(calendars.add(desk(), caller(), bodies.as_calendar(body)))


@call("GET", "/calendars", "Calendars that the caller keeps", gives=shown.CalendarsAnswer)
def list_calendars() -> Any:
    return shown.represent_calendars(calendars.all_listed(desk(), caller()))


@call(
    "DELETE", "/calendars/<int(max=9223372036854775807):calendar_id>", "Forgets a calendar and its times", status=204
)  # fmt: skip
def remove_calendar(calendar_id: int) -> Response:
    calendars.remove(desk(), caller(), calendar_id)
    return Response(status=204)


@call("GET", "/review", "Inbound mail that waits for a person", gives=shown.ReviewsAnswer)
def list_reviews() -> Any:
    return shown.represent_reviews(reviews.reviews(desk(), caller()))


@call(
    "POST", "/review/<int(max=9223372036854775807):review_id>/decision", "Decides what waits",
    takes=bodies.DecisionBody, gives=shown.DecidedAnswer,
)  # fmt: skip
def decide_review(review_id: int, body: bodies.DecisionBody) -> Any:
    reviews.decide(desk(), caller(), review_id, body.decision)
    return {"id": review_id, "decision": body.decision}


@call("GET", "/openapi.json", "This description", gives="application/json", public=True)
def describe() -> Any:
    return openapi.document(CALLS, desk().settings.server.base_url)


def _sheet(meeting_id: int, status: int = 200) -> Response:
    """The meeting as it is now, with the state of its mail."""
    sheet = meetings.show(desk(), caller(), meeting_id)
    body = shown.represent_meeting(sheet.meeting, sheet.directory, sheet.deliveries, now=desk().now())
    return respond(body, status, {"ETag": f'"{sheet.meeting.version}"'})


def _expected_version(meeting_id: int) -> int | None:
    """The version that If-Match names; raises Outdated when it names others than the present one (RFC 9110 13.1.1)."""
    if "If-Match" not in request.headers or request.if_match.star_tag:
        return None
    version = meetings.show(desk(), caller(), meeting_id).meeting.version
    if str(version) not in request.if_match:
        raise Outdated
    return version


def _calendar(content: bytes, name: str) -> Response:
    response = Response(content, mimetype=CALENDAR)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "private, no-store"
    response.headers["Vary"] = "Authorization, Accept-Language"
    return response
