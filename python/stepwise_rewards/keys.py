"""CURVE keys: the key file of this server and the allow-list, as `stepwise keys` writes them (see docs/security.md).

A router checks the key of this server, and this server checks the key of the router.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import Optional, Union

import zmq

Path = Union[str, "os.PathLike[str]"]


class KeyFileError(ValueError):
    """A key file cannot be used."""


@dataclass
class Keys:
    """The keys of one connection, as Z85 text.

    Attributes:
        public: The public key of this server.
        secret: The secret key of this server.
        router: The public key that a router must prove.
    """

    public: bytes
    secret: bytes
    router: bytes

    @classmethod
    def load(cls, folder: Path, key_file: Optional[Path] = None) -> "Keys":
        """Reads the keys of a reward server.

        Args:
            folder: The folder of keys, as ``network.keys``.
            key_file: The key file of this server; None for ``reward-server.key`` in the folder.

        Raises:
            KeyFileError: If a file cannot be used.
        """
        allowed_keys = os.path.join(os.fspath(folder), "allowed-keys")
        path = os.fspath(key_file) if key_file is not None else os.path.join(os.fspath(folder), "reward-server.key")
        public, secret = _pair(path)
        allowed = _allowed(allowed_keys)
        role = next((role for role, key, _ in allowed if key == public), None)
        if role != "reward-server":
            found = "one that is not in the list" if role is None else f"one of the role {role}"
            raise KeyFileError(
                f"{path}: expected a key of the role reward-server in {allowed_keys}, found {found}. "
                "Add a key with `stepwise keys`, or choose another key file."
            )
        routers = [(name, key) for role, key, name in allowed if role == "router"]
        if not routers:
            raise KeyFileError(
                f"{allowed_keys}: the list has no public key of the role router. "
                "Copy the list that `stepwise keys` wrote."
            )
        router = dict(routers).get("router", routers[0][1])
        return cls(public.encode(), secret.encode(), router.encode())


def is_local(endpoint: str) -> bool:
    """Whether the traffic of an endpoint never leaves this machine; false for host names other than ``localhost``."""
    if endpoint.startswith(("inproc://", "ipc://")):
        return True
    if not endpoint.startswith("tcp://"):
        return False
    host = endpoint[len("tcp://") :].rpartition(":")[0]
    if host in ("localhost", "[::1]", "::1"):
        return True
    parts = host.split(".")
    return len(parts) == 4 and parts[0] == "127" and all(part.isdecimal() and int(part) < 256 for part in parts)


def _read(path: str) -> "tuple[list[list[str]], int]":
    """The words of each line that is not a comment, and the mode of the file."""
    try:
        with open(path, encoding="utf-8") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(f"{path}: could not read the key file: {error}. Make one with `stepwise keys`.") from error
    return [line.split() for line in lines if line.strip() and not line.startswith("# ")], mode


def _pair(path: str) -> "tuple[str, str]":
    lines, mode = _read(path)
    if mode & 0o077:
        raise KeyFileError(
            f"{path}: expected a secret key that only its owner may read (mode 0600), found mode {mode:04o}. "
            f"If nobody else has copied it, run `chmod 600 {path}`. Otherwise make a new one with `stepwise keys` and "
            "revoke the old one."
        )
    keys = {words[0]: words[1] for words in lines if len(words) == 2}
    public, secret = keys.get("public", ""), keys.get("secret", "")
    try:
        is_pair = zmq.curve_public(secret.encode()) == public.encode()
    except (ValueError, zmq.ZMQError):
        is_pair = False
    if not is_pair:
        raise KeyFileError(
            f"{path}: expected the lines `public KEY` and `secret KEY` of one CURVE pair, found others. "
            "Make a new file with `stepwise keys`."
        )
    return public, secret


def _allowed(path: str) -> "list[tuple[str, str, str]]":
    """Role, public key and name of each line of the allow-list."""
    allowed = []
    for words in _read(path)[0]:
        if len(words) != 3:
            raise KeyFileError(f"{path}: expected lines `ROLE PUBLIC-KEY NAME`, found `{' '.join(words)}`.")
        allowed.append((words[0], words[1], words[2]))
    return allowed
