"""The words of a calendar entry, for invitations and exports alike.

Calendar programs show little beside title, place and description (none shows CONFERENCE), so the link to join stands
in the place and in the first line of the description, and every city's time below it.
"""

from __future__ import annotations

from functools import partial

from scheduler import i18n
from scheduler.core.cities import Directory
from scheduler.core.meeting import Meeting
from scheduler.ics.write import CalendarText
from scheduler.mail.facts import Facts, facts, known_language


def calendar_text(
    meeting: Meeting,
    directory: Directory,
    language: str,
    url: str,
    *,
    link: str = "",
    city: str = "",
    busy: bool = False,
) -> CalendarText:
    """`url` is the entry's page, `link` the reader's answer link, `city` the reader's own, which comes first.

    `busy` gives only the word for it: what readers without a right to a confidential meeting may see.
    """
    language = known_language(language)
    if busy:
        return CalendarText(i18n.text(language, "mail.calendar.busy"), "", "", "", ())
    return entry_text(facts(meeting, directory, language, city), language, url, link)


def entry_text(about: Facts, language: str, url: str, link: str = "") -> CalendarText:
    """The same of facts that are known already."""
    return CalendarText(
        summary=about.title,
        description=_description(about, language, link),
        location=about.join_url or about.room,
        url=url,
        categories=(about.field,) if about.field else (),
        join_url=about.join_url,
        join_label=i18n.text(language, "mail.label.link") if about.join_url else "",
    )


def _description(about: Facts, language: str, link: str) -> str:
    say = partial(i18n.text, language)
    lines = [f"{say('mail.label.link')}: {about.join_url}"] if about.join_url else []
    lines += [f"{c.city}: {say('mail.at', date=c.date, times=c.times)} ({c.offset})" for c in about.clocks]
    lines += [f"{say('mail.label.field')}: {about.subject}"] if about.subject else []
    lines += [f"{say('mail.label.room')}: {about.room}"] if about.room else []
    lines += [f"{say('mail.label.agenda')}:\n{about.agenda}"] if about.agenda else []
    lines += [f"{say('mail.answer.button')}: {link}"] if link else []
    return "\n".join(lines)
