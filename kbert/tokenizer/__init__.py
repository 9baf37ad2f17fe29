"""Text → the token ids of the original BERT tokenizer, in TensorFlow ops."""

from .pipeline import PlacedPieces
from .tokenizer import Tokenizer, WordPieces

__all__ = ["PlacedPieces", "Tokenizer", "WordPieces"]
