"""The layer grammar: ``-1``, ``-4:``, ``0,-1``, ``all``, ``emb`` → layer numbers."""

from collections.abc import Iterable, Sequence

from ..errors import ConfigError

LayerChoice = int | str | Sequence[int]
_WORDS = {"emb": "0", "all": "1:"}


def parse_layers(choice: LayerChoice, num_layers: int) -> tuple[int, ...]:
    """Turn a choice of layers into their numbers, in the order given.

    Args:
        choice: a number, a sequence of numbers, or text: numbers, slices as in Python
            (``-4:``), ``all`` (1 … L) and ``emb`` (0), separated by commas. 0 is the
            embedding output, 1 … L are the layers, negatives count from the top.
        num_layers: L.

    Returns:
        Numbers in 0 … L, each at most once.

    Raises:
        ConfigError: no such layer, one layer twice, or not of this form.

    Example:
        >>> parse_layers("emb,-2:", num_layers=12)
        (0, 11, 12)
    """
    if isinstance(choice, str):
        parts: list[str] = choice.split(",")
    elif isinstance(choice, Iterable):
        parts = [str(number) for number in choice]
    else:
        parts = [str(choice)]
    layers = [layer for part in parts for layer in _parse_part(part, num_layers)]
    if not layers:
        raise ConfigError(f"layers={choice!r} names no layer")
    if len(set(layers)) < len(layers):
        raise ConfigError(f"layers={choice!r} names a layer twice")
    return tuple(layers)


def _parse_part(part: str, num_layers: int) -> list[int]:
    every = list(range(num_layers + 1))
    part = part.strip()
    text = _WORDS.get(part, part)
    try:
        if ":" in text:
            bounds = [
                int(bound) if bound.strip() else None for bound in text.split(":")
            ]
            for bound in bounds[:2]:
                if bound is not None:
                    _check_bound(bound, part, num_layers)
            return every[slice(*bounds)]
        _check_bound(int(text), part, num_layers)
        return [every[int(text)]]
    except (ValueError, TypeError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(
            f"layers: {part!r} is not a layer",
            expected="a number, a slice such as -4:, all or emb",
        ) from None


def _check_bound(number: int, part: str, num_layers: int) -> None:
    if not -num_layers - 1 <= number <= num_layers:
        raise ConfigError(
            f"layers: there is no layer {part}",
            expected=f"0 (embeddings) to {num_layers}, or -1 (last) to "
            f"{-num_layers - 1}: this model has {num_layers} layers",
        )
