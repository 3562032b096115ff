"""D01, D02, D04, D06 to D09, D11, D12: the addresses that are mailed, opened by whoever gets hold of them.

A mail scanner may open every link as often as it likes; only pressing a button answers, and the page says whose
answer it is. A token opens one thing, is found nowhere but in the mail of its owner, and ends when its time is over.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from scheduler import access, admin, answers, booking, feeds, meetings, tokens
from scheduler.web import create_app
from tests import databases
from tests.databases import Databases
from tests.house import AYLIN, BAT, KIM, House, parsed

from .stage import OWNER, PEOPLE, START, Page, Stage, crawl, set_up

SEOUL, ULAANBAATAR, EREGLI = (person.email for person in PEOPLE)
SAFE_LINKS = {"User_Agent": "Mozilla/5.0 (Windows NT 10.0) SafeLinks", "Accept_Language": "en"}
BASE = "http://127.0.0.1:8000"


@pytest.fixture
def stage(tmp_path: Path, databases: Databases) -> Stage:
    """A meeting that was announced, moved, changed and answered, and a link to sign in: mail of many kinds."""
    stage = set_up(tmp_path, databases.example(tmp_path))
    access.ask_for_link(stage.desk, OWNER)
    stage.edit(start=START + timedelta(hours=1), wall=None, zone="")
    stage.edit(video_url="https://video.example/other")
    answers.answer_by_telephone(stage.desk, None, stage.meeting.id, EREGLI, "accepted")
    stage.send()
    return stage


def mailed(stage: Stage) -> set[str]:
    """Every address of ours in every mail: in its text, its page and its calendar."""
    with stage.desk.store.read() as db:
        contents = [row.content for row in db.execute(databases.t.outbox.select())]
    found = set()
    for mail in map(parsed, contents):
        for part in mail.walk():
            if part.get_content_maintype() == "text" or part.get_content_subtype() == "ics":
                text = part.get_payload(decode=True).decode().replace("\r\n ", "")  # type: ignore[union-attr]
                found |= {url.removeprefix(BASE) for url in re.findall(rf"{BASE}[^\s\"'<>\\;,)]*", text)}
    return found


# --- D01, D02


def test_scanners_open_every_link_at_once_and_change_nothing(stage: Stage) -> None:
    """D01: by GET and HEAD, three times, side by side, also with an answer made up. Nothing is used up."""
    links = mailed(stage)
    assert {link.split("/")[1] for link in links} == {"i", "sign-in", "meetings"}
    guessed = [f"{link}{more}" for link in links for more in ("", "?answer=accepted", "/answer?answer=declined")]
    before = stage.fingerprint()
    asked = [(method, link) for _ in range(3) for link in guessed for method in ("GET", "HEAD")]
    with ThreadPoolExecutor(8) as scanners:
        seen = list(scanners.map(lambda call: stage.browser().get(call[1], call[0], **SAFE_LINKS).status_code, asked))
    shown = {status for (_, link), status in zip(asked, seen, strict=True) if link in links}
    assert shown <= {200, 303}
    assert set(seen) <= {200, 303, 404, 405}
    assert stage.fingerprint() == before
    sign_in = next(link for link in links if link.startswith("/sign-in/"))
    assert access.person_of_link(stage.desk, sign_in.rpartition("/")[2]).email == OWNER
    assert stage.statuses() == {SEOUL: "waiting", ULAANBAATAR: "waiting", EREGLI: "accepted"}


def test_a_scanner_that_follows_links_and_submits_searches_changes_nothing(stage: Stage) -> None:
    """D02: all that can be reached without pressing a button that posts; also in the browser of a coordinator."""
    before, visited = stage.fingerprint(), set()
    for link in sorted(mailed(stage)):
        visited |= set(crawl(stage.browser(), link, limit=12))
    assert len(visited) > 20
    assert stage.fingerprint() == before
    inside = stage.signed_in()
    before = _but_sessions(stage)
    visited = set(crawl(inside, "/", limit=60))
    assert {f"/meetings/{stage.meeting.id}", "/settings", "/review"} <= visited
    assert _but_sessions(stage) == before


def _but_sessions(stage: Stage) -> Any:
    return databases.contents(stage.desk.store, without=("web_sessions", "counters", "heartbeats"))


# --- D04, D09


def press(stage: Stage, answer: str, comment: str = "") -> Any:
    link = stage.link(EREGLI)
    return stage.browser().submit(link, f"{link}/answer", {"answer": answer, "comment": comment})


def test_a_wrong_answer_is_seen_and_undone_until_the_start(stage: Stage) -> None:
    """D04: the page says what was answered, by which way and when; each answer is told to the coordinator."""
    told = notices(stage)
    press(stage, "declined", "Yanlış düğme")
    page = stage.browser().get(f"{stage.link(EREGLI)}?lang=en").text
    for text in ("Not attending", "Given on this page", "4 Jan 03:0", PEOPLE[2].name, "Yanlış düğme"):
        assert text in page, text
    stage.clock.now = START + timedelta(hours=1, seconds=-30)
    assert press(stage, "accepted").status_code == 303
    assert stage.statuses()[EREGLI] == "accepted"
    assert notices(stage) == told + 2
    stage.clock.now = START + timedelta(hours=1)
    assert Page.of(stage.browser().get(stage.link(EREGLI))).forms == []


def notices(stage: Stage) -> int:
    rows = databases.contents(stage.desk.store)["outbox"]
    return sum(row["kind"] == "notice-answered" and row["recipient"] == OWNER for row in rows)


def test_a_link_that_was_passed_on_says_whose_it_is_and_every_change_is_told(stage: Stage) -> None:
    """D09: what the second reader answers stands beside the first answer, and the coordinator hears of both."""
    told = notices(stage)
    first, second = stage.browser(), stage.browser()
    for browser, answer in ((first, "declined"), (second, "tentative")):
        page = browser.get(f"{stage.link(EREGLI)}?lang=en")
        assert f"{PEOPLE[2].name}" in page.text
        assert "Eregli" in page.text
        form = Page.of(page).forms[0]
        browser.post(form.action, form.inputs | {"answer": answer})
    recorded = meetings.show(stage.desk, None, stage.meeting.id).history
    assert sorted(r.answer.status for r in recorded if r.answer.channel == "link") == ["declined", "tentative"]
    assert notices(stage) == told + 2
    assert "Undecided" in first.get(f"{stage.link(EREGLI)}?lang=en").text  # the first reader sees that it was changed


# --- D06, D07


def _opened_by(house: House, token: str) -> set[str]:
    """What a token opens, wherever it is brought."""
    client, found = create_app(desk=house.desk).test_client(), set()
    for place, path in (("link", "/i/{}"), ("sign-in", "/sign-in/{}"), ("feed", "/feeds/{}.ics")):
        if client.get(path.format(token), base_url=BASE, buffered=True).status_code == 200:
            found.add(place)
    bearer = {"Authorization": f"Bearer {token}"}
    if client.get("/api/v1/cities", headers=bearer, base_url=BASE).status_code == 200:
        found.add("bearer")
    client.set_cookie("sid", token, domain="127.0.0.1")
    if client.get("/settings", base_url=BASE).status_code == 200:
        found.add("cookie")
    return found


def _tokens(house: House) -> dict[str, str]:
    me = house.person()
    meeting = house.book()
    addressed = house.desk.addressed(house.invitation(meeting, BAT))
    return {
        "link": addressed.link.rpartition("/")[2],
        "reply": addressed.reply_address.partition("+")[2].partition("@")[0],
        "cookie": access.sign_in(house.desk, access.new_sign_in_link(house.desk, me.email).rpartition("/")[2]),
        "sign-in": access.new_sign_in_link(house.desk, me.email).rpartition("/")[2],
        "bearer": access.new_api_token(house.desk, me.email)[1],
        "feed": feeds.create(house.desk, me, "city", "gwangjin", "").url.rpartition("/")[2].removesuffix(".ics"),
    }


def test_every_token_opens_its_own_door_and_no_other(house: House) -> None:
    """D06: six kinds of token at five doors."""
    limits = house.desk.settings.limits.model_copy(update={"wrong_tokens_per_hour": 1000})
    house.desk = replace(house.desk, settings=house.desk.settings.model_copy(update={"limits": limits}))
    for purpose, token in _tokens(house).items():
        assert _opened_by(house, token) == ({purpose} - {"reply"}), purpose


def test_what_was_withdrawn_is_like_what_never_was(house: House) -> None:
    """D07: a person taken off the list, a feed revoked, somebody who left: at once, at every door."""
    found = _tokens(house)
    (meeting,) = meetings.listing(house.desk, None, meetings.Filter()).meetings
    client = create_app(desk=house.desk).test_client()
    never = tokens.new_token()
    booking.edit(house.desk, house.person(), meeting.id, lambda d: replace(d, people=(AYLIN, KIM)))
    feeds.revoke(house.desk, house.person(), databases.contents(house.desk.store)["feeds"][0]["id"])
    admin.disable_person(house.desk, house.person().email, house.person(role="operator").email)
    for purpose, path in (("link", "/i/{}"), ("sign-in", "/sign-in/{}"), ("feed", "/feeds/{}.ics")):
        gone, none = (client.get(path.format(token), base_url=BASE) for token in (found[purpose], never))
        assert (gone.status_code, steady(gone.text, found[purpose])) == (404, steady(none.text, never)), purpose
    answers_of = [client.get("/api/v1/cities", headers={"Authorization": f"Bearer {t}"}, base_url=BASE)
                  for t in (found["bearer"], never)]  # fmt: skip
    assert [a.status_code for a in answers_of] == [401, 401]
    assert answers_of[0].json == answers_of[1].json
    client.set_cookie("sid", found["cookie"], domain="127.0.0.1")
    assert client.get("/", base_url=BASE).headers["Location"] == "/sign-in"
    late = house.reply(meeting, BAT, "ACCEPTED")
    assert house.receive(late).outcome == "rejected-not-invited"


def steady(page: str, token: str) -> str:
    return re.sub(r'name="csrf_token" value="[^"]+"', "", page.replace(token, ""))


# --- D11


def test_when_it_is_over_the_page_shows_and_asks_no_more(stage: Stage) -> None:
    """D11: from the start on, and as long as the meeting is kept: nothing can be answered, nothing joined."""
    press(stage, "declined", "Salon dolu")
    form = Page.of(stage.browser().get(stage.link(EREGLI))).forms[0]
    for after in (timedelta(hours=1), timedelta(days=1), timedelta(days=30), timedelta(days=400)):
        stage.clock.now = START + after
        page = stage.browser().get(f"{stage.link(EREGLI)}?lang=en")
        assert page.status_code == 200
        assert Page.of(page).forms == []
        assert "Not attending" in page.text
        assert "https://video.example" not in page.text
        before = stage.fingerprint()
        assert stage.browser().post(form.action, form.inputs | {"answer": "accepted"}).status_code == 409
        assert stage.fingerprint() == before


# --- D12


def guess(house: House, count: int, most: int) -> None:
    limits = house.desk.settings.limits.model_copy(update={"wrong_tokens_per_hour": most})
    app = create_app(desk=replace(house.desk, settings=house.desk.settings.model_copy(update={"limits": limits})))
    client, seen = app.test_client(), {}
    for number in range(count):
        path = ("/feeds/{}.ics", "/i/{}", "/sign-in/{}")[number % 3 if number < most else 0].format(tokens.new_token())
        answer = client.get(path, base_url=BASE, headers={"Accept-Language": "en"})
        body = steady(answer.text, path.rpartition("/")[2].removesuffix(".ics"))
        seen.setdefault((answer.status_code, path.split("/")[1] if number < most else ""), set()).add(body)
    assert {status for status, _ in seen} == {404, 429}
    assert [bodies for bodies in seen.values() if len(bodies) != 1] == []
    assert len(seen) == 4


def test_who_tries_addresses_is_shut_out_and_learns_nothing(house: House) -> None:
    """D12."""
    guess(house, 150, most=30)


@pytest.mark.long
@pytest.mark.only_on("sqlite")
@pytest.mark.timeout(1200)
def test_who_tries_ten_thousand_addresses_is_shut_out(house: House) -> None:
    """D12."""
    guess(house, 10_000, most=100)
