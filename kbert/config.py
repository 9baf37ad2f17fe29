"""The shape of a BERT: a frozen dataclass, the named sizes, JSON in and out."""

import dataclasses
import difflib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from . import io
from .errors import ConfigError

Activation = Literal["gelu", "gelu_tanh"]

# name: num_layers, hidden_dim, num_heads (feed-forward is 4 × hidden_dim).
SIZES = {
    "tiny": (2, 128, 2),
    "mini": (4, 256, 4),
    "small": (4, 512, 8),
    "medium": (8, 512, 8),
    "base": (12, 768, 12),
    "large": (24, 1024, 16),
}

# The heads, and what each reads of the encoder's output: C = [CLS] after the pooler,
# T_i = the last vector of each token; the CRF reads the logits of token_classifier.
HEADS = {
    "masked_lm": "tokens",
    "next_sentence": "pooled",
    "sequence_classifier": "pooled",
    "multiple_choice": "pooled",
    "token_classifier": "tokens",
    "crf": "logits",
    "span": "tokens",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class BertConfig:
    """The sizes and choices that, with the weights, make a BERT encoder.

    Args:
        vocabulary_size: V, rows of the token embedding.
        num_layers: L, encoder layers.
        num_heads: N, attention heads a layer; divides ``hidden_dim``.
        hidden_dim: H, width of every token vector.
        intermediate_dim: F, width inside the feed-forward part.
        dropout: fraction of units dropped while training, in [0, 1): of hidden
            vectors and of attention weights.
        max_sequence_length: longest input in tokens, [CLS] and [SEP] included; may be
            more than 512.
        num_segments: rows of the segment embedding (2: sentence A and B).
        activation: ``"gelu"`` is the exact (erf) form, ``"gelu_tanh"`` the
            approximation; both occur in published checkpoints and differ by about
            5e-4 at the output.
        layer_norm_epsilon: added to the variance in every layer normalisation.

    Raises:
        ConfigError: a value is out of its range, or they do not fit together.

    Source:
        Devlin et al. 2019, arXiv:1810.04805, section 3; sizes tiny … medium: Turc et
        al. 2019, arXiv:1908.08962. Differs: the original has two dropout rates, which
        are equal in every published checkpoint.
    """

    vocabulary_size: int
    num_layers: int
    num_heads: int
    hidden_dim: int
    intermediate_dim: int
    dropout: float = 0.1
    max_sequence_length: int = 512
    num_segments: int = 2
    activation: Activation = "gelu"
    layer_norm_epsilon: float = 1e-12

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.type is int and (
                isinstance(value, bool) or not isinstance(value, int) or value < 1
            ):
                raise ConfigError(
                    f"{field.name}={value!r}", expected="a whole number above 0"
                )
        if self.hidden_dim % self.num_heads:
            raise ConfigError(
                f"hidden_dim={self.hidden_dim} with num_heads={self.num_heads}",
                expected="hidden_dim to be a multiple of num_heads",
            )
        if not _is_number(self.dropout) or not 0 <= self.dropout < 1:
            raise ConfigError(
                f"dropout={self.dropout!r}", expected="a fraction in [0, 1)"
            )
        if not _is_number(self.layer_norm_epsilon) or not self.layer_norm_epsilon > 0:
            raise ConfigError(
                f"layer_norm_epsilon={self.layer_norm_epsilon!r}",
                expected="a number above 0",
            )
        if self.activation not in get_args(Activation):
            raise ConfigError(
                f"activation={self.activation!r}",
                expected=" or ".join(repr(name) for name in get_args(Activation)),
            )

    @classmethod
    def from_size(
        cls, name: str, *, vocabulary_size: int, **changes: Any
    ) -> "BertConfig":
        """The config of a named size: tiny, mini, small, medium, base or large.

        Args:
            name: one of ``SIZES``.
            vocabulary_size: V.
            **changes: any other field of ``BertConfig``.

        Example:
            >>> BertConfig.from_size("base", vocabulary_size=30522).intermediate_dim
            3072
        """
        if name not in SIZES:
            raise ConfigError(
                f"no size is called {name!r}", expected=f"one of {', '.join(SIZES)}"
            )
        num_layers, hidden_dim, num_heads = SIZES[name]
        fields = {
            "num_layers": num_layers,
            "num_heads": num_heads,
            "hidden_dim": hidden_dim,
            "intermediate_dim": 4 * hidden_dim,
        }
        return cls.from_dict({"vocabulary_size": vocabulary_size, **fields, **changes})

    @classmethod
    def from_dict(
        cls, fields: Mapping[str, Any], *, where: str | os.PathLike[str] | None = None
    ) -> "BertConfig":
        """Check the names and build the config; ``where`` is named in errors."""
        known = {field.name: field for field in dataclasses.fields(cls)}
        for name in fields:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                raise ConfigError(
                    f"unknown field {name!r}",
                    where=where,
                    hint=f"Did you mean {near[0]!r}?" if near else None,
                )
        missing = [
            name
            for name, field in known.items()
            if field.default is dataclasses.MISSING and name not in fields
        ]
        if missing:
            raise ConfigError(f"missing fields: {', '.join(missing)}", where=where)
        try:
            return cls(**fields)
        except ConfigError as error:
            raise ConfigError(
                error.what, where=where, expected=error.expected, hint=error.hint
            ) from None

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "BertConfig":
        """Read a JSON file that ``save`` wrote.

        Raises:
            ConfigError: not a JSON object, or not the fields of a config.
        """
        return cls.from_dict(read_json_object(path), where=path)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the config as JSON."""
        io.write_json(path, self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """The fields in order, as JSON takes them."""
        return dataclasses.asdict(self)


def check_head(name: str, units: int) -> None:
    """Raise ``ConfigError`` unless ``name`` is a head that can have so many units."""
    if name not in HEADS:
        raise ConfigError(
            f"no head is called {name!r}", expected=f"one of {', '.join(HEADS)}"
        )
    if name != "masked_lm" and (type(units) is not int or units < 1):
        raise ConfigError(f"units={units!r}", expected="a whole number above 0")


def read_json_object(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a small JSON file that holds one object.

    Raises:
        ConfigError: the file is missing, is not UTF-8 JSON, or holds something else.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=path) from error
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        raise ConfigError("not valid JSON", where=path, line=line) from error
    if not isinstance(content, dict):
        raise ConfigError(
            f"holds a JSON {type(content).__name__}", where=path, expected="an object"
        )
    return content


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value)
