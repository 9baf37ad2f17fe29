"""Rows of token ids → what the model sees of them, and the tokens it has to predict."""

from .masker import MaskedTokens as MaskedTokens
from .masker import Masker as Masker
from .settings import MaskingSettings as MaskingSettings
