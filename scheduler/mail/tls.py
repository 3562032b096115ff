"""TLS to mail servers: with whoever this machine's certificate authorities vouch for, and in no version before 1.2."""

from __future__ import annotations

import ssl


def trusted() -> ssl.SSLContext:
    """A context that checks certificate and host name (RFC 8314 4.1). Its oldest version is said here because builds of
    Python differ: some leave it to the configuration of OpenSSL, which anybody may have loosened."""
    context = ssl.create_default_context()
    context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
    return context
