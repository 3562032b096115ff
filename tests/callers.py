"""Programs and people that speak HTTP to a real server, and ask again until they are answered, as they do."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

PATIENCE = 60.0
TIMEOUT = 10.0  # for one answer


@dataclass(frozen=True)
class Heard:
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Caller:
    """Somebody who knows the server at `port`. `token` is of the API."""

    port: int
    token: str = ""
    given_up: Callable[[], bool] = lambda: False
    asked_again: int = 0

    def once(self, method: str, path: str, body: Any = None, **headers: str) -> Heard | None:
        """The answer; None when there was none, or none that could be read to its end."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        try:
            connection.request(method, path, *self._sent(body, headers))
            answer = connection.getresponse()
            return Heard(answer.status, answer.read(), dict(answer.getheaders()))
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def until_answered(self, method: str, path: str, body: Any = None, **headers: str) -> Heard:
        """The first answer that is one: not 503, which says "again, please"."""
        end = time.monotonic() + PATIENCE
        while not self.given_up():
            heard = self.once(method, path, body, **headers)
            if heard and heard.status != 503:
                return heard
            assert time.monotonic() < end, f"no answer to {method} {path}"
            self.asked_again += 1
            time.sleep(0.01)
        raise GivenUp

    def _sent(self, body: Any, headers: dict[str, str]) -> tuple[bytes | None, dict[str, str]]:
        named = {name.replace("_", "-"): value for name, value in headers.items()} | {"Connection": "close"}
        if self.token:
            named |= {"Authorization": f"Bearer {self.token}"}
        if body is None:
            return None, named
        if self.token:
            return json.dumps(body).encode(), {"Content-Type": "application/json", **named}
        return urlencode(body).encode(), {"Content-Type": "application/x-www-form-urlencoded", **named}


class GivenUp(Exception):
    """The test is over before the answer came."""
