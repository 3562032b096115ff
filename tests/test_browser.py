"""The main job in a real browser, without JavaScript: sign in, find a slot, invite, be answered, move, cancel."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

BROWSER = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The demonstration as a new user starts it: its address and the sign-in link it prints."""
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "scheduler", "demo", "--dir", str(folder), "--port", str(_free_port())]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=Path(__file__).parents[1]
        ) as process,
    ):
        link = ""
        assert process.stdout is not None
        for line in process.stdout:
            found = re.search(r"(http://\S+)/sign-in/\S+", line)
            if found:
                link = found[0]
                break
        try:
            assert link, (folder / "log").read_text()
            yield link.split("/sign-in/")[0], link
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _free_port() -> int:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _weekday_ahead(days: int) -> date:
    """A Wednesday or so, at least `days` ahead."""
    day = date.today() + timedelta(days=days)  # noqa: DTZ011 - the demonstration runs on the real clock
    return day + timedelta(days=(2 - day.weekday()) % 7)


@pytest.mark.skipif(not BROWSER and not os.environ.get("CI"), reason="no Chromium is installed (Debian: chromium)")
def test_the_main_job(demo: tuple[str, str]) -> None:
    from playwright.sync_api import expect, sync_playwright

    base, link = demo
    since = _weekday_ahead(20)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=BROWSER,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
        )
        context = browser.new_context(java_script_enabled=False, viewport={"width": 360, "height": 800})
        page = context.new_page()

        page.goto(link)
        page.locator("main button").click()
        expect(page).to_have_url(base + "/")

        page.goto(base + "/meetings/new")
        page.locator("[name=field]").select_option(index=1)
        page.locator("[name=title]").fill("도시재생 화상회의 <b>")
        for city in ("ulaanbaatar", "eregli"):
            page.locator(f"[name=city][value={city}]").check()
        for number, (name, city, language) in enumerate(
            (("Desk A", "ulaanbaatar", "mn"), ("Desk B", "eregli", "tr")), 1
        ):
            page.locator(f"[name=new-{number}-name]").fill(name)
            page.locator(f"[name=new-{number}-email]").fill(f"desk-{number}@{city}.example")
            page.locator(f"[name=new-{number}-city]").select_option(city)
            page.locator(f"[name=new-{number}-language]").select_option(language)
        page.locator("[name=from]").fill(since.isoformat())
        page.locator("[name=to]").fill((since + timedelta(days=13)).isoformat())
        page.locator("[name=video-url]").fill("https://video.example.org/room")
        page.locator("button[formaction*='/meetings/slots']").click()
        assert page.locator("[name=title]").input_value() == "도시재생 화상회의 <b>"
        for picture in page.locator("details:has(> summary + svg.strips)").all():
            picture.locator("summary").click()
        assert page.evaluate("document.documentElement.scrollWidth") == 360  # no picture is wider than a telephone
        page.locator("input[type=radio][name=start]:not([value=typed])").first.check()
        page.locator("button[formaction$='/meetings']").click()
        expect(page).to_have_url(re.compile(base + r"/meetings/\d+"))
        expect(page.locator("h1")).to_have_text("도시재생 화상회의 <b>")
        meeting = page.url.split("?")[0]

        # The worker hands the mails over within a second or two; the mailbox page shows them.
        mailbox = context.new_page()
        for number, answer in ((1, "accepted"), (2, "declined")):
            address = f"desk-{number}@"
            expect(_reloaded(mailbox, base + "/mailbox", address)).to_be_visible()
            mailbox.locator(f"main :is(tr, li):has-text('{address}') a").first.click()
            mailbox.locator(f"button[name=answer][value={answer}]").click()
            mailbox.wait_for_load_state()
        page.goto(meeting)
        rows = page.locator("section[aria-labelledby=people] tbody tr")
        expect(rows.filter(has_text="Desk A").locator("[class*=accepted]")).to_have_count(1)
        expect(rows.filter(has_text="Desk B").locator("[class*=declined]")).to_have_count(1)

        page.goto(meeting + "/edit")
        page.locator("[name=duration]").fill("45")
        page.locator("main .actions button").click()
        expect(page).to_have_url(re.compile(re.escape(meeting)))
        page.goto(meeting)
        expect(rows.filter(has_text="Desk A").locator("[class*=waiting]")).to_have_count(1)

        page.goto(meeting + "/cancellation")
        page.locator("[name=reason]").fill("행사 취소")
        page.locator("form[action$=cancellation] button").click()
        page.goto(meeting)
        expect(page.locator("main")).to_contain_text("행사 취소")
        browser.close()


def _reloaded(page: object, url: str, text: str) -> object:
    """The page's place with `text`, asked for again until it is there (no more than 60 times)."""
    for _ in range(60):
        page.goto(url)  # type: ignore[attr-defined]
        if page.get_by_text(text).count():  # type: ignore[attr-defined]
            break
        page.wait_for_timeout(250)  # type: ignore[attr-defined]
    return page.get_by_text(text).first  # type: ignore[attr-defined]
