"""What must hold on every route: headers, forms of other sites, safe methods, foreign hosts. The walks take the
application's own list of routes, so a new page is walked too."""

from __future__ import annotations

import pytest

from scheduler import access, admin
from scheduler.config import Settings
from scheduler.desk import Desk
from scheduler.web import create_app
from tests import databases
from tests.databases import Contents

from .conftest import BASE, HOST, Browser, signed_in

HEADERS = ("Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "Cross-Origin-Opener-Policy")
PUBLIC = {
    "static",
    "sign_in.ask",
    "sign_in.send",
    "sign_in.confirm",
    "sign_in.enter",
    "password_sign_in.ask",
    "password_sign_in.begin",
    "password_sign_in.ask_code",
    "password_sign_in.enter",
    "invitation.show",
    "invitation.answer",
    "mailbox.index",
    "mailbox.show",
    "mailbox.download",
    "mailbox.answer",
    "feeds.calendar",
    "health.live",
    "health.ready",
    "health.robots",
}
SENT_WITHOUT_COOKIE = {"invitation.answer"}  # the secret is in the address
MAKING = {"token": "x" * 26, "meeting_id": "7", "invitation_id": "x", "slug": "gwangjin", "filename": "style.css"}


def paths(app, meeting_path: str, method: str) -> list[tuple[str, str]]:
    """(endpoint, path) of every page with that method, once with things that exist."""
    found = []
    values = {**MAKING, "meeting_id": meeting_path.rpartition("/")[2]}
    with app.test_request_context(base_url=BASE):
        for rule in app.url_map.iter_rules():
            if method in rule.methods and rule.endpoint.partition(".")[0] != "api":
                known = {name: values.get(name, "7") for name in rule.arguments}
                found.append((rule.endpoint, app.url_for(rule.endpoint, **known)))
    return found


def contents(desk: Desk) -> Contents:
    """The whole database, but for when a session was last used, and counters against guessing."""
    return databases.contents(desk.store, without=("web_sessions", "counters", "delays"))


def assert_hardened(response) -> None:
    for name in HEADERS:
        assert name in response.headers, response.request.path
    assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
    assert "unsafe" not in response.headers["Content-Security-Policy"]


def test_every_answer_has_the_headers_errors_too(app, host, anybody, meeting_path):
    """C09."""
    for browser in (host, anybody):
        for _, path in paths(app, meeting_path, "GET"):
            assert_hardened(browser.get(path))
    for path in ("/nothing", "/meetings/0", "/meetings/99999999999999999999999"):
        response = host.get(path)
        assert response.status_code == 404
        assert_hardened(response)
    assert_hardened(host.client.post("/meetings", base_url=BASE))
    assert_hardened(host.client.get("/", base_url="http://evil.example"))


def test_pages_of_a_session_are_not_stored(host, meeting_path):
    """C12."""
    for path in ("/", "/meetings/new", meeting_path, "/calendar.ics"):
        assert host.get(path).headers["Cache-Control"] == "no-store"


def test_only_what_is_meant_to_be_public_is(app, anybody, meeting_path):
    """A01."""
    public = {
        e for e, path in paths(app, meeting_path, "GET") if anybody.get(path).headers.get("Location") != "/sign-in"
    }
    for endpoint, path in paths(app, meeting_path, "POST"):
        if endpoint != "sign_in.leave" and anybody.post(path).status_code != 401:
            public.add(endpoint)
    assert public == PUBLIC


def test_a_form_without_our_token_does_nothing(app, host, desk, meeting_path, proposal):
    """C05."""
    before = contents(desk)
    for endpoint, path in paths(app, meeting_path, "POST"):
        if endpoint not in SENT_WITHOUT_COOKIE:
            assert host.client.post(path, base_url=BASE, data=proposal).status_code == 400, path
    assert contents(desk) == before


@pytest.mark.parametrize(
    "mark", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}]
)
def test_a_form_of_another_site_does_nothing(app, host, desk, meeting_path, proposal, mark):
    """C05, C06."""
    before, token = contents(desk), host.token()
    for _, path in paths(app, meeting_path, "POST"):
        data = {**proposal, "csrf_token": token, "answer": "declined"}
        assert host.client.post(path, base_url=BASE, data=data, headers=mark).status_code == 400, path
    assert contents(desk) == before


def test_looking_changes_nothing(app, host, desk, meeting_path):
    """C07."""
    before = contents(desk)
    for method in ("GET", "HEAD", "OPTIONS"):
        for _, path in paths(app, meeting_path, "GET") + paths(app, meeting_path, "POST"):
            assert host.client.open(path, method=method, base_url=BASE, buffered=True).status_code < 500, path
    assert contents(desk) == before


def test_a_foreign_host_gets_nothing_and_no_mail(anybody, desk):
    """C10."""
    before, token = contents(desk), anybody.token()
    for headers in ({"Host": "evil.example"}, {"Host": "127.0.0.1:8000.evil.example"}):
        response = anybody.client.post("/sign-in", data={"email": HOST, "csrf_token": token}, headers=headers)
        assert response.status_code == 400
    assert contents(desk) == before


def test_mailed_links_begin_with_our_own_address(anybody, desk):
    """C10."""
    token = anybody.token()
    headers = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "Forwarded": "host=evil.example"}
    data = {"email": HOST, "csrf_token": token}
    assert anybody.client.post("/sign-in", base_url=BASE, data=data, headers=headers).status_code == 200
    dump = "\n".join(contents(desk))
    assert "evil.example" not in dump


@pytest.mark.parametrize("target", ["//evil.example", "/\t/evil.example", "https:evil.example", "\\\\evil.example"])
def test_redirects_lead_to_our_own_pages(anybody, host, target):
    """C08."""
    for name in ("next", "lang", "url", "said"):
        assert "evil" not in anybody.client.get("/", query_string={name: target}, base_url=BASE).headers["Location"]
    assert "evil" not in host.post("/sign-out?next=" + target).headers["Location"]


def test_a_failure_shows_an_id_and_nothing_else(app, host, monkeypatch, caplog):
    """C14."""

    def fail(*_args):
        raise RuntimeError("SELECT secret FROM token")

    monkeypatch.setattr("scheduler.meetings.listing", fail)
    response = host.get("/")
    assert response.status_code == 500
    assert "secret" not in response.text
    (logged,) = [r for r in caplog.records if r.name == "scheduler.web.failures"]
    assert logged.args[0] in response.text


def test_too_large_a_form_is_refused_with_a_page(host):
    response = host.client.post("/meetings", base_url=BASE, data={"title": "x" * 6_000_000})
    assert response.status_code == 413
    assert "<h1>" in response.text


def test_https_makes_host_cookies_and_hsts(settings: Settings, desk):
    server = settings.server.model_copy(update={"base_url": "https://meet.gwangjin.example"})
    secure = Desk(settings.model_copy(update={"server": server}), desk.store, desk.key, desk.clock)
    browser = Browser(create_app(desk=secure), "https://meet.gwangjin.example")
    response = browser.get("/sign-in")
    assert response.headers["Strict-Transport-Security"].startswith("max-age=31536000")

    path = access.new_sign_in_link(secure, HOST).removeprefix("https://meet.gwangjin.example")
    browser.get(path)
    cookies = browser.post(path).headers.getlist("Set-Cookie")
    for cookie in cookies:
        assert cookie.startswith("__Host-")
        assert "Secure" in cookie
        assert "Path=/" in cookie
    assert browser.get("/").status_code == 200


def test_a_disabled_person_is_out_at_once(app, desk, host):

    admin.disable_person(desk, HOST, "operator@gwangjin.example")
    assert host.get("/").status_code == 303


def test_two_people_do_not_share_a_browser(app, desk):
    """A07."""
    first = signed_in(app, desk, HOST)
    second = Browser(app)
    assert first.get("/").status_code == 200
    assert second.get("/").status_code == 303
