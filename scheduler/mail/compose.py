"""Mail to people, as finished bytes: invitations with their calendar, notices to coordinators, word of changes of law
and of changed passwords, sign-in links.

Every function here is pure: the same arguments give the same bytes on every machine, so that a row of the outbox can
be checked against what would be sent today and a repeat is never a second version. Each mail has exactly one
recipient and speaks that person's language; its wording stands in templates/mail/<kind> and translations/*/mail.toml.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from scheduler import i18n
from scheduler.core.cities import City, Directory, Person
from scheduler.core.laws import Finding, wall_known
from scheduler.core.meeting import STATUSES, Meeting, Message, Notice
from scheduler.ics.write import CalendarText, itip_object
from scheduler.mail import law, mime
from scheduler.mail.entry import calendar_text, entry_text
from scheduler.mail.facts import Facts, changes, clocks, facts, known_language, parties, when
from scheduler.mail.proof import self_test
from scheduler.mail.render import filled, render

__all__ = [
    "Addressed",
    "Mail",
    "Sender",
    "calendar_text",
    "invitation_mail",
    "law_mail",
    "notice_mail",
    "security_mail",
    "self_test",
    "sign_in_mail",
]


@dataclass(frozen=True, slots=True)
class Sender:
    """Who the mail comes from: the product's own address and name, and where its pages stand."""

    from_address: str
    from_name: str
    base_url: str


@dataclass(frozen=True, slots=True)
class Addressed:
    """What only one invitee's mail may hold: the address that their answers go to, and their personal link."""

    reply_address: str
    link: str
    thread: tuple[str, str] = ("", "")  # Message-IDs of the first and of the newest mail they received


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as it is handed to the mail server. `content` is all of it (RFC 5322, CRLF); the rest is the envelope."""

    recipient: str
    envelope_from: str  # empty: the null return path, nothing ever comes back
    message_id: str
    subject: str
    content: bytes


def invitation_mail(
    message: Message, directory: Directory, sender: Sender, addressed: Addressed, message_id: str, boundary: str
) -> Mail:
    """The iTIP message as a mail to its invitee (RFC 6047). From = ORGANIZER = return path = their token address."""
    invitation = message.invitation
    invitee = invitation.invitee
    language = known_language(invitee.language)
    about = facts(message.meeting, directory, language, invitee.city, as_told=message.method == "CANCEL")
    context = _told(message, about, directory, sender, addressed, language)
    subject, plain, html = filled(message.occasion.value, language, context)
    entry = _calendar_text_of(message, about, sender, addressed, language)
    calendar = itip_object(message, addressed.reply_address, sender.from_name, entry)
    headers = [
        ("From", mime.mailbox(sender.from_name, addressed.reply_address)),
        ("To", mime.mailbox(invitee.name, invitee.email)),
        ("Subject", mime.unstructured("Subject", subject)),
        ("Date", mime.date(message.dtstamp)),
        ("Message-ID", mime.message_ids([message_id])),
        *mime.thread(*addressed.thread),
        *mime.automatic(sender.from_address, language),
    ]
    content = mime.invitation(headers, plain, html, calendar, message.method, boundary)
    return Mail(invitee.email, addressed.reply_address, message_id, subject, content)


def notice_mail(
    notice: Notice,
    directory: Directory,
    sender: Sender,
    recipient: Person,
    zone_city: City,
    message_id: str,
    now: datetime,
) -> Mail:
    """Word to the coordinator, on the clock of `zone_city`, with the null return path: it never bounces to us."""
    language = known_language(recipient.language)
    context = _noted(notice, directory, sender, recipient, zone_city, language, now)
    mail = _letter("notice", language, context, sender, (recipient.name, recipient.email), message_id, now)
    return replace(mail, envelope_from="")


def sign_in_mail(person: Person, sender: Sender, link: str, minutes: int, message_id: str, now: datetime) -> Mail:
    """The one-time sign-in link, which works for `minutes`."""
    language = known_language(person.language)
    context = {"title": "", "name": person.name, "link": link, "minutes": minutes, "product": sender.from_name}
    return _letter("sign-in", language, context, sender, (person.name, person.email), message_id, now)


def security_mail(change: str, person: Person, city: City, sender: Sender, message_id: str, now: datetime) -> Mail:
    """Word to a person that the way they sign in was changed, on their city's clock. `change`: see `ways_in`."""
    language = known_language(person.language)
    at = when(now, city, language, year=True)
    context = {"title": "", "name": person.name, "change": change, "at": at, "product": sender.from_name}
    context["link"] = f"{sender.base_url}/settings/sign-in"
    return _letter("security", language, context, sender, (person.name, person.email), message_id, now)


def law_mail(
    found: Sequence[Finding], person: Person, directory: Directory, sender: Sender, message_id: str, now: datetime
) -> Mail:
    """Word to a coordinator of changes of law about their meetings, with the null return path."""
    language = known_language(person.language)
    touched = [
        {
            "title": f.meeting.title.read_in(language),
            "agreed": law.agreed(f.meeting, directory, language),
            "lines": law.lines(f, directory, language),
        }
        for f in found
    ]
    context = {"title": "", "name": person.name, "touched": touched, "product": sender.from_name}
    context["link"] = f"{sender.base_url}/meetings/changes-of-law"
    mail = _letter("law", language, context, sender, (person.name, person.email), message_id, now)
    return replace(mail, envelope_from="")


def _calendar_text_of(
    message: Message, about: Facts, sender: Sender, addressed: Addressed, language: str
) -> CalendarText:
    """The calendar entry of one invitee; that of a cancelled one says what it was, without ways in."""
    if message.method == "CANCEL":
        return entry_text(replace(about, join_url="", agenda=""), language, "")
    if message.invitation.is_chair:
        return entry_text(about, language, _page(sender, message.meeting))
    return entry_text(about, language, addressed.link, addressed.link)


def _told(
    message: Message, about: Facts, directory: Directory, sender: Sender, addressed: Addressed, language: str
) -> dict[str, Any]:
    """What the templates of an invitation may use."""
    invitation, meeting = message.invitation, message.meeting
    own = directory.cities.get(invitation.invitee.city) or directory.cities[meeting.host]
    previous = message.previous
    # A change of law that nobody decided about is no news of what people lose: it is named as they know it.
    wall = wall_known(meeting, own.slug) if message.method == "CANCEL" else None
    return {
        "title": meeting.title.read_in(language),
        "when": when(meeting.start, own, language, wall=wall),
        "name": invitation.invitee.name,
        "role": invitation.invitee.role,
        "copy": invitation.is_chair,
        "status": invitation.status,
        "about": about,
        "parties": parties(meeting, directory, language),
        "changes": changes(message, directory, language),
        "clocks_before": clocks(previous, directory, language, own.slug, as_told=True) if previous else (),
        "reason": meeting.cancel_reason,
        "link": _page(sender, meeting) if invitation.is_chair else addressed.link,
        "product": sender.from_name,
    }


def _noted(
    notice: Notice,
    directory: Directory,
    sender: Sender,
    recipient: Person,
    zone_city: City,
    language: str,
    now: datetime,
) -> dict[str, Any]:
    """What the templates of a notice may use."""
    meeting, invitation = notice.meeting, notice.invitation
    answered = notice.kind == "answered" and invitation is not None
    at = invitation.answered_at if answered and invitation else None
    counts = {status: sum(i.status == status for i in meeting.people) for status in STATUSES}
    return {
        "kind": notice.kind,
        "title": meeting.title.read_in(language),
        "name": recipient.name,
        "about": facts(meeting, directory, language, zone_city.slug),
        "invitation": invitation,
        "who": invitation.invitee.name if invitation else "",
        "whose_city": directory.city_name(invitation.invitee.city, language) if invitation else "",
        "at": when(at or now, zone_city, language, year=True),
        "detail": _detail(notice.detail, language),
        "counts": {s: n for s, n in counts.items() if n or s != "delegated"},
        "link": _page(sender, meeting),
        "review_link": f"{sender.base_url}/review" if notice.kind == "review" else "",
        "product": sender.from_name,
    }


def _detail(detail: str, language: str) -> str:
    """A word of ours (an outcome, an answer) in the reader's language; what a mail server said, as it is."""
    for key in (f"words.outcome.{detail}", f"words.status.{detail}"):
        if i18n.has(language, key):
            return i18n.text(language, key)
    return detail


def _page(sender: Sender, meeting: Meeting) -> str:
    return f"{sender.base_url}/meetings/{meeting.id}"


def _letter(
    kind: str,
    language: str,
    context: Mapping[str, Any],
    sender: Sender,
    to: tuple[str, str],
    message_id: str,
    now: datetime,
) -> Mail:
    """A mail without a calendar, from the product's own address. `to` is a name and an address."""
    subject, plain, html = render(kind, language, context)
    headers = [
        ("From", mime.mailbox(sender.from_name, sender.from_address)),
        ("To", mime.mailbox(*to)),
        ("Subject", mime.unstructured("Subject", subject)),
        ("Date", mime.date(now)),
        ("Message-ID", mime.message_ids([message_id])),
        *mime.automatic(sender.from_address, language),
    ]
    content = mime.letter(headers, plain, html, message_id)
    return Mail(to[1], sender.from_address, message_id, subject, content)
