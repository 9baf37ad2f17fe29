"""Right and guessed classes or scores → the figures that scikit-learn and SciPy give.

What is undefined is 0.0, without a warning: the F1 of a class that is neither there nor
guessed, Matthews of one class alone, a correlation with guesses that are all the same.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import stats
from sklearn import metrics

from ..errors import InputError

# What each task of GLUE is scored by, in the order of its leaderboard.
GLUE_FIGURES = {
    "CoLA": ("matthews",),
    "SST-2": ("accuracy",),
    "MRPC": ("f1", "accuracy"),
    "STS-B": ("pearson", "spearman"),
    "QQP": ("f1", "accuracy"),
    "MNLI": ("accuracy",),
    "QNLI": ("accuracy",),
    "RTE": ("accuracy",),
    "WNLI": ("accuracy",),
}


def accuracy(gold: np.ndarray, guesses: np.ndarray) -> float:
    """The fraction of guesses that are right.

    Args:
        gold: int ``[N]``.
        guesses: int ``[N]``.

    Raises:
        InputError: nothing to score, or other numbers of guesses.
    """
    return float(metrics.accuracy_score(*_checked(gold, guesses)))


def class_figures(
    gold: np.ndarray, guesses: np.ndarray, *, num_classes: int
) -> dict[str, float]:
    """Accuracy, F1 and Matthews of one class a text.

    Args:
        gold: int ``[N]``, the right classes.
        guesses: int ``[N]``.
        num_classes: C. With two, ``f1`` is that of class 1; with more, ``f1_macro`` is
            the mean over the classes that occur and ``f1_micro`` counts all alike,
            which is the accuracy.

    Returns:
        ``accuracy``, ``f1`` (or ``f1_macro`` and ``f1_micro``) and ``matthews``.

    Raises:
        InputError: nothing to score, or other numbers of guesses.

    Example:
        >>> class_figures(np.array([1, 1, 0]), np.array([1, 1, 1]), num_classes=2)
        {'accuracy': 0.6666666666666666, 'f1': 0.8, 'matthews': 0.0}
    """
    gold, guesses = _checked(gold, guesses)
    figures = {"accuracy": accuracy(gold, guesses)}
    if num_classes == 2:
        figures["f1"] = float(metrics.f1_score(gold, guesses, zero_division=0))
    else:
        figures |= _averaged_f1(gold, guesses)
    return figures | {"matthews": _matthews(gold, guesses)}


def label_set_figures(gold: np.ndarray, guesses: np.ndarray) -> dict[str, float]:
    """Accuracy and F1 where a text has any number of labels.

    Args:
        gold: bool ``[N, C]``, the labels that each text has.
        guesses: bool ``[N, C]``.

    Returns:
        ``accuracy`` (texts of which every label is right), ``f1_macro`` (mean over the
        labels) and ``f1_micro`` (over all places together).

    Raises:
        InputError: nothing to score, or other numbers of guesses.
    """
    gold, guesses = _checked(gold, guesses)
    figures = {"accuracy": float((gold == guesses).all(axis=1).mean())}
    if gold.shape[1] == 1:  # scikit-learn takes one column for two classes
        f1 = float(metrics.f1_score(gold[:, 0], guesses[:, 0], zero_division=0))
        return figures | {"f1_macro": f1, "f1_micro": f1}
    return figures | _averaged_f1(gold, guesses)


def score_figures(gold: np.ndarray, guesses: np.ndarray) -> dict[str, float]:
    """Pearson's and Spearman's correlation of scores.

    Args:
        gold: float ``[N]``, the right scores.
        guesses: float ``[N]``.

    Returns:
        ``pearson`` and ``spearman``, in [-1, 1].

    Raises:
        InputError: nothing to score, other numbers of guesses, or one that is not
            finite.
    """
    gold, guesses = _checked(gold, guesses)
    for number in np.flatnonzero(~np.isfinite(guesses))[:1]:
        raise InputError(f"guess {number} is {guesses[number]}", expected="a number")
    return {
        "pearson": _correlation(stats.pearsonr, gold, guesses),
        "spearman": _correlation(stats.spearmanr, gold, guesses),
    }


def glue_figures(task: str, gold: np.ndarray, guesses: np.ndarray) -> dict[str, float]:
    """What GLUE scores a task by.

    Args:
        task: one of ``GLUE_FIGURES``.
        gold: int ``[N]``, classes; for STS-B float ``[N]``, scores.
        guesses: as ``gold``.

    Raises:
        InputError: no such task, nothing to score, or other numbers of guesses.

    Example:
        >>> glue_figures("SST-2", np.array([1, 0]), np.array([1, 1]))
        {'accuracy': 0.5}

    Source:
        Wang et al. 2018, arXiv:1804.07461, table 1. Differs: nothing.
    """
    if task not in GLUE_FIGURES:
        raise InputError(
            f"GLUE has no task {task!r}", expected=f"one of {', '.join(GLUE_FIGURES)}"
        )
    if task == "STS-B":
        figures = score_figures(gold, guesses)
    else:
        classes = 3 if task == "MNLI" else 2
        figures = class_figures(gold, guesses, num_classes=classes)
    return {name: figures[name] for name in GLUE_FIGURES[task]}


def class_table(
    gold: np.ndarray, guesses: np.ndarray, labels: Sequence[str]
) -> list[dict[str, str | float | int]]:
    """Precision, recall and F1 of each class, and how often it is right.

    Args:
        gold: int ``[N]``, or bool ``[N, C]`` where a text has any number of labels.
        guesses: as ``gold``.
        labels: the C names.

    Returns:
        One row a class: ``label``, ``precision``, ``recall``, ``f1``, ``support``.
    """
    numbers = range(len(labels))
    if gold.ndim > 1 and len(labels) == 1:  # that column would be two classes
        gold, guesses = (one[:, 0].astype(int) for one in (gold, guesses))
        numbers = [1]
    columns = metrics.precision_recall_fscore_support(
        gold, guesses, labels=numbers, zero_division=0
    )
    names = ("precision", "recall", "f1", "support")
    return [
        {"label": label, **dict(zip(names, map(_plain, row), strict=True))}
        for label, *row in zip(labels, *columns, strict=True)
    ]


def confusion_matrix(
    gold: np.ndarray, guesses: np.ndarray, *, num_classes: int
) -> np.ndarray:
    """int64 ``[C, C]``: how many texts of class *row* were taken for class *column*.

    Args:
        gold: int ``[N]``, the right classes.
        guesses: int ``[N]``.
        num_classes: C.
    """
    return metrics.confusion_matrix(gold, guesses, labels=range(num_classes))


def _checked(gold: np.ndarray, guesses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    gold, guesses = np.asarray(gold), np.asarray(guesses)
    if gold.shape != guesses.shape:
        raise InputError(
            f"guesses of shape {guesses.shape}", expected=f"{gold.shape}, as the gold"
        )
    if not len(gold):
        raise InputError("nothing to score", expected="at least one example")
    return gold, guesses


def _averaged_f1(gold: np.ndarray, guesses: np.ndarray) -> dict[str, float]:
    return {
        f"f1_{average}": float(
            metrics.f1_score(gold, guesses, average=average, zero_division=0)
        )
        for average in ("macro", "micro")
    }


def _matthews(gold: np.ndarray, guesses: np.ndarray) -> float:
    if len(np.union1d(gold, guesses)) < 2:  # scikit-learn warns
        return 0.0
    return float(metrics.matthews_corrcoef(gold, guesses))


def _correlation(
    measure: Callable[..., Any], gold: np.ndarray, guesses: np.ndarray
) -> float:
    if len(gold) < 2 or np.ptp(gold) == 0 or np.ptp(guesses) == 0:
        return 0.0
    with warnings.catch_warnings():  # scores that are nearly the same
        warnings.simplefilter("ignore", stats.NearConstantInputWarning)
        value = float(measure(gold, guesses).statistic)
    return value if np.isfinite(value) else 0.0


def _plain(value: np.generic) -> float | int:
    return value.item()
