"""The package as it is installed elsewhere: everything that is not code lies in the wheel too."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]

USE = """
import sys, threading
from pathlib import Path
import scheduler
assert Path(scheduler.__file__).is_relative_to(sys.argv[1]), scheduler.__file__
from scheduler import access, config
from scheduler.desk import Desk
from scheduler.web import create_app
from scheduler.worker import Worker
desk = Desk.open(config.load())
client, base = create_app(desk=desk).test_client(), desk.settings.server.base_url
for language in ("ko", "mn", "tr", "en"):
    assert client.get("/sign-in?lang=" + language, base_url=base).status_code == 200
assert client.get("/static/style.css", base_url=base).status_code == 200
access.ask_for_link(desk, "international@gwangjin.example")
assert Worker(desk, threading.Event()).once()
(mail,) = desk.settings.mail.mailbox.glob("*.eml")
print("mail:", mail.read_bytes().splitlines()[0])
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package installed from its wheel, built offline."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(folder), str(CHECKOUT)]
    subprocess.run([*pip, *build], check=True, capture_output=True, text=True)
    (wheel,) = folder.glob("*.whl")
    target = folder / "site"
    subprocess.run(
        [*pip, "install", "--no-deps", "--no-index", "--target", str(target), str(wheel)],
        check=True,
        capture_output=True,
    )
    return target


def test_the_product_runs_away_from_its_checkout(installed: Path, tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("SCHEDULER_", "PYTHON"))}
    environment |= {"PYTHONPATH": str(installed), "SCHEDULER_MAIL__SMTP_URL": "mailbox:mail"}

    def run(*command: str) -> str:
        ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    run(sys.executable, "-m", "scheduler", "init", "--example")
    assert "gwangjin" in run(sys.executable, "-m", "scheduler", "cities", "list")
    assert "mail:" in run(sys.executable, "-c", USE, str(installed))


def test_the_wheel_holds_no_tests_and_no_local_files(installed: Path) -> None:
    (wheel,) = installed.parent.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "scheduler/_shipped/config.example.toml" in names
    assert not [n for n in names if n.startswith("tests/") or n.endswith((".db", ".key", ".pyc"))]
