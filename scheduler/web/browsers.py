"""A browser in plain words, such as "Firefox, Linux", from what it says of itself. Only these words are ever kept."""

from __future__ import annotations

# The first mark that is there decides: most browsers claim to be others too.
_BROWSERS = (
    ("Edg", "Edge"), ("OPR/", "Opera"), ("Whale/", "Whale"), ("SamsungBrowser/", "Samsung Internet"),
    ("YaBrowser/", "Yandex"), ("Firefox/", "Firefox"), ("FxiOS/", "Firefox"), ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"), ("Chrome/", "Chrome"), ("Safari/", "Safari"),
)  # fmt: skip
_SYSTEMS = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("CrOS", "ChromeOS"),
    ("Macintosh", "macOS"), ("Linux", "Linux"),
)  # fmt: skip


def label(user_agent: str) -> str:
    """Empty when it is none that we know."""
    found = (next((name for mark, name in marks if mark in user_agent), "") for marks in (_BROWSERS, _SYSTEMS))
    return ", ".join(name for name in found if name)
