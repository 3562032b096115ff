"""What became of an inbound mail, as a sentence in the reader's language."""

from __future__ import annotations

import re

from scheduler import i18n
from scheduler.web.reader import language, sentence


def outcome(code: str) -> str:
    """The word `receive` prints (such as `ignored-stale`), said for people."""
    key = f"words.outcome.{code}"
    return sentence(key) if i18n.has(language(), key) else ""


def reason(text: str) -> str:
    """Why it came to this. Reasons are kept as they were found, in English; the frequent ones we say in every language,
    a technical one (such as `METHOD:COUNTER`) stands as it is."""
    key = "pages.review.reason." + re.sub("[^a-z]+", "-", text.lower()).strip("-")
    return sentence(key) if i18n.has(language(), key) else text
