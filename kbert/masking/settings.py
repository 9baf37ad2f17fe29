"""What to mask: which units, how many of them, and what stands in their place."""

import dataclasses
import math
from typing import Any, Literal, get_args

from ..errors import ConfigError
from ..vocabulary import MASK, UNK

Masking = Literal["token", "whole-word", "span"]
MaskToken = Literal["[MASK]", "[UNK]"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class MaskingSettings:
    """The choices that decide which tokens a model has to predict.

    Args:
        masking: what is chosen as a whole: a ``token``, a ``whole-word`` (with all of
            its ``##`` pieces), or a ``span`` of 1 to 10 words in a row.
        mask_rate: fraction of a row's tokens to predict, in (0, 1]; [CLS] and [SEP]
            count, as in the original, but are never chosen.
        mask_mixture: percent of the chosen tokens that become the mask token, become
            a random token, and stay as they are; drawn anew for each piece, or for
            each span.
        mask_token: what a masked token becomes.
        max_predictions: most predictions in a row; ``None`` for ``mask_rate`` times
            the length of a row, rounded up: 20 at length 128, 77 at 512.

    Raises:
        ConfigError: a value is out of its range, or the mixture is not 100 percent.

    Source:
        Devlin et al. 2019, arXiv:1810.04805, section 3.1 and appendix C.2; spans: Joshi
        et al. 2020, arXiv:1907.10529. Differs: see ``Masker``.
    """

    masking: Masking = "token"
    mask_rate: float = 0.15
    mask_mixture: tuple[float, float, float] = (80, 10, 10)
    mask_token: MaskToken = MASK
    max_predictions: int | None = None

    def __post_init__(self) -> None:
        _check_choice("masking", self.masking, get_args(Masking))
        _check_choice("mask_token", self.mask_token, (MASK, UNK))
        if not _is_number(self.mask_rate) or not 0 < self.mask_rate <= 1:
            raise ConfigError(
                f"mask_rate={self.mask_rate!r}",
                expected="a fraction above 0 and at most 1",
            )
        _check_mixture(self.mask_mixture)
        object.__setattr__(self, "mask_mixture", tuple(self.mask_mixture))
        limit = self.max_predictions
        if limit is not None and (type(limit) is not int or limit < 1):
            raise ConfigError(
                f"max_predictions={limit!r}", expected="a whole number above 0"
            )

    def slots(self, length: int) -> int:
        """M, the places for predictions in a row of ``length`` tokens.

        Example:
            >>> MaskingSettings().slots(128), MaskingSettings().slots(512)
            (20, 77)
        """
        if self.max_predictions is not None:
            return min(self.max_predictions, length)
        # 0.07 * 100 is 7.000000000000001 in floating point, and 7 in the user's mind.
        return math.ceil(round(self.mask_rate * length, 6))


def _check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(
            f"{name}={value!r}", expected=f"one of {', '.join(map(str, choices))}"
        )


def _check_mixture(mixture: Any) -> None:
    shares = tuple(mixture) if isinstance(mixture, tuple | list) else ()
    right = len(shares) == 3 and all(_is_number(one) and one >= 0 for one in shares)
    if not right or not math.isclose(sum(shares), 100, abs_tol=1e-6):
        raise ConfigError(
            f"mask_mixture={mixture!r}",
            expected="three percentages that add up to 100: masked, random, kept",
        )


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value)
