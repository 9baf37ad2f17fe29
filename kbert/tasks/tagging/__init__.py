"""Tagging: words with tags, such as names ↔ rows for the model, guesses and figures."""

from .task import Tagging

__all__ = ["Tagging"]
