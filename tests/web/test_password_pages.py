"""Signing in by password in a browser, and the page on which a person sets it up and ends sessions."""

from __future__ import annotations

import re
import statistics
import time
from dataclasses import replace

import pytest
from flask import Flask

from scheduler import access, i18n, ways_in
from scheduler.core.words import LANGUAGES
from scheduler.db import tables as t
from scheduler.desk import Desk
from scheduler.web import browsers, create_app
from scheduler.web.sign_in import EVEN_SECONDS
from tests.house import House
from tests.passwords import PASSWORD, Owner, owner

from .conftest import BASE, Browser

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def app(house: House) -> Flask:
    return create_app(desk=house.desk)


@pytest.fixture
def mine(house: House) -> Owner:
    return owner(house)


@pytest.fixture
def browser(app: Flask) -> Browser:
    return Browser(app)


def sid(browser: Browser) -> str:
    cookie = browser.client.get_cookie("sid", domain="127.0.0.1")
    return cookie.value if cookie else ""


def signed_in(app: Flask, mine: Owner) -> Browser:
    """The browser in which they set up their password."""
    browser = Browser(app)
    browser.client.set_cookie("sid", mine.session, domain="127.0.0.1")
    return browser


def steady(page: str) -> str:
    return re.sub(r'name="csrf_token" value="[^"]+"', "", page)


def enter(browser: Browser, mine: Owner, code: str = ""):  # type: ignore[no-untyped-def]
    answer = browser.post("/sign-in/password", {"email": mine.person.email, "password": PASSWORD})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in/code")
    browser.get("/sign-in/code")
    return browser.post("/sign-in/code", {"code": code or mine.next_code()})


# --- the way in


def test_address_then_password_then_code(browser: Browser, mine: Owner) -> None:
    page = browser.post("/sign-in/password", {"email": mine.person.email})
    assert f'value="{mine.person.email}"' in page.text
    assert 'autocomplete="current-password"' in page.text
    assert browser.get("/").headers["Location"] == "/sign-in"
    assert enter(browser, mine).headers["Location"] == "/"
    assert browser.get("/").status_code == 200
    assert browser.client.get_cookie("half", domain="127.0.0.1") is None


def test_a_new_session_begins_and_the_one_of_before_is_dead(app: Flask, browser: Browser, mine: Owner) -> None:
    """B01: by password and by link; a value that somebody planted never becomes a session."""
    planted = "attackers-value"
    browser.client.set_cookie("sid", planted, domain="127.0.0.1")
    enter(browser, mine)
    first = sid(browser)
    assert first != planted
    enter(browser, mine)
    second = sid(browser)
    path = access.new_sign_in_link(mine.house.desk, mine.person.email).removeprefix(BASE)
    browser.get(path)
    browser.post(path)
    assert len({planted, first, second, sid(browser)}) == 4
    for value in (planted, first, second):
        thief = Browser(app)
        thief.client.set_cookie("sid", value, domain="127.0.0.1")
        assert thief.get("/").status_code == 303, value
    assert browser.get("/").status_code == 200


def test_every_address_that_does_not_sign_in_is_answered_alike(browser: Browser, mine: Owner) -> None:
    """B06: status, body and its length, headers; known with and without a password, unknown, and of a contact."""
    without = mine.house.person("ulaanbaatar").email
    contact = mine.house.person("eregli", "contact").email
    answers = []
    for email in (mine.person.email, without, contact, "nobody@gwangjin.example"):
        answer = browser.post("/sign-in/password", {"email": email, "password": "something else"})
        headers = sorted(
            (name, value) for name, value in answer.headers if name not in ("X-Request-ID", "Content-Length")
        )
        answers.append((answer.status_code, steady(answer.text).replace(email, ""), headers))
        asked = browser.post("/sign-in/password", {"email": email})
        assert asked.status_code == 200
        assert steady(asked.text).count(email) == 1
    assert answers[0][0] == 422
    assert all(answer == answers[0] for answer in answers)


def test_time_does_not_tell_whether_a_link_was_sent(browser: Browser, mine: Owner) -> None:
    """B05: the answer is held back until any mail would have been written."""
    took: dict[str, list[float]] = {mine.person.email: [], "nobody@gwangjin.example": []}
    browser.get("/sign-in")
    for _ in range(5):
        for email, times in took.items():
            began = time.perf_counter()
            assert browser.post("/sign-in", {"email": email}).status_code == 200
            times.append(time.perf_counter() - began)
    assert min(map(min, took.values())) >= EVEN_SECONDS
    known, unknown = (statistics.median(times) for times in took.values())
    assert known < unknown * 1.5, took


def test_too_many_tries_are_told_alike_with_what_to_do(browser: Browser, mine: Owner) -> None:
    """B03, B06."""
    told = set()
    for email in (mine.person.email, "nobody@gwangjin.example"):
        for _ in range(5):
            assert browser.post("/sign-in/password", {"email": email, "password": "wrong"}).status_code == 422
        answer = browser.post("/sign-in/password?lang=tr", {"email": email, "password": PASSWORD})
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "15")
        told.add(steady(answer.text))
    assert len(told) == 1
    assert i18n.text("tr", "errors.too-many-passwords", minutes=1) in told.pop()


def test_what_was_typed_is_kept_but_for_the_password(browser: Browser) -> None:
    page = browser.post("/sign-in/password", {"email": "desk@gwangjin.example", "password": "canary-canary"})
    assert 'value="desk@gwangjin.example"' in page.text
    assert "canary" not in page.text


def test_the_page_for_the_code_is_for_those_who_gave_the_password(browser: Browser, mine: Owner) -> None:
    """B08."""
    for answer in (browser.get("/sign-in/code"), browser.post("/sign-in/code", {"code": mine.next_code()})):
        assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in/password")
    wrong = enter(browser, mine, code="000000")
    assert wrong.status_code == 422
    assert i18n.text("ko", "errors.wrong-code") in wrong.text
    page = browser.get("/sign-in/code")
    assert 'inputmode="numeric" autocomplete="one-time-code"' in page.text
    assert f'<html lang="{mine.person.language}">' in page.text
    for _ in range(4):
        browser.post("/sign-in/code", {"code": "000000"})
    assert browser.post("/sign-in/code", {"code": mine.next_code()}).headers["Location"] == "/sign-in/password"


def test_the_half_cookie_is_out_of_reach_and_short(browser: Browser, mine: Owner, house: House) -> None:
    answer = browser.post("/sign-in/password", {"email": mine.person.email, "password": PASSWORD})
    (cookie,) = [c for c in answer.headers.getlist("Set-Cookie") if c.startswith("half=")]
    for part in ("HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=300"):
        assert part in cookie
    server = house.desk.settings.server.model_copy(update={"base_url": "https://meet.gwangjin.example"})
    secure = replace(house.desk, settings=house.desk.settings.model_copy(update={"server": server}))
    browser = Browser(create_app(desk=secure), "https://meet.gwangjin.example")
    answer = browser.post("/sign-in/password", {"email": mine.person.email, "password": PASSWORD})
    (cookie,) = [c for c in answer.headers.getlist("Set-Cookie") if c.startswith("__Host-half=")]
    assert "Secure" in cookie


@pytest.mark.parametrize("path", ["/sign-in", "/sign-in/password", "/sign-in/code", "link"])
@pytest.mark.parametrize(
    "mark", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {}]
)
def test_another_site_signs_nobody_in(app: Flask, mine: Owner, path: str, mark: dict[str, str]) -> None:
    """B09: not with its own form token either, which another browser's cookie does not fit."""
    victim, attacker = Browser(app), Browser(app)
    half = mine.half()
    for browser in (victim, attacker):
        browser.client.set_cookie("half", half, domain="127.0.0.1")
    if path == "link":
        path = access.new_sign_in_link(mine.house.desk, mine.person.email).removeprefix(BASE)
    token = attacker.token() if not mark else victim.token()
    data = {"email": mine.person.email, "password": PASSWORD, "code": mine.next_code(), "csrf_token": token}
    before = mine.house.outbox()
    answer = victim.client.post(path, base_url=BASE, data=data, headers=mark)
    assert answer.status_code == 400
    assert "sid" not in str(answer.headers.getlist("Set-Cookie"))
    assert mine.house.outbox() == before
    own = {**data, "csrf_token": victim.token()}
    assert victim.client.post(path, base_url=BASE, data=own).status_code in (200, 303)


# --- setting it up


def test_from_nothing_to_recovery_codes(app: Flask, house: House) -> None:
    browser = Browser(app)
    path = access.new_sign_in_link(house.desk, house.person().email).removeprefix(BASE)
    browser.get(path)
    browser.post(path)
    page = browser.get("/settings/sign-in")
    assert 'autocomplete="new-password"' in page.text
    weak = browser.post("/settings/sign-in/password", {"password": "password1234"})
    assert weak.status_code == 422
    assert "password1234" not in weak.text
    answer = browser.post("/settings/sign-in/password", {"password": PASSWORD})
    assert answer.headers["Location"] == "/settings/sign-in/second-factor"
    page = browser.get("/settings/sign-in/second-factor")
    secret = re.search(r'<code translate="no">([A-Z2-7 ]+)</code>', page.text)
    assert secret
    assert 'img class="qr" src="data:image/svg+xml' in page.text
    assert 'href="otpauth://totp/' in page.text
    mine = Owner(house, house.person(), sid(browser), secret[1].replace(" ", ""))
    wrong = browser.post("/settings/sign-in/second-factor/confirmation", {"code": "000000"})
    assert (wrong.status_code, secret[1] in wrong.text) == (422, True)
    page = browser.post("/settings/sign-in/second-factor/confirmation", {"code": mine.code()})
    codes = re.findall(r"<code>([a-z2-9-]{19})</code>", page.text)
    assert len(codes) == 10
    for later in ("/settings/sign-in", "/settings"):
        assert not [code for code in codes if code in browser.get(later).text]
    assert browser.get("/settings/sign-in/second-factor").status_code == 404
    other = Browser(app)
    assert enter(other, mine, codes[0]).status_code == 303


def test_each_change_by_its_button(app: Flask, mine: Owner) -> None:
    browser = signed_in(app, mine)
    assert browser.post("/settings/sign-in/password", {"password": "seventeen quiet lanterns"}).status_code == 303
    assert "seventeen" not in browser.get("/settings/sign-in?done=password").text
    new = browser.post("/settings/sign-in/recovery-codes").text
    assert len(re.findall(r"<code>[a-z2-9-]{19}</code>", new)) == 10
    assert browser.post("/settings/sign-in/second-factor").headers["Location"].endswith("/second-factor")
    assert browser.post("/settings/sign-in/password/removal").status_code == 303
    assert ways_in.of_person(mine.house.desk, mine.person).changed_at is None
    assert len(mine.house.outbox(kind="security")) == 4


def test_after_ten_minutes_the_page_asks_for_a_proof(app: Flask, mine: Owner) -> None:
    browser = signed_in(app, mine)
    mine.house.clock.forward(minutes=11)
    page = browser.get("/settings/sign-in")
    assert 'action="/settings/sign-in/proof"' in page.text
    for path in ("password/removal", "second-factor", "recovery-codes"):
        refused = browser.post(f"/settings/sign-in/{path}")
        assert refused.status_code == 403
        assert i18n.text("ko", "errors.proof-needed") in refused.text
    refused = browser.post("/settings/sign-in/password", {"password": "seventeen quiet lanterns"})
    assert refused.status_code == 403
    wrong = browser.post("/settings/sign-in/proof", {"password": "wrong", "code": mine.next_code()})
    assert wrong.status_code == 422
    proved = browser.post("/settings/sign-in/proof", {"password": PASSWORD, "code": mine.code()})
    assert proved.status_code == 303
    assert browser.post("/settings/sign-in/recovery-codes").status_code == 200


def test_a_secret_sent_after_the_session_ended_is_in_no_page(app: Flask, mine: Owner) -> None:
    browser = signed_in(app, mine)
    browser.get("/settings/sign-in")
    access.sign_out(mine.house.desk, mine.session)
    for path, code in (("password", {}), ("proof", {"code": "123456"})):
        page = browser.post(f"/settings/sign-in/{path}", {"password": "canary quiet lanterns", **code})
        assert page.status_code == 401
        assert "canary" not in page.text
        assert "123456" not in page.text


# --- sessions


def test_my_sessions_are_listed_in_plain_words_and_end_by_a_button(app: Flask, mine: Owner) -> None:
    """B02."""
    here, there = signed_in(app, mine), Browser(app)
    there.client.environ_base["HTTP_USER_AGENT"] = FIREFOX
    enter(there, mine)
    page = here.get("/settings/sign-in").text
    assert "Firefox, Linux" in page
    assert page.count(i18n.text("ko", "sign_in.sessions.this")) == 1
    (action,) = re.findall(r'action="(/settings/sessions/[0-9a-f]{16}/ending)"', page)
    assert there.get("/").status_code == 200
    assert here.post(action).status_code == 303
    assert there.get("/").status_code == 303
    assert here.post(action).status_code == 404
    assert here.get("/").status_code == 200


def test_all_others_end_at_once(app: Flask, mine: Owner) -> None:
    """B02."""
    here, others = signed_in(app, mine), [Browser(app), Browser(app)]
    for other in others:
        enter(other, mine)
    here.get("/settings/sign-in")
    assert here.post("/settings/sessions/ending").status_code == 303
    assert [other.get("/").status_code for other in others] == [303, 303]
    assert here.get("/").status_code == 200


def test_a_session_of_somebody_else_is_not_there(app: Flask, mine: Owner) -> None:
    theirs = owner(mine.house, mine.house.person("ulaanbaatar"))
    here = signed_in(app, mine)
    with mine.house.desk.store.read() as db:
        row = next(r for r in db.execute(t.web_sessions.select()) if r.person_id == theirs.person.id)
    assert here.post(f"/settings/sessions/{row.token_hash[:16]}/ending").status_code == 404
    assert access.person_of_cookie(mine.house.desk, theirs.session) == theirs.person


@pytest.mark.parametrize(
    ("agent", "label"),
    [
        (FIREFOX, "Firefox, Linux"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 "
         "Safari/537.36 Edg/140.0.0.0", "Edge, Windows"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0 "
         "Whale/4.33 Safari/537.36", "Whale, Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
         "Version/18.5 Mobile/15E148 Safari/604.1", "Safari, iPhone"),
        ("Mozilla/5.0 (Linux; Android 15; SM-S928B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 "
         "Chrome/130.0 Mobile Safari/537.36", "Samsung Internet, Android"),
        ("curl/8.0", ""),
        ("<script>Firefox/", "Firefox"),
        ("", ""),
    ],
)  # fmt: skip
def test_of_a_browser_only_plain_words_are_kept(app: Flask, mine: Owner, agent: str, label: str) -> None:
    assert browsers.label(agent) == label
    browser = Browser(app)
    browser.client.environ_base["HTTP_USER_AGENT"] = agent
    enter(browser, mine)
    with mine.house.desk.store.read() as db:
        labels = {row.label for row in db.execute(t.web_sessions.select())}
    assert labels == {"", label}


# --- for everybody


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_pages_are_there_in_every_language(app: Flask, mine: Owner, desk: Desk, language: str) -> None:
    access.change_language(mine.house.desk, mine.person, language)
    browser = signed_in(app, mine)
    browser.get("/settings/sign-in")
    browser.post("/settings/sign-in/second-factor")
    for path in ("/settings/sign-in", "/settings/sign-in/second-factor"):
        page = browser.get(path)
        assert page.status_code == 200
        assert f'<html lang="{language}">' in page.text
        assert "<script" not in page.text
        assert "style=" not in page.text
        labels = set(re.findall(r'<label for="([^"]+)"', page.text))
        shown = re.findall(r'<input id="([^"]+)"', page.text)
        assert set(shown) <= labels
    assert Browser(app).get(f"/sign-in/password?lang={language}").status_code == 200
