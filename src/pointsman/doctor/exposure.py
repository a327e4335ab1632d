"""Who can read the keys, and who can reach the gateway."""

from __future__ import annotations

import stat
from collections.abc import Sequence

from .finding import Finding, State

OTHERS = stat.S_IRWXG | stat.S_IRWXO


def permission_findings(file: str, mode: int | None, written_secrets: Sequence[str]) -> list[Finding]:
    """Whether keys stand in the configuration file, and who can read it then.

    Args:
        mode: of the file; None where permissions mean nothing (Windows, a configuration that is no file).
        written_secrets: key paths of secrets that stand there in full, such as "models[0].api_key".
    """
    if not written_secrets:
        return [Finding("file", State.OK, f"no key stands in {file}")]
    where = ", ".join(written_secrets)
    advice = "write `${VARIABLE}` in its place and set the variable where the gateway runs"
    if mode is not None and mode & OTHERS:
        return [
            Finding(
                "file",
                State.FAULT,
                f"{file} holds keys ({where}), and other users may read it (mode {stat.S_IMODE(mode):o})",
                f"run `chmod 600 {file}`; better: {advice}",
            )
        ]
    return [Finding("file", State.WARNING, f"{file} holds keys: {where}", advice)]


def bind_findings(host: str, port: int, *, loopback: bool, n_clients: int, has_admin_key: bool) -> list[Finding]:
    """Whether strangers could use the gateway.

    Args:
        loopback: True when only this machine reaches the address.
    """
    at = f"{host}:{port}"
    if loopback:
        return [Finding("address", State.OK, f"{at}, which only this machine reaches")]
    if n_clients == 0:
        return [
            Finding(
                "address",
                State.FAULT,
                f"{at} can be reached from other machines and there are no keys; `pointsman serve` refuses that",
                "run `pointsman keys create --name …`, or set `server: {host: 127.0.0.1}`",
            )
        ]
    if not has_admin_key:
        return [
            Finding(
                "address",
                State.WARNING,
                f"{at} asks for one of {n_clients} client keys; there is no admin key, so metrics are closed",
                "add `keys: {admin_key: ${VARIABLE}}`",
            )
        ]
    return [Finding("address", State.OK, f"{at} asks for one of {n_clients} client keys")]
