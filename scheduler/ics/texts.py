"""Texts on their way into a calendar, cleaned here again, whoever wrote them."""

from __future__ import annotations

from scheduler.core.words import clean_line, clean_text

PARAMETER_LENGTH = 200


def one_line(text: str) -> str:
    return clean_line(text)


def plain_text(text: str) -> str:
    return clean_text(text)


def uri(text: str) -> str:
    return "".join(plain_text(text).split())


def parameter(text: str) -> str:
    """A parameter's value, with the two characters replaced that readers disagree about.

    A straight quotation mark cannot stand in one, and its RFC 6868 form is shown as it is by many; a backslash means
    nothing there, but some take it as an escape, and the next parameter with it.
    """
    return one_line(text).replace('"', "”").replace("\\", "/")[:PARAMETER_LENGTH]


def mail_address(email: str) -> str:
    """The address with its domain as an A-label (RFC 5890); the local part keeps its case."""
    local, _, domain = uri(email).rpartition("@")
    if domain.isascii():
        return f"{local}@{domain}"
    try:
        return f"{local}@{domain.encode('idna').decode('ascii')}"
    except UnicodeError:
        return f"{local}@{domain}"
