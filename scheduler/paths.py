"""Where the files that are not code lie: in the checkout beside the package, or inside the installed package."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
_SHIPPED = PACKAGE / "_shipped"


def _top_level(name: str) -> Path:
    shipped = _SHIPPED / name
    return shipped if shipped.exists() else PACKAGE.parent / name


TEMPLATES = _top_level("templates")
MIGRATIONS = _top_level("migrations")
CONFIG_EXAMPLE = _top_level("config.example.toml")
TRANSLATIONS = PACKAGE / "translations"
EXAMPLE_DATA = PACKAGE / "example.toml"
