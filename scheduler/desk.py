"""What every action works with: the settings, the database, the server's key, the clock, and finished calendars."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from scheduler import tokens
from scheduler.config import Settings
from scheduler.core.cities import Directory
from scheduler.core.errors import NotReady
from scheduler.core.meeting import Invitation, Invitee
from scheduler.db import directory
from scheduler.db.engine import Store
from scheduler.mail.compose import Addressed, Sender
from scheduler.shelf import Shelf


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Desk:
    settings: Settings
    store: Store
    key: bytes
    clock: Callable[[], datetime] = utc_now
    shelf: Shelf = field(default_factory=Shelf)

    @classmethod
    def open(cls, settings: Settings) -> Desk:
        """Raises NotReady without a database of this version, and tokens.WeakKey without a good key."""
        key = tokens.read_key(settings.server.secret_key_file)
        store = Store(settings.database.url)
        if not store.is_current():
            raise NotReady
        return cls(settings, store, key)

    def now(self) -> datetime:
        return self.clock()

    def directory(self) -> Directory:
        with self.store.read() as db:
            return directory.load(db)

    @property
    def sender(self) -> Sender:
        mail = self.settings.mail
        return Sender(mail.from_address, mail.from_name, self.settings.server.base_url)

    def new_invitation(self, invitee: Invitee) -> Invitation:
        return Invitation(id=secrets.token_hex(10), invitee=invitee, seed=tokens.new_seed())

    def token_hashes(self, invitation: Invitation) -> tuple[str, str]:
        """Hashes of the invitation's reply token and link token."""
        reply, link = (tokens.derived(self.key, purpose, invitation) for purpose in (tokens.REPLY, tokens.LINK))
        return tokens.hashed(reply), tokens.hashed(link)

    def addressed(self, invitation: Invitation) -> Addressed:
        """The invitee's own reply address and personal link."""
        local, _, domain = self.settings.mail.from_address.rpartition("@")
        reply = tokens.derived(self.key, tokens.REPLY, invitation)
        link = tokens.derived(self.key, tokens.LINK, invitation)
        return Addressed(f"{local}+{reply}@{domain}", f"{self.settings.server.base_url}/i/{link}")

    def new_message_id(self) -> str:
        return f"<{secrets.token_hex(16)}@{self.settings.mail.domain}>"
