"""What is brought from an object store and sent to it, on fsspec's store in memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from pointsman.errors import DataError
from pointsman.router_artifact import artifact_folder
from pointsman.staging import brought, brought_artifact, is_address, on_disk, send_back, sent


@pytest.fixture
def store() -> Iterator[Any]:
    found = fsspec.filesystem("memory")
    yield found
    found.rm("/", recursive=True)


def put(store: Any, files: dict[str, str]) -> None:
    for name, text in files.items():
        store.pipe_file(f"/{name}", text.encode())


@pytest.mark.parametrize(
    ("place", "is_one"),
    [
        ("s3://bucket/x", True),
        ("gs://bucket/x", True),
        ("memory://x", True),
        ("evals/faq", False),
        ("/s3://x", False),
        ("c://x", False),
        ("builtin", False),
    ],
)
def test_what_an_address_is(place: str, is_one: bool) -> None:
    assert is_address(place) is is_one


def test_paths_are_left_as_they_are(tmp_path: Path) -> None:
    assert brought(str(tmp_path)) == tmp_path
    assert brought_artifact("builtin") == Path("builtin")
    with sent(str(tmp_path / "new")) as here:
        assert here == tmp_path / "new"
    send_back(tmp_path, str(tmp_path))
    assert on_disk("here") == Path("here")


def test_a_file_and_a_folder_come_under_their_names(store: Any) -> None:
    put(store, {"b/set/card.json": "{}", "b/set/deep/part": "1", "b/set2/other": "2"})
    assert brought("memory://b/set/card.json").read_text() == "{}"
    folder = brought("memory://b/set")
    assert folder.name == "set"
    assert sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file()) == [
        "card.json",
        "deep/part",
    ]


def test_what_is_not_there_and_a_store_that_is_not_known_are_said(store: Any) -> None:
    with pytest.raises(DataError, match="memory://b/none does not exist"):
        brought("memory://b/none")
    with pytest.raises(DataError, match="no such kind of store"):
        brought("nonsense://b/none")


def test_a_folder_is_sent_with_its_card_last(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    put_file = type(store).put_file

    def noted(self: Any, here: str, there: str, **more: Any) -> None:
        order.append(there.rpartition("/")[2])
        put_file(self, here, there, **more)

    monkeypatch.setattr(type(store), "put_file", noted)
    with sent("memory://b/art") as here:
        here.mkdir()
        for name in ("card.json", "model.safetensors", "a.json"):
            (here / name).write_text(name)
    assert order == ["a.json", "model.safetensors", "card.json"]
    assert store.cat_file("/b/art/model.safetensors") == b"model.safetensors"


def test_nothing_is_sent_when_the_work_failed_or_something_stands_there(store: Any) -> None:
    with pytest.raises(RuntimeError), sent("memory://b/art") as here:
        here.write_text("half")
        raise RuntimeError
    assert not store.exists("/b/art")
    put(store, {"b/art/card.json": "{}"})
    with pytest.raises(DataError, match="exists"), sent("memory://b/art", replace=False):
        pytest.fail("nothing is to be written")


def test_of_a_store_only_what_latest_names_is_brought_and_only_when_it_changed(store: Any) -> None:
    put(store, {"b/routers/latest": '{"format": 1, "name": "one-1", "seq": 1}', "b/routers/one-1/card.json": "{1}"})
    put(store, {"b/routers/two-2/card.json": "{2}"})
    first = brought_artifact("memory://b/routers/latest")
    assert (first.name, (first / "card.json").read_text()) == ("one-1", "{1}")
    assert brought_artifact("memory://b/routers") == first == artifact_folder("memory://b/routers/latest")
    put(store, {"b/routers/latest": '{"format": 1, "name": "two-2", "seq": 2}'})
    assert brought_artifact("memory://b/routers/latest").name == "two-2"
    put(store, {"b/routers/two-2/card.json": "{3}"})
    assert (brought_artifact("memory://b/routers/two-2") / "card.json").read_text() == "{3}"


@pytest.mark.parametrize("pointer", ["", "{}", '{"name": "../secrets"}'])
def test_a_pointer_that_is_none_is_refused(store: Any, pointer: str) -> None:
    put(store, {"b/routers/latest": pointer, "b/secrets/card.json": "{}"})
    with pytest.raises(DataError, match="no pointer"):
        brought_artifact("memory://b/routers/latest")


def test_journals_stay_on_this_machine() -> None:
    with pytest.raises(DataError, match="a local folder is needed"):
        on_disk("s3://b/evals")


def test_without_fsspec_or_a_driver_the_extra_is_named() -> None:
    program = (
        "import sys; sys.modules[sys.argv[1]] = None\n"
        "from pointsman.errors import DataError\n"
        "from pointsman.staging import brought\n"
        "try: brought(sys.argv[2])\n"
        "except DataError as error: print(error.message)\n"
    )
    for missing, place, extra in (
        ("fsspec", "s3://b/x", "s3"),
        ("s3fs", "s3://b/x", "s3"),
        ("gcsfs", "gs://b/x", "gcs"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", program, missing, place], capture_output=True, text=True, check=True
        )
        assert f"pip install 'pointsman[{extra}]'" in done.stdout
