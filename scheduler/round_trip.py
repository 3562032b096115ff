"""The proof that answers find their way back: a mail to a token address of ours, sent as every invitation is.

Some mail servers refuse `local+TOKEN@domain`, deliver it to nobody, or strip the token. So two mails go out, one to an
address with a token made for this alone and one to the bare address, and both are looked for where answers arrive: in
the mailbox, or among what `scheduler receive` has recorded. They carry our own mark, so that the worker ignores them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from scheduler import tokens
from scheduler.config import Settings
from scheduler.core.errors import SchedulerError
from scheduler.db import inbox
from scheduler.desk import Desk, utc_now
from scheduler.mail import imap, inbound, mime, smtp

WAIT_SECONDS = 60
LOOK_PAUSE_SECONDS = 1.0
LARGEST = 200_000

Look = Callable[[str], bytes | None]  # by a word of the subject: the mail, raw


class NotProved(Exception):
    """The mail did not come back; the text says what that means."""


@dataclass(frozen=True, slots=True)
class _Probe:
    """A mail to ourselves. `token` is also in its subject, since some servers write a Message-ID of their own."""

    address: str
    token: str


def prove(settings: Settings, wait_seconds: float = WAIT_SECONDS) -> str:
    """Sends the mails and looks for them; says how it went. Raises NotProved, or what the mailbox raises."""
    own = settings.mail
    if own.mailbox:
        raise NotProved("mail is kept in a folder, nothing is sent (mail.smtp_url is a mailbox:)")
    local, _, domain = own.from_address.rpartition("@")
    word = _new_word()
    probe, bare = _Probe(f"{local}+{word}@{domain}", word), _Probe(own.from_address, _new_word())
    with _places(settings) as look:
        _send(settings, bare, "")
        _send(settings, probe, f" with the address {local}+TOKEN@{domain}")
        began = time.monotonic()
        raw = _wait(look, probe, began + wait_seconds)
        if raw is None:
            raise NotProved(_missing(look(bare.token) is not None, wait_seconds))
    mail = inbound.read_mail(raw, max_bytes=LARGEST, loop_value=domain)
    if inbound.token_of(mail.recipients, own.from_address) != (probe.address, word):
        raise NotProved("the mail came back, but the mail server has stripped +TOKEN from Delivered-To and To")
    return f"+TOKEN survives; the mail came back in {time.monotonic() - began:.0f} seconds"


def _new_word() -> str:
    return tokens.new_token()[:26]


def _send(settings: Settings, probe: _Probe, how: str) -> None:
    name = settings.mail.from_name
    headers = [
        ("From", mime.mailbox(name, probe.address)),
        ("To", mime.mailbox(name, probe.address)),
        ("Subject", mime.unstructured("Subject", f"scheduler check {probe.token}")),
        ("Date", mime.date(utc_now())),
        ("Message-ID", mime.message_ids([f"<{probe.token}@{settings.mail.domain}>"])),
        *mime.automatic(settings.mail.from_address, "en"),
    ]
    text = "Sent by `scheduler check --send`; it may be deleted."
    content = mime.letter(headers, text, f"<p>{text}</p>", probe.token)
    with smtp.open_transport(settings.mail) as transport:
        try:
            transport.send(probe.address, probe.address, content)
        except smtp.TransportError as error:
            raise NotProved(f"the mail server takes no mail{how}: {error.text}") from error


def _wait(look: Look, probe: _Probe, end: float) -> bytes | None:
    while (raw := look(probe.token)) is None and time.monotonic() < end:
        time.sleep(LOOK_PAUSE_SECONDS)
    return raw


def _missing(bare_came: bool, seconds: float) -> str:
    if bare_came:
        return (
            "+TOKEN does not survive: a mail to the bare address came back, "
            f"one to an address with +TOKEN did not in {seconds:.0f} seconds"
        )
    return f"no mail came back in {seconds:.0f} seconds, neither with +TOKEN nor without"


@contextmanager
def _places(settings: Settings) -> Iterator[Look]:
    """How to look for a mail where answers arrive."""
    account = settings.inbox.account
    if account is None:
        yield _among_the_recorded(settings)
        return
    with imap.open_mailbox(account, LARGEST) as box:

        def in_the_mailbox(word: str) -> bytes | None:
            found = box.with_subject(word)
            return box.raw(found[-1], LARGEST) if found else None

        yield in_the_mailbox


def _among_the_recorded(settings: Settings) -> Look:
    try:
        desk = Desk.open(settings)
    except (SchedulerError, tokens.WeakKey) as error:
        raise NotProved("without a mailbox or a database there is nowhere to look") from error

    def look(word: str) -> bytes | None:
        with desk.store.read() as db:
            return inbox.with_subject(db, f"scheduler check {word}")

    return look
