"""The pairs of models that the benchmarks compare on recorded outcomes, and how they are read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pointsman.outcomes import complete, read
from pointsman.vocabulary import Outcomes

MIXTRAL, GPT_4 = "mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview"
MINI, GPT_4O = "gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06"
HAIKU = "claude-3-haiku-20240307"


@dataclass(frozen=True, slots=True)
class RecordedPair:
    """Two models on the prompts of one source, or of some of its datasets."""

    source: str
    """How the names of the source's files begin."""
    cheap: str
    strong: str
    """The better one: the quality reference."""
    datasets: tuple[str, ...] = ()
    """Shell patterns; none takes all."""
    part: str = ""
    """Names the datasets taken."""

    @property
    def name(self) -> str:
        """Source and part."""
        return f"{self.source} {self.part}".strip()


PAIRS = (
    RecordedPair("routellm", MIXTRAL, GPT_4),
    RecordedPair("routellm", MIXTRAL, GPT_4, ("mmlu/*",), "MMLU"),
    RecordedPair("routellm", MIXTRAL, GPT_4, ("gsm8k",), "GSM8K"),
    RecordedPair("zeroeval", HAIKU, "claude-3-opus-20240229"),
    RecordedPair("zeroeval", MINI, GPT_4O),
    RecordedPair("zeroeval", "gemini-1.5-flash", "gemini-1.5-pro"),
    RecordedPair("zeroeval", MINI, "o1-mini-2024-09-12"),
    RecordedPair("mmlu_pro", "gemini-1.5-flash-002", "gemini-1.5-pro-002"),
    RecordedPair("mmlu_pro", "Meta-Llama-3-8B-Instruct", "gpt-4o-2024-05-13"),
    RecordedPair("textclass", "gpt-4.1-nano-2025-04-14", "gpt-5-2025-08-07"),
    RecordedPair("textclass", MINI, GPT_4O),
    RecordedPair("llmrouter", "llama-3.1-8b-instruct", "llama-3.1-nemotron-51b-instruct"),
    RecordedPair("cascades", "gpt-4o-mini", "gpt-4o"),
    RecordedPair("cascades", "llama3.2-1b", "llama3.1-405b"),
    RecordedPair("bfcl", HAIKU, "claude-3-5-sonnet-20240620"),
    RecordedPair("bfcl", f"{HAIKU}-FC", "claude-3-5-sonnet-20240620-FC", part="function calling"),
    RecordedPair("routerarena", HAIKU, "gemini-2.0-flash-001"),
)


def files(data: Path, pair: RecordedPair) -> list[Path]:
    """The source's files in the folder; empty when there are none."""
    return sorted(data.glob(f"{pair.source}*.parquet"))


def recorded(data: Path, pair: RecordedPair) -> Outcomes:
    """The prompts that both models have a score on.

    Raises:
        DataError: the folder has no file of the source, or the file lacks a model.
    """
    outcomes, _ = read(files(data, pair) or [data], models=(pair.cheap, pair.strong), datasets=pair.datasets)
    return complete(outcomes)


def chosen(data: Path, names: list[str]) -> list[RecordedPair]:
    """The pairs whose source has a file in the folder and, where names are given, whose name holds one of them.

    Raises:
        SystemExit: none is left.
    """
    kept = [pair for pair in PAIRS if files(data, pair) and (not names or any(name in pair.name for name in names))]
    if not kept:
        wanted = f" with {', '.join(names)} in its name" if names else ""
        raise SystemExit(
            f"{data} has no file of a source{wanted}: {', '.join(sorted({pair.source for pair in PAIRS}))}"
        )
    return kept
