"""What must not be called: each of these once let a stranger's file decide what the whole process does."""

import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "scheduler"
SOURCES = sorted(path for path in PACKAGE.rglob("*.py"))

FORBIDDEN = {
    "from_ical": "opens a file when it is given its name, and remembers the VTIMEZONEs it saw",
    "use_pytz": "expands VTIMEZONE rules of any frequency",
    "use_zoneinfo": "changes a setting of the whole process",
    "add_missing_timezones": "writes VTIMEZONEs that readers take differently",
    "from_tzid": "writes VTIMEZONEs that readers take differently",
    "from_tzinfo": "writes VTIMEZONEs that readers take differently",
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_nothing_calls(name: str) -> None:
    callers = [path for path in SOURCES if re.search(rf"\b{name}\b", path.read_text("utf-8"))]
    assert not callers, FORBIDDEN[name]


def test_only_the_ring_of_calendars_imports_icalendar() -> None:
    importers = {path.relative_to(PACKAGE).parts[0] for path in SOURCES if imports(path, "icalendar")}
    assert importers == {"ics"}


def imports(path: Path, module: str) -> bool:
    return bool(re.search(rf"^\s*(?:import|from) {module}\b", path.read_text("utf-8"), re.MULTILINE))
