"""Death at a named step, for processes that tests start: SCHEDULER_FAILPOINT=name:n kills at the n-th time.

The product has no hook for it. A process that a test starts (see `processes`) listens to what the product does anyway:
to transactions, SQL statements, and what it says to mail servers and mailboxes. So the steps are the same for the web
server, the worker and the poller:

    web      parsed, begun, written (each INSERT, UPDATE, DELETE; a booking's rows, to PostgreSQL one statement, come
             before begun), committing, committed, answering, answered
    worker   claimed, connecting, ehlo, mail, rcpt, data, dot (sent, no reply yet), accepted (not yet marked), marked
    poller   fetched, stored, applied, marking (as seen), seen

`any` counts all of them, and what lies between, one by one.
"""

from __future__ import annotations

import imaplib
import os
import signal
import smtplib
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine

from scheduler.db.engine import Store

VARIABLE = "SCHEDULER_FAILPOINT"
WEB = ("parsed", "begun", "written", "committing", "committed", "answering", "answered")
WORKER = ("claimed", "connecting", "ehlo", "mail", "rcpt", "data", "dot", "accepted", "marked")
POLLER = ("fetched", "stored", "applied", "marking", "seen")

_counts: Counter[str] = Counter()
_transaction = threading.local()  # what was written in it


def arm() -> None:
    """Lets this process die where its environment says."""
    if os.environ.get(VARIABLE):
        _watch_the_database()
        _watch_mail_out()
        _watch_mail_in()


def reached(name: str) -> None:
    wanted, _, number = os.environ.get(VARIABLE, "").partition(":")
    for counted in (name, "any"):
        _counts[counted] += 1
        if counted == wanted and _counts[counted] == int(number):
            os.kill(os.getpid(), signal.SIGKILL)


# --- the database


def _watch_the_database() -> None:
    begun = Store.write

    @contextmanager
    def write(store: Store, *first: Callable[[Connection], None]) -> Iterator[Connection]:
        reached("parsed")
        _transaction.statements = []
        with begun(store, *first) as db:
            reached("begun")
            yield db
        reached("committed")
        for name in _meaning(_transaction.statements):
            reached(name)

    Store.write = write  # type: ignore[method-assign]
    event.listen(Engine, "after_cursor_execute", _written)
    event.listen(Engine, "commit", lambda _: reached("committing"))


def _written(_db: Any, _cursor: Any, statement: str, *_: Any) -> None:
    if statement.lstrip().startswith(("WITH", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP")):
        getattr(_transaction, "statements", []).append(statement)
        reached("written")


def _meaning(statements: Iterable[str]) -> Iterator[str]:
    """What a transaction with these statements has done for mail."""
    for statement in statements:
        if statement.startswith("UPDATE outbox SET") and "lease=" in statement:
            yield "marked" if "state=" in statement else "claimed"
        elif statement.startswith("INSERT INTO inbox"):
            yield "stored"
        elif statement.startswith("UPDATE inbox SET") and "outcome=" in statement:
            yield "applied"


# --- mail out


def _watch_mail_out() -> None:
    smtp: Any = smtplib.SMTP
    connect, putcmd, send, getreply = smtp.connect, smtp.putcmd, smtp.send, smtp.getreply

    def connecting(self: Any, *args: Any, **named: Any) -> Any:
        self.said = "greeting"
        reached("connecting")
        return connect(self, *args, **named)

    def saying(self: Any, verb: str, *args: Any) -> Any:
        self.said = verb.lower()
        reached("saying")
        return putcmd(self, verb, *args)

    def sending(self: Any, content: Any) -> None:
        send(self, content)
        if self.said == "data, go on":
            self.said = "accepted"
            reached("dot")

    def hearing(self: Any) -> Any:
        reply = getreply(self)
        reached(self.said)
        if self.said == "data":
            self.said = "data, go on"
        return reply

    smtp.connect, smtp.putcmd, smtp.send, smtp.getreply = connecting, saying, sending, hearing


# --- mail in


def _watch_mail_in() -> None:
    imap: Any = imaplib.IMAP4
    command, complete = imap._command, imap._command_complete

    def asking(self: Any, name: str, *args: Any) -> Any:
        self.asked = args[0].upper() if name == "UID" else name.upper()
        self.wants_the_body = "BODY" in str(args)
        reached("marking" if self.asked == "STORE" else "asking")
        return command(self, name, *args)

    def hearing(self: Any, *args: Any) -> Any:
        answer = complete(self, *args)
        is_body = self.asked == "FETCH" and self.wants_the_body
        reached("fetched" if is_body else "seen" if self.asked == "STORE" else "told")
        return answer

    imap._command, imap._command_complete = asking, hearing


# --- the web


Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def watched(application: Wsgi) -> Wsgi:
    """The application, which may die between its last commit and its answer, and after the answer."""

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def starting(*args: Any) -> Any:
            reached("answering")
            return start_response(*args)

        return _Answer(application(environ, starting))

    return serve


class _Answer:
    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.chunks)

    def close(self) -> None:
        getattr(self.chunks, "close", lambda: None)()
        reached("answered")
