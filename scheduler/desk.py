"""What every action works with: the settings, the database, the server's key, the clock, and finished calendars."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from scheduler import tokens
from scheduler.config import Settings
from scheduler.core import zones
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
    key: bytes  # what is new is derived with it
    clock: Callable[[], datetime] = utc_now
    shelf: Shelf = field(default_factory=Shelf)
    older_keys: tuple[bytes, ...] = ()  # what is older may come from one of these

    @classmethod
    def open(cls, settings: Settings) -> Desk:
        """Raises NotReady without a database of this version or without zones, tokens.WeakKey without a good key, and
        PermissionError when others can read the database."""
        zones.must_be_there()
        key, *older = tokens.read_keys(settings.server.secret_key_file)
        store = Store(settings.database.url)
        if not store.is_current():
            raise NotReady
        store.must_be_private()
        return cls(settings, store, key, older_keys=tuple(older))

    def now(self) -> datetime:
        return self.clock()

    def directory(self) -> Directory:
        with self.store.glance() as db:
            found = directory.known(db)
        if found is None:
            with self.store.read() as db:
                found = directory.load(db)
        return found

    @property
    def sender(self) -> Sender:
        mail = self.settings.mail
        return Sender(mail.from_address, mail.from_name, self.settings.server.base_url)

    def new_invitation(self, invitee: Invitee) -> Invitation:
        return Invitation(id=secrets.token_hex(10), invitee=invitee, seed=tokens.new_seed())

    def token_hashes(self, invitation: Invitation) -> tuple[str, str]:
        """Hashes of the invitation's reply token and link token."""
        key = self._key_of(invitation)
        reply, link = (tokens.derived(key, purpose, invitation) for purpose in (tokens.REPLY, tokens.LINK))
        return tokens.hashed(reply), tokens.hashed(link)

    def addressed(self, invitation: Invitation) -> Addressed:
        """The invitee's own reply address and personal link."""
        local, _, domain = self.settings.mail.from_address.rpartition("@")
        key = self._key_of(invitation)
        reply, link = (tokens.derived(key, purpose, invitation) for purpose in (tokens.REPLY, tokens.LINK))
        return Addressed(f"{local}+{reply}@{domain}", f"{self.settings.server.base_url}/i/{link}")

    @property
    def keys(self) -> tuple[bytes, ...]:
        return (self.key, *self.older_keys)

    def _key_of(self, invitation: Invitation) -> bytes:
        """The key that made the invitation's tokens; a later mail must repeat them. The newest one for a new one."""
        if not self.older_keys or not invitation.link_hash:
            return self.key
        return tokens.key_of_link(self.keys, invitation, invitation.link_hash) or self.key

    def new_message_id(self) -> str:
        return f"<{secrets.token_hex(16)}@{self.settings.mail.domain}>"
