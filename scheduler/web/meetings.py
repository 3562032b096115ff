"""One meeting: its page, its changes, its cancellation, answers by telephone, and its calendar file."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from scheduler import answers, booking, exports, laws, meetings, rights
from scheduler.core.cities import Person
from scheduler.core.errors import Conflict, Fault, Forbidden, Invalid, MeetingCancelled, Outdated
from scheduler.core.meeting import Draft, Meeting, draft_of
from scheduler.web import slots
from scheduler.web.choices import Choices
from scheduler.web.clocks import day_in
from scheduler.web.failures import say, status_of
from scheduler.web.forms import Form
from scheduler.web.meeting_form import MeetingForm, values_of
from scheduler.web.reader import desk, directory, language, person, sentence

blueprint = Blueprint("meetings", __name__)

Page = str | tuple[str, int]
# What a page may say was just done; the address carries only the word.
DONE = ("invited", "changed", "cancelled", "resent", "recorded")
ANSWERS = ("accepted", "tentative", "declined")


@blueprint.get("/meetings/<int:meeting_id>")
def show(meeting_id: int) -> Page:
    return _sheet_page(meeting_id, Form())


@blueprint.get("/meetings/<int:meeting_id>.ics")
def calendar_file(meeting_id: int) -> Response:
    return _calendar(exports.meeting_ics(desk(), person(), meeting_id), f"meeting-{meeting_id}.ics")


@blueprint.get("/calendar.ics")
def calendar() -> Response:
    city, field = request.args.get("city", ""), request.args.get("field", "")
    name = "-".join(filter(None, ("meetings", city, field))) + ".ics"
    return _calendar(exports.calendar_ics(desk(), person(), city=city, field=field), name)


@blueprint.get("/meetings/<int:meeting_id>/edit")
def edit(meeting_id: int) -> Page:
    meeting = _changeable(meeting_id)
    known, today = _known(meeting), day_in(desk().now(), meeting.host)
    form = MeetingForm(values_of(draft_of(meeting), known, today), meeting.host, known)
    return _edit_page(meeting, form)


@blueprint.post("/meetings/<int:meeting_id>/slots")
def find(meeting_id: int) -> Page:
    meeting = _own(meeting_id)
    form = MeetingForm(request.form, meeting.host, _known(meeting))
    return _edit_page(meeting, form, slots.find(form))


@blueprint.post("/meetings/<int:meeting_id>")
def change(meeting_id: int) -> Page | AnyResponse:
    meeting = _own(meeting_id)
    form = MeetingForm(request.form, meeting.host, _known(meeting))
    try:
        booking.edit(desk(), person(), meeting_id, _change(form), _version())
    except Invalid as error:
        form.accuse(error)
        return _edit_page(meeting, form, slots.find_again(form))
    except Outdated as error:
        return _with(status_of(error), _edit_page(_own(meeting_id), form, slots.find_again(form), outdated=True))
    except Conflict as error:
        return _with(status_of(error), _edit_page(meeting, form, slots.find_again(form), say(error)))
    return _done(meeting_id, "changed")


@blueprint.get("/meetings/<int:meeting_id>/cancellation")
def confirm_cancellation(meeting_id: int) -> Page:
    return render_template("cancel.html", meeting=_changeable(meeting_id))


@blueprint.post("/meetings/<int:meeting_id>/cancellation")
def cancel(meeting_id: int) -> AnyResponse:
    booking.cancel(desk(), person(), meeting_id, request.form.get("reason", ""))
    return _done(meeting_id, "cancelled")


@blueprint.post("/meetings/<int:meeting_id>/invitations/<invitation_id>/mail")
def resend(meeting_id: int, invitation_id: str) -> AnyResponse:
    booking.resend(desk(), person(), meeting_id, invitation_id)
    return _done(meeting_id, "resent")


@blueprint.post("/meetings/<int:meeting_id>/answers")
def record_answer(meeting_id: int) -> Page | AnyResponse:
    form = Form(request.form)
    email, answer, comment = (form.value(name) for name in ("email", "answer", "comment"))
    try:
        answers.answer_by_telephone(desk(), person(), meeting_id, email, answer, comment)
    except Invalid as error:
        form.blame([_unchosen(fault) if not answer else fault for fault in error.faults], _locate_answer)
        return _sheet_page(meeting_id, form), 422
    return _done(meeting_id, "recorded")


def _unchosen(fault: Fault) -> Fault:
    return Fault(fault.pointer, "required") if fault.key == "unknown-answer" else fault


def _locate_answer(pointer: str) -> tuple[str, str, str]:
    name = pointer.strip("/")
    labels = {"email": "whose", "answer": "answer", "comment": "comment"}
    return name, name, sentence(f"web.telephone.{labels[name]}") if name in labels else ""


def _sheet_page(meeting_id: int, form: Form) -> str:
    sheet = meetings.show(desk(), person(), meeting_id)
    said = request.args.get("said", "")
    now = desk().now()
    return render_template(
        "meeting.html",
        sheet=sheet,
        meeting=sheet.meeting,
        status=sheet.meeting.status_at(now),
        over=sheet.meeting.end <= now,
        law=laws.undecided(sheet.meeting, sheet.directory, now),
        said=said if said in DONE else "",
        form=form,
        answers=ANSWERS,
        names={i.id: i.invitee.name for i in sheet.meeting.invitations},
        reachable=[
            (i.invitee.email, f"{i.invitee.name} ({directory().city_name(i.invitee.city, language())})")
            for i in sheet.meeting.people
            if rights.may_answer_for(person(), sheet.meeting, i)
        ],
    )


def _changeable(meeting_id: int) -> Meeting:
    """As `_own`; raises MeetingCancelled when there is nothing left to change."""
    meeting = _own(meeting_id)
    if meeting.status == "cancelled":
        raise MeetingCancelled
    return meeting


def _own(meeting_id: int) -> Meeting:
    """The meeting, when the reader may change it; raises NotFound or Forbidden."""
    sheet = meetings.show(desk(), person(), meeting_id)
    if not sheet.may_edit:
        raise Forbidden("host-not-yours")
    return sheet.meeting


def _edit_page(
    meeting: Meeting, form: MeetingForm, found: slots.Found | None = None, conflict: str = "", outdated: bool = False
) -> Page:
    """`outdated`: the page shows what stands now beside what was typed, and saving again is on top of that."""
    version = meeting.version if outdated else form.value("version") or meeting.version
    choices = Choices(form, keep=True)
    page = render_template(
        "edit.html",
        meeting=meeting,
        form=form,
        choices=choices,
        found=found,
        conflict=conflict,
        outdated=outdated,
        version=version,
        law=laws.undecided(meeting, directory(), desk().now()),
    )
    return (page, 422) if form.faults else page


def _with(status: int, page: Page) -> Page:
    return (page if isinstance(page, str) else page[0]), status


def _change(form: MeetingForm) -> Callable[[Draft], Draft]:
    return lambda base: form.draft(base)


def _version() -> int | None:
    typed = request.form.get("version", "")
    return int(typed) if typed.isascii() and typed.isdigit() else None


def _known(meeting: Meeting) -> list[Person]:
    """People to invite; the meeting's coordinator has a copy of their own."""
    return [p for p in meetings.people(desk(), person()) if p.id != meeting.owner_id]


def _done(meeting_id: int, said: str) -> AnyResponse:
    return redirect(url_for("meetings.show", meeting_id=meeting_id, said=said), 303)


def _calendar(content: bytes, name: str) -> Response:
    response = Response(content, mimetype="text/calendar", content_type="text/calendar; charset=utf-8")
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response
