"""The form of a meeting, new or edited: its inputs to a core Draft, a draft to its inputs, a fault to its input.

Every input is read by its name here and nowhere else, so nothing that is not an input can be set. People come in two
kinds: those the directory knows, as a row to tick; and others, as rows to fill in. The time comes as a chosen slot (an
instant), or as a typed date and time on the clock of the city of record. A typed time is text, not an input of type
`time`, because browsers show that on the 12-hour clock wherever their own language does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from werkzeug.datastructures import MultiDict

from scheduler import i18n
from scheduler.core.cities import Person
from scheduler.core.errors import Fault, Invalid
from scheduler.core.meeting import Draft, Invitee
from scheduler.core.words import LANGUAGES, UNDETERMINED, Wording, email_key
from scheduler.web.forms import TYPED_TIME, Form, typed_date
from scheduler.web.reader import directory, sentence

EMPTY_ROWS = 3
MOST_ROWS = 200
DEFAULT_MINUTES = 60
LONGEST_SEARCH = timedelta(days=92)
ROW_KEYS = ("name", "email", "city", "language", "role")

# Pointer of the core -> name of the input, key of its label; in the order of the page.
_INPUTS = {
    "/field": ("field", "web.form.field"),
    "/topic": ("field", "web.form.field"),
    "/title": ("title", "web.form.title"),
    "/agenda": ("agenda", "web.form.agenda"),
    "/objective": ("objective", "web.form.objective"),
    "/host": ("city", "web.form.partners"),
    "/cities": ("city", "web.form.partners"),
    "/people": ("people", "web.form.people"),
    "/video_url": ("video-url", "web.form.video"),
    "/room": ("room", "web.form.room"),
    "/duration_minutes": ("duration", "web.form.duration"),
    "/from": ("from", "web.form.from"),
    "/to": ("to", "web.form.to"),
    "/start": ("start", "web.meeting.when"),
    "/wall": ("wall-date", "web.typed.title"),
    "/wall-time": ("wall-time", "web.typed.time"),
    "/zone": ("zone", "web.typed.zone"),
}
_ANCHORS = {"start": "when", "city": "cities", "people": "people"}


@dataclass(frozen=True, slots=True)
class Search:
    """A request for slots: inclusive local dates of the host city."""

    cities: tuple[str, ...]
    since: date
    until: date
    minutes: int
    emails: tuple[str, ...]
    optional: tuple[str, ...]  # those of people whom a slot may miss
    room: str
    names: dict[str, str]  # of all of them, by their addresses as compared


class MeetingForm(Form):
    """`known` are the people to tick, kept by city, the host's first; `host` is the host city; `choices` are instants
    offered for a typed time."""

    time_pattern = TYPED_TIME

    def __init__(self, values: MultiDict[str, str], host: str, known: Iterable[Person]) -> None:
        super().__init__(values)
        self.host = host
        cities = [host, *directory().cities]
        self.known = sorted(known, key=lambda person: cities.index(person.city))
        self.choices: tuple[datetime, ...] = ()
        self._rows: list[dict[str, str]] = []  # per invitee of the draft: key -> input name
        self._shown_people: list[str] = []  # and their names

    @property
    def cities(self) -> tuple[str, ...]:
        """Host first, then the ticked partners."""
        return tuple(dict.fromkeys([self.host, *self.values("city")]))

    @property
    def minutes(self) -> int:
        typed = self.value("duration").strip()
        return int(typed) if re.fullmatch(r"[0-9]{1,4}", typed) else 0

    @property
    def new_rows(self) -> list[int]:
        """Numbers of the rows for people whom the directory does not know: the filled ones and a few empty ones."""
        filled = [n for n in range(MOST_ROWS) if self._is_filled(n)]
        first_free = filled[-1] + 1 if filled else 0
        return [*filled, *range(first_free, min(first_free + EMPTY_ROWS, MOST_ROWS))]

    def in_languages(self, name: str) -> bool:
        """Whether a text is given in single languages, or wrong in one."""
        inputs = [f"{name}-{code}" for code in LANGUAGES]
        return any(self.value(one) or self.errors(one) for one in inputs)

    def draft(self, base: Draft | None = None) -> Draft:
        """The typed values as a draft; what has no input here stays as in `base`."""
        field, _, topic = self.value("field").partition("/")
        wanted = Draft(
            title=self._wording("title"),
            field=field,
            topic=topic,
            host=self.host,
            cities=self.cities,
            duration_minutes=self.minutes,
            people=self._people(base.people if base else ()),
            objective=self.value("objective"),
            agenda=self._wording("agenda", lines=True),
            video_url=self.value("video-url"),
            room=self.value("room"),
            zone=self.value("zone"),
            confidential=base.confidential if base else False,
        )
        return self._timed(wanted, base)

    def search(self) -> Search:
        """What to look for; raises Invalid for dates that are none, reversed, or too far apart."""
        since, until = typed_date(self.value("from")), typed_date(self.value("to"))
        faults = [Fault(f"/{name}", "bad-date") for name, day in (("from", since), ("to", until)) if day is None]
        if self.minutes == 0:
            faults.append(Fault("/duration_minutes", "bad-duration"))
        if since and until and until < since:
            faults.append(Fault("/to", "dates-reversed"))
        if since and until and until - since > LONGEST_SEARCH:
            faults.append(Fault("/to", "dates-too-far-apart", {"days": LONGEST_SEARCH.days}))
        if faults or since is None or until is None:
            raise Invalid(*faults)
        people = [person for person in self._people(()) if person.email.strip()]
        missed = {person.email for person in people if person.role in ("optional", "observer")}
        return Search(
            cities=self.cities,
            since=since,
            until=until,
            minutes=self.minutes,
            emails=tuple(person.email for person in people if person.email not in missed),
            optional=tuple(sorted(missed)),
            room=self.value("room"),
            names={person.email_key: person.name.strip() or person.email for person in people},
        )

    def ticked(self) -> list[Person]:
        chosen = set(self.values("person"))
        return [person for person in self.known if str(person.id) in chosen]

    def accuse(self, error: Invalid) -> None:
        """Shows the error's faults at their inputs, and its choices of instants."""
        self.choices = error.choices
        self.blame([self._half_typed(fault) for fault in error.faults], self._locate)
        order = {name: place for place, name in enumerate(self._names())}
        self.faults.sort(key=lambda problem: order.get(problem.name, -1))

    def _half_typed(self, fault: Fault) -> Fault:
        """A start that is missing because only its date or only its time can be read is told there."""
        day, time = self.value("wall-date").strip(), self.value("wall-time").strip()
        if fault.key != "start-missing" or not (day or time) or self._wall():
            return fault
        return Fault("/wall-time" if typed_date(day) else "/wall", "bad-wall")

    def _names(self) -> Iterator[str]:
        """The names of the inputs in the order of the page."""
        for name, _ in _INPUTS.values():
            yield name
            if name in ("title", "agenda"):
                yield from (f"{name}-{code}" for code in LANGUAGES)
            if name == "people":
                yield from (f"{kind}-{person.id}" for person in self.known for kind in ("person", "role"))
                yield from (f"new-{row}-{key}" for row in self.new_rows for key in ROW_KEYS)

    def _locate(self, pointer: str) -> tuple[str, str, str]:
        if match := re.fullmatch(r"/people/(\d+)(?:/(\w+))?", pointer):
            return self._locate_person(int(match[1]), match[2] or "name")
        if match := re.fullmatch(r"/(title|agenda)/(ko|mn|tr|en)", pointer):
            name = f"{match[1]}-{match[2]}"
            return name, name, sentence(f"web.form.{match[1]}_in", name=i18n.LANGUAGE_NAMES[match[2]])
        name, label = _INPUTS.get("/" + pointer.strip("/").partition("/")[0], ("", ""))
        return name, _ANCHORS.get(name, name), sentence(label) if label else ""

    def _locate_person(self, row: int, key: str) -> tuple[str, str, str]:
        inputs = self._rows[row] if row < len(self._rows) else {}
        name = inputs.get(key, "people")
        who = self._shown_people[row] if row < len(self._shown_people) else ""
        label = sentence(f"web.form.{key}") if key in ROW_KEYS else sentence("web.form.people")
        return name, name, f"{who}, {label}" if who else label

    def _wording(self, name: str, lines: bool = False) -> Wording:
        texts = {UNDETERMINED: self.value(name), **{code: self.value(f"{name}-{code}") for code in LANGUAGES}}
        return Wording.of(texts, lines=lines)

    def _people(self, before: tuple[Invitee, ...]) -> tuple[Invitee, ...]:
        """Ticked and typed people, remembering which inputs each came from. Someone already invited stays as called."""
        invited = {person.email_key: person for person in before}
        self._rows = []
        people = []
        for person in self.ticked():
            role = self.value(f"role-{person.id}") or "required"
            plain = Invitee(person.name, person.email, person.city, person.language, role)
            people.append(replace(invited.get(plain.email_key, plain), role=role))
            tick = f"person-{person.id}"
            self._rows.append({**dict.fromkeys(ROW_KEYS, tick), "role": f"role-{person.id}"})
        for number in filter(self._is_filled, range(MOST_ROWS)):
            row = {key: f"new-{number}-{key}" for key in ROW_KEYS}
            typed = {key: self.value(name) for key, name in row.items()}
            city = directory().cities.get(typed["city"])
            people.append(Invitee(**typed | {"language": typed["language"] or (city.language if city else "")}))
            self._rows.append(row)
        self._shown_people = [person.name.strip() or person.email.strip() for person in people]
        return tuple(people)

    def _is_filled(self, number: int) -> bool:
        return any(self.value(f"new-{number}-{key}").strip() for key in ("name", "email"))

    def _timed(self, draft: Draft, base: Draft | None) -> Draft:
        start, wall = self.value("start"), self._wall()
        if start == "keep" and base:
            return replace(draft, wall=base.wall, start=None if base.wall else base.start)
        if start not in ("", "typed"):
            return replace(draft, start=_instant(start))
        return replace(draft, wall=wall)

    def _wall(self) -> datetime | None:
        day, time = typed_date(self.value("wall-date")), re.fullmatch(TYPED_TIME, self.value("wall-time").strip())
        if day is None or time is None:
            return None
        return datetime(day.year, day.month, day.day, int(time[1]), int(time[2]))  # noqa: DTZ001 (a wall time has no zone)


def values_of(draft: Draft, known: Iterable[Person], today: date) -> MultiDict[str, str]:
    """The inputs that would give this draft; another time would be looked for from tomorrow."""
    values = first_values(today)
    values["field"] = f"{draft.field}/{draft.topic}" if draft.topic else draft.field
    for name, wording in (("title", draft.title), ("agenda", draft.agenda)):
        for language, text in wording.texts:
            values[name if language == UNDETERMINED else f"{name}-{language}"] = text
    values.setlist("city", [slug for slug in draft.cities if slug != draft.host])
    values["duration"] = str(draft.duration_minutes)
    values["objective"], values["room"], values["video-url"] = draft.objective, draft.room, draft.video_url
    values["zone"], values["start"] = draft.zone, "keep"
    _fill_people(values, draft.people, {email_key(p.email): p for p in known})
    return values


def _fill_people(values: MultiDict[str, str], people: Iterable[Invitee], known: dict[str, Person]) -> None:
    row = 0
    for invitee in people:
        person = known.get(invitee.email_key)
        if person:
            values.add("person", str(person.id))
            values[f"role-{person.id}"] = invitee.role
            continue
        for key in ROW_KEYS:
            values[f"new-{row}-{key}"] = getattr(invitee, key)
        row += 1


def first_values(today: date) -> MultiDict[str, str]:
    """What stands in a new form: an hour, some time in the coming two weeks."""
    values: MultiDict[str, str] = MultiDict()
    values["duration"] = str(DEFAULT_MINUTES)
    values["from"] = (today + timedelta(days=1)).isoformat()
    values["to"] = (today + timedelta(days=14)).isoformat()
    return values


def _instant(typed: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(typed)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else None
