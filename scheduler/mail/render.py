"""Templates of mail: one folder per kind under templates/mail, with a subject, a plain text and an HTML text.

HTML templates are always escaped, text templates never: a subject line is no HTML. In a template `t(key, ...)` is a
sentence of the reader's language, and `bdi(text)` (HTML only) a text of others set apart, so that its writing
direction cannot reach the words around it.

The mails about one meeting differ in little more than texts, so their templates are rendered once for each shape of
what they tell (which facts there are, how many cities, what decides about the wording), with a mark in the place of
each text; a mail is that form with its own texts in the places.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.runtime import Context
from markupsafe import Markup, escape

from scheduler import i18n
from scheduler.core.words import clean_line, clean_text, without_control
from scheduler.paths import TEMPLATES

SUBJECT_LIMIT = 120  # characters
_GAPS = re.compile(r"\n{3,}")


class Rendered(NamedTuple):
    subject: str
    plain: str
    html: str


def render(kind: str, language: str, context: Mapping[str, Any]) -> Rendered:
    """The mail of this kind; `context["title"]` is shortened in the subject where that would be too long."""
    subject = _template(language, f"{kind}/subject.txt")
    plain = clean_text(_template(language, f"{kind}/body.txt").render(context))
    html = clean_text(_template(language, f"{kind}/body.html").render(context))
    whole = _subject(lambda title: subject.render(context, title=title), context["title"])
    return Rendered(whole, _without_gaps(plain), html)


def filled(kind: str, language: str, context: Mapping[str, Any]) -> Rendered:
    """As `render`, from the form of all mails of this shape. `context` holds only texts, numbers, and tuples and
    frozen dataclasses of them; templates may ask of its texts whether they are empty, and of those in _DECIDING all."""
    texts: list[str] = []
    shape = tuple([(name, _shape(name, value, texts)) for name, value in context.items()])
    form = _form(kind, language, shape)
    escaped = str(escape("\0".join(texts))).split("\0")  # clean texts hold no NUL

    def subject(title: str) -> str:
        return form.subject.filled([title if place == form.title else text for place, text in enumerate(texts)])

    return Rendered(_subject(subject, context["title"]), form.plain.filled(texts), form.html.filled(escaped))


def _subject(form: Callable[[str], str], title: str) -> str:
    """The line with its title cut as far as needed, at the end of the line if that is not enough."""
    whole = clean_line(form(title))
    excess = len(whole) - SUBJECT_LIMIT
    if excess <= 0:
        return whole
    return clean_line(form(title[: max(0, len(title) - excess - 1)].rstrip() + "…"))[:SUBJECT_LIMIT]


def _without_gaps(plain: str) -> str:
    """At most one empty line between two others."""
    return _GAPS.sub("\n\n", plain).strip()


# --- forms

_DECIDING = frozenset({"role", "status", "what"})  # templates choose words by what they say
_MARK = 0xF0000  # the first of two planes of characters for private use: one for each line of text in a mail
_LINE = "line"  # stands in a shape for any
_MARKS = re.compile("([\U000f0000-\U0010ffff])")


@dataclass(frozen=True, slots=True)
class _Text:
    """What a template made of marks: what stands between them, and which text stands in each place."""

    between: tuple[str, ...]
    places: tuple[int, ...]

    @classmethod
    def of(cls, rendered: str) -> _Text:
        pieces = _MARKS.split(rendered)
        return cls(tuple(pieces[::2]), tuple(ord(mark) - _MARK for mark in pieces[1::2]))

    def filled(self, texts: Sequence[str]) -> str:
        pieces = [""] * (2 * len(self.places) + 1)
        pieces[::2] = self.between
        pieces[1::2] = [texts[place] for place in self.places]
        return "".join(pieces)


class _Form(NamedTuple):
    subject: _Text
    plain: _Text
    html: _Text
    title: int  # its place among the texts; -1: there is none


@lru_cache(maxsize=256)
def _form(kind: str, language: str, shape: tuple[tuple[str, Any], ...]) -> _Form:
    marks = (chr(place) for place in range(_MARK, sys.maxunicode + 1))
    context = {name: _marked(value, marks) for name, value in shape}
    title = ord(context["title"]) - _MARK if context["title"] else -1
    subject, plain, html = (
        _template(language, f"{kind}/{name}").render(context) for name in ("subject.txt", "body.txt", "body.html")
    )
    return _Form(_Text.of(subject), _Text.of(_without_gaps(plain)), _Text.of(html.strip()), title)


def _shape(name: str, value: Any, texts: list[str]) -> Any:
    """What is left of `value` when its texts are taken out, line by line, and added to `texts`; something to know it
    by in a dictionary."""
    if isinstance(value, str):
        if not value or name in _DECIDING:
            return value
        value = without_control(value)
        lines = [value] if name == "title" else value.split("\n")  # a title is one line, or shall be
        texts += filter(None, lines)
        return tuple([line and _LINE for line in lines])
    if isinstance(value, tuple):
        return (tuple, *[_shape(name, part, texts) for part in value])
    if names := getattr(value, "__dataclass_fields__", None):
        return (type(value), *[_shape(field, getattr(value, field), texts) for field in names])
    return value


def _marked(shape: Any, marks: Iterator[str]) -> Any:
    """The value of that shape, with a mark in the place of each text."""
    if not isinstance(shape, tuple):
        return shape
    if not isinstance(shape[0], type):
        return "\n".join([next(marks) if line else "" for line in shape])
    parts = [_marked(part, marks) for part in shape[1:]]
    return tuple(parts) if shape[0] is tuple else shape[0](*parts)


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
