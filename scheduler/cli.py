"""The command line: reads arguments, runs one command, and tells a fault in one line.

Exit status: 0 done, 1 a fault (told on standard error), 2 wrong usage. Each command is a function that takes the parsed
arguments and returns the exit status. It is named here, as `module.function`, and loaded when it is run: a mail that is
handed to `receive` need not wait for the web.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any

from scheduler.backups import Unusable
from scheduler.config import ConfigurationError
from scheduler.core.errors import SchedulerError
from scheduler.core.office import BOUNDS
from scheduler.core.words import LANGUAGES
from scheduler.example import PERSON_ROLES
from scheduler.tokens import WeakKey

FAULT = 1
OUTBOX_VERBS = {
    "retry": "send now what waits, failed, or is held",
    "drop": "do not send it (any more)",
    "sent": "what is held was sent before; it is not sent again",
}
OFFICE_NUMBERS = {
    "weight": "price of a minute outside office hours",
    "notice_hours": "nothing starts sooner",
    "buffer_minutes": "kept free before and after meetings",
}
_EXPECTED = (
    ConfigurationError,
    WeakKey,
    Unusable,
    OSError,
    UnicodeError,
)  # beside SchedulerError: their text says it all


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    try:
        module, _, function = given.run.partition(".")
        status: int = getattr(import_module(f"scheduler.{module}"), function)(given)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read our output has enough
        sys.stderr.close()
        return FAULT
    except Exception as error:
        if sys.flags.dev_mode:  # python -X dev -m scheduler: with the traceback
            raise
        print(f"scheduler: {_one_line(error)}", file=sys.stderr)
        return FAULT


def _one_line(error: Exception) -> str:
    if isinstance(error, SchedulerError):
        from scheduler.representations import one_line

        told = one_line(error, "en")
    else:
        told = str(error) if isinstance(error, _EXPECTED) else f"{type(error).__name__}: {error}"
    return " ".join(told.split())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scheduler", description="Video meetings between partner cities.")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="configuration; else $SCHEDULER_CONFIG, ./config.toml"
    )
    commands_ = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for add in (_operation, _mail, _planning, _people, _access, _cities, _laws):
        add(commands_)
    return parser


def _command(group: Any, name: str, run: str, help: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = group.add_parser(name, help=help, description=help)
    parser.set_defaults(run=run)
    return parser


def _group(commands_: Any, name: str, help: str) -> Any:
    return commands_.add_parser(name, help=help, description=help).add_subparsers(metavar="ACTION", required=True)


def _operation(commands_: Any) -> None:
    init = _command(commands_, "init", "commands.init", "create or upgrade the database and the secret key")
    init.add_argument("--example", action="store_true", help="load the example cities and people, once")
    demo = _command(commands_, "demo", "running.demo", "try everything out: example data, web, worker, a local mailbox")
    demo.add_argument("--dir", type=Path, default=Path("var/demo"), metavar="DIR")
    demo.add_argument("--port", type=_port, default=8000, metavar="N")
    demo.add_argument("--reset", action="store_true", help="begin anew: removes what an earlier demo stored in DIR")
    serve = _command(commands_, "serve", "running.serve", "serve the web on this machine")
    serve.add_argument("--host", default="127.0.0.1", metavar="H")
    serve.add_argument("--port", type=_port, default=8000, metavar="N")
    serve.add_argument("--with-worker", action="store_true", help="run the worker too")
    check = _command(commands_, "check", "commands.check", "look whether the configuration and all that it names work")
    check.add_argument("--send", action="store_true", help="mail ourselves through a token address, and look for it")
    check.add_argument("--wait", type=_positive, metavar="SECONDS", help="how long to look for it (default 60)")
    backup = _command(commands_, "backup", "commands.backup", "copy the database to a file, also while everything runs")
    backup.add_argument("file", type=Path, metavar="FILE")
    restore = _command(commands_, "restore", "commands.restore", "bring back what a copy holds; sends nothing twice")
    restore.add_argument("file", type=Path, metavar="FILE")


def _mail(commands_: Any) -> None:
    worker = _command(commands_, "worker", "running.work", "send the outbox, poll the mailbox")
    worker.add_argument("--once", action="store_true", help="do what is due and end")
    outbox = _group(commands_, "outbox", "mail that waits, failed, or is held")
    listing = _command(outbox, "list", "commands.outbox_list", "what waits, failed, or is held, and why")
    listing.add_argument("--json", action="store_true")
    for verb, does in OUTBOX_VERBS.items():
        command = _command(outbox, verb, "commands.outbox_act", does)
        command.set_defaults(verb=verb)
        which = command.add_mutually_exclusive_group(required=True)
        which.add_argument("ids", nargs="*", type=_positive, default=(), metavar="ID")
        which.add_argument("--held", action="store_true", help="all that are held")
    receive = _command(
        commands_, "receive", "commands.receive", "take raw mail: files, or one message on standard input"
    )
    receive.add_argument("files", nargs="*", type=Path, metavar="FILE")


def _planning(commands_: Any) -> None:
    slots = _command(commands_, "slots", "planning_commands.slots", "hours that suit everybody")
    slots.add_argument("--cities", type=_names, required=True, metavar="A,B,C", help="slugs; the first is the host")
    slots.add_argument("--from", dest="since", type=_day, required=True, metavar="DATE")
    slots.add_argument("--to", dest="until", type=_day, required=True, metavar="DATE", help="inclusive")
    slots.add_argument("--duration", type=_positive, required=True, metavar="MIN")
    slots.add_argument("--limit", type=_positive, default=20, metavar="N")
    slots.add_argument("--people", type=_names, default=(), metavar="A@X,B@Y")
    slots.add_argument("--optional", type=_names, default=(), metavar="C@Z", help="people whom a slot may miss")
    slots.add_argument("--json", action="store_true")
    export = _command(commands_, "export", "planning_commands.export", "write an iCalendar file")
    what = export.add_mutually_exclusive_group(required=True)
    what.add_argument("--meeting", type=_positive, metavar="ID")
    what.add_argument("--city", metavar="SLUG")
    what.add_argument("--field", metavar="CODE")
    what.add_argument("--all", action="store_true")
    export.add_argument("-o", dest="file", type=Path, metavar="FILE")


def _people(commands_: Any) -> None:
    people = _group(commands_, "people", "people of the cities")
    add = _command(people, "add", "people_commands.people_add", "add a person")
    add.add_argument("--name", required=True, metavar="N")
    add.add_argument("--email", required=True, metavar="E")
    add.add_argument("--city", required=True, metavar="SLUG")
    add.add_argument("--language", required=True, choices=LANGUAGES)
    add.add_argument("--role", required=True, choices=PERSON_ROLES)
    listing = _command(people, "list", "people_commands.people_list", "list everybody")
    listing.add_argument("--json", action="store_true")
    disable = _command(people, "disable", "people_commands.people_disable", "disable a person who leaves")
    disable.add_argument("--email", required=True, metavar="E")
    disable.add_argument("--hand-over-to", required=True, metavar="E", help="who takes over their meetings")
    reset = _command(
        people,
        "reset-sign-in",
        "people_commands.people_reset_sign_in",
        "remove a lost password and second factor, end sessions",
    )
    reset.add_argument("--email", required=True, metavar="E")


def _access(commands_: Any) -> None:
    token = _group(commands_, "token", "tokens for the API")
    add = _command(token, "add", "people_commands.token_add", "make a token; it is shown once")
    add.add_argument("--person", required=True, metavar="EMAIL")
    _command(token, "list", "people_commands.token_list", "list tokens, without their secret")
    revoke = _command(token, "revoke", "people_commands.token_revoke", "revoke a token")
    revoke.add_argument("id", type=_positive, metavar="ID")
    sign_in = _command(commands_, "sign-in", "people_commands.sign_in", "make a one-time sign-in link")
    sign_in.add_argument("--person", required=True, metavar="EMAIL")


def _cities(commands_: Any) -> None:
    cities = _group(commands_, "cities", "cities")
    add = _command(cities, "add", "city_commands.cities_add", "add a city")
    add.add_argument("--slug", required=True)
    add.add_argument("--name", required=True)
    add.add_argument("--zone", required=True, help="IANA zone, such as Asia/Seoul")
    add.add_argument("--country", required=True, help="ISO 3166-1 alpha-2, such as KR")
    add.add_argument("--language", required=True, choices=LANGUAGES)
    add.add_argument("--hours", type=_names, default=("09:00-12:00", "13:00-18:00"), metavar="HH:MM-HH:MM,...",
                     help="office hours Monday to Friday (default 09:00-12:00,13:00-18:00)")  # fmt: skip
    add.add_argument("--stretch", type=_names, default=(), metavar="HH:MM-HH:MM,...",
                     help="early and late hours Monday to Friday, allowed at a price")  # fmt: skip
    for name, (least, most) in BOUNDS.items():
        help = f"{OFFICE_NUMBERS[name]}, {least} to {most} (default {least})"
        add.add_argument(f"--{name.replace('_', '-')}", type=_whole, default=least, metavar="N", help=help)
    importing = _command(cities, "import", "city_commands.cities_import", "import a city file")
    importing.add_argument("file", type=Path, metavar="FILE.toml")
    listing = _command(cities, "list", "city_commands.cities_list", "list all cities")
    listing.add_argument("--json", action="store_true")
    rooms = _group(commands_, "rooms", "rooms and video accounts")
    room = _command(rooms, "add", "city_commands.rooms_add", "add a room")
    room.add_argument("--city", required=True, metavar="SLUG")
    room.add_argument("--code", required=True, metavar="C")
    room.add_argument("--name", required=True, metavar="N")


def _laws(commands_: Any) -> None:
    zones = _group(commands_, "zones", "time zone rules")
    check = _command(zones, "check", "law_commands.zones", "meetings to come whose time new zone rules change")
    check.add_argument("--json", action="store_true")
    check.add_argument(
        "--apply", choices=("wall", "instant"), help="keep this of all of them, and send everybody the update"
    )
    holidays = _group(commands_, "holidays", "public holidays and closed days")
    check = _command(holidays, "check", "law_commands.holidays", "meetings to come on days that are newly closed")
    check.add_argument("--json", action="store_true")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"not a date such as 2027-03-09: {text}") from None


def _positive(text: str) -> int:
    return _number(text, 1, 2**63 - 1)


def _whole(text: str) -> int:
    return _number(text, 0, 2**63 - 1)


def _port(text: str) -> int:
    return _number(text, 1, 65535)


def _number(text: str, least: int, most: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"not a whole number from {least} to {most}: {text[:40]}")
    return number
