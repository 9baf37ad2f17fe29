"""A config → how many parameters each part has, and how many FLOPs it costs."""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

from .config import HEADS, BertConfig, check_head
from .errors import ConfigError

_NO_HEADS: Mapping[str, int] = MappingProxyType({})


@dataclasses.dataclass(frozen=True)
class ParameterRow:
    """One part of a model, or several equal ones.

    Args:
        part: its name, as the names of its weights begin.
        each: parameters of one of them.
        times: how many of them there are.
        flops_each: FLOPs per token of one of them.
    """

    part: str
    each: int
    times: int = 1
    flops_each: float = 0.0

    @property
    def parameters(self) -> int:
        """Parameters of all of them."""
        return self.each * self.times

    @property
    def flops_per_token(self) -> float:
        """FLOPs per token of all of them."""
        return self.flops_each * self.times


def parameter_table(
    config: BertConfig,
    *,
    heads: Mapping[str, int] = _NO_HEADS,
    pooler: bool = True,
    length: int = 128,
) -> list[ParameterRow]:
    """Count the parameters and FLOPs of every part, from the config alone.

    Args:
        config: sizes of the encoder.
        heads: units of each head, by its name (see ``kbert.heads.HEADS``).
        pooler: whether the encoder has one.
        length: T, of which attention costs more the longer it is.

    Returns:
        The parts from the input to the output; their ``parameters`` add up to
        ``count_params()``. FLOPs count the matrix products of inference, 2 for each
        multiplication with its addition. What a text needs once (the pooler, the heads
        on it) is shared out among its T tokens; ``masked_lm`` counts at every token.

    Raises:
        ConfigError: a head is unknown, or ``length`` is not possible.

    Example:
        >>> config = BertConfig.from_size("base", vocabulary_size=30522)
        >>> sum(row.parameters for row in parameter_table(config))
        109482240

    Source:
        Devlin et al. 2019, arXiv:1810.04805, section 3. Differs: the paper rounds to
        110M (base) and 340M (large).
    """
    _check_length(length, config)
    width, inner = config.hidden_dim, config.intermediate_dim
    embeddings = [
        ParameterRow(f"embeddings/{name}", rows * width)
        for name, rows in (
            ("token", config.vocabulary_size),
            ("position", config.max_sequence_length),
            ("segment", config.num_segments),
            ("layer_norm", 2),
        )
    ]
    # Scores and mixing: one product of width H with each of T tokens, twice.
    attention_flops = 2 * (4 * width * width + 2 * length * width)
    feed_forward = _dense(width, inner) + _dense(inner, width)
    layers = [
        ParameterRow(f"layer/{name}", each, config.num_layers, flops)
        for name, each, flops in (
            ("attention", 4 * _dense(width, width), attention_flops),
            ("feed_forward", feed_forward, 4 * width * inner),
            ("layer_norms", 2 * 2 * width, 0),
        )
    ]
    top = [_pooler(config, length)] if pooler else []
    return [
        *embeddings,
        *layers,
        *top,
        *(_head(name, units, config, length) for name, units in heads.items()),
    ]


def _check_length(length: int, config: BertConfig) -> None:
    if not 1 <= length <= config.max_sequence_length:
        raise ConfigError(
            f"length={length}",
            expected=f"1 to {config.max_sequence_length} (max_sequence_length)",
        )


def _dense(inputs: int, units: int) -> int:
    return inputs * units + units


def _pooler(config: BertConfig, length: int) -> ParameterRow:
    width = config.hidden_dim
    return ParameterRow(
        "pooler", _dense(width, width), flops_each=2 * width * width / length
    )


def _head(name: str, units: int, config: BertConfig, length: int) -> ParameterRow:
    check_head(name, units)
    width, vocabulary = config.hidden_dim, config.vocabulary_size
    if name == "crf":  # transitions, start and end, and what of them is allowed
        return ParameterRow(name, units * units + 2 * units + (units + 1) ** 2)
    if name == "masked_lm":  # transform and norm; of its decoder the bias alone is new
        own = _dense(width, width) + 2 * width + vocabulary
        return ParameterRow(
            name, own, flops_each=2 * (width * width + width * vocabulary)
        )
    times_a_text = length if HEADS[name] == "tokens" else 1
    flops = 2 * width * units * times_a_text / length
    return ParameterRow(name, _dense(width, units), flops_each=flops)
