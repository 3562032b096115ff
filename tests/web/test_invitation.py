"""The personal page: it shows, it asks, and only its button answers."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from scheduler import access, answers, booking, mailbox, meetings
from scheduler.desk import Desk
from tests.databases import Databases
from tests.web.stage import OWNER, PEOPLE, START, Page, Stage, crawl, set_up

SEOUL, ULAANBAATAR, EREGLI = (person.email for person in PEOPLE)


@pytest.fixture
def stage(tmp_path: Path, databases: Databases) -> Stage:
    return set_up(tmp_path, databases.example(tmp_path))


def answer(stage: Stage, email: str, status: str, comment: str = "", /, **more: str) -> TestResponse:
    link = stage.link(email)
    return stage.browser().submit(link, f"{link}/answer", {"answer": status, "comment": comment, **more})


def history(desk: Desk, stage: Stage) -> list[str]:
    return [recorded.answer.status for recorded in meetings.show(desk, None, stage.meeting.id).history]


# --- what it shows


def test_the_page_is_in_the_invitees_language_with_their_clock_first(stage: Stage) -> None:
    page = stage.browser().get(stage.link(ULAANBAATAR), Accept_Language="en")
    assert page.status_code == 200
    assert '<html lang="mn">' in page.text
    assert "Хот байгуулалтын хэлтэс" in page.text
    clocks = [page.text.index(text) for text in ("14:00–15:00", "15:00–16:00", "09:00–10:00")]
    assert clocks[0] == min(clocks)  # Ulaanbaatar, then Seoul and Istanbul


@pytest.mark.parametrize("language", ["ko", "mn", "tr", "en"])
def test_another_language_can_be_asked_for(stage: Stage, language: str) -> None:
    page = stage.browser().get(f"{stage.link(SEOUL)}?lang={language}")
    assert f'<html lang="{language}">' in page.text


def test_the_page_tells_what_the_meeting_is(stage: Stage) -> None:
    page = stage.browser().get(f"{stage.link(EREGLI)}?lang=en").text
    for text in ("Urban regeneration", "Environment and urban planning", "https://video.example/room", "1 hour"):
        assert text in page
    assert "2. &lt;b&gt;Plans&lt;/b&gt;" in page


def test_the_page_names_nobody_elses_address(stage: Stage) -> None:
    """D08."""
    page = stage.browser().get(stage.link(EREGLI)).text
    assert not [person.email for person in PEOPLE if person.email in page]


def test_the_page_sets_no_cookie_and_is_kept_by_nobody(stage: Stage) -> None:
    """C12, D08."""
    page = stage.browser().get(stage.link(EREGLI))
    assert "Set-Cookie" not in page.headers
    assert page.headers["Cache-Control"] == "no-store"
    assert "noindex" in page.headers["X-Robots-Tag"]
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert Page.of(page).scripts == 0


def test_a_coordinator_who_opens_a_link_sees_what_the_invitee_sees(stage: Stage) -> None:
    link = stage.link(EREGLI)
    assert stage.signed_in().get(link).text == stage.browser().get(link).text


# --- answering


@pytest.mark.parametrize("status", ["accepted", "tentative", "declined"])
def test_pressing_a_button_answers(stage: Stage, status: str) -> None:
    answered = answer(stage, EREGLI, status, "Görüşmek üzere\n<script>")
    assert answered.status_code == 303
    assert stage.statuses() == {SEOUL: "waiting", ULAANBAATAR: "waiting", EREGLI: status}
    shown = stage.browser().get(answered.headers["Location"]).text
    assert "Yanıtınız kaydedildi." in shown
    assert "Görüşmek üzere\n&lt;script&gt;" in shown


def test_an_answer_can_be_changed_until_the_start(stage: Stage) -> None:
    """D04."""
    answer(stage, EREGLI, "declined")
    answer(stage, EREGLI, "accepted")
    assert stage.statuses()[EREGLI] == "accepted"
    assert sorted(history(stage.desk, stage)) == ["accepted", "declined"]


def test_the_page_states_the_answer_when_and_how_it_came(stage: Stage) -> None:
    """D04."""
    answer(stage, EREGLI, "tentative", "Salon dolu olabilir")
    page = stage.browser().get(f"{stage.link(EREGLI)}?lang=en").text
    assert "Undecided" in page
    assert "Given on this page, Mon, 4 Jan 03:0" in page  # Istanbul: UTC+3
    assert "Salon dolu olabilir" in page


def test_an_answer_by_telephone_says_who_recorded_it(stage: Stage) -> None:
    answers.answer_by_telephone(stage.desk, stage.owner, stage.meeting.id, EREGLI, "accepted")
    page = stage.browser().get(f"{stage.link(EREGLI)}?lang=en").text
    assert f"recorded by {stage.owner.name}" in page


def test_the_coordinator_is_told(stage: Stage) -> None:
    """D04."""
    before = len(mailbox.messages(stage.desk))
    answer(stage, EREGLI, "declined")
    stage.send()
    newest = mailbox.messages(stage.desk)
    assert len(newest) == before + 1
    assert newest[0].recipient == OWNER


def test_fields_that_name_another_person_are_ignored(stage: Stage) -> None:
    """A04."""
    foreign = {"email": SEOUL, "attendee": SEOUL, "person": SEOUL, "token": stage.link(SEOUL)[3:], "status": "x"}
    answer(stage, EREGLI, "accepted", **foreign)
    assert stage.statuses() == {SEOUL: "waiting", ULAANBAATAR: "waiting", EREGLI: "accepted"}


def test_an_answer_of_two_values_counts_as_the_first(stage: Stage) -> None:
    """C15."""
    link = stage.link(EREGLI)
    stage.browser().client.post(
        f"{link}/answer",
        data="answer=accepted&answer=declined",
        content_type="application/x-www-form-urlencoded",
        base_url=stage.desk.settings.server.base_url,
    )
    assert stage.statuses()[EREGLI] == "accepted"


@pytest.mark.parametrize("status", ["", "waiting", "delegated", "ACCEPTED", "accepted\n"])
def test_what_is_no_answer_is_asked_again_and_keeps_the_comment(stage: Stage, status: str) -> None:
    before = stage.fingerprint()
    refused = answer(stage, EREGLI, status, "Bir açıklama")
    assert refused.status_code == 422
    assert "Bir açıklama</textarea>" in refused.text
    assert 'role="alert"' in refused.text
    assert '<a href="#answers">' in refused.text
    assert 'id="answers" role="group" aria-labelledby="question" aria-describedby="fault"' in refused.text
    assert stage.fingerprint() == before


def test_a_comment_that_is_too_long_is_refused_and_kept(stage: Stage) -> None:
    refused = answer(stage, EREGLI, "accepted", "ğ" * 2001)
    assert refused.status_code == 422
    assert "2001" in refused.text
    assert "ğ" * 2001 in refused.text
    assert stage.statuses()[EREGLI] == "waiting"
    assert answer(stage, EREGLI, "accepted", "ğ" * 2000).status_code == 303


@pytest.mark.parametrize("sequence", ["", "x", "-1", "9" * 40, "²"])
def test_a_version_that_is_no_number_counts_as_not_given(stage: Stage, sequence: str) -> None:
    assert answer(stage, EREGLI, "accepted", sequence=sequence).status_code == 303


# --- nothing but the button


def test_scanners_change_nothing(stage: Stage) -> None:
    """D01, D02: Every link of every mail, and all that can be reached from there without pressing a POST button."""
    links = [stage.link(person.email) for person in PEOPLE]
    for letter in mailbox.messages(stage.desk):
        html = mailbox.message(stage.desk, letter.id).html
        page = Page()
        page.feed(html)
        base = stage.desk.settings.server.base_url
        links += [link.removeprefix(base) for link in page.links if link.startswith(base)]
    before = stage.fingerprint()
    visited = [path for link in dict.fromkeys(links) for path in crawl(stage.browser(), link)]
    assert len(set(visited)) >= 3 * 5  # each page, and each in four languages
    assert stage.fingerprint() == before


def test_the_answer_form_is_never_sent_by_itself_or_by_a_link(stage: Stage) -> None:
    """D02, C07."""
    link = stage.link(EREGLI)
    page = Page.of(stage.browser().get(link))
    assert [form.method for form in page.forms] == ["post"]
    assert not [target for target in page.links if "answer" in target]
    assert stage.browser().get(f"{link}/answer").status_code == 405
    assert stage.browser().get(f"{link}/answer?answer=accepted", method="HEAD").status_code == 405
    assert stage.statuses()[EREGLI] == "waiting"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:8001"},
        {"Origin": "null", "Sec_Fetch_Site": "cross-site"},
    ],
)
def test_another_sites_form_is_refused(stage: Stage, headers: dict[str, str]) -> None:
    """C06."""
    before = stage.fingerprint()
    refused = stage.browser().post(f"{stage.link(EREGLI)}/answer", {"answer": "accepted"}, **headers)
    assert refused.status_code == 400
    assert stage.fingerprint() == before


@pytest.mark.parametrize(
    "headers",
    [{}, {"Sec_Fetch_Site": "same-origin", "Origin": "null"}, {"Origin": "http://127.0.0.1:8000"}],
)
def test_our_own_form_is_accepted_without_cookie(stage: Stage, headers: dict[str, str]) -> None:
    """C06."""
    answered = stage.browser().post(f"{stage.link(EREGLI)}/answer", {"answer": "accepted"}, **headers)
    assert answered.status_code == 303
    assert "Set-Cookie" not in answered.headers


# --- tokens


def test_a_token_of_another_purpose_opens_nothing(stage: Stage) -> None:
    """D06."""
    desk, invitation = stage.desk, stage.invitation(EREGLI)
    reply = desk.addressed(invitation).reply_address.partition("+")[2].partition("@")[0]
    sign_in = access.new_sign_in_link(desk, OWNER).rpartition("/")[2]
    _, bearer = access.new_api_token(desk, OWNER)
    link = stage.link(EREGLI)[3:]
    for token in (reply, sign_in, bearer, invitation.id, link.upper(), link[:-1], link + "a", "a" * 26, "%00", "é"):
        page = stage.browser().get(f"/i/{token}")
        posted = stage.browser().post(f"/i/{token}/answer", {"answer": "accepted"})
        assert (page.status_code, posted.status_code) == (404, 404), token
    assert stage.statuses()[EREGLI] == "waiting"


def test_unknown_pages_are_alike_and_say_what_to_do(stage: Stage) -> None:
    """D07."""
    pages = {stage.browser().get(f"/i/{token}?lang=en").text.replace(token, "") for token in ("a" * 26, "b" * 40)}
    assert len(pages) == 1
    assert "please ask the city that invited you" in pages.pop()


def test_the_link_of_a_removed_person_is_unknown(stage: Stage) -> None:
    """D07."""
    link = stage.link(EREGLI)
    stage.edit(people=PEOPLE[:2])
    assert stage.browser().get(link).status_code == 404
    assert stage.browser().post(f"{link}/answer", {"answer": "accepted"}).status_code == 404


# --- what happened in between


def test_an_answer_to_a_meeting_moved_in_between_is_not_stored(stage: Stage) -> None:
    """D10."""
    link = stage.link(EREGLI)
    opened = Page.of(stage.browser().get(link)).forms[0]
    stage.edit(start=START + timedelta(days=1), wall=None, zone="")
    late = stage.browser().post(opened.action, opened.inputs | {"answer": "accepted", "comment": "Uygun"})
    assert late.status_code == 409
    assert "10 Mart 2027" in late.text
    assert "Uygun</textarea>" in late.text
    assert stage.statuses()[EREGLI] == "waiting"
    assert history(stage.desk, stage) == []
    again = Page.of(late).forms[0]
    assert stage.browser().post(again.action, again.inputs | {"answer": "accepted"}).status_code == 303


def test_a_new_link_in_between_does_not_lose_an_answer(stage: Stage) -> None:
    opened = Page.of(stage.browser().get(stage.link(EREGLI))).forms[0]
    stage.edit(video_url="https://video.example/other")
    assert stage.browser().post(opened.action, opened.inputs | {"answer": "accepted"}).status_code == 303


def test_an_answer_to_a_cancelled_meeting_is_not_stored(stage: Stage) -> None:
    """D10."""
    opened = Page.of(stage.browser().get(stage.link(EREGLI))).forms[0]
    booking.cancel(stage.desk, stage.owner, stage.meeting.id, "Sel <nedeniyle>")
    late = stage.browser().post(opened.action, opened.inputs | {"answer": "accepted"})
    assert late.status_code == 409
    assert "Bu toplantı iptal edildi." in late.text
    assert "Sel &lt;nedeniyle&gt;" in late.text
    shown = stage.browser().get(stage.link(EREGLI))
    assert shown.status_code == 200
    assert Page.of(shown).forms == []
    assert stage.statuses()[EREGLI] == "waiting"


def test_after_the_start_the_page_only_shows(stage: Stage) -> None:
    """D11."""
    answer(stage, EREGLI, "declined")
    opened = Page.of(stage.browser().get(stage.link(EREGLI))).forms[0]
    stage.clock.now = START
    late = stage.browser().post(opened.action, opened.inputs | {"answer": "accepted"})
    assert late.status_code == 409
    shown = stage.browser().get(stage.link(EREGLI))
    assert "Yanıt süresi doldu." in shown.text
    assert Page.of(shown).forms == []
    assert stage.statuses()[EREGLI] == "declined"
