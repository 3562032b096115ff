"""Signing in and out."""

from __future__ import annotations

import re

from scheduler import access

from .conftest import BASE, HOST, Browser
from .stage import Page

HIDDEN = re.compile('<input type="hidden" name="([^"]+)" value="([^"]*)">')


def link(desk, email: str = HOST) -> str:
    return access.new_sign_in_link(desk, email).removeprefix(BASE)


def enter(browser: Browser, desk) -> None:
    path = link(desk)
    browser.get(path)
    assert browser.post(path).status_code == 303


def test_without_a_session_every_page_leads_to_the_sign_in(anybody):
    for path in ("/", "/meetings/new", "/meetings/7", "/cities", "/calendar.ics"):
        response = anybody.get(path)
        assert (response.status_code, response.headers["Location"]) == (303, "/sign-in")


def test_opening_the_link_uses_nothing_up(anybody, desk):
    path = link(desk)
    for _ in range(3):
        assert anybody.get(path).status_code == 200
        anybody.client.head(path, base_url=BASE)
    assert anybody.post(path).status_code == 303
    assert anybody.get("/").status_code == 200


def test_the_link_works_once(app, desk):
    first, second = Browser(app), Browser(app)
    path = link(desk)
    second.get(path)
    first.get(path)
    assert first.post(path).status_code == 303
    assert second.post(path).status_code == 404
    assert second.get("/").status_code == 303


def test_the_same_page_whether_the_address_is_known(anybody):
    known = anybody.post("/sign-in", {"email": HOST}).text.replace(HOST, "")
    unknown = anybody.post("/sign-in", {"email": "nobody@gwangjin.example"}).text.replace("nobody@gwangjin.example", "")
    assert known == unknown


def test_what_is_no_address_is_kept_and_told(anybody):
    page = anybody.post("/sign-in", {"email": "gwangjin"})
    assert page.status_code == 422
    assert 'value="gwangjin"' in page.text


def test_a_copied_cookie_dies_with_the_sign_out(host, app):
    value = host.client.get_cookie("sid", domain="127.0.0.1").value
    thief = Browser(app)
    thief.client.set_cookie("sid", value, domain="127.0.0.1")
    assert thief.get("/").status_code == 200
    host.get("/")
    assert host.post("/sign-out").headers["Location"] == "/sign-in"
    assert thief.get("/").status_code == 303
    assert host.get("/").status_code == 303


def test_a_form_sent_after_the_session_ended_is_kept_and_can_be_sent_again(host, desk, proposal):
    value = host.client.get_cookie("sid", domain="127.0.0.1").value
    host.get("/meetings/new")
    access.sign_out(desk, value)
    page = host.post("/meetings", proposal)
    assert page.status_code == 401
    assert 'target="_blank" rel="noopener"' in page.text
    kept = Page.of(page).forms[0]
    assert (kept.method, kept.action) == ("post", "/meetings")
    assert kept.inputs["agenda"] == proposal["agenda"]
    assert [value for name, value in HIDDEN.findall(page.text) if name == "city"] == proposal["city"]
    enter(host, desk)
    host.page = page.text
    sent = host.post("/meetings", dict(kept.inputs) | {"city": proposal["city"]})
    assert sent.status_code == 303
    assert "Urban regeneration" in host.get(sent.headers["Location"]).text


def test_leaving_twice_is_no_mistake(host):
    host.get("/")
    for _ in range(2):
        response = host.client.post("/sign-out", base_url=BASE, data={"csrf_token": host.token()})
        assert (response.status_code, response.headers["Location"]) == (303, "/sign-in")


def test_the_cookie_is_out_of_reach(anybody, desk):
    path = link(desk)
    anybody.get(path)
    cookies = anybody.post(path).headers.getlist("Set-Cookie")
    (mine,) = [c for c in cookies if c.startswith("sid=")]
    assert "HttpOnly" in mine
    assert "SameSite=Lax" in mine
    assert "Domain" not in mine


def test_the_language_is_the_readers_own_else_what_is_asked_for(anybody, host):
    assert '<html lang="tr">' in anybody.get("/sign-in", **{"Accept-Language": "tr-TR,en;q=0.5"}).text
    page = anybody.get("/sign-in?lang=mn", **{"Accept-Language": "tr"}).text
    assert '<html lang="mn">' in page
    assert 'action="/sign-in?lang=mn"' in page
    assert '<html lang="en">' in anybody.get("/sign-in?lang=xx").text
    assert '<html lang="ko">' in host.get("/?lang=tr").text
