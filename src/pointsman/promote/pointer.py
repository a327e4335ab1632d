"""The two files of a store beside its artifacts: `latest`, replaced in one step, and `history.jsonl`, appended to."""

from __future__ import annotations

import json
import os
import re
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from pointsman.errors import ArtifactError

FORMAT: Final = 1
POINTER: Final = "latest"
HISTORY: Final = "history.jsonl"
MAX_POINTER_BYTES: Final = 4096
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""What an artifact in a store may be called: one path component, never hidden."""

Action: TypeAlias = Literal["promote", "undo"]


@dataclass(frozen=True, slots=True)
class Promotion:
    """One move of `latest`; the pointer is the last of them."""

    seq: int
    """1 for the first; each move counts one up."""
    action: Action
    name: str
    """The artifact's folder in the store."""
    sha256: str
    """What the verification gave for it: the hash of its card, which holds the hashes of its files."""
    at: str
    """UTC, ISO 8601."""
    note: str = ""

    def line(self) -> str:
        """One line of JSON."""
        return json.dumps({"format": FORMAT, **asdict(self)}, ensure_ascii=False) + "\n"


def read_pointer(store: Path) -> Promotion | None:
    """What `latest` says, None when nothing was ever promoted. Needs no lock: the file is always whole.

    Raises:
        ArtifactError: it cannot be read, or is not a pointer.
    """
    path = store / POINTER
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_POINTER_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > MAX_POINTER_BYTES:
        raise ArtifactError(f"{path} is no pointer to an artifact: it is larger than {MAX_POINTER_BYTES} bytes")
    return _promotion(content, path)


def write_pointer(store: Path, promotion: Promotion) -> None:
    """Replaces `latest`: readers see the old one or the new one, also when the machine stops in between."""
    handle, beside = tempfile.mkstemp(prefix=f".{POINTER}-", dir=store)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(promotion.line())
            stream.flush()
            os.fsync(stream.fileno())
        Path(beside).chmod(0o644)
        Path(beside).replace(store / POINTER)
        sync_folder(store)
    finally:
        Path(beside).unlink(missing_ok=True)


def read_history(store: Path) -> tuple[Promotion, ...]:
    """All moves in order. A last line that was cut off in writing is left out; the pointer restores it.

    Raises:
        ArtifactError: it cannot be read, or a whole line of it is not a move.
    """
    path = store / HISTORY
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}") from error
    return tuple(_promotion(line, path) for line in content.split(b"\n")[:-1])


def append_history(store: Path, promotion: Promotion) -> None:
    """Adds one move, once what a crash left of an unfinished line is cut off."""
    path = store / HISTORY
    with path.open("ab") as stream:
        size = stream.tell()
        whole = path.read_bytes().rfind(b"\n") + 1
        if whole != size:
            stream.truncate(whole)
        stream.write(promotion.line().encode())
        stream.flush()
        os.fsync(stream.fileno())
    sync_folder(store)


def sync_folder(folder: Path) -> None:
    """Makes a rename in the folder last through a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _promotion(content: bytes, path: Path) -> Promotion:
    try:
        raw: Any = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{path} is damaged: it is not JSON") from error
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise ArtifactError(f"{path} is not of format {FORMAT}, which this version of Pointsman reads")
    seq, action = raw.get("seq"), raw.get("action")
    texts = [raw.get(key) for key in ("name", "sha256", "at", "note")]
    if not isinstance(seq, int) or isinstance(seq, bool) or not all(isinstance(text, str) for text in texts):
        raise ArtifactError(f"{path} is damaged: a field is missing or of another kind")
    name, sha256, at, note = map(str, texts)
    if action not in ("promote", "undo") or not NAME.fullmatch(name):
        raise ArtifactError(f"{path} is damaged: it names no artifact of this store")
    return Promotion(seq, action, name, sha256, at, note)
