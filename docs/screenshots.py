"""Takes the pictures of the README: starts the demonstration in a folder of its own and drives Chromium through it.

Run by `make screenshots`; needs Debian's chromium and fonts-noto-cjk.
"""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

IMAGES = Path(__file__).parent / "images"
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        command = [sys.executable, "-m", "scheduler", "demo", "--dir", folder, "--port", str(port)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as demo:
            try:
                assert demo.stdout is not None
                found = next(m for line in demo.stdout if (m := re.search(r"(http://\S+)/sign-in/\S+", line)))
                with sync_playwright() as playwright:
                    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
                    browser = playwright.chromium.launch(executable_path=BROWSER, args=arguments)
                    take(browser, found[1], found[0])
            finally:
                demo.send_signal(signal.SIGTERM)
                demo.wait()


def take(browser: Browser, base: str, link: str) -> None:
    """The slots of a proposal, and the meeting after two answers."""
    IMAGES.mkdir(exist_ok=True)
    page = browser.new_context(viewport={"width": 1000, "height": 900}).new_page()
    page.goto(link)
    page.locator("main button").click()
    page.goto(base + "/settings")
    page.locator("[name=language]").select_option("en")
    page.locator("form[action$='/settings/language'] button").click()
    propose(page, base)
    page.locator("input[type=radio][name=start]:not([value=typed])").nth(2).check()
    page.locator("#when").screenshot(path=IMAGES / "slots.png")
    page.locator("main .actions button").click()
    page.wait_for_url(re.compile(r"/meetings/\d+"))
    meeting = page.url.split("?")[0]
    for address, answer in (("demo@ulaanbaatar.example", "accepted"), ("demo@eregli.example", "tentative")):
        answer_by_mail(page, base, address, answer)
    page.goto(meeting)
    page.locator("main").screenshot(path=IMAGES / "meeting.png")


def propose(page: Page, base: str) -> None:
    page.goto(base + "/meetings/new")
    page.locator("[name=field]").select_option(index=1)
    page.locator("[name=title]").fill("Urban regeneration: what three cities learned")
    for city in ("ulaanbaatar", "eregli"):
        page.locator(f"[name=city][value={city}]").check()
    for name, city, language, row in (
        ("Urban Planning Desk", "ulaanbaatar", "mn", 1),
        ("International Relations Desk", "eregli", "tr", 2),
    ):
        page.locator(f"[name=new-{row}-name]").fill(name)
        page.locator(f"[name=new-{row}-email]").fill(f"demo@{city}.example")
        page.locator(f"[name=new-{row}-city]").select_option(city)
        page.locator(f"[name=new-{row}-language]").select_option(language)
    first = next_lunar_new_year() - timedelta(days=1)
    page.locator("[name=from]").fill(first.isoformat())
    page.locator("[name=to]").fill((first + timedelta(days=4)).isoformat())
    page.locator("[name=duration]").fill("120")
    page.locator("[name=video-url]").fill("https://video.example.org/three-cities")
    page.locator("button[formaction*='/meetings/slots']").click()


def next_lunar_new_year() -> date:
    """A date around which at least one city is closed, so that the picture shows a reason."""
    from scheduler import public_holidays

    today = datetime.now(UTC).date()
    days = public_holidays.closures("KR", (today.year, today.year + 1))
    named = [day for day, closure in sorted(days.items()) if "Korean New Year" in closure.name.read_in("en")]
    return next(day for day in named if day > today + timedelta(days=14))


def answer_by_mail(page: Page, base: str, address: str, answer: str) -> None:
    for _ in range(60):
        page.goto(base + "/mailbox")
        if page.get_by_text(address).count():
            break
        page.wait_for_timeout(250)
    page.locator(f"main :is(tr, li):has-text('{address}') a").first.click()
    page.locator(f"button[name=answer][value={answer}]").click()
    page.wait_for_load_state()


if __name__ == "__main__":
    main()
