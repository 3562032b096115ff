"""The second factor: codes of an authenticator program (TOTP, RFC 6238), and recovery codes for when it is lost.

The secret of the program is derived from a random seed in the database and the server's key, as the tokens of
invitations are: the database alone gives nobody a code. The hash of the secret tells which key made it.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime

import pyotp
import segno

from scheduler import tokens

STEP_SECONDS = 30
DRIFT = 1  # steps that a clock may be wrong
CODES = 10
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that looks like another
_CODE_LENGTH = 16  # of 31 letters: 79 bits


def new_seed() -> bytes:
    return secrets.token_bytes(20)


def secret(key: bytes, seed: bytes) -> str:
    """160 bits in base32, as authenticator programs take them."""
    return base64.b32encode(hmac.digest(key, b"second factor\0" + seed, "sha256")[:20]).decode("ascii")


def secret_of(keys: Iterable[bytes], seed: bytes, secret_hash: str) -> str | None:
    """The secret that was confirmed; None when its key is there no more."""
    found = (secret(key, seed) for key in keys)
    return next((s for s in found if hmac.compare_digest(tokens.hashed(s), secret_hash)), None)


def step_of(secret_: str, code: str, now: datetime) -> int | None:
    """The time step whose code this is, within the drift; None for any other code."""
    digits = "".join(code.split())
    if len(digits) != 6 or not (digits.isascii() and digits.isdigit()):
        return None
    totp, step = pyotp.TOTP(secret_, interval=STEP_SECONDS), int(now.timestamp()) // STEP_SECONDS
    near = range(step - DRIFT, step + DRIFT + 1)
    return next((s for s in near if hmac.compare_digest(totp.generate_otp(s), digits)), None)


def address(secret_: str, email: str, product: str) -> str:
    """The otpauth:// address that an authenticator program opens."""
    return pyotp.TOTP(secret_, interval=STEP_SECONDS).provisioning_uri(
        name=email, issuer_name=product.replace(":", " ")
    )


def picture(address_: str) -> str:
    """The address as a QR code: a data: address of an SVG image."""
    return segno.make(address_, error="m", micro=False).svg_data_uri(scale=4, border=4)


def in_groups(text: str) -> str:
    return " ".join(text[i : i + 4] for i in range(0, len(text), 4))


def new_recovery_codes() -> list[str]:
    made = ("".join(secrets.choice(_LETTERS) for _ in range(_CODE_LENGTH)) for _ in range(CODES))
    return [in_groups(code).replace(" ", "-") for code in made]


def hashed_code(code: str) -> str:
    """Of a recovery code, however it was typed."""
    return tokens.hashed("".join(c for c in code.casefold() if c.isalnum())[:200])
