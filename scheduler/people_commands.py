"""The commands about people and their ways in. What they print is English, or JSON."""

from __future__ import annotations

import argparse
import json

from scheduler import access, admin, installation, representations, ways_in


def people_add(given: argparse.Namespace) -> int:
    person = admin.add_person(
        installation.open_desk(given), given.name, given.email, given.city, given.language, given.role
    )
    print(f"{person.email} is now a {person.role} of {person.city}.")
    return 0


def people_list(given: argparse.Namespace) -> int:
    people = admin.list_people(installation.open_desk(given))
    if given.json:
        print(json.dumps([representations.represent_person(p) for p in people], ensure_ascii=False, indent=2))
        return 0
    for p in people:
        print("  ".join([p.email, p.role, p.city, p.language, p.name, *(["(disabled)"] if p.disabled else [])]))
    return 0


def people_disable(given: argparse.Namespace) -> int:
    admin.disable_person(installation.open_desk(given), given.email, given.hand_over_to)
    print(f"{given.email} is disabled; {given.hand_over_to} takes over.")
    return 0


def people_reset_sign_in(given: argparse.Namespace) -> int:
    person = ways_in.reset(installation.open_desk(given), given.email)
    print(f"{person.email} has no password and no second factor any more, and is signed out everywhere.")
    return 0


def token_add(given: argparse.Namespace) -> int:
    number, token = access.new_api_token(installation.open_desk(given), given.person)
    print(f"Token {number} for {given.person}, shown only now: {token}")
    return 0


def token_list(given: argparse.Namespace) -> int:
    for token, person in access.api_tokens(installation.open_desk(given)):
        since = representations.utc(token.created_at)
        revoked = [f"revoked {representations.utc(token.revoked_at)}"] if token.revoked_at else []
        print("  ".join([str(token.id), person.email, since, *revoked]))
    return 0


def token_revoke(given: argparse.Namespace) -> int:
    access.revoke_api_token(installation.open_desk(given), given.id)
    print(f"Token {given.id} is revoked.")
    return 0


def sign_in(given: argparse.Namespace) -> int:
    desk = installation.open_desk(given)
    link = access.new_sign_in_link(desk, given.person)
    minutes = desk.settings.retention.sign_in_link_minutes
    print(f"Sign-in link for {given.person}, once and within {minutes} minutes: {link}")
    return 0
