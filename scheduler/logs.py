"""The log of the processes that stay: one JSON object a line on standard error, in UTC.

`event` is a fixed text with ids in it, `request` the id that stands in the answer's X-Request-ID. Nothing that a person
or a program sent goes into a line, but should it ever (the text of an exception may quote anything), whatever looks
like an address or a token is masked, and line ends and control characters are written as JSON escapes.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

request_id: ContextVar[str] = ContextVar("request_id", default="")

_ADDRESS = re.compile(r"[^\s@<>\"'(),;:\\\[\]]+@[^\s@<>\"'(),;:\\\[\]]+")
_TOKEN = re.compile(r"[A-Za-z2-7]{26,}")  # base32; ids of ours are shorter or have other digits
_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def to_stderr(stream: TextIO | None = None) -> None:
    """From now on everything of this process is logged as JSON lines."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.captureWarnings(True)
    for noisy in ("waitress", "alembic", "imapclient"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def to_stderr_by_default() -> None:
    """The same, unless somebody has decided otherwise for this process."""
    if not logging.getLogger().handlers:
        to_stderr()


class JsonLines(logging.Formatter):
    """A record as one line. What stands in `extra` becomes members of the object."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "time": moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": masked(record.getMessage()),
        }
        if request_id.get():
            line["request"] = request_id.get()
        line |= {name: _plain(value) for name, value in record.__dict__.items() if name not in _OWN}
        if record.exc_info:
            line["trace"] = masked(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=True)  # ASCII: no terminal and no viewer is led astray


def _plain(value: object) -> object:
    return value if isinstance(value, int | float | bool) or value is None else masked(str(value))


def masked(text: str) -> str:
    """`text` without what looks like a mail address or a token."""
    return _TOKEN.sub("…", _ADDRESS.sub("…@…", text))
