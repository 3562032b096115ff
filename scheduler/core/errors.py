"""The one error tree of the product.

An error names itself by a key of the translations (`errors.<key>`), so that whoever shows it can say it in the
reader's language, and never carries text of its own.

    SchedulerError
    ├── Invalid            what was asked cannot be meant: one or more faults, each at a place of the input   422
    ├── NotFound           unknown, or not for the one who asks (the two are not told apart)                   404
    ├── Forbidden          known, readable, but not theirs to change                                          403
    ├── Conflict           the present state forbids it                                                       409
    │   ├── RoomTaken
    │   └── MeetingCancelled
    ├── Outdated           somebody else changed it in between                                                412
    ├── TooMany            a limit was reached; says when to come back                                        429
    ├── Busy               the database is not to be had at the moment                                        503
    └── NotReady           no database of this version, or no time zones; the operator's matter               503
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


class SchedulerError(Exception):
    """Base of all errors that a user can be told. `key` names the sentence `errors.<key>`, `values` fill it."""

    key = "internal"

    def __init__(self, key: str | None = None, **values: Any) -> None:
        self.key = key or type(self).key
        self.values = values
        super().__init__(self.key, values)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with the input. `pointer` is a JSON pointer into it, such as `/people/0/email`."""

    pointer: str
    key: str
    values: dict[str, Any] = field(default_factory=dict)


class Invalid(SchedulerError):
    """The input cannot be meant. `choices` holds the UTC instants to choose from, where a wall time is the fault."""

    key = "invalid"

    def __init__(self, *faults: Fault, choices: tuple[datetime, ...] = ()) -> None:
        self.faults = faults
        self.choices = choices
        super().__init__()
        self.args = (faults,)


class NotFound(SchedulerError):
    key = "not-found"


class Forbidden(SchedulerError):
    key = "forbidden"


class Conflict(SchedulerError):
    key = "conflict"


class RoomTaken(Conflict):
    key = "room-taken"


class MeetingCancelled(Conflict):
    key = "meeting-cancelled"


class Outdated(SchedulerError):
    key = "outdated"


class Busy(SchedulerError):
    key = "database-busy"


class NotReady(SchedulerError):
    key = "database-not-ready"


class TooMany(SchedulerError):
    """A limit was reached; come back after `retry_after` seconds."""

    key = "too-many"

    def __init__(self, retry_after: int, key: str | None = None, **values: Any) -> None:
        self.retry_after = retry_after
        super().__init__(key, seconds=retry_after, **values)
