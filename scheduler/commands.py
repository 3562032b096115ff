"""The commands of an operator: set up, check, copies, the outbox, mail taken in. What they print is English, or JSON.

`receive` is called for each mail that comes, so what others need is loaded only by them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence

from scheduler import admin, backups, config, installation
from scheduler import replies as inbound
from scheduler.config import ConfigurationError, Settings
from scheduler.core.errors import SchedulerError
from scheduler.desk import Desk
from scheduler.mail import imap, smtp


def init(given: argparse.Namespace) -> int:
    settings = config.load(given.config)
    desk = installation.prepare(settings)
    if given.example:
        admin.load_example(desk)
    print(f"The database is ready: {desk.store.place}")
    return 0


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
        from scheduler import round_trip

        parts["round trip"] = lambda settings: round_trip.prove(settings, given.wait or round_trip.WAIT_SECONDS)
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
        from scheduler import representations

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
    from scheduler import operation, representations

    troubles = operation.troubles(installation.open_desk(given), None)
    if given.json:
        print(json.dumps([representations.represent_trouble(x) for x in troubles], ensure_ascii=False, indent=2))
        return 0
    for x in troubles:
        parts = [str(x.id), x.state, x.kind, representations.utc(x.created_at), x.message_id, x.recipient, x.answer]
        print("  ".join(parts).rstrip())
    return 0


def outbox_act(given: argparse.Namespace) -> int:
    from scheduler import operation

    desk = installation.open_desk(given)
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
    desk = installation.open_desk(given)
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
