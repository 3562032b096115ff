"""The demo mailbox: what would have been sent, and answers that go the way of every inbound mail."""

from __future__ import annotations

import email
import re
from dataclasses import replace
from datetime import timedelta
from email.policy import default
from pathlib import Path

import pytest

from scheduler import booking, mailbox
from scheduler.core.errors import Conflict, NotFound
from scheduler.desk import Desk
from scheduler.web import create_app
from tests.databases import Databases
from tests.web.stage import OWNER, PEOPLE, START, Browser, Page, Stage, crawl, set_up

SEOUL, ULAANBAATAR, EREGLI = (person.email for person in PEOPLE)


@pytest.fixture
def stage(tmp_path: Path, databases: Databases) -> Stage:
    return set_up(tmp_path, databases.example(tmp_path))


def mail_to(stage: Stage, address: str) -> str:
    return next(m.id for m in mailbox.messages(stage.desk) if m.recipient == address)


def answer(browser: Browser, mail: str, status: str, comment: str = "") -> str:
    """Presses a button on the mail's page; the outcome as the next page tells it."""
    action = f"/mailbox/{mail}/answer"
    answered = browser.submit(f"/mailbox/{mail}", action, {"answer": status, "comment": comment})
    assert answered.status_code == 303
    return browser.get(answered.headers["Location"] + "&lang=en").text


def test_every_mail_is_listed(stage: Stage) -> None:
    page = stage.browser().get("/mailbox?lang=en")
    assert page.status_code == 200
    assert all(address in page.text for address in (SEOUL, ULAANBAATAR, EREGLI, OWNER))


def test_the_newest_mail_comes_first(stage: Stage) -> None:
    stage.clock.now += timedelta(hours=1)
    booking.cancel(stage.desk, stage.owner, stage.meeting.id)
    stage.send()
    dates = [message.date for message in mailbox.messages(stage.desk)]
    assert dates == sorted(dates, reverse=True)


def test_an_empty_mailbox_says_so(tmp_path: Path, databases: Databases) -> None:
    stage = set_up(tmp_path, databases.example(tmp_path))
    for file in (tmp_path / "mail").iterdir():
        file.unlink()
    assert "No e-mail has been sent yet." in stage.browser().get("/mailbox?lang=en").text
    (tmp_path / "mail").rmdir()
    assert stage.browser().get("/mailbox").status_code == 200


def test_a_mail_is_shown_as_its_receiver_sees_it(stage: Stage) -> None:
    """C04."""
    mail = mail_to(stage, ULAANBAATAR)
    page = stage.browser().get(f"/mailbox/{mail}?lang=en")
    policy = page.headers["Content-Security-Policy"]
    assert "script-src" not in policy
    assert policy.startswith("default-src 'none';")
    assert stage.link(ULAANBAATAR) in page.text
    assert '<div class="mail" lang="mn">' in page.text
    assert f"Хот байгуулалтын хэлтэс &lt;{ULAANBAATAR}&gt;" in page.text
    assert "Europe/Istanbul" in page.text
    for fact in ("REQUEST", ULAANBAATAR, stage.meeting.uid, "Tuesday, 9 March 2027, 06:00 UTC", "NEEDS-ACTION"):
        assert fact in page.text


def test_the_coordinators_own_copy_asks_for_no_answer(stage: Stage) -> None:
    page = stage.browser().get(f"/mailbox/{mail_to(stage, OWNER)}")
    assert "REQUEST" in page.text
    assert Page.of(page).forms == []


def test_a_mail_without_a_calendar_cannot_be_answered(stage: Stage) -> None:
    answer(stage.browser(), mail_to(stage, EREGLI), "accepted")
    stage.send()
    notice = next(m.id for m in mailbox.messages(stage.desk) if m.recipient == OWNER)
    page = Page.of(stage.browser().get(f"/mailbox/{notice}"))
    assert page.forms == []
    with pytest.raises(Conflict):
        mailbox.answer(stage.desk, notice, "accepted", "")


def test_a_mail_can_be_downloaded_byte_for_byte(stage: Stage, tmp_path: Path) -> None:
    mail = mail_to(stage, EREGLI)
    file = stage.browser().get(f"/mailbox/{mail}.eml")
    assert file.data == (tmp_path / "mail" / f"{mail}.eml").read_bytes()
    assert file.mimetype == "message/rfc822"
    assert re.fullmatch(r'attachment; filename="[0-9a-f]{12}\.eml"', file.headers["Content-Disposition"])


@pytest.mark.parametrize("status", ["accepted", "tentative", "declined"])
def test_an_answer_counts_for_the_receiver_alone(stage: Stage, status: str) -> None:
    page = answer(stage.browser(), mail_to(stage, EREGLI), status, 'Görüşürüz; "Konya", \\n')
    assert {"accepted": "Attending", "tentative": "Undecided", "declined": "Not attending"}[status].lower() in page
    assert stage.statuses() == {SEOUL: "waiting", ULAANBAATAR: "waiting", EREGLI: status}
    invitation = stage.invitation(EREGLI)
    assert (invitation.channel, invitation.comment) == ("mail", 'Görüşürüz; "Konya", \\n')


def test_an_answer_can_be_changed(stage: Stage) -> None:
    mail = mail_to(stage, EREGLI)
    answer(stage.browser(), mail, "accepted")
    answer(stage.browser(), mail, "declined")
    assert stage.statuses()[EREGLI] == "declined"


def test_an_answer_to_an_older_mail_is_stale(stage: Stage) -> None:
    old = mail_to(stage, EREGLI)
    stage.edit(start=START + timedelta(days=1), wall=None, zone="")
    page = answer(stage.browser(), old, "accepted")
    assert "Answer to an earlier version of the meeting" in page
    assert "The answer is to an earlier time of the meeting." in page
    assert stage.statuses()[EREGLI] == "waiting"


def test_a_cancellation_cannot_be_answered(stage: Stage) -> None:
    booking.cancel(stage.desk, stage.owner, stage.meeting.id)
    stage.send()
    cancelled = next(m.id for m in mailbox.messages(stage.desk) if m.recipient == EREGLI)
    assert mailbox.message(stage.desk, cancelled).delivered.method == "CANCEL"
    assert Page.of(stage.browser().get(f"/mailbox/{cancelled}")).forms == []


def test_the_answer_is_a_mail_as_a_mail_program_writes_it(stage: Stage) -> None:
    letter = mailbox.message(stage.desk, mail_to(stage, EREGLI))
    raw = mailbox.reply_to(letter, "accepted", "Tamam", stage.clock.now)
    mail = email.message_from_bytes(raw, policy=default)
    assert mail["From"].addresses[0].addr_spec == EREGLI
    assert mail["To"].addresses[0].addr_spec == stage.desk.addressed(stage.invitation(EREGLI)).reply_address
    assert mail["Message-ID"].endswith("@eregli.example>")
    calendar = next(part for part in mail.walk() if part.get_content_type() == "text/calendar")
    assert calendar.get_param("method") == "REPLY"
    text = calendar.get_payload(decode=True)
    assert b"METHOD:REPLY\r\n" in text
    assert b"PARTSTAT=ACCEPTED" in text.replace(b"\r\n ", b"")
    assert text.count(b"\n") == text.count(b"\r\n")


def test_a_form_without_its_token_or_of_another_site_is_refused(stage: Stage) -> None:
    action = f"/mailbox/{mail_to(stage, EREGLI)}/answer"
    before = stage.fingerprint()
    assert stage.browser().post(action, {"answer": "accepted"}).status_code == 400
    browser = stage.browser()
    form = Page.of(browser.get(action.removesuffix("/answer"))).forms[0]
    refused = browser.post(action, form.inputs | {"answer": "accepted"}, Origin="https://evil.example")
    assert refused.status_code == 400
    assert stage.fingerprint() == before


def test_what_is_no_answer_is_refused(stage: Stage) -> None:
    mail = mail_to(stage, EREGLI)
    before = stage.fingerprint()
    for status in ("", "delegated", "accepted\r\nBcc: x@evil.example"):
        refused = stage.browser().submit(f"/mailbox/{mail}", f"/mailbox/{mail}/answer", {"answer": status})
        assert refused.status_code == 422
    assert stage.fingerprint() == before


def test_reading_changes_nothing(stage: Stage) -> None:
    before = stage.fingerprint()
    visited = list(crawl(stage.browser(), "/mailbox"))
    assert len(visited) > 10
    assert stage.fingerprint() == before


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "../secret.key",
        "%2e%2e%2fsecret.key",
        "a" * 64,
        "A" * 64,
        "a" * 63,
        "a" * 65,
        "a" * 63 + "\n",
        "x/y",
        "%00",
    ],
)
def test_no_other_file_can_be_had(stage: Stage, tmp_path: Path, name: str) -> None:
    (tmp_path / "mail" / "secret.eml").write_text("secret")
    for path in (f"/mailbox/{name}", f"/mailbox/{name}.eml"):
        assert stage.browser().get(path.replace("\n", "%0a")).status_code == 404
    with pytest.raises(NotFound):
        mailbox.content(stage.desk, name)


def test_a_mail_that_cannot_be_parsed_well_is_still_shown(stage: Stage, tmp_path: Path) -> None:
    """A header that the standard parser chokes on, no date, no body, a calendar that is none."""
    (tmp_path / "mail" / f"{'0' * 64}.eml").write_bytes(
        b"From: =?utf-8?q?=0d=0a?= <a@b.example>\r\nDate: yesterday\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: text/calendar; charset=x-unknown\r\n\r\nBEGIN:NOTHING\r\n"
    )
    assert stage.browser().get("/mailbox").status_code == 200
    assert stage.browser().get(f"/mailbox/{'0' * 64}").status_code == 200


def _with(desk: Desk, section: str, **changes: str) -> Desk:
    changed = getattr(desk.settings, section).model_copy(update=changes)
    return replace(desk, settings=desk.settings.model_copy(update={section: changed}))


def test_it_exists_only_in_a_demonstration_on_this_machine(stage: Stage) -> None:
    mail = mail_to(stage, EREGLI)
    desks = [
        _with(stage.desk, "mail", smtp_url="smtp://localhost:25"),
        _with(stage.desk, "server", base_url="https://meet.city.example"),
        _with(stage.desk, "server", base_url="https://127.0.0.1:8000"),
    ]
    for desk in desks:
        client = create_app(desk=desk).test_client()
        for path in ("/mailbox", f"/mailbox/{mail}", f"/mailbox/{mail}.eml"):
            assert client.get(path, base_url=desk.settings.server.base_url).status_code == 404
