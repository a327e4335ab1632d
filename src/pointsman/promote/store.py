"""A store: a folder of artifact folders with a `latest` pointer that moves in one step and can be moved back."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeAlias

from pointsman.errors import ArtifactError
from pointsman.vocabulary import WallClock

from .pointer import (
    NAME,
    POINTER,
    Action,
    Promotion,
    append_history,
    read_history,
    read_pointer,
    sync_folder,
    write_pointer,
)

Verify: TypeAlias = Callable[[Path], str]
"""Gives an artifact's hash once every file of it is as its card says; raises ArtifactError otherwise."""

CARD: Final = "card.json"
_LOCK: Final = ".lock"
_HASH_CHARS: Final = 12


class Store:
    """Promotes artifacts and takes promotions back; safe for several processes on one machine.

    Order of a promotion: the artifact's folder is whole and on disk, then `latest` is replaced, then the history is
    appended to. After a crash between the last two the pointer, which carries its own move, restores the history.

    Args:
        folder: made when it is missing.
        verify: called on the artifact before it is copied, and on the copy before it is pointed to.
        now: UTC.
    """

    def __init__(self, folder: Path, *, verify: Verify, now: WallClock) -> None:
        self._folder = folder
        self._verify = verify
        self._now = now

    def latest(self) -> Promotion | None:
        """What is promoted now, None when nothing is."""
        return read_pointer(self._folder)

    def latest_folder(self) -> Path:
        """The folder of the artifact promoted now, which is there, though not verified again.

        Raises:
            ArtifactError: nothing is promoted, or the folder is gone.
        """
        found = self.latest()
        if found is None:
            raise ArtifactError(f"nothing has been promoted in {self._folder}")
        folder = self._folder / found.name
        if not folder.is_dir():
            raise ArtifactError(f"{self._folder / POINTER} points to {found.name}, which is not there")
        return folder

    def history(self) -> tuple[Promotion, ...]:
        """All moves, oldest first, the last one included even when a crash kept it out of the file."""
        moves, last = read_history(self._folder), self.latest()
        return (*moves, last) if last is not None and (not moves or moves[-1].seq < last.seq) else moves

    def artifacts(self) -> tuple[Path, ...]:
        """The folders that hold an artifact's card, by name; none of them verified."""
        try:
            found = [each for each in self._folder.iterdir() if NAME.fullmatch(each.name)]
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise ArtifactError(f"the store {self._folder} cannot be read: {error.strerror}") from error
        return tuple(sorted(each for each in found if (each / CARD).is_file()))

    def promote(self, artifact: Path, *, note: str = "") -> Promotion:
        """Makes the artifact `latest`; one that stands outside the store is copied into it first.

        A copy is called by its folder's name and the start of its hash, so that two versions never share a folder.
        Promoting what is `latest` already changes nothing.

        Raises:
            ArtifactError: it does not verify, its name will not do, or the store cannot be written; `latest` stays.
        """
        digest = self._verify(artifact)
        with self._alone():
            name = self._brought_in(artifact, digest)
            current = self.latest()
            if current is not None and (current.name, current.sha256) == (name, digest):
                return current
            return self._move("promote", name, digest, note)

    def undo(self, *, note: str = "") -> Promotion:
        """Points `latest` back to what it was before the last promotion; again, to what was before that.

        Raises:
            ArtifactError: there is nothing before it, or that artifact is gone or no longer verifies; `latest` stays.
        """
        with self._alone():
            standing: list[Promotion] = []
            for move in self.history():
                if move.action == "promote":
                    standing.append(move)
                elif standing:
                    standing.pop()
            if len(standing) < 2:
                raise ArtifactError(f"there is nothing to undo in {self._folder}: no artifact was `latest` before")
            target = standing[-2]
            digest = self._verify(self._folder / target.name)
            if digest != target.sha256:
                raise ArtifactError(f"{target.name} has changed since it was promoted: its hash was {target.sha256}")
            return self._move("undo", target.name, digest, note)

    def _move(self, action: Action, name: str, digest: str, note: str) -> Promotion:
        last = self.latest()
        move = Promotion(
            seq=1 if last is None else last.seq + 1,
            action=action,
            name=name,
            sha256=digest,
            at=self._now().isoformat(),
            note=note,
        )
        write_pointer(self._folder, move)
        append_history(self._folder, move)
        return move

    def _brought_in(self, artifact: Path, digest: str) -> str:
        """The artifact's name in the store, where it stands whole."""
        if artifact.resolve().parent == self._folder.resolve():
            self._check_name(artifact.name)
            return artifact.name
        name = f"{artifact.resolve().name}-{digest[:_HASH_CHARS]}"
        self._check_name(name)
        target = self._folder / name
        if target.exists():
            if self._verify(target) != digest:
                raise ArtifactError(f"{target} is there already and holds something else")
            return name
        incoming = Path(tempfile.mkdtemp(prefix=".incoming-", dir=self._folder))
        try:
            copy = incoming / name
            shutil.copytree(artifact, copy)
            if self._verify(copy) != digest:
                raise ArtifactError(f"{artifact} was changed while it was being copied")
            for file in copy.rglob("*"):
                if file.is_file():
                    sync_folder(file)
            sync_folder(copy)
            copy.rename(target)
            sync_folder(self._folder)
        finally:
            shutil.rmtree(incoming, ignore_errors=True)
        return name

    def _check_name(self, name: str) -> None:
        if not NAME.fullmatch(name):
            raise ArtifactError(
                f"an artifact cannot be called {name!r} in a store: "
                "expected letters, digits, '.', '_' and '-', at most 128"
            )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Holds the store's lock, which ends with its holder, whichever way that goes; then repairs the history."""
        import fcntl  # not on Windows, where the rest of the stage works

        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                self._repair()
                yield
            finally:
                os.close(handle)
        except OSError as error:
            raise ArtifactError(f"the store {self._folder} cannot be written: {error.strerror}") from error

    def _repair(self) -> None:
        last, moves = self.latest(), read_history(self._folder)
        if last is not None and (not moves or moves[-1].seq < last.seq):
            append_history(self._folder, last)


def artifact_at(path: Path) -> Path:
    """The artifact's folder that a path means: a folder, a store (its latest), or a store's `latest` file.

    Raises:
        ArtifactError: the pointer is damaged, or points to what is not there.
    """
    store = path.parent if path.name == POINTER and path.is_file() else path
    found = read_pointer(store) if (store / POINTER).is_file() else None
    if found is None:
        return path
    folder = store / found.name
    if not folder.is_dir():
        raise ArtifactError(f"{store / POINTER} points to {found.name}, which is not there")
    return folder
