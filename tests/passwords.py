"""Somebody who signs in by password: how they set it up, and the codes that their authenticator program shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import pyotp

from scheduler import access, password_sign_in, ways_in
from scheduler.core.cities import Person
from tests.house import House

PASSWORD = "wolverine harp 71 carpet"
HOME = "192.0.2.1"  # from where they sign in


@dataclass
class Owner:
    house: House
    person: Person
    session: str  # value of the cookie
    secret: str = ""
    codes: list[str] = field(default_factory=list)

    def code(self, **later: float) -> str:
        """What the program shows now, or by then."""
        return pyotp.TOTP(self.secret).at(self.house.clock.time + timedelta(**later))

    def next_code(self) -> str:
        """A code that was not used yet: the one of the next half minute, at which it is then."""
        self.house.clock.forward(seconds=30)
        return self.code()

    def half(self, password: str = PASSWORD, client: str = HOME) -> str:
        return password_sign_in.begin(self.house.desk, self.person.email, password, client)

    def sign_in(self) -> str:
        return password_sign_in.finish(self.house.desk, self.half(), self.next_code())

    def enrol(self) -> None:
        """Takes the second factor that is offered."""
        self.secret = ways_in.offered_secret(self.house.desk, self.person, self.session)
        self.codes = ways_in.confirm(self.house.desk, self.person, self.session, self.code())


def visitor(house: House, person: Person | None = None) -> Owner:
    """Somebody who has just signed in by a link."""
    person = person or house.person()
    token = access.new_sign_in_link(house.desk, person.email).rpartition("/")[2]
    return Owner(house, person, access.sign_in(house.desk, token))


def owner(house: House, person: Person | None = None) -> Owner:
    """Somebody with a password and a second factor."""
    found = visitor(house, person)
    assert not ways_in.choose_password(house.desk, found.person, found.session, PASSWORD)
    found.enrol()
    return found
