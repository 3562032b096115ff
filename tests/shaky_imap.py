"""An IMAP server that fails as it is told, at the verb it is told; otherwise it does what IMAP4rev1 asks of it.

It knows just the commands that a poller needs. Its messages can change under the poller's hands.
"""

from __future__ import annotations

import re
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.house import NOW

# What a command can be met with, instead of its answer.
FAULTS = ("drop", "bye", "no", "bad", "garbage", "half", "lost answer", "silence")
# What the text of a message can be announced with.
LIES = ("too short", "too long", "enormous", "nothing")
VERBS = ("greeting", "CAPABILITY", "LOGIN", "SELECT", "SEARCH", "SIZES", "BODY", "STORE", "LOGOUT")


class _Gone(Exception):
    """The connection ends here."""


@dataclass
class Letter:
    raw: bytes
    arrived: datetime = NOW
    flags: set[str] = field(default_factory=set)


@dataclass
class Shaky:
    """`fault` is asked before each command with its verb and, for a body, its UID; "" means: do as you are asked."""

    fault: Callable[[str, int], str] = lambda verb, uid: ""
    letters: dict[int, Letter] = field(default_factory=dict)
    uidvalidity: int = 7
    next_uid: int = 1
    says_next: bool = True
    port: int = 0
    asked: list[str] = field(default_factory=list)  # the verbs, in the order in which they came
    hidden: set[int] = field(default_factory=set)  # of messages that are there and not yet shown

    def put(self, *mails: bytes, at: datetime = NOW, uid: int = 0) -> None:
        for raw in mails:
            self.next_uid = max(self.next_uid, uid)
            self.letters[self.next_uid] = Letter(raw, at)
            self.next_uid += 1

    def renumber(self) -> None:
        self.uidvalidity += 1
        letters = [self.letters[uid] for uid in sorted(self.letters)]
        self.letters = {new: Letter(old.raw, old.arrived) for new, old in enumerate(letters, 1)}
        self.next_uid = len(letters) + 1

    def seen(self) -> list[int]:
        return sorted(uid for uid, letter in self.letters.items() if "\\Seen" in letter.flags)

    def shown(self) -> list[int]:
        return sorted(self.letters.keys() - self.hidden)


def at(verb: str, fault: str, times: int = 1, uid: int = 0) -> Callable[[str, int], str]:
    """A fault that comes `times` times at `verb` (for one message, if `uid` is given), then never again."""
    left = [times]

    def ask(asked: str, about: int) -> str:
        if asked != verb or (uid and uid != about) or not left[0]:
            return ""
        left[0] -= 1
        return fault

    return ask


@contextmanager
def opened(box: Shaky) -> Iterator[Shaky]:
    class Handler(_Handler):
        shaky = box

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            raise AssertionError  # shown by pytest as an exception of a thread

    with Server(("127.0.0.1", 0), Handler) as server:
        box.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield box
        finally:
            server.shutdown()
            thread.join()


class _Handler(socketserver.StreamRequestHandler):
    shaky: Shaky

    def handle(self) -> None:
        with suppress(_Gone, OSError):
            self._meet("greeting", 0, "", lambda: [b"* OK IMAP4rev1 at your service"])
            while line := self.rfile.readline():
                self._command(line.decode("utf-8").strip())

    def _command(self, line: str) -> None:
        tag, _, rest = line.partition(" ")
        words = rest.split(" ", 1)
        name, arguments = words[0].upper(), words[1] if len(words) > 1 else ""
        if name == "UID":
            name, _, arguments = arguments.partition(" ")
        answer: Callable[[], list[bytes]] = {
            "CAPABILITY": lambda: [b"* CAPABILITY IMAP4rev1"],
            "LOGIN": list,
            "SELECT": self._select,
            "SEARCH": lambda: self._search(arguments),
            "FETCH": lambda: self._fetch(arguments),
            "STORE": lambda: self._store(arguments),
            "LOGOUT": lambda: [b"* BYE until next time"],
        }[name]
        verb = {"FETCH": "BODY" if "BODY" in arguments else "SIZES"}.get(name, name)
        number = re.match(r"\d+", arguments)
        self._meet(verb, int(number[0]) if number else 0, tag, answer)
        if name == "LOGOUT":
            raise _Gone

    def _meet(self, verb: str, uid: int, tag: str, answer: Callable[[], list[bytes]]) -> None:
        self.shaky.asked.append(verb)
        fault = self.shaky.fault(verb, uid)
        if fault == "drop":
            raise _Gone
        if fault == "bye":
            self._say(b"* BYE the server goes down")
            raise _Gone
        if fault in ("no", "bad"):
            self._say(f"{tag or '*'} {fault.upper()} not now".encode())
            return
        if fault == "garbage":
            self._say(b"\xff\x00 HTTP/1.1 418 I'm a teapot (((")
            return
        if fault == "silence":
            self.rfile.readline()  # until the other side has had enough
            raise _Gone
        lines = answer() if fault not in LIES else self._lie(uid, fault)
        if fault == "lost answer":
            raise _Gone
        if tag:
            lines.append(f"{tag} OK done".encode())
        whole = b"\r\n".join(lines) + b"\r\n"
        self.wfile.write(whole[: len(whole) // 2] if fault == "half" else whole)
        if fault == "half":
            raise _Gone

    def _say(self, line: bytes) -> None:
        self.wfile.write(line + b"\r\n")

    def _select(self) -> list[bytes]:
        box = self.shaky
        lines = [f"* {len(box.shown())} EXISTS".encode(), b"* 0 RECENT", rb"* FLAGS (\Seen)"]
        lines.append(f"* OK [UIDVALIDITY {box.uidvalidity}] stable".encode())
        return [*lines, f"* OK [UIDNEXT {box.next_uid}] next".encode()] if box.says_next else lines

    def _search(self, criteria: str) -> list[bytes]:
        words = criteria.split()
        found = self._named(words[-1])
        return [("* SEARCH " + " ".join(map(str, found))).rstrip().encode()]

    def _named(self, numbers: str) -> list[int]:
        shown = self.shaky.shown()
        found: set[int] = set()
        for part in numbers.split(","):
            low, _, high = part.partition(":")
            last = max(shown, default=0)
            ends = sorted(last if end == "*" else int(end) for end in (low, high or low))
            found |= {uid for uid in shown if ends[0] <= uid <= ends[1]}
        return sorted(found)

    def _fetch(self, arguments: str) -> list[bytes]:
        numbers, _, items = arguments.partition(" ")
        lines = []
        for uid in self._named(numbers):
            letter = self.shaky.letters[uid]
            head = f"* {self.shaky.shown().index(uid) + 1} FETCH (UID {uid} "
            if "BODY" not in items:
                date = f"{letter.arrived:%d-%b-%Y %H:%M:%S} +0000"
                lines.append(f'{head}RFC822.SIZE {len(letter.raw)} INTERNALDATE "{date}")'.encode())
                continue
            part = re.search(r"<0\.(\d+)>", items)
            raw, name = (letter.raw[: int(part[1])], "BODY[]<0>") if part else (letter.raw, "BODY[]")
            lines.append(f"{head}{name} {{{len(raw)}}}\r\n".encode() + raw + b")")
        return lines

    def _lie(self, uid: int, lie: str) -> list[bytes]:
        raw = self.shaky.letters[uid].raw
        size = {"too short": len(raw) // 2, "too long": len(raw) + 1_000, "enormous": 2**32 - 1, "nothing": 0}[lie]
        head = f"* 1 FETCH (UID {uid} BODY[] "
        if lie == "nothing":
            return [f"{head}NIL)".encode()]
        return [f"{head}{{{size}}}\r\n".encode() + raw + b")"]

    def _store(self, arguments: str) -> list[bytes]:
        for uid in self._named(arguments.split()[0]):
            self.shaky.letters[uid].flags.add("\\Seen")
        return []
