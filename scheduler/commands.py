"""The commands that do one thing and end. What they print is for operators and scripts: English, or JSON."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from scheduler import (
    access,
    admin,
    backups,
    bodies,
    city_answers,
    config,
    entries,
    example,
    exports,
    operation,
    representations,
    round_trip,
    suggestions,
    tokens,
    ways_in,
)
from scheduler import replies as inbound
from scheduler.config import ConfigurationError, Settings
from scheduler.core.errors import SchedulerError
from scheduler.core.office import BOUNDS
from scheduler.db.engine import Store
from scheduler.desk import Desk
from scheduler.mail import imap, smtp


def init(given: argparse.Namespace) -> int:
    settings = config.load(given.config)
    desk = prepare(settings)
    if given.example:
        admin.load_example(desk)
    print(f"The database is ready: {desk.store.place}")
    return 0


def prepare(settings: Settings) -> Desk:
    """The desk of an installation that may not exist yet: key and database are made or upgraded first."""
    tokens.make_key(settings.server.secret_key_file)
    if settings.database.file:
        settings.database.file.parent.mkdir(parents=True, exist_ok=True)
    store = Store(settings.database.url)
    try:
        store.upgrade()
    finally:
        store.close()
    desk = Desk.open(settings)
    while entries.complete(desk, limit=500):
        pass
    return desk


def check(given: argparse.Namespace) -> int:
    """Each part on a line of its own; what needs the configuration is left out when that is broken."""
    try:
        settings = config.load(given.config)
    except ConfigurationError as error:
        for fault in error.faults:
            print(f"FAULT configuration: {fault}")
        return 1
    print("ok    configuration")
    parts = {"database": _database, "mail server": _mail_server, "mailbox": _mailbox}
    if given.send:
        parts["round trip"] = lambda settings: round_trip.prove(settings, given.wait)
    return max([_checked(part, look, settings) for part, look in parts.items()])


def _checked(part: str, look: Callable[[Settings], str], settings: Settings) -> int:
    try:
        print(f"ok    {part}: {look(settings)}")
    except Exception as error:  # whatever it is, the operator wants to see it in this line
        print(f"FAULT {part}: {' '.join(_reason(error).split())}")
        return 1
    return 0


def _reason(error: Exception) -> str:
    if isinstance(error, SchedulerError):
        server = getattr(error.__cause__, "orig", None)  # what the database said
        return representations.one_line(error, "en") + (f" ({server})" if server else "")
    return str(error) or type(error).__name__


def _database(settings: Settings) -> str:
    file = settings.database.file
    if file and not file.is_file():
        raise FileNotFoundError(f"{file} does not exist; `scheduler init` makes it")
    desk = Desk.open(settings)
    return f"{desk.store.place}, cities: {len(desk.directory().cities)}"


def backup(given: argparse.Namespace) -> int:
    backups.backup(config.load(given.config), given.file)
    print(f"Copied to {given.file}. Keep the secret key too, apart from it.")
    return 0


def restore(given: argparse.Namespace) -> int:
    found = backups.restore(config.load(given.config), given.file)
    print(f"Restored, meetings: {found.meetings}. Everybody signs in anew.")
    if found.kept:
        print(f"What was there before is kept in {found.kept}.")
    if found.held:
        print(
            f"Mails of which nobody knows whether they were sent: {found.held}. They are held; `scheduler outbox list`."
        )
    if found.changed:
        print(f"Changed since the copy was made, and people know it; look at each: {_listed(found.changed)}")
    if found.unknown:
        print(f"Made since the copy was made, and people know them; make them again: {_listed(found.unknown)}")
    return 0


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def outbox_list(given: argparse.Namespace) -> int:
    """With addresses and what the mail server said: the operator must be able to find the mails in its log."""
    troubles = operation.troubles(open_desk(given), None)
    if given.json:
        print(json.dumps([representations.represent_trouble(x) for x in troubles], ensure_ascii=False, indent=2))
        return 0
    for x in troubles:
        parts = [str(x.id), x.state, x.kind, representations.utc(x.created_at), x.message_id, x.recipient, x.answer]
        print("  ".join(parts).rstrip())
    return 0


def outbox_act(given: argparse.Namespace) -> int:
    desk = open_desk(given)
    ids = [x.id for x in operation.troubles(desk, None) if x.state == "held"] if given.held else given.ids
    done = operation.act(desk, None, given.verb, ids)
    print(f"{given.verb}: {done} of {len(ids)}")
    return 0 if done == len(ids) else 1


def _mail_server(settings: Settings) -> str:
    with smtp.open_transport(settings.mail, timeout=10) as server:
        return server.greet()


def _mailbox(settings: Settings) -> str:
    account = settings.inbox.account
    if account is None:
        return "none is polled (inbox.imap_url is empty); answers come by `scheduler receive`"
    with imap.open_mailbox(account, settings.limits.mail_bytes) as box:
        return f"{account.name}, messages: {box.count}"


def receive(given: argparse.Namespace) -> int:
    """One JSON object a line, in the order given. A file that cannot be read does not keep the others from it."""
    desk = open_desk(given)
    status = 0
    for path in given.files or [None]:
        try:
            raw = path.read_bytes() if path else sys.stdin.buffer.read()
        except OSError as error:
            print(f"scheduler: {path}: {error.strerror}", file=sys.stderr)
            status = 1
            continue
        receipt = inbound.receive(desk, raw)
        line = {
            "outcome": receipt.outcome,
            "meeting": receipt.meeting,
            "person": receipt.person,
            "status": receipt.status,
            "reason": receipt.reason,
        }
        print(json.dumps(line, ensure_ascii=False), flush=True)
    return status


def open_desk(given: argparse.Namespace) -> Desk:
    return Desk.open(config.load(given.config))


def slots(given: argparse.Namespace) -> int:
    desk = open_desk(given)
    asked = {
        "cities": list(given.cities),
        "from": given.since.isoformat(),
        "to": given.until.isoformat(),
        "duration_minutes": given.duration,
        "limit": given.limit,
        "people": list(given.people),
        "optional": list(given.optional),
    }
    found = suggestions.suggest(desk, bodies.as_wanted(bodies.read(bodies.SlotsBody, asked)))
    body = representations.represent_suggestions(found, desk.directory(), "en", suggestions.data_versions())
    print(json.dumps(body, ensure_ascii=False, indent=2) if given.json else "\n".join(_slot_lines(body)))
    return 0


def _slot_lines(body: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    for slot in body["slots"]:
        local = [f"{slug} {text[:16].replace('T', ' ')}" for slug, text in slot["local"].items()]
        cost = [f"cost {slot['cost']}"] if slot["cost"] else []
        yield "  ".join([slot["start"], *local, *cost, *slot["hints"], *(f"without {who}" for who in slot["absent"])])
    for excluded in body["excluded"]:
        yield f"{excluded['date']}  {excluded['reason']}  {excluded['city'] or '-'}  {excluded['name']}"
    for given in body["compromises"]:
        what = [str(given[key]) for key in ("city", "person", "minutes", "days") if given[key]]
        yield f"{given['kind']} {' '.join(what)}: {given['slots']} slots from {given['first']}"


def export(given: argparse.Namespace) -> int:
    desk = open_desk(given)
    if given.meeting:
        content = exports.meeting_ics(desk, None, given.meeting)
    else:
        content = exports.calendar_ics(desk, None, given.city or "", given.field or "")
    if given.file:
        given.file.write_bytes(content)
    else:
        sys.stdout.buffer.write(content)
    return 0


def people_add(given: argparse.Namespace) -> int:
    person = admin.add_person(open_desk(given), given.name, given.email, given.city, given.language, given.role)
    print(f"{person.email} is now a {person.role} of {person.city}.")
    return 0


def people_list(given: argparse.Namespace) -> int:
    people = admin.list_people(open_desk(given))
    if given.json:
        print(json.dumps([representations.represent_person(p) for p in people], ensure_ascii=False, indent=2))
        return 0
    for p in people:
        print("  ".join([p.email, p.role, p.city, p.language, p.name, *(["(disabled)"] if p.disabled else [])]))
    return 0


def people_disable(given: argparse.Namespace) -> int:
    admin.disable_person(open_desk(given), given.email, given.hand_over_to)
    print(f"{given.email} is disabled; {given.hand_over_to} takes over.")
    return 0


def people_reset_sign_in(given: argparse.Namespace) -> int:
    person = ways_in.reset(open_desk(given), given.email)
    print(f"{person.email} has no password and no second factor any more, and is signed out everywhere.")
    return 0


def token_add(given: argparse.Namespace) -> int:
    number, token = access.new_api_token(open_desk(given), given.person)
    print(f"Token {number} for {given.person}, shown only now: {token}")
    return 0


def token_list(given: argparse.Namespace) -> int:
    for token, person in access.api_tokens(open_desk(given)):
        since = representations.utc(token.created_at)
        revoked = [f"revoked {representations.utc(token.revoked_at)}"] if token.revoked_at else []
        print("  ".join([str(token.id), person.email, since, *revoked]))
    return 0


def token_revoke(given: argparse.Namespace) -> int:
    access.revoke_api_token(open_desk(given), given.id)
    print(f"Token {given.id} is revoked.")
    return 0


def sign_in(given: argparse.Namespace) -> int:
    desk = open_desk(given)
    link = access.new_sign_in_link(desk, given.person)
    minutes = desk.settings.retention.sign_in_link_minutes
    print(f"Sign-in link for {given.person}, once and within {minutes} minutes: {link}")
    return 0


def cities_add(given: argparse.Namespace) -> int:
    admin.import_cities(open_desk(given), example.parse_city_file(_city_file(given)))
    print(f"Added {given.slug}.")
    return 0


def _city_file(given: argparse.Namespace) -> str:
    """The city as a city file, so that it is checked like one. JSON strings are TOML strings, but for DEL."""
    texts = {name: getattr(given, name) for name in ("name", "zone", "country", "language")}
    numbers = {name: getattr(given, name) for name in BOUNDS}
    slug = json.dumps(given.slug)
    lines = [f"[cities.{slug}]", *(f"{k} = {_quoted(v)}" for k, v in texts.items())]
    lines += [f"{name} = {number}" for name, number in numbers.items()]
    for name in ("hours", "stretch"):
        lines.append(f"[cities.{slug}.{name}]")
        lines += [f"{day} = {json.dumps(list(getattr(given, name)))}" for day in example.WEEKDAYS[:5]]
    return "\n".join(lines)


def _quoted(text: str) -> str:
    return json.dumps(text.replace("\x7f", ""), ensure_ascii=False)


def cities_import(given: argparse.Namespace) -> int:
    desk = open_desk(given)
    directory = desk.directory()
    known = example.Known(frozenset(directory.cities), frozenset(directory.fields))
    data = example.parse_city_file(given.file.read_text("utf-8"), known)
    admin.import_cities(desk, data)
    print(f"Imported: {', '.join(c.slug for c in data.cities) or 'no city'}.")
    return 0


def cities_list(given: argparse.Namespace) -> int:
    cities = [city_answers.represent_city(c, "en") for c in open_desk(given).directory().cities.values()]
    if given.json:
        print(json.dumps(cities, ensure_ascii=False, indent=2))
        return 0
    for c in cities:
        print("  ".join([c["slug"], c["zone"], c["country"], c["language"], c["name"]]))
    return 0


def rooms_add(given: argparse.Namespace) -> int:
    admin.add_room(open_desk(given), given.city, given.code, given.name)
    print(f"Added {given.code}.")
    return 0
