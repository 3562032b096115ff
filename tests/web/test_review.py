"""What waits for a person: shown to those who may decide, decided once."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from scheduler import i18n, mailbox, paths, replies
from tests.databases import Databases
from tests.web.stage import PEOPLE, Page, Stage, set_up

SEOUL, ULAANBAATAR, EREGLI = (person.email for person in PEOPLE)
ASSISTANT = "assistant@eregli.example"


@pytest.fixture
def stage(tmp_path: Path, databases: Databases) -> Stage:
    return set_up(tmp_path, databases.example(tmp_path))


def assistant_answers(stage: Stage) -> None:
    """A REPLY to Eregli's invitation in the name of another address, as a deputy's mail program sends it."""
    found = next(m.id for m in mailbox.messages(stage.desk) if m.recipient == EREGLI)
    letter = mailbox.message(stage.desk, found)
    letter = replace(letter, calendar=letter.calendar.replace(EREGLI.encode(), ASSISTANT.encode()))
    raw = mailbox.reply_to(letter, "accepted", "Ben geleceğim", stage.clock())
    assert replies.receive(stage.desk, raw).outcome == "pending-approval-uninvited"


def free_text(stage: Stage, to: str, text: str = "Katılmak isterim <b>ama</b> geç kalabilirim.") -> None:
    raw = (
        f"From: {EREGLI}\r\nTo: {to}\r\nSubject: Soru\r\nDate: Mon, 04 Jan 2027 01:00:00 +0000\r\n"
        f"Message-ID: <1@eregli.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Transfer-Encoding: 8bit\r\n\r\n{text}\r\n"
    )
    assert replies.receive(stage.desk, raw.encode()).outcome == "human-review"


def decide(stage: Stage, decision: str, email: str = "") -> int:
    browser = stage.signed_in(email) if email else stage.signed_in()
    form = next(f for f in Page.of(browser.get("/review")).forms if f.action.endswith("/decision"))
    return browser.post(form.action, form.inputs | {"decision": decision}).status_code


def test_strangers_are_asked_to_sign_in(stage: Stage) -> None:
    assert stage.browser().get("/review").status_code == 303


def test_nothing_waiting_is_said(stage: Stage) -> None:
    page = stage.signed_in().get("/review")
    assert "확인을 기다리는 전자우편이 없습니다." in page.text
    assert not [form for form in Page.of(page).forms if "decision" in form.action]


def test_a_free_text_answer_is_shown_with_who_when_and_why(stage: Stage) -> None:
    free_text(stage, stage.desk.addressed(stage.invitation(EREGLI)).reply_address)
    page = stage.signed_in().get("/review").text
    for text in (
        EREGLI,
        "1월 4일(월) 09:00",
        "도시재생 화상회의",
        "Soru",
        "Katılmak isterim &lt;b&gt;ama&lt;/b&gt; geç kalabilirim.",
    ):
        assert text in page
    assert i18n.text("ko", "pages.review.reason.free-text") in page
    assert i18n.text("ko", "words.decision.done") in page


def test_done_takes_it_off_the_list(stage: Stage) -> None:
    free_text(stage, stage.desk.addressed(stage.invitation(EREGLI)).reply_address)
    assert decide(stage, "done") == 303
    assert "확인을 기다리는 전자우편이 없습니다." in stage.signed_in().get("/review").text
    assert stage.statuses()[EREGLI] == "waiting"


@pytest.mark.parametrize("decision", ["same-person", "invite", "no"])
def test_an_answer_from_another_address_is_decided(stage: Stage, decision: str) -> None:
    assistant_answers(stage)
    assert stage.statuses()[EREGLI] == "waiting"
    page = stage.signed_in().get("/review").text
    assert ASSISTANT in page
    assert f'value="{decision}"' in page
    assert decide(stage, decision) == 303
    expected = {"same-person": {EREGLI: "accepted"}, "invite": {ASSISTANT: "waiting"}, "no": {EREGLI: "waiting"}}
    assert expected[decision].items() <= stage.statuses().items()


def test_a_decision_is_carried_out_once(stage: Stage) -> None:
    assistant_answers(stage)
    browser = stage.signed_in()
    form = next(f for f in Page.of(browser.get("/review")).forms if f.action.endswith("/decision"))
    assert browser.post(form.action, form.inputs | {"decision": "no"}).status_code == 303
    assert browser.post(form.action, form.inputs | {"decision": "same-person"}).status_code == 404
    assert stage.statuses()[EREGLI] == "waiting"


def test_a_decision_that_is_not_offered_is_refused(stage: Stage) -> None:
    assistant_answers(stage)
    before = stage.statuses()
    assert decide(stage, "apply") == 422
    assert decide(stage, "") == 422
    assert stage.statuses() == before


def test_only_the_host_city_sees_and_decides(stage: Stage) -> None:
    assistant_answers(stage)
    owner = stage.signed_in()
    form = next(f for f in Page.of(owner.get("/review")).forms if f.action.endswith("/decision"))
    for email, status in (("international@ulaanbaatar.example", 403), ("international@gwangju.example", 404)):
        other = stage.signed_in(email)
        page = Page.of(other.get("/review"))
        assert not [f for f in page.forms if f.action.endswith("/decision")]
        token = next(f.inputs["csrf_token"] for f in page.forms)
        assert other.post(form.action, {"csrf_token": token, "decision": "same-person"}).status_code == status
    assert stage.statuses()[EREGLI] == "waiting"


def test_mail_about_no_meeting_waits_for_the_operator(stage: Stage) -> None:
    free_text(stage, "meetings@gwangjin.example", "Who are you?")
    assert "Who are you?" not in stage.signed_in().get("/review").text
    page = stage.signed_in("operator@gwangjin.example").get("/review").text
    assert "Who are you?" in page
    assert i18n.text("ko", "pages.review.unknown_meeting") in page


def test_a_decision_needs_the_forms_token(stage: Stage) -> None:
    assistant_answers(stage)
    browser = stage.signed_in()
    form = next(f for f in Page.of(browser.get("/review")).forms if f.action.endswith("/decision"))
    assert browser.post(form.action, {"decision": "same-person"}).status_code == 400
    assert stage.statuses()[EREGLI] == "waiting"


def test_reasons_that_make_a_mail_wait_are_said_in_every_language(stage: Stage) -> None:
    """Those that are a plain phrase; one with a technical value stands as it is."""
    waits = {"human-review", "quarantined-malformed", "pending-approval-uninvited", "held-sender-mismatch"}
    calls = [
        call
        for name in ("core/judging.py", "replies.py")
        for call in ast.walk(ast.parse((paths.PACKAGE / name).read_text("utf-8")))
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Judgement" and len(call.args) > 1
    ]
    said = [
        call.args[1].value
        for call in calls
        if isinstance(call.args[0], ast.Constant)
        and call.args[0].value in waits
        and isinstance(call.args[1], ast.Constant)
    ]
    assert len(said) > 8
    with stage.app.test_request_context("/review?lang=mn", base_url="http://127.0.0.1:8000"):
        from scheduler.web import outcomes

        assert [reason for reason in said if outcomes.reason(reason) == reason] == []
