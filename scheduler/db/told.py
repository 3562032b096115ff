"""What a mail tells its receiver about a meeting, kept with it: what they know should it be the last to reach them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from scheduler.core.meeting import Invitation, Meeting
from scheduler.core.words import Wording

_PLAIN = ("field", "topic", "zone", "duration_minutes", "video_url", "room", "confidential")


def to_json(meeting: Meeting, invitation: Invitation) -> dict[str, Any]:
    told = {name: getattr(meeting, name) for name in _PLAIN}
    told |= {"title": dict(meeting.title.texts), "agenda": dict(meeting.agenda.texts), "cities": list(meeting.cities)}
    told |= {"start": meeting.start.isoformat(), "wall": meeting.wall.isoformat(), "known": meeting.known}
    return told | {"name": invitation.invitee.name, "role": invitation.invitee.role}


def as_told(told: dict[str, Any], meeting: Meeting, invitation: Invitation) -> Meeting:
    """`meeting` with all that a mail told of it as that mail told it, the invitee's own name and role too."""
    invitee = replace(invitation.invitee, name=told["name"], role=told["role"])
    theirs = replace(invitation, invitee=invitee)
    return replace(
        meeting,
        **{name: told[name] for name in _PLAIN},
        title=Wording.of(told["title"]),
        agenda=Wording.of(told["agenda"], lines=True),
        cities=tuple(told["cities"]),
        start=datetime.fromisoformat(told["start"]),
        wall=datetime.fromisoformat(told["wall"]),
        known=told.get("known", ""),  # mails from before it was kept have none
        invitations=tuple(theirs if i.id == invitation.id else i for i in meeting.invitations),
    )
