"""Feeds: secret addresses under which calendar programs fetch meetings, again and again, without signing in.

A feed shows meetings in which one city takes part, that of the coordinator who made it: all that this city has with a
city, in a field, or in a partnership, or all to which one person is invited. It is shown in one language and ends when
it is revoked, or when the person who made it, or whose meetings it shows, is disabled.

What a feed holds is a pure function of what its ETag names: the stamp of the city's calendar, which rises in the
transaction of every change; the day (UTC), because cancelled meetings stay for 30 days; and the maker of the entries.
So the usual request, which finds nothing new, costs one short query. Reading changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from scheduler import entries, i18n, rights, tokens
from scheduler.core.cities import Directory, Person
from scheduler.core.errors import Fault, Forbidden, Invalid, NotFound
from scheduler.core.meeting import Meeting
from scheduler.core.words import LANGUAGES, email_key
from scheduler.db import directory as cities
from scheduler.db import feeds, meetings
from scheduler.db.engine import Connection
from scheduler.db.feeds import Feed, Held, Span
from scheduler.desk import Desk
from scheduler.ics import entries as ics

__all__ = ["Feed"]

KINDS = ("city", "field", "partnership", "person")
CANCELLED_DAYS = 30
_AT_ONCE = 500  # meetings that are loaded in one go


@dataclass(frozen=True, slots=True)
class Made:
    """A new feed with its address, which is never to be had again."""

    feed: Feed
    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A feed as its city's coordinators see it. `name` is what calendar programs show, without the sender's name."""

    feed: Feed
    name: str
    owner: str


@dataclass(frozen=True, slots=True)
class Edition:
    """A feed as it is now. `changed` is in whole seconds, and later than that of any earlier edition."""

    feed: Feed
    stamp: int
    today: datetime  # midnight, UTC
    maker: str

    @property
    def etag(self) -> str:
        return f"{self.stamp:x}-{self.today:%Y%m%d}-{self.maker}"

    @property
    def changed(self) -> datetime:
        return max(datetime.fromtimestamp(self.stamp, UTC), self.today)


# --- making and ending


def create(desk: Desk, actor: Person, kind: str, wanted: str | Sequence[str], language: str = "") -> Made:
    """A new feed. `wanted` is a city's slug, a field's code, the other city of a partnership (or both), or an e-mail
    address; without `language` it is in that of the person whose meetings it shows, else in the actor's.

    Raises Invalid for what is not there, and Forbidden for a person who may make none.
    """
    if not rights.is_operator(actor) and actor.role != "coordinator":
        raise Forbidden
    if language and language not in LANGUAGES:
        raise Invalid(Fault("/language", "unknown-language", {"language": language[:20]}))
    token, now = tokens.new_token(), desk.now()
    with desk.store.write() as db:
        key, city, usual = _target(db, actor, kind, wanted)
        row = {"kind": kind, "key": key, "city": city, "language": language or usual, "owner_id": actor.id}
        ident = feeds.add(db, {**row, "created_at": now}, tokens.hashed(token))
        feed = Feed(ident, kind, key, city, language or usual, actor.id, now)
        name = _name(db, feed, cities.load(db), actor.language)
    return Made(feed, name, f"{desk.settings.server.base_url}/feeds/{token}.ics")


def listing(desk: Desk, actor: Person) -> list[Listed]:
    """The feeds of the meetings of the person's city; an operator sees all. Their addresses are not to be had."""
    with desk.store.read() as db:
        directory = cities.load(db)
        people = {p.id: p for p in cities.people(db, disabled=True)}
        return [
            Listed(feed, _name(db, feed, directory, actor.language), people[feed.owner_id].name)
            for feed in feeds.listed(db, _city_of(actor))
        ]


def revoke(desk: Desk, actor: Person, feed_id: int) -> None:
    """From now on the address is as unknown as one that never was. Raises NotFound, also for a feed of others."""
    with desk.store.write() as db:
        if not feeds.revoke(db, feed_id, _city_of(actor), desk.now()):
            raise NotFound


def _city_of(actor: Person) -> str:
    return "" if rights.is_operator(actor) else actor.city


def _target(db: Connection, actor: Person, kind: str, wanted: str | Sequence[str]) -> tuple[str, str, str]:
    """Key, city and usual language of a new feed. The city is the actor's own; an operator's is that of the feed."""
    directory = cities.load(db)
    text = wanted if isinstance(wanted, str) else ""
    own = None if rights.is_operator(actor) else actor.city
    match kind:
        case "city":
            if text not in directory.cities:
                raise Invalid(Fault("/city", "unknown-city", {"city": text[:100]}))
            return text, own or text, actor.language
        case "field":
            if text not in directory.fields:
                raise Invalid(Fault("/field", "unknown-field", {"field": text[:100]}))
            return text, own or actor.city, actor.language
        case "partnership":
            pair = _partnership(directory, actor, wanted)
            return "+".join(pair), own or pair[0], actor.language
        case "person":
            person = feeds.reader(db, email_key(text), own or "")
            if person is None:
                raise Invalid(Fault("/person", "unknown-person", {"email": text[:200]}))
            return email_key(text), own or person.city, person.language
    raise Invalid(Fault("", "one-feed"))


def _partnership(directory: Directory, actor: Person, wanted: str | Sequence[str]) -> tuple[str, str]:
    """The two cities, as the directory has them."""
    given = {actor.city, wanted} if isinstance(wanted, str) else set(wanted)
    found = [bond.cities for bond in directory.partnerships if set(bond.cities) == given]
    if not found:
        raise Invalid(Fault("/partnership", "no-partnership"))
    return found[0]


# --- reading


def read(desk: Desk, token: str, is_news: Callable[[Edition], bool]) -> tuple[Edition, bytes | None]:
    """The feed as iCalendar (RFC 5545), METHOD:PUBLISH, without attendees; None when it is no news to its reader.

    Raises NotFound, which tells nothing about what may have been there.
    """
    with desk.store.glance() as db:
        edition = _current(desk, db, token)
    if not is_news(edition):
        return edition, None
    if known := desk.shelf.get(_place(desk, edition), edition.etag):
        return edition, known
    with desk.store.read() as db:  # another snapshot, and perhaps another edition
        edition = _current(desk, db, token)
        content = _joined(desk, db, edition)
    desk.shelf.put(_place(desk, edition), edition.etag, content)
    return edition, content


def _current(desk: Desk, db: Connection, token: str) -> Edition:
    found = feeds.by_token(db, tokens.hashed(token))
    if found is None:
        raise NotFound
    today = desk.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return Edition(*found, today, entries.maker(desk))


def _place(desk: Desk, edition: Edition) -> tuple[str, ...]:
    feed = edition.feed
    return desk.store.url, feed.kind, feed.key, feed.city, feed.language


def _joined(desk: Desk, db: Connection, edition: Edition) -> bytes:
    feed = edition.feed
    directory = cities.load(db)
    cancelled_since = edition.today - timedelta(days=CANCELLED_DAYS)
    held = feeds.held(db, feed, edition.maker, cancelled_since)
    spans, written = dict(held.spans), _missing(desk, db, directory, feed, held)
    for meeting, entry in written.values():
        if entry.zone:
            spans[entry.zone] = _widened(spans.get(entry.zone), meeting)
    contents = [
        stored if stored is not None else written[ident][1].contents[feed.language]
        for ident, stored in zip(held.meeting_ids, held.contents, strict=True)
    ]
    return ics.calendar(_head(desk, db, feed, directory), spans, contents)


def _missing(
    desk: Desk, db: Connection, directory: Directory, feed: Feed, held: Held
) -> dict[int, tuple[Meeting, ics.Entry]]:
    """Entries that are not stored yet, as they will be; reading must not store them."""
    ids = [ident for ident, stored in zip(held.meeting_ids, held.contents, strict=True) if stored is None]
    found = {}
    for first in range(0, len(ids), _AT_ONCE):
        for meeting in meetings.load_many(db, meetings.with_ids(ids[first : first + _AT_ONCE])):
            found[meeting.id] = (meeting, entries.entry(desk, directory, meeting, (feed.language,)))
    return found


def _widened(span: Span | None, meeting: Meeting) -> Span:
    since, until = span or (meeting.start, meeting.end)
    return min(since, meeting.start), max(until, meeting.end)


# --- what it is called


def _head(desk: Desk, db: Connection, feed: Feed, directory: Directory) -> ics.Head:
    name, sender = _name(db, feed, directory, feed.language), desk.settings.mail.from_name
    description = i18n.text(feed.language, "feeds.description", name=name, sender=sender)
    return ics.Head(f"{sender} – {name}", description, directory.cities[_viewer_city(db, feed)].zone)


def _viewer_city(db: Connection, feed: Feed) -> str:
    """The city on whose clock the feed is probably read."""
    person = feeds.reader(db, feed.key, feed.city) if feed.kind == "person" else None
    return person.city if person else feed.city


def _name(db: Connection, feed: Feed, directory: Directory, language: str) -> str:
    match feed.kind:
        case "field":
            return directory.field_name(feed.key, language)
        case "person":
            person = feeds.reader(db, feed.key, feed.city)
            return person.name if person else feed.key
    return " – ".join(directory.city_name(slug, language) for slug in feed.key.split("+"))
