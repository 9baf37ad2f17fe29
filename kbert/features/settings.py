"""What to extract: unit, layers, pooling, windows; checked against a model."""

import dataclasses
from collections.abc import Sequence
from numbers import Integral
from typing import Any, Literal, get_args

from ..config import BertConfig
from ..errors import ConfigError
from .layer_choice import LayerChoice, parse_layers

Unit = Literal["token", "word", "sentence"]
Combine = Literal["concat", "mean", "sum", "max", "stack"]
WordPool = Literal["first", "last", "mean", "max"]
SentencePool = Literal["mean", "max", "cls", "pooler"]
Context = Literal["none", "document"]
ComputeDtype = Literal["float32", "bfloat16"]

# The least room for text in a window; below it nothing sensible fits.
_LEAST_ROOM = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class FeatureSettings:
    """The choices that decide the numbers; two runs with equal ones give equal bytes.

    Args:
        unit: what gets a row: each word piece, each word, or each text.
        layers: which layers, see ``parse_layers``: ``-1``, ``"-4:"``, ``"0,-1"``,
            ``"all"`` (1 … L), ``"emb"`` (0).
        combine: several layers side by side (``concat``), by their mean, sum or
            maximum, or kept apart on an axis of their own (``stack``).
        word_pool: which pieces of a word stand for it. The paper uses ``first``.
        sentence_pool: mean or maximum over the tokens, [CLS] and [SEP] included; the
            vector of [CLS]; or that vector through the pooler.
        normalize: whether to scale every vector to length 1.
        max_length: longest window in tokens, [CLS] and [SEP] included; ``None`` for
            the longest that the model takes.
        stride: pieces from the start of a window to the start of the next one, for
            text that does not fit; ``None`` for half of the room.
        context: ``document`` puts each sentence in the middle of as much of its own
            document as fits.
        compute_dtype: arithmetic of the encoder.
    """

    unit: Unit = "sentence"
    layers: LayerChoice = -1
    combine: Combine = "concat"
    word_pool: WordPool = "first"
    sentence_pool: SentencePool = "mean"
    normalize: bool = False
    max_length: int | None = None
    stride: int | None = None
    context: Context = "none"
    compute_dtype: ComputeDtype = "float32"

    def resolve(self, config: BertConfig) -> "ResolvedSettings":
        """Check every choice against a model and fill in what was left open.

        Raises:
            ConfigError: a choice is unknown, or does not fit the model or another one.
        """
        for name, choices in _CHOICES.items():
            _check_choice(name, getattr(self, name), choices)
        layers = parse_layers(self.layers, config.num_layers)
        max_length = self._max_length(config)
        room = max_length - 2  # [CLS] and [SEP]
        stride = max(1, room // 2) if self.stride is None else self.stride
        if not _is_whole(stride, 1, room):
            raise ConfigError(
                f"stride={stride!r} with max_length={max_length}",
                expected=f"a stride of 1 to {room} pieces",
            )
        if self.sentence_pool == "pooler" and self.unit == "sentence":
            self._check_pooler(layers, config)
        return ResolvedSettings(
            **{
                **dataclasses.asdict(self),
                "layers": layers,
                "max_length": max_length,
                "stride": stride,
            }
        )

    def _max_length(self, config: BertConfig) -> int:
        longest = config.max_sequence_length
        max_length = longest if self.max_length is None else self.max_length
        if not _is_whole(max_length, _LEAST_ROOM + 2, longest):
            raise ConfigError(
                f"max_length={max_length!r}",
                expected=f"{_LEAST_ROOM + 2} to {longest}, the longest that the model "
                "takes",
            )
        return max_length

    def _check_pooler(self, layers: tuple[int, ...], config: BertConfig) -> None:
        if layers != (config.num_layers,):
            raise ConfigError(
                f"sentence_pool='pooler' with layers={self.layers!r}",
                expected="the last layer only, which the pooler reads",
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResolvedSettings:
    """``FeatureSettings`` for one model: nothing left open, layers as numbers."""

    unit: Unit
    layers: tuple[int, ...]
    combine: Combine
    word_pool: WordPool
    sentence_pool: SentencePool
    normalize: bool
    max_length: int
    stride: int
    context: Context
    compute_dtype: ComputeDtype

    def row_shape(self, hidden_dim: int) -> tuple[int, ...]:
        """Shape of one row: ``(dim,)``, or ``(layers, H)`` for ``stack``."""
        if self.combine == "stack":
            return (len(self.layers), hidden_dim)
        if self.combine == "concat":
            return (len(self.layers) * hidden_dim,)
        return (hidden_dim,)

    def to_dict(self) -> dict[str, Any]:
        """What a manifest says of them, without what does not matter to this unit."""
        fields = {**dataclasses.asdict(self), "layers": list(self.layers)}
        unused = {"token": ["word_pool", "sentence_pool"], "word": ["sentence_pool"]}
        for name in unused.get(self.unit, ["word_pool"]):
            del fields[name]
        return fields


_CHOICES = {
    "unit": get_args(Unit),
    "combine": get_args(Combine),
    "word_pool": get_args(WordPool),
    "sentence_pool": get_args(SentencePool),
    "context": get_args(Context),
    "compute_dtype": get_args(ComputeDtype),
}


def _check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ConfigError(f"{name}={value!r}", expected=f"one of {', '.join(choices)}")


def _is_whole(value: object, least: int, most: int) -> bool:
    return isinstance(value, Integral) and least <= value <= most
