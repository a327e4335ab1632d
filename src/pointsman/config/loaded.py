"""Settings that remember the file they came from."""

from __future__ import annotations

from pathlib import Path as FilePath

from pydantic import PrivateAttr

from .document import Document
from .faults import Path
from .settings import Settings


class LoadedSettings(Settings):
    """`Settings` with the lines of their file, for `explain` and for later messages."""

    _document: Document = PrivateAttr(default_factory=lambda: Document("defaults"))
    _folder: FilePath = PrivateAttr(default_factory=FilePath)

    def remember(self, document: Document, folder: FilePath) -> None:
        """Keeps where values came from and the folder that relative paths start from."""
        self._document = document
        self._folder = folder

    @property
    def source(self) -> str:
        """The name of the file."""
        return self._document.source

    def line_of(self, *path: str | int) -> int | None:
        """The line of a value of the file, such as `line_of("rules", 0, "when")`; its nearest parent's if absent."""
        return self._document.line(path)

    def origin_of(self, path: Path) -> str:
        """ "pointsman.yaml:12", "env OPENAI_API_KEY" or "default"."""
        origin = self._document.origins.get(path)
        if origin is None:
            return "default"
        if origin.variables:
            return "env " + ", ".join(dict.fromkeys(origin.variables))
        return f"{self._document.source}:{origin.line}"

    def file_path(self, text: str) -> FilePath:
        """A path written in the file: relative ones start from the file's folder, `~` is the home folder."""
        return self._folder / FilePath(text).expanduser()
