"""Templates of mail: one folder per kind under templates/mail, with a subject, a plain text and an HTML text.

HTML templates are always escaped, text templates never: a subject line is no HTML. In a template `t(key, ...)` is a
sentence of the reader's language, and `bdi(text)` (HTML only) a text of others set apart, so that its writing
direction cannot reach the words around it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.runtime import Context
from markupsafe import Markup, escape

from scheduler import i18n
from scheduler.core.words import clean_line
from scheduler.paths import TEMPLATES

SUBJECT_LIMIT = 120  # characters


class Rendered(NamedTuple):
    subject: str
    plain: str
    html: str


def render(kind: str, language: str, context: Mapping[str, Any]) -> Rendered:
    """The mail of this kind; `context["title"]` is shortened in the subject where that would be too long."""
    subject = _template(language, f"{kind}/subject.txt")
    plain = _template(language, f"{kind}/body.txt").render(context)
    return Rendered(
        subject=_fitted(lambda title: clean_line(subject.render(context, title=title)), context["title"]),
        plain=re.sub(r"\n{3,}", "\n\n", plain.replace("\r\n", "\n")).strip(),
        html=_template(language, f"{kind}/body.html").render(context),
    )


def _fitted(line: Callable[[str], str], title: str) -> str:
    """The line with its title cut as far as needed, at the end of the line if that is not enough."""
    whole = line(title)
    excess = len(whole) - SUBJECT_LIMIT
    if excess <= 0:
        return whole
    return line(title[: max(0, len(title) - excess - 1)].rstrip() + "…")[:SUBJECT_LIMIT]


def _isolated(text: str) -> Markup:
    return Markup(f"<bdi>{escape(text)}</bdi>")


# Found once per process: the lookup in Jinja's own cache asks the file system each time.
@cache
def _template(language: str, name: str) -> Any:
    return _environment(language, name.endswith(".html")).get_template(name)


class PlainContext(Context):
    """Calls what a template calls as it is. Jinja's own looks first, some eighty times in a mail, whether the function
    wants to know the template's state; ours never do."""

    def call(
        self, called: Callable[..., Any], /, *args: Any, _loop_vars: Any = None, _block_vars: Any = None, **named: Any
    ) -> Any:
        return called(*args, **named)


class _Environment(Environment):
    context_class = PlainContext


# What depends on the language alone stands in the environment, so that the shared macros are made once.
@cache
def _environment(language: str, is_html: bool) -> Environment:
    environment = _Environment(
        loader=FileSystemLoader(TEMPLATES / "mail"),
        autoescape=is_html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    say = partial(i18n.html if is_html else i18n.text, language)
    environment.globals.update({"language": language, "t": say, "bdi": _isolated})
    return environment
