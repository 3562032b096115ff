"""People who get the invitations: some answer from their mail program, now and then twice, some by their link."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage

from tests.callers import Caller, GivenUp
from tests.house import answer_mail, calendar_of, parsed
from tests.post_office import Arrival, PostOffice
from tests.shaky_imap import Shaky

ANSWERS = {"accepted": "ACCEPTED", "tentative": "TENTATIVE", "declined": "DECLINED"}


@dataclass
class Guests:
    office: PostOffice
    box: Shaky
    caller: Caller
    chance: random.Random
    clock: Callable[[], datetime]
    by_mail: list[str] = field(default_factory=list)  # the comments of the answers
    recorded: list[tuple[str, str]] = field(default_factory=list)  # comment and answer of what the page said it has

    def run(self) -> None:
        """Looks at every third mail that arrives."""
        seen = 0
        with suppress(GivenUp):
            while not self.caller.given_up():
                if seen < len(self.office.arrived):
                    if seen % 3 == 0:
                        self._answer(self.office.arrived[seen], f"answer no. {seen}.")
                    seen += 1
                else:
                    time.sleep(0.005)

    def _answer(self, arrival: Arrival, comment: str) -> None:
        mail = parsed(arrival.content)
        link = _link_of(mail)
        answer = self.chance.choice(list(ANSWERS))
        if link is None or b"METHOD:REQUEST" not in calendar_of(mail):
            return
        if self.chance.random() < 0.6:
            self._by_mail(mail, answer, comment)
        else:
            self._by_link(link, answer, comment)

    def _by_mail(self, mail: EmailMessage, answer: str, comment: str) -> None:
        raw = answer_mail(mail, ANSWERS[answer], comment, self.clock())
        self.box.put(*[raw] * (2 if self.chance.random() < 0.2 else 1), at=self.clock())
        self.by_mail.append(comment)

    def _by_link(self, link: str, answer: str, comment: str) -> None:
        """Pressing the button again until a page comes; cancelled or moved meanwhile is an answer too."""
        heard = self.caller.until_answered("POST", f"{link}/answer", {"answer": answer, "comment": comment})
        assert heard.status in (303, 404, 409), heard
        if heard.status == 303:
            self.recorded.append((comment, answer))


def _link_of(mail: EmailMessage) -> str | None:
    body = mail.get_body(("plain",))
    found = re.search(r"https?://[^/\s]+(/i/\w+)", body.get_content() if body else "")
    return found[1] if found else None
