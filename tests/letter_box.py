"""A mailbox on a real IMAP server (pymap), a process of its own; each test has a folder of its own in it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from urllib.parse import quote

from imapclient import DELETED, SEEN, IMAPClient

from scheduler.config import Inbox, Settings
from tests.house import NOW
from tests.ports import free_port

USER, PASSWORD = "answers@cities.example", 'pass" word\\%'
STARTED_WITHIN = 30.0
_number = count(1)


@dataclass(frozen=True)
class Server:
    port: int

    def box(self, name: str = "") -> LetterBox:
        """A new, empty folder."""
        folder = name or f"box-{next(_number)}"
        with self.client() as client:
            client.create_folder(folder)
        return LetterBox(self, folder)

    @contextmanager
    def client(self) -> Iterator[IMAPClient]:
        client = IMAPClient("127.0.0.1", self.port, ssl=False, timeout=STARTED_WITHIN)
        client.normalise_times = False
        quoted = '"' + USER.replace('"', '\\"') + '"'
        client.login(quoted, PASSWORD)
        yield client
        client.logout()


@dataclass(frozen=True)
class LetterBox:
    server: Server
    folder: str

    def put(self, *mails: bytes, at: datetime = NOW) -> None:
        """Delivers mails that arrive `at`."""
        with self.server.client() as client:
            for raw in mails:
                client.append(self.folder, raw, msg_time=at)

    def uids(self) -> list[int]:
        with self._opened() as client:
            return [int(uid) for uid in client.search("ALL")]

    def seen(self) -> list[int]:
        with self._opened() as client:
            return [int(uid) for uid in client.search("SEEN")]

    def mark_seen(self) -> None:
        """As another mail program does."""
        with self._opened() as client:
            client.add_flags(client.search("ALL"), [SEEN])

    def delete(self, *uids: int) -> None:
        with self._opened() as client:
            client.add_flags(list(uids), [DELETED])
            client.expunge()

    def renumber(self) -> None:
        """The same messages, all with new numbers and another UIDVALIDITY, as after a restored backup."""
        with self._opened() as client:
            uids = client.search("ALL")
            found = client.fetch(uids, ["BODY.PEEK[]", "INTERNALDATE"])
            client.unselect_folder() if client.has_capability("UNSELECT") else client.close_folder()
            client.delete_folder(self.folder)
            client.create_folder(self.folder)
            for uid in uids:
                client.append(self.folder, found[uid][b"BODY[]"], msg_time=found[uid][b"INTERNALDATE"])

    @contextmanager
    def _opened(self) -> Iterator[IMAPClient]:
        with self.server.client() as client:
            client.select_folder(self.folder)
            yield client


@contextmanager
def started() -> Iterator[Server]:
    port = free_port()
    program = (  # one round of hashing passwords is enough here; the usual half a million take a third of a second
        "import sys; from pysasl.hashing import BuiltinHash; BuiltinHash.__init__.__kwdefaults__['rounds'] = 1;"
        "from pymap.main import main; sys.exit(main())"
    )
    listen = ["--host", "127.0.0.1", "--port", str(port), "--no-tls"]
    account = ["dict", "--demo-data", "--demo-user", USER, "--demo-password", PASSWORD]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([sys.executable, "-c", program, *listen, *account], **quiet)  # type: ignore[call-overload]
    try:
        _wait_for(port, process)
        yield Server(port)
    finally:
        process.kill()
        process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + STARTED_WITHIN
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert process.poll() is None, "the IMAP server ended"
            assert time.monotonic() < end, "the IMAP server does not start"
            time.sleep(0.05)


def polling(settings: Settings, port: int, folder: str = "INBOX", **changes: object) -> Settings:
    """The settings of an installation whose mailbox is on the server at `port` of this machine."""
    user, password = quote(USER, safe=""), quote(PASSWORD, safe="")
    url = f"imap://{user}:{password}@127.0.0.1:{port}/{quote(folder, safe='')}"
    return settings.model_copy(update={"inbox": Inbox(imap_url=url, **changes)})  # type: ignore[arg-type]
