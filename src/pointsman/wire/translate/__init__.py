"""Any client's dialect to any upstream's: requests out, answers back, whole or streamed; no I/O.

Requests go through one neutral form (`conversation`), answers through pieces (`pieces`), so that there is one reader
and one writer per dialect and not one per pair. See docs/design/translation.md.
"""

from pointsman.wire.translate.choice import upstream_dialect
from pointsman.wire.translate.foreign import without_foreign_thinking
from pointsman.wire.translate.switched import after_another_model
from pointsman.wire.translate.translation import StreamTranslator, Translation

__all__ = [
    "StreamTranslator",
    "Translation",
    "after_another_model",
    "upstream_dialect",
    "without_foreign_thinking",
]
