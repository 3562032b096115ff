"""The tables. Migrations in migrations/ make them; a test proves that both say the same.

Instants are stored in UTC and read back aware. Texts in several languages are JSON objects language -> text. Tokens
are stored as SHA-256 only.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import TypeDecorator


class Instant(TypeDecorator[datetime]):
    """An aware datetime, stored in UTC; refuses a naive one, which would be a local time without its zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs its zone")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        instant: datetime = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return instant


# Numbers of rows that only ever grow: 64 bits, which SQLite's INTEGER has anyway.
Number = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# --- cities and people

# A random word for each state of the directory, new with every change: who has read it under that word need not again.
editions = Table(
    "editions",
    metadata,
    Column("of", String(16), primary_key=True),
    Column("edition", String(32), nullable=False),
)

cities = Table(
    "cities",
    metadata,
    Column("slug", String(64), primary_key=True),
    Column("name", JSON, nullable=False),
    Column("zone", String(64), nullable=False),
    Column("country", String(2), nullable=False),
    Column("language", String(2), nullable=False),
    Column("hours", JSON, nullable=False),  # seven lists of [start, end) in local minutes, Monday first
    # Seasons, stretch and preferred hours, weight, notice, buffer, by name; what is not there is the default.
    Column("planning", JSON, nullable=False, server_default="{}"),
    Column("profile", JSON, nullable=False),
    Column("position", Integer, nullable=False),
    # Rises with each change of a meeting in which the city takes part: seconds since 1970, none of them twice.
    Column("calendar_stamp", BigInteger, nullable=False, server_default="0"),
)

closures = Table(
    "closures",
    metadata,
    Column("id", Number, primary_key=True),
    Column("city", ForeignKey("cities.slug"), nullable=False),
    Column("day", Date, nullable=False),  # a local day of the city
    Column("until", Date),  # the last of several days, inclusive
    Column("kind", String(16), nullable=False),  # municipal, holiday (by law), reopened
    Column("name", JSON, nullable=False),
    Column("start", Integer, nullable=False),  # local minutes from which it is closed
    Column("set_by", Text, nullable=False, server_default=""),  # the name of whoever entered it
    Column("set_at", Instant),
    UniqueConstraint("city", "day"),
)

rooms = Table(
    "rooms",
    metadata,
    Column("id", Number, primary_key=True),
    Column("city", ForeignKey("cities.slug"), nullable=False),
    Column("code", String(64), nullable=False, unique=True),
    Column("name", JSON, nullable=False),
)

fields = Table(
    "fields",
    metadata,
    Column("code", String(64), primary_key=True),
    Column("name", JSON, nullable=False),
    Column("position", Integer, nullable=False),
)

topics = Table(
    "topics",
    metadata,
    Column("field", ForeignKey("fields.code"), primary_key=True),
    Column("code", String(64), primary_key=True),
    Column("name", JSON, nullable=False),
    Column("position", Integer, nullable=False),
)

objectives = Table(
    "objectives",
    metadata,
    Column("code", String(64), primary_key=True),
    Column("city", ForeignKey("cities.slug"), nullable=False),
    Column("name", JSON, nullable=False),
    Column("position", Integer, nullable=False),
)

partnerships = Table(
    "partnerships",
    metadata,
    Column("id", Number, primary_key=True),
    Column("city_a", ForeignKey("cities.slug"), nullable=False),
    Column("city_b", ForeignKey("cities.slug"), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("since", String(10), nullable=False),  # as precisely as known: YYYY, YYYY-MM, YYYY-MM-DD
    Column("until", String(10), nullable=False),
    Column("fields", JSON, nullable=False),
    UniqueConstraint("city_a", "city_b", "kind"),
)

people = Table(
    "people",
    metadata,
    Column("id", Number, primary_key=True),
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("email_key", Text, nullable=False, unique=True),
    Column("city", ForeignKey("cities.slug"), nullable=False),
    Column("language", String(2), nullable=False),
    Column("role", String(16), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("disabled_at", Instant),
)

# --- meetings

NOTICED = text("law_notice <> ''")  # of a meeting: there was word of a change of law; the words of its index

meetings = Table(
    "meetings",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("uid", Text, nullable=False, unique=True),
    Column("status", String(16), nullable=False),
    Column("title", JSON, nullable=False),
    Column("agenda", JSON, nullable=False),
    Column("field", ForeignKey("fields.code"), nullable=False),
    Column("topic", String(64), nullable=False),
    Column("objective", String(64), nullable=False),
    Column("host", ForeignKey("cities.slug"), nullable=False),
    Column("zone", String(64), nullable=False),
    Column("wall", DateTime, nullable=False),  # on the clock of `zone`
    Column("starts", Instant, nullable=False),
    Column("ends", Instant, nullable=False),  # half-open
    Column("duration_minutes", Integer, nullable=False),
    Column("tz_version", String(16), nullable=False),
    Column("video_url", Text, nullable=False),
    Column("room", String(64), nullable=False),
    Column("confidential", Boolean, nullable=False),
    Column("owner_id", ForeignKey("people.id"), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("cancelled_at", Instant),
    Column("cancel_reason", Text, nullable=False),
    # Clocks and closed days of its cities when its time was last decided; empty: from before that was kept.
    Column("known", Text, nullable=False, server_default=""),
    # Of the change of law about it that its coordinator has had word of; empty: there is none.
    Column("law_notice", String(16), nullable=False, server_default=""),
    CheckConstraint("starts < ends", name="interval"),
    Index(None, "starts", "id"),
    Index(None, "ends"),
    Index(None, "law_notice", sqlite_where=NOTICED, postgresql_where=NOTICED),
)

participations = Table(
    "participations",
    metadata,
    Column("meeting_id", ForeignKey("meetings.id"), primary_key=True),
    Column("city", ForeignKey("cities.slug"), primary_key=True),
    Column("position", Integer, nullable=False),
    Index(None, "city", "meeting_id"),
)

# What a meeting that was held cost each city: minutes outside its office hours as they were then.
burdens = Table(
    "burdens",
    metadata,
    Column("meeting_id", ForeignKey("meetings.id"), primary_key=True),
    Column("city", ForeignKey("cities.slug"), primary_key=True),
    Column("minutes", Integer, nullable=False),
    Index(None, "city", "minutes", "meeting_id"),
)

# A room's time. The database guards it, so that no path of code can book a room twice: SQLite by triggers, PostgreSQL
# by an exclusion constraint.
bookings = Table(
    "bookings",
    metadata,
    Column("meeting_id", ForeignKey("meetings.id"), primary_key=True),
    Column("room_id", ForeignKey("rooms.id"), nullable=False),
    Column("starts", Instant, nullable=False),
    Column("ends", Instant, nullable=False),
    CheckConstraint("starts < ends", name="interval"),
    Index(None, "room_id", "starts"),
)

invitations = Table(
    "invitations",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("meeting_id", ForeignKey("meetings.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("email_key", Text, nullable=False),
    Column("city", ForeignKey("cities.slug"), nullable=False),
    Column("language", String(2), nullable=False),
    Column("role", String(16), nullable=False),
    Column("seed", LargeBinary, nullable=False),
    Column("reply_hash", String(64), nullable=False, unique=True),
    Column("link_hash", String(64), nullable=False, unique=True),
    Column("lead", Integer, nullable=False),
    Column("reset_sequence", Integer, nullable=False),
    Column("last_dtstamp", Instant),
    Column("removed_at", Instant),
    Column("status", String(16), nullable=False),
    Column("comment", Text, nullable=False),
    Column("answered_at", Instant),
    Column("channel", String(16), nullable=False),
    Column("answered_by", Text, nullable=False),
    UniqueConstraint("meeting_id", "email_key"),
)

aliases = Table(
    "aliases",
    metadata,
    Column("invitation_id", ForeignKey("invitations.id"), primary_key=True),
    Column("email_key", Text, primary_key=True),
)

# Every answer ever given, those that lost included; what stands is reduced over them.
answers = Table(
    "answers",
    metadata,
    Column("id", Number, primary_key=True),
    Column("invitation_id", ForeignKey("invitations.id"), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("dtstamp", Instant, nullable=False),
    Column("received", Instant, nullable=False),
    Column("status", String(16), nullable=False),
    Column("comment", Text, nullable=False),
    Column("channel", String(16), nullable=False),
    Column("by", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("outcome", String(32), nullable=False),
    Column("recorded_at", Instant, nullable=False),
    UniqueConstraint("invitation_id", "digest"),
)

# --- mail

outbox = Table(
    "outbox",
    metadata,
    Column("id", Number, primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("meeting_id", ForeignKey("meetings.id")),
    Column("invitation_id", ForeignKey("invitations.id")),
    Column("recipient", Text, nullable=False),
    # Their address as compared, of mail that counts towards what one person gets in a day; else empty.
    Column("recipient_key", Text, nullable=False, server_default=""),
    Column("envelope_from", Text, nullable=False),
    Column("message_id", Text, nullable=False, unique=True),
    Column("sequence", Integer),
    Column("dtstamp", Instant),
    Column("content", LargeBinary, nullable=False),  # the bytes, as often as they are sent
    Column("sha256", String(64), nullable=False),
    Column("state", String(16), nullable=False),  # see `outbox`
    Column("told", JSON),  # of an invitation: the meeting as this mail tells it
    Column("attempts", Integer, nullable=False),
    Column("perhaps_left", Boolean, nullable=False),  # a hand-over broke off, or its worker died
    Column("next_attempt_at", Instant, nullable=False),
    Column("lease", String(32), nullable=False),  # of the worker that is sending it; empty: nobody
    Column("lease_until", Instant),
    Column("answer", Text, nullable=False),  # the last thing the mail server said
    Column("created_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Index(None, "state", "next_attempt_at"),
    Index(None, "recipient_key", "created_at"),
    Index(None, "invitation_id"),
    Index(None, "meeting_id"),
)

inbox = Table(
    "inbox",
    metadata,
    Column("id", Number, primary_key=True),
    Column("recorded_at", Instant, nullable=False),
    Column("received", Instant),
    Column("sha256", String(64), nullable=False),
    Column("message_id", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("outcome", String(32), nullable=False),  # empty until judged
    Column("reason", Text, nullable=False),
    Column("meeting_id", ForeignKey("meetings.id")),
    Column("invitation_id", ForeignKey("invitations.id")),
    Column("proposal", JSON),  # the answer that a person's decision would record
    Column("waits", Boolean, nullable=False),  # for a person's decision
    Column("decision", String(32), nullable=False),
    Column("decided_by", ForeignKey("people.id")),
    Column("decided_at", Instant),
    Column("tries", Integer, nullable=False, server_default="0"),  # of judging it later, not counting the first
    Index(None, "message_id"),
    Index(None, "sha256"),
    Index(None, "sender", "recorded_at"),
    Index(None, "waits"),
    Index(None, "meeting_id"),
)

# Each mailbox that is or was polled: whose turn it is, and how far they came.
mailboxes = Table(
    "mailboxes",
    metadata,
    Column("id", Number, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("uidvalidity", BigInteger, nullable=False),
    Column("last_uid", BigInteger, nullable=False),
    Column("lease", String(32), nullable=False),  # of the worker that is polling; empty: nobody
    Column("lease_until", Instant),
    Column("next_poll_at", Instant, nullable=False),
    Column("polled_at", Instant),  # when the server last did what we asked
    Column("failures", Integer, nullable=False),  # one after the other, up to now
    Column("error", Text, nullable=False),  # of the last poll, if it failed
)

# Which message of a mailbox is which row of the inbox. Without a row: the server could not give it yet.
mailbox_messages = Table(
    "mailbox_messages",
    metadata,
    Column("mailbox_id", ForeignKey("mailboxes.id"), primary_key=True),
    Column("uidvalidity", BigInteger, primary_key=True),
    Column("uid", BigInteger, primary_key=True),
    Column("inbox_id", ForeignKey("inbox.id")),
    Column("seen", Boolean, nullable=False),  # marked as seen in the mailbox
    Column("tries", Integer, nullable=False),  # that failed
    Column("first_try_at", Instant, nullable=False),
    Index(None, "inbox_id"),
)

# --- access

sign_in_links = Table(
    "sign_in_links",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("person_id", ForeignKey("people.id"), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),
    Column("email_key", Text, nullable=False, server_default=""),  # where it was sent to; it dies with the address
    Index(None, "person_id"),
)

web_sessions = Table(
    "web_sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("person_id", ForeignKey("people.id"), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("label", String(64), nullable=False, server_default=""),  # browser and system, in plain words
    Column("proved_at", Instant),  # when its owner last proved who they are; null: when it began
    Index(None, "person_id"),
)

# A way in beside the link. A row is there only when its second factor was confirmed.
passwords = Table(
    "passwords",
    metadata,
    Column("person_id", ForeignKey("people.id"), primary_key=True, autoincrement=False),
    Column("password_hash", Text, nullable=False),
    Column("seed", LargeBinary, nullable=False),  # random; the secret of the second factor is derived from it
    Column("secret_hash", String(64), nullable=False),  # tells which of the server's keys it was derived with
    Column("last_step", BigInteger, nullable=False),  # of the last code that was accepted; older ones are not
    Column("changed_at", Instant, nullable=False),
)

recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("person_id", ForeignKey("people.id"), primary_key=True),
    Column("code_hash", String(64), primary_key=True),
    Column("used_at", Instant),
)

# A second factor that was shown in a session, but not confirmed yet. Empty password_hash: the password stays.
enrolments = Table(
    "enrolments",
    metadata,
    Column("session_hash", String(64), primary_key=True),
    Column("person_id", ForeignKey("people.id"), nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("seed", LargeBinary, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

# Whoever gave the right password and not yet the code.
half_sign_ins = Table(
    "half_sign_ins",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("person_id", ForeignKey("people.id"), nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("tries", Integer, nullable=False),
)

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", Number, primary_key=True),
    Column("person_id", ForeignKey("people.id"), nullable=False),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
)

# What a request with an idempotency key made, written in the transaction that made it.
requests = Table(
    "requests",
    metadata,
    Column("person_id", ForeignKey("people.id"), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("meeting_id", ForeignKey("meetings.id"), nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("created_at", Instant, nullable=False),
)

# --- feeds

# Each meeting as a VEVENT in each language, made when it changes. `made_by` names all else that the bytes depend on.
calendar_entries = Table(
    "calendar_entries",
    metadata,
    Column("meeting_id", ForeignKey("meetings.id"), primary_key=True),
    Column("language", String(2), primary_key=True),
    Column("zone", String(64), nullable=False),  # TZID that it needs a VTIMEZONE for; empty: it is in UTC
    Column("made_by", String(16), nullable=False),
    Column("content", LargeBinary, nullable=False),
)

feeds = Table(
    "feeds",
    metadata,
    Column("id", Number, primary_key=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),  # city, field, partnership, person
    Column("key", Text, nullable=False),  # slug, code, two slugs with "+" between, the person's address as compared
    Column("city", ForeignKey("cities.slug"), nullable=False),  # only meetings in which it takes part
    Column("language", String(2), nullable=False),
    Column("owner_id", ForeignKey("people.id"), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    Index(None, "city"),
)

# --- busy time by the calendars of others

# A calendar that a person, or a city as a whole (no person), publishes or has handed over as a file.
calendars = Table(
    "calendars",
    metadata,
    Column("id", Number, primary_key=True),
    Column("city", ForeignKey("cities.slug"), nullable=False),
    Column("person_id", ForeignKey("people.id")),
    Column("kind", String(8), nullable=False),  # url, file
    Column("name", Text, nullable=False),
    Column("address", Text, nullable=False),  # sealed, because whoever knows it reads the calendar; empty: a file
    Column("host", String(255), nullable=False),  # of the address, all that is ever shown of it
    Column("etag", Text, nullable=False),
    Column("last_modified", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("checked_at", Instant),  # when it was last tried
    Column("fetched_at", Instant),  # when its times were last right
    Column("known_until", Instant),  # up to where they are known
    Column("failures", Integer, nullable=False),  # one after the other, up to now
    Column("error", String(32), nullable=False),  # of the last try, if it failed
    Column("next_fetch_at", Instant),  # null: never, it is a file
    Column("lease", String(32), nullable=False),  # of the worker that is reading it; empty: nobody
    Column("lease_until", Instant),
    Index(None, "city"),
    Index(None, "person_id"),
    Index(None, "next_fetch_at"),
    Index(None, "host", "checked_at"),
)

# All that is kept of what stands in them. Intervals of one kind are apart from each other.
busy_times = Table(
    "busy_times",
    metadata,
    Column("calendar_id", ForeignKey("calendars.id"), primary_key=True),
    Column("starts", Instant, primary_key=True),
    Column("ends", Instant, nullable=False),
    Column("kind", String(16), nullable=False),  # busy, tentative
    CheckConstraint("starts < ends", name="interval"),
)

# --- operation: of the moment, so no copy of the database brings it back

# When each process that stays was last heard of, and when it last could do its work.
heartbeats = Table(
    "heartbeats",
    metadata,
    Column("name", String(32), primary_key=True),  # worker, mailbox
    Column("seen_at", Instant, nullable=False),
    Column("well_at", Instant),
    Column("error", Text, nullable=False, server_default=""),  # that only the operator can mend; empty: none
)

# How often something was done in a window of time; the key is a keyed hash and tells nobody who did it.
counters = Table(
    "counters",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("since", Instant, primary_key=True),
    Column("until", Instant, nullable=False),
    Column("hits", Integer, nullable=False),
    Index(None, "until"),
)

# Who failed and must wait; the key is as that of a counter.
delays = Table(
    "delays",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("open_at", Instant, nullable=False),
    Column("until", Instant, nullable=False),  # when all is forgotten
    Index(None, "until"),
)
