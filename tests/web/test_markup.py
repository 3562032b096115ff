"""C01 to C04: whatever stands in a text, a page and a mail show it as text.

Every text that a person, an operator or a mail can bring is set to forty payloads at once, and everything is rendered
in every language. Beside it stands the same city hall with a harmless word in all these places: the tags, attributes
and comments of every page and mail must be the very same in both.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, insert

from scheduler import answers, booking, mailbox, paths, tokens
from scheduler.config import Database, Mail, Server, Settings
from scheduler.core.errors import Invalid
from scheduler.core.judging import COMMENT_LIMIT
from scheduler.core.words import LANGUAGES, Wording
from scheduler.db import tables as t
from scheduler.desk import Desk
from tests.databases import Databases
from tests.house import AYLIN, BAT, JOHN, KIM, START, Clock, House, desk_of, parsed

from . import test_roles as roles
from .payloads import ALL, LINKS, PAYLOADS, Skeleton, raw_in
from .test_mass_assignment import FORMS, valid, who
from .test_roles import API, WALK, Stage

PAGES = [rule for method, rule in sorted(WALK) if method == "GET" and not rule.startswith((API, "/static"))]
HARMLESS = ("word " * len(ALL))[: len(ALL) - 1] + "."  # as long, so that it meets the same faults in a form
# Columns that hold a text of somebody's own; names in several languages get it in each.
TEXTS = {
    "cities": ("name",), "fields": ("name",), "topics": ("name",), "objectives": ("name",), "rooms": ("name",),
    "closures": ("name", "set_by"), "people": ("name",), "meetings": ("title", "agenda", "cancel_reason"),
    "invitations": ("name", "comment", "answered_by"), "answers": ("comment", "by"), "outbox": ("answer",),
    "inbox": ("sender", "subject", "text", "reason"), "mailboxes": ("error",), "calendars": ("name",),
}  # fmt: skip


def city_hall(folder: Path, databases: Databases) -> tuple[House, Stage]:
    """A meeting with mail out and in, and everybody signed in."""
    settings = Settings(
        server=Server(secret_key_file=folder / "secret.key"),
        database=Database(url=databases.example(folder)),
        mail=Mail(smtp_url=f"mailbox:{folder / 'mail'}", from_address="meet@cities.example"),
    )
    clock = Clock()
    house = House(desk_of(settings, clock), clock)
    return house, roles._prepared(house)


def dressed(folder: Path, databases: Databases, text: str) -> tuple[House, Stage]:
    """A city hall in which every text is `text`, in mail too."""
    house, stage = city_hall(folder, databases)
    _dress(house.desk, text)
    _let_mail_go_out(house, stage, text)
    _dress(house.desk, text)
    return house, stage


def _dress(desk: Desk, text: str) -> None:
    with desk.store.write() as db:
        if not db.execute(t.closures.select()).first():
            day = (START + timedelta(days=1)).date()
            row = {"city": "gwangjin", "day": day, "kind": "municipal", "name": {"en": "x"}, "start": 0}
            db.execute(insert(t.closures), row)
        if not db.execute(t.mailboxes.select()).first():
            row = dict.fromkeys(("uidvalidity", "last_uid"), 1) | dict.fromkeys(("lease", "error"), "")
            db.execute(insert(t.mailboxes), row | {"name": "INBOX", "next_poll_at": desk.now(), "failures": 9})
        for name, columns in TEXTS.items():
            table = t.metadata.tables[name]
            for column in columns:
                is_json = isinstance(table.c[column].type, JSON)
                db.execute(table.update().values({column: dict.fromkeys(LANGUAGES, text) if is_json else text}))
        db.execute(t.editions.update().values(edition=tokens.new_token()[:32]))  # what was read before is old


def _let_mail_go_out(house: House, stage: Stage, text: str) -> None:
    """Mail of every kind: invitations in four languages, changes, answers, a cancellation, a sign-in link."""
    desk, owner = house.desk, house.person()
    everybody = tuple(replace(person, name=text[:90]) for person in (BAT, AYLIN, KIM, JOHN))
    title, agenda = Wording.of(text[:190]), Wording.of(text[190:3000], lines=True)
    meeting = house.book(people=everybody, start=START + timedelta(days=1), title=title, agenda=agenda)
    booking.edit(desk, owner, meeting.id, lambda d: replace(d, start=START + timedelta(days=2), wall=None, zone=""))
    booking.edit(desk, owner, meeting.id, lambda d: replace(d, title=Wording.of("x"), room="gwangjin-video"))
    _dress(desk, text)
    for person in everybody:
        booking.resend(desk, owner, meeting.id, house.invitation(meeting, person).id)
    link = desk.addressed(house.invitation(meeting, BAT)).link.rpartition("/")[2]
    answers.answer_by_link(desk, link, "declined", text[:COMMENT_LIMIT])
    booking.cancel(desk, owner, meeting.id, text[:1999])
    house.send_all()
    stage.values["cancelled_id"] = str(meeting.id)


def pages(house: House, stage: Stage, text: str) -> Iterator[tuple[str, str]]:
    """Name and HTML of every page and mail."""
    for language in LANGUAGES:
        with house.desk.store.write() as db:
            db.execute(t.people.update().values(language=language))
        for rule in [*PAGES, "/meetings/<cancelled_id>", "/calendar.ics?city=nowhere", "/?show=cancelled"]:
            for role in ("anonymous", "host", "operator"):
                path = rule + ("&" if "?" in rule else "?") + f"lang={language}"
                yield f"{language} {role} {rule}", _html(roles.ask(stage, "GET", path, role))
    for rule in FORMS:
        inputs = {*valid(stage, rule), "email", "comment", "reason", "title", "new-0-name", "new-0-email", "wall-date"}
        typed = dict.fromkeys(sorted(inputs), text) | {"searched": "1"}
        for role in ("anonymous", who(rule)):
            yield f"{role} {rule}", _html(roles.ask(stage, "POST", rule, role, {"data": typed}))
    for number, row in enumerate(house.outbox()):
        yield f"mail {number} {row.kind}", _part(row.content)
    for number, letter in enumerate(sorted(mailbox.messages(house.desk), key=lambda m: (m.date, m.recipient))):
        asked = replace(stage, values=stage.values | {"message_id": letter.id})
        yield f"shown {number}", _html(roles.ask(asked, "GET", "/mailbox/<message_id>", "anonymous"))


def _html(answer: Any) -> str:
    return answer.text if answer.mimetype == "text/html" else ""


def _part(content: bytes) -> str:
    body = parsed(content).get_body(("html",))
    assert body is not None
    return str(body.get_content())


@dataclass
class Twins:
    harmless: dict[str, str]
    hostile: dict[str, str]


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory, module_databases: Databases) -> Twins:
    found = []
    for name, text in (("harmless", HARMLESS), ("hostile", ALL)):
        house, stage = dressed(tmp_path_factory.mktemp(name), module_databases, text)
        found.append({page: html for page, html in pages(house, stage, text) if html})
        house.desk.store.close()
    return Twins(*found)


def test_no_text_changes_a_page_or_a_mail(twins: Twins) -> None:
    """C01: neither a tag nor an attribute nor a comment comes from a text."""
    assert len(PAYLOADS) > 40
    assert twins.harmless.keys() == twins.hostile.keys()
    assert len(twins.hostile) > 200
    for page, html in twins.hostile.items():
        skeleton = Skeleton(html)
        assert skeleton.bones == Skeleton(twins.harmless[page]).bones, page
        assert skeleton.schemes <= {"http", "https", "webcal", "mailto"}, page
        assert raw_in(html) == [], page


def test_the_texts_are_there(twins: Twins) -> None:
    """C01: else the test above would prove nothing."""
    escaped = "&lt;img src=x onerror=alert(3)&gt;"
    with_texts = [page for page, html in twins.hostile.items() if escaped in html]
    others = [page for page in twins.hostile if "/sign-in" not in page]  # pages of passwords hold texts of nobody
    assert len(with_texts) > len(others) * 0.7
    for name in ("/i/<token>", "/review", "/meetings/<meeting_id>", "/meetings/<cancelled_id>", "/cities/<slug>", "/"):
        assert f"ko host {name}" in with_texts, name
    assert [page for page in with_texts if page.startswith("mail ")]


@pytest.mark.parametrize("address", LINKS)
def test_an_address_that_is_none_of_the_web_is_no_link(house: House, address: str) -> None:
    """C01: it is not even kept."""
    with pytest.raises(Invalid) as refused:
        house.book(video_url=address)
    assert [fault.key for fault in refused.value.faults] == ["bad-url"]


# --- C02


def test_nothing_in_a_calendar_that_is_sent_to_us_becomes_more_than_text(tmp_path: Path, databases: Databases) -> None:
    """C02: the answer's own comment is shown as text; its other texts are not kept at all."""
    house, stage = city_hall(tmp_path, databases)
    comment = "".join(PAYLOADS[:12])
    hostile = "<svg onload=alert(1)>canary"
    extra = (
        f"SUMMARY:{hostile}\r\nDESCRIPTION:{hostile}\r\nLOCATION:{hostile}\r\nURL:javascript:canary\r\n"
        f"X-ALT-DESC;FMTTYPE=text/html:<html>{hostile}</html>\r\nATTACH:data:image/svg+xml,{hostile}\r\nUID:"
    ).encode()
    edit = ((b"UID:", extra), (b"ATTENDEE;", b'ATTENDEE;CN="<b>canary</b>";'))
    raw = house.reply(stage.meeting, AYLIN, "TENTATIVE", comment, edit=edit, headers=f"X-Mailer: {hostile}\r\n")
    assert house.receive(raw).outcome == "tentative"
    other = house.reply(stage.meeting, KIM, "ACCEPTED", comment, edit=(*edit, (KIM.email.encode(), b"k@evil.example")))
    assert house.receive(other).outcome == "pending-approval-uninvited"
    shown = "".join(pages_of(stage))
    assert raw_in(shown) == []
    assert "canary" not in shown.replace("&lt;b&gt;canary&lt;/b&gt;", "")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert not {"svg", "b", "html", "img"} & {bone[0] for bone in Skeleton(shown).bones} - {"html"}
    house.desk.store.close()


def pages_of(stage: Stage) -> Iterator[str]:
    for rule in ("/", "/meetings/<meeting_id>", "/review", "/operation", "/meetings/<meeting_id>/edit"):
        yield _html(roles.ask(stage, "GET", rule, "operator"))


# --- C03


def test_no_template_and_no_translation_takes_a_text_for_markup() -> None:
    """C03: autoescape stays on, and no sentence brings a tag or a filter of its own."""
    for file in paths.TEMPLATES.rglob("*"):
        if file.is_file():
            text = file.read_text("utf-8")
            assert not re.search(r"\|\s*(safe|forceescape|striptags)\b|autoescape|Markup|\|\s*tojson", text), file
            assert not re.search(r"<script|\son\w+=|javascript:", text), file
    for file in (Path(paths.__file__).parent / "translations").rglob("*.toml"):
        for key, sentence in _sentences(tomllib.loads(file.read_text("utf-8"))):
            assert not re.search(r"[<>]|&\w+;|\|\s*safe|\{\{|\{%|javascript:", sentence), (file, key)


def _sentences(table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _sentences(value, f"{prefix}{key}.")
        else:
            yield prefix + key, str(value)


def test_markup_is_made_in_three_places_only() -> None:
    """C03: of sentences whose values are escaped, of an isolated text, and of the mail that the mailbox shows."""
    made = {
        str(file.relative_to(Path(paths.__file__).parent)): re.findall(
            r"Markup\((?!Markup)[^)]*", file.read_text("utf-8")
        )
        for file in Path(paths.__file__).parent.rglob("*.py")
    }
    assert {name: len(places) for name, places in made.items() if places} == {
        "i18n.py": 2, "mail/render.py": 1, "web/mailbox.py": 1,
    }  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_places_in_sentences_are_escaped(language: str) -> None:
    """C03."""
    from scheduler import i18n

    for key, entry in i18n.catalogue(language).items():
        sentences = entry.values() if isinstance(entry, dict) else [entry]
        names = {name for sentence in sentences for name in re.findall(r"\{(\w+)", sentence)}
        said = i18n.html(language, key, **{name: 2 if name == "n" else "<i>" for name in names})
        assert "<" not in said, key
        assert len(names - {"n"}) == 0 or "&lt;i&gt;" in said, key


# --- C04


def test_files_are_handed_over_as_files(tmp_path: Path, databases: Databases) -> None:
    """C04: nothing that came from outside is opened in place; what the mailbox shows of a mail is shut in a sandbox."""
    house, stage = city_hall(tmp_path, databases)
    for rule in ("/meetings/<meeting_id>.ics", "/calendar.ics", f"{API}/meetings/<meeting_id>.ics",
                 f"{API}/calendar.ics", "/mailbox/<message_id>.eml"):  # fmt: skip
        answer = roles.ask(stage, "GET", rule, "host")
        assert answer.headers["Content-Disposition"].startswith("attachment;"), rule
        assert answer.headers["X-Content-Type-Options"] == "nosniff", rule
        assert answer.mimetype in ("text/calendar", "message/rfc822"), rule
    shown = roles.ask(stage, "GET", "/mailbox/<message_id>", "host").headers["Content-Security-Policy"]
    assert shown.endswith("; sandbox allow-forms allow-same-origin allow-downloads")
    assert "allow-scripts" not in shown
    house.desk.store.close()


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "<svg onload=alert(1)>"])
def test_no_address_gives_back_what_was_sent_to_it(tmp_path: Path, databases: Databases, text: str) -> None:
    """C04: raw mail is kept for reading by us, and served nowhere."""
    house, stage = city_hall(tmp_path, databases)
    house.receive(f"From: <a@b.example>\r\nTo: <meet@cities.example>\r\nSubject: x\r\n\r\n{text}".encode())
    for rule in PAGES:
        assert text not in roles.ask(stage, "GET", rule, "operator").text, rule
    house.desk.store.close()
