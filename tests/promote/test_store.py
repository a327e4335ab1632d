"""Promotion: the pointer is whole at every moment, moves back, and refuses what does not verify."""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pointsman.errors import ArtifactError
from pointsman.promote import Store
from pointsman.promote.pointer import HISTORY, POINTER, read_history, read_pointer, write_pointer


def verify(folder: Path) -> str:
    """An artifact of this test is whole when its file `sum` holds the hash of its file `data`."""
    try:
        data, said = (folder / "data").read_bytes(), (folder / "sum").read_text()
    except OSError as error:
        raise ArtifactError(f"{folder} is no artifact") from error
    if hashlib.sha256(data).hexdigest() != said:
        raise ArtifactError(f"{folder} is damaged")
    return said


def artifact(folder: Path, data: bytes) -> Path:
    folder.mkdir(parents=True)
    (folder / "data").write_bytes(data)
    (folder / "sum").write_text(hashlib.sha256(data).hexdigest())
    return folder


def opened(folder: Path, check: Callable[[Path], str] = verify) -> Store:
    return Store(folder, verify=check, now=lambda: datetime(2026, 1, 2, tzinfo=UTC))


def test_promote_copies_points_and_writes_history(tmp_path: Path) -> None:
    store = opened(tmp_path / "store")
    source = artifact(tmp_path / "mine", b"one")
    digest = hashlib.sha256(b"one").hexdigest()
    move = store.promote(source, note="first")
    assert (move.seq, move.action, move.sha256, move.note) == (1, "promote", digest, "first")
    assert move.name == f"mine-{digest[:12]}"
    assert move.at == "2026-01-02T00:00:00+00:00"
    assert store.latest() == move
    assert store.latest_folder().joinpath("data").read_bytes() == b"one"
    assert store.history() == (move,)
    assert (source / "data").exists()


def test_an_artifact_inside_the_store_stays_where_it_is(tmp_path: Path) -> None:
    store = opened(tmp_path)
    assert store.promote(artifact(tmp_path / "r1", b"one")).name == "r1"
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["r1"]


def test_promoting_the_latest_again_changes_nothing(tmp_path: Path) -> None:
    store = opened(tmp_path / "store")
    source = artifact(tmp_path / "mine", b"one")
    assert store.promote(source) == store.promote(source)
    assert len(store.history()) == 1


def test_undo_goes_back_step_by_step_and_no_further(tmp_path: Path) -> None:
    store = opened(tmp_path)
    for name in ("a", "b", "c"):
        store.promote(artifact(tmp_path / name, name.encode()))
    assert store.undo().name == "b"
    assert store.undo().name == "a"
    with pytest.raises(ArtifactError, match="nothing to undo"):
        store.undo()
    store.promote(tmp_path / "c")
    assert store.undo().name == "a"
    assert [(move.action, move.name) for move in store.history()] == [
        ("promote", "a"),
        ("promote", "b"),
        ("promote", "c"),
        ("undo", "b"),
        ("undo", "a"),
        ("promote", "c"),
        ("undo", "a"),
    ]
    assert [move.seq for move in store.history()] == [1, 2, 3, 4, 5, 6, 7]


def test_a_damaged_artifact_is_refused_and_latest_stays(tmp_path: Path) -> None:
    store = opened(tmp_path / "store")
    good = store.promote(artifact(tmp_path / "good", b"one"))
    bad = artifact(tmp_path / "bad", b"two")
    (bad / "data").write_bytes(b"changed")
    with pytest.raises(ArtifactError, match="damaged"):
        store.promote(bad)
    assert store.latest() == good
    assert [path.name for path in (tmp_path / "store").iterdir() if path.is_dir()] == [good.name]


def test_undo_refuses_an_artifact_that_was_changed_or_is_gone(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.promote(artifact(tmp_path / "a", b"a"))
    last = store.promote(artifact(tmp_path / "b", b"b"))
    (tmp_path / "a" / "data").write_bytes(b"other")
    (tmp_path / "a" / "sum").write_text(hashlib.sha256(b"other").hexdigest())
    with pytest.raises(ArtifactError, match="has changed since it was promoted"):
        store.undo()
    (tmp_path / "a" / "data").unlink()
    with pytest.raises(ArtifactError, match="no artifact"):
        store.undo()
    assert store.latest() == last


def test_a_copy_that_differs_from_its_source_is_refused(tmp_path: Path) -> None:
    source = artifact(tmp_path / "mine", b"one")
    answers = iter(["0" * 64, "1" * 64])
    store = opened(tmp_path / "store", lambda folder: next(answers))
    with pytest.raises(ArtifactError, match="while it was being copied"):
        store.promote(source)
    assert store.latest() is None
    assert not [path for path in (tmp_path / "store").iterdir() if path.is_dir()]


@pytest.mark.parametrize("name", [".hidden", "white space", "x" * 129])
def test_names_that_will_not_do(tmp_path: Path, name: str) -> None:
    store = opened(tmp_path)
    with pytest.raises(ArtifactError, match="cannot be called"):
        store.promote(artifact(tmp_path / name, b"one"))


def test_an_empty_store_says_so(tmp_path: Path) -> None:
    store = opened(tmp_path / "none")
    assert store.latest() is None
    assert store.history() == ()
    with pytest.raises(ArtifactError, match="nothing has been promoted"):
        store.latest_folder()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"not json",
        b'{"format": 2}',
        b'{"format": 1, "seq": true, "action": "promote", "name": "a", "sha256": "", "at": "", "note": ""}',
        b'{"format": 1, "seq": 1, "action": "promote", "name": "../a", "sha256": "", "at": "", "note": ""}',
        b"x" * 5000,
    ],
)
def test_a_pointer_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / POINTER).write_bytes(content)
    with pytest.raises(ArtifactError, match=POINTER):
        read_pointer(tmp_path)


def test_a_crash_before_the_history_is_mended_by_the_next_move(tmp_path: Path) -> None:
    store = opened(tmp_path)
    first = store.promote(artifact(tmp_path / "a", b"a"))
    second = store.promote(artifact(tmp_path / "b", b"b"))
    # As if the machine had stopped in the middle of appending the second line.
    history = tmp_path / HISTORY
    history.write_bytes(first.line().encode() + second.line().encode()[:20])
    assert read_history(tmp_path) == (first,)
    assert store.history() == (first, second)
    third = store.promote(artifact(tmp_path / "c", b"c"))
    assert read_history(tmp_path) == (first, second, third)
    assert store.undo().name == "b"


def test_a_crash_at_any_cut_of_the_history_loses_at_most_nothing(tmp_path: Path) -> None:
    store = opened(tmp_path)
    first = store.promote(artifact(tmp_path / "a", b"a"))
    second = store.promote(artifact(tmp_path / "b", b"b"))
    whole = (tmp_path / HISTORY).read_bytes()
    start = len(first.line().encode())
    for cut in range(start, len(whole) + 1):
        (tmp_path / HISTORY).write_bytes(whole[:cut])
        assert store.history() == (first, second)


class Stopped(BaseException):
    """The machine stops here."""


@pytest.mark.parametrize("stage", ["source", "copy"])
def test_a_stop_while_verifying_leaves_latest_as_it_was(tmp_path: Path, stage: str) -> None:
    before = opened(tmp_path / "store").promote(artifact(tmp_path / "a", b"a"))
    calls = 0

    def stopping(folder: Path) -> str:
        nonlocal calls
        calls += 1
        if calls == {"source": 1, "copy": 2}[stage]:
            raise Stopped
        return verify(folder)

    with pytest.raises(Stopped):
        opened(tmp_path / "store", stopping).promote(artifact(tmp_path / "b", b"b"))
    assert opened(tmp_path / "store").latest() == before
    # The lock went with its holder.
    assert opened(tmp_path / "store").promote(tmp_path / "b").seq == 2


def test_writing_the_pointer_leaves_nothing_beside_it(tmp_path: Path) -> None:
    store = opened(tmp_path)
    move = store.promote(artifact(tmp_path / "a", b"a"))
    write_pointer(tmp_path, move)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "a", HISTORY, POINTER]


def _promote_many(folder: Path, names: list[str]) -> None:
    store = opened(folder)
    for name in names:
        store.promote(folder / name)


def test_promotions_from_several_processes_follow_one_another(tmp_path: Path) -> None:
    names = [f"r{i}" for i in range(12)]
    for name in names:
        artifact(tmp_path / name, name.encode())
    spawning = multiprocessing.get_context("spawn")
    workers = [spawning.Process(target=_promote_many, args=(tmp_path, names[i::3])) for i in range(3)]
    for worker in workers:
        worker.start()
    seen = set()
    while any(worker.is_alive() for worker in workers):
        found = read_pointer(tmp_path)
        if found is not None:
            seen.add(found.name)
        workers[0].join(0.001)
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    moves = opened(tmp_path).history()
    assert [move.seq for move in moves] == list(range(1, 13))
    assert sorted(move.name for move in moves) == sorted(names)
    assert seen <= set(names)
