"""What a router artifact says of itself: `card.json`."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pointsman.vocabulary import DialPoint

FORMAT: Final = 2

Share = Annotated[float, Field(ge=0, le=1)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class FeaturesCard(_Part):
    """The hand-crafted features, in the order of the arrays."""

    version: int
    names: tuple[str, ...]
    phrases: tuple[tuple[str, str], ...]
    """What a prompt is or does when the feature is above its mean in training, and when it is not."""

    @model_validator(mode="after")
    def _one_phrase_each(self) -> FeaturesCard:
        if len(self.names) != len(self.phrases):
            raise ValueError(f"{len(self.names)} feature names but {len(self.phrases)} phrases")
        return self


class EncoderCard(_Part):
    """The encoder whose vectors were learned from."""

    id: str
    """"none" when no encoder was used."""
    dim: Annotated[int, Field(ge=0)]
    spec: str
    """How it is opened: "static", "sentence-transformers:NAME", "openai:NAME" or "none"."""


class SourceCard(_Part):
    """One data set that was learned from."""

    name: str
    licence: str
    attribution: str
    datasets: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    """(cheap model, strong model)"""
    n_prompts: int
    n_rows: int
    """Prompts times pairs, as far as both models answered."""
    prompts_sha256: Sha256
    """Of the sorted hashes of its prompts: names the split."""


class TrainingCard(_Part):
    """How it was trained."""

    target: str
    """What the probability is of, in words."""
    n_prompts: Annotated[int, Field(ge=0)]
    sources: tuple[SourceCard, ...]
    seed: int
    settings: dict[str, Any]


class AnswersCard(_Part):
    """What was learned of answers, for cascades."""

    models: tuple[str, ...]
    """Those whose answers were learned, from cheap to strong."""
    signal_version: int
    """Of what is read off an answer's text."""
    token_version: int
    """Of what is read off its tokens' probabilities."""
    signals: tuple[str, ...]
    """Their names, in the order of the arrays, those of tokens last."""
    target: str
    """What the probability is of, in words."""
    n_prompts: Annotated[int, Field(ge=0)]
    metrics: dict[str, Any]


class CalibrationCard(_Part):
    """How the calibration was fitted; its knots are in model.safetensors."""

    method: str
    fitted_on: str


class DialCard(_Part):
    """One row of the dial; see `pointsman.vocabulary.DialPoint`."""

    threshold: Share
    strong_share: Share
    quality_loss: float
    quality_loss_upper: float


class FileCard(_Part):
    """One file beside the card."""

    sha256: Sha256
    n_bytes: Annotated[int, Field(ge=0)]


class ArtifactCard(_Part):
    """The whole card."""

    format: Literal[2]
    kind: Literal["learned"]
    name: str
    version: str
    models: tuple[str, ...]
    """From cheap to strong; the last is the quality reference."""
    pairs: tuple[tuple[str, str], ...]
    """(cheap model, strong model) for which it knows P(cheap does as well); in the order of the arrays."""
    generic: bool = False
    """True when `models` are only parts to play ("cheap", "strong"): it may score any models and knows none of them."""
    features: FeaturesCard
    encoder: EncoderCard
    training: TrainingCard
    calibration: CalibrationCard
    answers: AnswersCard | None = None
    """None for a router that was not trained on answers."""
    dial: tuple[DialCard, ...]
    metrics: dict[str, Any]
    """Measurements with their intervals, as the training script wrote them."""
    limits: tuple[str, ...]
    """What it can and cannot do, in sentences."""
    licence: str
    attribution: tuple[str, ...]
    files: dict[str, FileCard] = Field(default_factory=dict)
    """Filled by `save`."""

    @model_validator(mode="after")
    def _fits_together(self) -> ArtifactCard:
        thresholds = [point.threshold for point in self.dial]
        if thresholds != sorted(set(thresholds)):
            raise ValueError("the dial's thresholds do not rise")
        if len(self.models) < 2 or len(set(self.models)) != len(self.models):
            raise ValueError(f"models {self.models} are fewer than two or not all different")
        if not self.pairs or len(set(self.pairs)) != len(self.pairs):
            raise ValueError("there are no pairs, or one stands twice")
        for pair in self.pairs:
            if pair[0] == pair[1] or not {*pair} <= {*self.models}:
                raise ValueError(f"the pair {pair} does not name two of the models {self.models}")
        if self.answers is not None and not {*self.answers.models} <= {*self.models}:
            raise ValueError(f"answers of {self.answers.models}, which are not all among the models {self.models}")
        return self

    @property
    def router(self) -> str:
        """Name and version."""
        return f"{self.name} {self.version}"

    @property
    def dial_points(self) -> tuple[DialPoint, ...]:
        """The dial, by rising threshold."""
        return tuple(DialPoint(**point.model_dump()) for point in self.dial)
