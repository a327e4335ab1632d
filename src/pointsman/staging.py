"""Object stores: what lies at s3:// or gs:// is brought to a local folder before it is read, and sent once it is whole.

Everything else works on local files alone. fsspec does the moving; it and the store's driver are loaded when such an
address is met. Credentials and endpoints come from where the drivers look for them (for S3 the AWS variables and files,
`AWS_ENDPOINT_URL` among them).
"""

from __future__ import annotations

import atexit
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from .errors import DataError

CARD: Final = "card.json"
"""Of eval sets and artifacts: it holds the hashes of the other files, so it is sent last and tells a whole folder."""
EXTRAS: Final = {"s3": "s3", "gs": "gcs", "gcs": "gcs"}
_ADDRESS: Final = re.compile(r"([a-z][a-z0-9+.-]+)://")
MAX_POINTER_BYTES: Final = 4_096


def is_address(place: str) -> bool:
    """True for what names something in an object store, such as s3://bucket/evals/faq."""
    return _ADDRESS.match(place) is not None


def brought(place: str) -> Path:
    """The local path of a file or folder: itself, or a copy of what the object store holds, under the same name.

    Copies are gone when the process ends.

    Raises:
        DataError: there is nothing at the address, it cannot be read, or the store's extra is not installed.
    """
    if not is_address(place):
        return Path(place)
    with _told(place, "read"):
        store, there = _opened(place)
        if not store.exists(there):
            raise DataError(f"{place} does not exist")
        here = _fresh(there)
        if store.isfile(there):
            store.get_file(there, str(here))
        else:
            for found in sorted(store.find(there)):
                name = Path(found.removeprefix(there.rstrip("/")).lstrip("/"))
                if name.is_absolute() or ".." in name.parts:
                    raise DataError(f"{place} holds a file that would stand outside of it: {found}")
                (here / name).parent.mkdir(parents=True, exist_ok=True)
                store.get_file(found, str(here / name))
    return here


def on_disk(place: str) -> Path:
    """The path, which must be one of a local disk: what is written there must hold although the process is killed.

    Raises:
        DataError: it is an address.
    """
    if is_address(place):
        raise DataError(
            f"{place}: a local folder is needed, so that a run that is killed can be gone on with; copy it afterwards"
        )
    return Path(place)


def brought_artifact(place: str) -> Path:
    """The local path of a router artifact: itself, or a copy of what is at an address.

    The address may be that of an artifact's folder, of a store, or of a store's `latest`; of a store only the artifact
    that `latest` names is brought. What was brought before and is unchanged is not brought again.

    Raises:
        DataError: as `brought`; or `latest` is no pointer, or what it names is not there.
    """
    if not is_address(place):
        return Path(place)
    folder = place.rstrip("/").removesuffix("/latest")
    with _told(place, "read"):
        store, there = _opened(folder)
        if store.isfile(f"{there}/latest"):
            pointer = bytes(store.cat_file(f"{there}/latest", end=MAX_POINTER_BYTES))
            name = re.search(rb'"name": *"([A-Za-z0-9][A-Za-z0-9._-]{0,127})"', pointer)
            if name is None:
                raise DataError(f"{folder}/latest is no pointer to an artifact")
            folder, there = f"{folder}/{name[1].decode()}", f"{there}/{name[1].decode()}"
        if not store.isfile(f"{there}/{CARD}"):
            raise DataError(f"{folder} is no router artifact: it has no {CARD}")
        card = bytes(store.cat_file(f"{there}/{CARD}"))
    return _copy_of(folder, card)


@lru_cache(maxsize=4)
def _copy_of(folder: str, _card: bytes) -> Path:
    # The card holds the hashes of the other files: an artifact with the same card is the same.
    return brought(folder)


@contextmanager
def sent(place: str, *, replace: bool = True) -> Iterator[Path]:
    """The local path to write to: itself, or one from which the file or folder is sent when the context ends well.

    Args:
        place: a path or an address.
        replace: lets what stands at the address be replaced. A path is left to whoever writes there.

    Raises:
        DataError: something is at the address and is not to be replaced, or it cannot be written.
    """
    if not is_address(place):
        yield Path(place)
        return
    with _told(place, "read"):
        store, there = _opened(place)
        if not replace and store.exists(there):
            raise DataError(f"{place} exists; choose another address, or replace it with --replace")
    here = _fresh(there)
    yield here
    _send(here, place)


def send_back(here: Path, place: str) -> None:
    """Sends a file or folder to the address that it was brought from; does nothing for a path.

    Raises:
        DataError: it cannot be written.
    """
    if is_address(place):
        _send(here, place)


def _send(here: Path, place: str) -> None:
    with _told(place, "written"):
        store, there = _opened(place)
        if here.is_file():
            store.put_file(str(here), there)
            return
        files = [each for each in sorted(here.rglob("*")) if each.is_file()]
        for file in sorted(files, key=lambda each: each.name == CARD):
            store.put_file(str(file), f"{there}/{file.relative_to(here).as_posix()}")


def _opened(place: str) -> tuple[Any, str]:
    """The store of an address, and the path in it."""
    found = _ADDRESS.match(place)
    assert found is not None
    extra = EXTRAS.get(found[1], found[1])
    try:
        import fsspec
    except ModuleNotFoundError as error:
        raise DataError(f"{place} needs the extra: pip install 'pointsman[{extra}]'") from error
    try:
        store, there = fsspec.core.url_to_fs(place)
    except ImportError as error:
        raise DataError(f"{place} needs the extra: pip install 'pointsman[{extra}]'") from error
    except ValueError as error:
        raise DataError(f"{place}: no such kind of store: {error}") from error
    # What other programs write must be seen; listings are not remembered.
    store.invalidate_cache()
    return store, str(there)


@contextmanager
def _told(place: str, done: str) -> Iterator[None]:
    try:
        yield
    except _faults() as error:
        raise DataError(f"{place} cannot be {done}: {type(error).__name__}: {str(error)[:300]}") from error


@lru_cache(maxsize=1)
def _faults() -> tuple[type[Exception], ...]:
    """What drivers raise: OSError, and for S3 what botocore says before there is an answer (no credentials)."""
    try:
        from botocore.exceptions import BotoCoreError
    except ImportError:
        return (OSError,)
    faults: tuple[type[Exception], ...] = (OSError, BotoCoreError)
    return faults


@lru_cache(maxsize=1)
def _folder() -> str:
    """One for the process, removed at its end."""
    made = tempfile.mkdtemp(prefix="pointsman-staged-")
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def _fresh(there: str) -> Path:
    """A path for a copy, under the name it has in the store."""
    return Path(tempfile.mkdtemp(dir=_folder())) / Path(there.rstrip("/")).name
