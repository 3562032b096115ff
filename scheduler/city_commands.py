"""The commands about cities and rooms. What they print is English, or JSON."""

from __future__ import annotations

import argparse
import json

from scheduler import admin, city_answers, example, installation
from scheduler.core.office import BOUNDS


def cities_add(given: argparse.Namespace) -> int:
    admin.import_cities(installation.open_desk(given), example.parse_city_file(_city_file(given)))
    print(f"Added {given.slug}.")
    return 0


def _city_file(given: argparse.Namespace) -> str:
    """The city as a city file, so that it is checked like one. JSON strings are TOML strings, but for DEL."""
    texts = {name: getattr(given, name) for name in ("name", "zone", "country", "language")}
    numbers = {name: getattr(given, name) for name in BOUNDS}
    slug = json.dumps(given.slug)
    lines = [f"[cities.{slug}]", *(f"{k} = {_quoted(v)}" for k, v in texts.items())]
    lines += [f"{name} = {number}" for name, number in numbers.items()]
    for name in ("hours", "stretch"):
        lines.append(f"[cities.{slug}.{name}]")
        lines += [f"{day} = {json.dumps(list(getattr(given, name)))}" for day in example.WEEKDAYS[:5]]
    return "\n".join(lines)


def _quoted(text: str) -> str:
    return json.dumps(text.replace("\x7f", ""), ensure_ascii=False)


def cities_import(given: argparse.Namespace) -> int:
    desk = installation.open_desk(given)
    directory = desk.directory()
    known = example.Known(frozenset(directory.cities), frozenset(directory.fields))
    data = example.parse_city_file(given.file.read_text("utf-8"), known)
    admin.import_cities(desk, data)
    print(f"Imported: {', '.join(c.slug for c in data.cities) or 'no city'}.")
    return 0


def cities_list(given: argparse.Namespace) -> int:
    cities = [city_answers.represent_city(c, "en") for c in installation.open_desk(given).directory().cities.values()]
    if given.json:
        print(json.dumps(cities, ensure_ascii=False, indent=2))
        return 0
    for c in cities:
        print("  ".join([c["slug"], c["zone"], c["country"], c["language"], c["name"]]))
    return 0


def rooms_add(given: argparse.Namespace) -> int:
    admin.add_room(installation.open_desk(given), given.city, given.code, given.name)
    print(f"Added {given.code}.")
    return 0
