"""A task and labelled files → a fine-tuned model, its figures, and what it predicts."""

from .results import FineTuned, Moment
from .run import finetune
from .scoring import Scored, evaluate, predict
from .search import Search, search
from .settings import FineTuningSettings

__all__ = [
    "FineTuned",
    "FineTuningSettings",
    "Moment",
    "Scored",
    "Search",
    "evaluate",
    "finetune",
    "predict",
    "search",
]
