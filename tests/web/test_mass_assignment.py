"""A06, A08: whatever else is sent along with a form or a body sets nothing.

The names are those of every column of every table, so a new column is tried too, and some that other products have.
A form is sent twice, as it is and with the rest; both must leave the same database. A body with the rest is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.sessions import SecureCookieSessionInterface
from sqlalchemy import Boolean, Column, Date, DateTime, Integer

from scheduler.db import tables as t
from scheduler.web.calls import CALLS
from tests import databases
from tests.databases import Contents

from . import test_roles as roles
from .test_meetings import edited
from .test_roles import API, EMAILS, SENT, WALK, Stage

stage, untouched = roles.stage, roles.untouched

NUMBER = 424242
CANARY = "canary-7"
# Values that would do harm where they were taken.
HARMFUL = {
    "role": "operator", "city": "gwangju", "status": "cancelled", "state": "sent", "kind": "notice-answered",
    "host": "ulaanbaatar", "language": "en", "zone": "Europe/Istanbul", "email": "evil@gwangju.example",
    "sequence": "7", "version": "7",
}  # fmt: skip
ELSEWHERE = {
    "is_admin": "1", "admin": "true", "city_id": "gwangju", "organizer_id": "1", "user_id": "1", "_user_id": "1",
    "person": "1", "actor": "1", "token": CANARY, "invitations": "x", "answered": "1", "end": "2031-01-01T00:00Z",
}  # fmt: skip

_MEETING = {
    "key", "version", "title", "agenda", "field", "objective", "city", "person", "video-url", "room", "duration",
    "from", "to", "zone", "start", "wall-date", "wall-time", "searched",
}  # fmt: skip
# The inputs of each form, which are read because they are shown.
INPUTS: dict[str, set[str]] = {
    "/meetings": _MEETING,
    "/meetings/slots": _MEETING,
    "/meetings/<meeting_id>": _MEETING,
    "/meetings/<meeting_id>/slots": _MEETING,
    "/meetings/<meeting_id>/answers": {"email", "answer", "comment"},
    "/meetings/<meeting_id>/cancellation": {"reason"},
    "/i/<token>/answer": {"answer", "comment", "sequence"},
    "/mailbox/<message_id>/answer": {"answer", "comment"},
    "/cities/<slug>/hours": {"seen", "weight", "notice_hours", "buffer_minutes"},
    "/cities/<slug>/closures": {"day", "until", "from", "name", "kind"},
    "/cities/<slug>/reopenings": {"day"},
    "/settings/feeds": {"kind", "city", "field", "partnership", "person", "language"},
    "/settings/calendars": {"name", "url"},
    "/cities/<slug>/calendars": {"name", "url", "person"},
    "/settings/language": {"language"},
    "/review/<review_id>/decision": {"decision"},
    "/operation/mails/<mail_id>/remedy": {"remedy"},
    "/sign-in": {"email"},
}
FORMS = [rule for method, rule in sorted(WALK) if method == "POST" and not rule.startswith(API)]
OF_A_PASSWORD = {  # nobody here has one: refused, which must set nothing either
    "/settings/sign-in/proof",
    "/settings/sign-in/recovery-codes",
    "/settings/sign-in/second-factor",
    "/settings/sign-in/second-factor/confirmation",
}
# Drawn anew each time, so two runs differ; what they hold is looked through for what was sent.
DRAWN = {
    "id", "meeting_id", "invitation_id", "uid", "seed", "reply_hash", "link_hash", "token_hash", "message_id", "key",
    "content", "sha256", "digest", "edition", "envelope_from", "raw", "email_key", "inbox_id", "calendar_stamp",
    "password_hash", "session_hash", "secret_hash", "address",
}  # fmt: skip


def value_of(column: Column[Any]) -> str:
    if column.name in HARMFUL:
        return HARMFUL[column.name]
    if isinstance(column.type, Boolean):
        return "1"
    if isinstance(column.type, t.Instant | DateTime | Date):
        return "2031-01-01T00:00:00Z"
    return str(NUMBER) if isinstance(column.type, Integer) else CANARY


def everything() -> dict[str, str]:
    columns = {column.name: value_of(column) for table in t.metadata.sorted_tables for column in table.columns}
    return columns | ELSEWHERE


def test_a_walk_over_all_columns_is_one() -> None:
    assert {"role", "owner_id", "sequence", "uid", "token_hash", "version", "status"} <= everything().keys()
    assert set(INPUTS) <= set(FORMS)


def valid(stage: Stage, rule: str) -> dict[str, Any]:
    if rule not in ("/meetings/<meeting_id>", "/meetings/<meeting_id>/slots"):
        return SENT.get(f"POST {rule}", dict)().get("data", {})
    form = edited(roles.ask(stage, "GET", "/meetings/<meeting_id>/edit", "host").text)
    return form | {"title": ["Another title"]}


def who(rule: str) -> str:
    return "operator" if rule.startswith("/operation") else "host"


def masked(found: Contents) -> Contents:
    passing = ("counters", "heartbeats", "editions", "calendar_entries")
    plain = {
        name: [{column: value for column, value in row.items() if column not in DRAWN} for row in rows]
        for name, rows in found.items()
        if name not in passing
    }
    return {name: sorted(rows, key=repr) for name, rows in plain.items()}


@pytest.mark.parametrize("rule", FORMS)
def test_a_form_sets_nothing_but_its_inputs(stage: Stage, untouched: Callable[[], None], rule: str) -> None:
    form = valid(stage, rule)
    more = {name: value for name, value in everything().items() if name not in INPUTS.get(rule, set()) | form.keys()}
    plain = roles.ask(stage, "POST", rule, who(rule), {"data": form})
    expected = masked(databases.contents(stage.desk.store))
    untouched()
    got = roles.ask(stage, "POST", rule, who(rule), {"data": form | more, "query_string": more})
    found = masked(databases.contents(stage.desk.store))
    assert got.status_code == plain.status_code
    assert got.status_code < 400 or "slots" in rule or rule in OF_A_PASSWORD
    # A doubled proposal is told by all that was sent, so its digest alone may know of the rest.
    assert {name: rows for name, rows in found.items() if rows != expected[name]} == {}
    assert not databases.holds(stage.desk.store, CANARY)
    assert not databases.holds(stage.desk.store, f"'{NUMBER}'")


@pytest.mark.parametrize("call", [c for c in CALLS if c.takes], ids=lambda c: f"{c.method} {c.rule}")
def test_a_body_with_more_than_its_members_is_refused_and_each_is_named(
    stage: Stage, untouched: Callable[[], None], call: Any
) -> None:
    rule, before = roles.plain(API + call.rule), stage.contents()
    body = SENT.get(f"{call.method} {rule}", lambda: {"json": {}})()["json"]
    known = {field.alias or name for name, field in call.takes.model_fields.items()}
    more = {name: value for name, value in everything().items() if name not in known}
    refused = roles.ask(stage, call.method, rule, "operator", {"json": body | more})
    assert refused.status_code == 422, refused.text
    assert {fault["pointer"] for fault in refused.json["errors"]} >= {f"/{name}" for name in more}
    assert stage.contents() == before


@pytest.mark.parametrize("place", ["people", "title"])
def test_nor_is_anything_set_inside_a_body(stage: Stage, place: str) -> None:
    before = stage.contents()
    body = dict(SENT[f"POST {API}/meetings"]()["json"])
    known = {"name", "email", "city", "language", "role"}
    more = {name: value for name, value in everything().items() if name not in known}
    body[place] = [body["people"][0] | more] if place == "people" else {"en": "Water"} | more
    refused = roles.ask(stage, "POST", f"{API}/meetings", "host", {"json": body})
    named = {fault["pointer"].rpartition("/")[2] for fault in refused.json["errors"]}
    assert refused.status_code == 422
    assert named >= set(more)
    assert stage.contents() == before


# --- who somebody is


@pytest.mark.parametrize("rule", FORMS)
def test_nobody_becomes_somebody_else(stage: Stage, untouched: Callable[[], None], rule: str) -> None:
    """A08: only the language is one's own to change, and a session stays the session of its person."""
    before = identities(stage)
    data = {**valid(stage, rule), **{n: v for n, v in everything().items() if n not in INPUTS.get(rule, set())}}
    roles.ask(stage, "POST", rule, "host", {"data": data})
    after = identities(stage)
    host = before["people"][EMAILS["host"]]
    if rule == "/settings/language":
        before["people"][EMAILS["host"]] = (*host[:-1], "en")
    assert after["people"] == before["people"]
    assert after["tokens"] == before["tokens"]
    begun = after["sessions"].keys() - before["sessions"].keys()
    assert all(after["sessions"][name][0] == host[0] for name in begun)  # signed in by a link that is theirs
    assert all(before["sessions"][name] == row for name, row in after["sessions"].items() if name not in begun)


def identities(stage: Stage) -> dict[str, dict[str, tuple[Any, ...]]]:
    rows = databases.contents(stage.desk.store)
    return {
        "people": {
            p["email"]: (p["id"], p["name"], p["email_key"], p["city"], p["role"], p["disabled_at"], p["language"])
            for p in rows["people"]
        },
        "sessions": {s["token_hash"]: (s["person_id"], s["created_at"], s["expires_at"]) for s in rows["web_sessions"]},
        "tokens": {a["token_hash"]: (a["person_id"], a["revoked_at"]) for a in rows["api_tokens"]},
    }


def test_a_form_cookie_with_an_identity_in_it_signs_nobody_in(stage: Stage) -> None:
    """A08: even one that was signed with our own key."""
    signer = SecureCookieSessionInterface().get_signing_serializer(stage.app)
    assert signer is not None
    everybody = dict.fromkeys(("person", "person_id", "user_id", "_user_id", "id", "sid"), 1) | {"role": "operator"}
    client = stage.app.test_client()
    client.set_cookie("form", str(signer.dumps(everybody)), domain="127.0.0.1")
    assert roles.said(client.get("/settings", base_url=roles.BASE)) == "sign-in"
    assert client.get(f"{API}/cities", base_url=roles.BASE).status_code == 401
