"""Someone the API server knows: credentials, a kubeconfig, a client."""

from __future__ import annotations

import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from admit.testing.client import Client
from admit.testing.credentials import encode_kubeconfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from admit.testing.credentials import Authority


@dataclass(frozen=True, slots=True)
class User:
    """Someone the API server knows by a client certificate.

    Args:
        kubeconfig: a file that makes kubectl act as this user.
        client: asks the API server as this user.
    """

    name: str
    groups: tuple[str, ...]
    kubeconfig: Path
    client: Client


def issue_user(
    authority: Authority, url: str, folder: Path, *, name: str, groups: Sequence[str]
) -> User:
    """Return a new user whose files are below a folder."""
    certificate, key = authority.issue_client(name, groups)
    place = Path(tempfile.mkdtemp(prefix="user-", dir=folder))
    kubeconfig, pair = place / "kubeconfig", place / "client.pem"
    pair.write_bytes(certificate + key)
    kubeconfig.write_text(
        encode_kubeconfig(
            url=url,
            authority=authority.pem,
            user=name,
            certificate=certificate,
            key=key,
        )
    )
    context = ssl.create_default_context(cadata=authority.pem.decode())
    context.load_cert_chain(pair)
    return User(name, tuple(groups), kubeconfig, Client(url, context))
