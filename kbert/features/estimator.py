"""A frozen BERT as a scikit-learn transformer: texts → vectors."""

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags

from ..bundled import DEFAULT
from ..checkpoints import load
from ..errors import ConfigError, InputError
from ..model import Bert
from ..readers import Item
from .chunks import ITEMS_PER_CHUNK
from .engine import FeatureEngine, Features
from .layer_choice import LayerChoice
from .settings import FeatureSettings


class FeatureExtractor(TransformerMixin, BaseEstimator):
    """Texts in, vectors of a frozen BERT out, in any scikit-learn pipeline.

    Nothing is learned: ``fit`` only checks. The model is loaded when it is first
    needed, and is left out of pickles, which hold the path.

    Args:
        model: whatever ``kbert.load`` takes, or a ``kbert.Bert``.
        unit, layers, combine, word_pool, sentence_pool, normalize, max_length, stride,
            compute_dtype: see ``kbert.FeatureSettings``.

    Attributes:
        n_features_out_: width of a vector, after ``fit``.

    Example:
        >>> model = make_pipeline(kbert.FeatureExtractor("runs/base"),
        ...                       LogisticRegression())          # doctest: +SKIP
        >>> model.fit(texts, labels).predict(["What a film!"])   # doctest: +SKIP

    Source:
        Devlin et al. 2019, arXiv:1810.04805, section 5.3. Differs: any layers, units
        and poolings; the paper's best row is ``unit="word"``, ``layers="-4:"``.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | Bert = DEFAULT,
        *,
        unit: str = "sentence",
        layers: LayerChoice = -1,
        combine: str = "concat",
        word_pool: str = "first",
        sentence_pool: str = "mean",
        normalize: bool = False,
        max_length: int | None = None,
        stride: int | None = None,
        compute_dtype: str = "float32",
    ) -> None:
        self.model = model
        self.unit = unit
        self.layers = layers
        self.combine = combine
        self.word_pool = word_pool
        self.sentence_pool = sentence_pool
        self.normalize = normalize
        self.max_length = max_length
        self.stride = stride
        self.compute_dtype = compute_dtype

    def fit(self, X: Iterable[str], y: Any = None) -> "FeatureExtractor":
        """Check the texts, the model and the settings; learn nothing.

        Raises:
            InputError: ``X`` is one string, or holds something that is not a text.
            ConfigError: a setting does not fit the model.
        """
        _texts(X)
        self.n_features_out_ = int(np.prod(self._engine(self.unit).row_shape))
        return self

    def transform(self, X: Iterable[str]) -> Any:
        """The features of some texts.

        Args:
            X: 1-d list, array or Series of str, or a table of one column.

        Returns:
            For sentences float32 ``[texts, dim]``; layers that are kept apart
            (``combine="stack"``) give ``[texts, layers, H]``. For words and tokens a
            list of such arrays, one for each text; words are split at blanks.

        Raises:
            InputError: ``X`` is one string, or holds something that is not a text.
        """
        features = self._features(
            [Item("X", row, row, text=text) for row, text in enumerate(_texts(X))],
            unit=self.unit,
        )
        if self.unit == "sentence":
            return np.concatenate([part.values for part in features])
        return [part[text] for part in features for text in range(len(part))]

    def transform_words(self, sentences: Iterable[Sequence[str]]) -> list[np.ndarray]:
        """A vector for each word of sentences that are split already.

        The parameter ``unit`` does not matter here.

        Args:
            sentences: a list of words for each sentence.

        Returns:
            float32 ``[words, dim]`` for each sentence, one row for every word; zeros
            for a word of which nothing is left (only control characters, say).

        Raises:
            InputError: a sentence is one string, or a word is not a str.
        """
        items = [
            Item("sentences", row, row, words=_words(words, row))
            for row, words in enumerate(sentences)
        ]
        features = self._features(items, unit="word")
        return [part[text] for part in features for text in range(len(part))]

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the columns: the layers and the place in the vector.

        Args:
            input_features: not used; scikit-learn passes it.
        """
        engine = self._engine(self.unit)
        settings = engine.settings
        joined = settings.combine in ("concat", "stack")
        parts = settings.layers if joined else [f"{settings.combine}_of_layers"]
        names = [part if isinstance(part, str) else f"layer_{part}" for part in parts]
        width = int(np.prod(engine.row_shape)) // len(names)
        digits = len(str(width - 1))
        return np.array(
            [f"{name}_{place:0{digits}}" for name in names for place in range(width)],
            dtype=object,
        )

    def set_output(self, *, transform: str | None = None) -> "FeatureExtractor":
        """Choose the container of ``transform``: default, pandas or polars.

        Raises:
            ConfigError: a table was asked for, and the output is none.
        """
        table = self.unit == "sentence" and self.combine != "stack"
        if transform not in (None, "default") and not table:
            raise ConfigError(
                f"set_output(transform={transform!r}) with unit={self.unit!r}, "
                f"combine={self.combine!r}",
                expected="unit='sentence' without combine='stack', which give a table",
            )
        return super().set_output(transform=transform)

    def _features(self, items: list[Item], *, unit: str) -> list[Features]:
        engine = self._engine(unit)
        firsts = range(0, max(len(items), 1), ITEMS_PER_CHUNK)
        return [engine(items[first : first + ITEMS_PER_CHUNK]) for first in firsts]

    def _engine(self, unit: str) -> FeatureEngine:
        """An engine for the present parameters, kept until one of them changes."""
        choices = {**self.get_params(deep=False), "unit": unit}
        bert = self._bert(choices.pop("model"))
        settings = FeatureSettings(**choices).resolve(bert.config)
        kept = self.__dict__.get("_engine_kept")
        if kept is None or kept.bert is not bert or kept.settings != settings:
            kept = self._engine_kept = FeatureEngine(bert, FeatureSettings(**choices))
        return kept

    def _bert(self, model: str | os.PathLike[str] | Bert) -> Bert:
        """The model, loaded when it is first needed, and again when it changes."""
        if isinstance(model, Bert):
            return model
        berts = self._shared_berts()
        if model not in berts:
            berts.clear()
            berts[model] = load(model)
        return berts[model]

    def _shared_berts(self) -> dict[Any, Bert]:
        return self.__dict__.setdefault("_berts", {})

    def __sklearn_clone__(self) -> "FeatureExtractor":
        # A grid search makes many clones: all of them use the model that one loads.
        twin = type(self)(**self.get_params(deep=False))
        twin._berts = self._shared_berts()
        return twin

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        state.pop("_berts", None)
        state.pop("_engine_kept", None)
        if isinstance(state["model"], Bert):
            raise InputError(
                "a FeatureExtractor around a model in memory cannot be pickled",
                hint="Save the model with kbert.save, and give its path.",
            )
        return state

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags


def _texts(X: Iterable[str]) -> list[str]:
    if isinstance(X, str | bytes):
        raise InputError(
            f"X is one string, {X[:30]!r}",
            expected="a list of texts",
            hint="Put it into a list: [text].",
        )
    if len(getattr(X, "shape", ())) == 2:
        X = _only_column(X)
    texts = _listed(X, "X", expected="a list of texts")
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise InputError(
                f"X[{row}] is {type(text).__name__} {text!r:.40}",
                expected="a str",
                hint="Replace or drop missing texts first.",
            )
    return texts


def _listed(values: Any, name: str, *, expected: str) -> list[Any]:
    try:
        return list(values)
    except TypeError:
        what = f"{name} is {type(values).__name__} {values!r:.40}"
        raise InputError(what, expected=expected) from None


def _only_column(X: Any) -> Iterable[str]:
    if X.shape[1] != 1:
        raise InputError(
            f"X has {X.shape[1]} columns",
            expected="one column of texts",
            hint="Choose one, with a ColumnTransformer for instance.",
        )
    return X.iloc[:, 0] if hasattr(X, "iloc") else X[:, 0]


def _words(words: Sequence[str], row: int) -> tuple[str, ...]:
    if isinstance(words, str | bytes):
        raise InputError(
            f"sentences[{row}] is one string, {words[:30]!r}",
            expected="a list of words",
            hint="Split it, or use transform.",
        )
    words = _listed(words, f"sentences[{row}]", expected="a list of words")
    for number, word in enumerate(words):
        if not isinstance(word, str):
            raise InputError(
                f"sentences[{row}][{number}] is {type(word).__name__} {word!r:.40}",
                expected="a str",
            )
    return tuple(words)
