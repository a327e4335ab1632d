"""Other tools' files as rows of the long form, scored or still to be scored."""

from .detect import FORMATS, detect
from .imported import Imported, import_files, import_ledger

__all__ = ["FORMATS", "Imported", "detect", "import_files", "import_ledger"]
