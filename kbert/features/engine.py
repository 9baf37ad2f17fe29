"""Items → vectors: tokenize, cut into windows, run in batches, put back in order."""

import dataclasses
import functools
import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from ..errors import CheckpointError, ConfigError
from ..model import Bert, model_variables
from ..readers import Item
from .batches import Batch, SpecialIds, batches
from .frozen import FrozenEncoder, pooling, uses_pooler
from .rows import Rows, merge_rows, sentence_rows, unit_rows
from .settings import FeatureSettings
from .units import UnitMaker, Units
from .windows import Ints, Windows, plan_context_windows, plan_windows

# Padding included. More makes no product faster on a CPU, and costs memory.
TOKENS_PER_BATCH = 2048
# While one batch is in an operation that uses a single core, the other computes.
BATCHES_AT_ONCE = 2


@dataclasses.dataclass(frozen=True)
class Features:
    """The vectors of some texts.

    Args:
        values: float32 ``[units, …]``; zeros for an empty word, or one cut off.
        text_splits: int64 ``[texts + 1]``; text *i* has the vectors
            ``text_splits[i]:text_splits[i + 1]``.
        status: uint8 ``[units]``, places in ``kbert.store.STATUSES``.
        num_pieces: int64 ``[texts]``, pieces of each text, special tokens left out.
        num_tokens: tokens that went through the encoder, without padding.
        names: for each text, its words or pieces; ``None`` for sentences.
        offsets: for each text cut into tokens, the characters of each piece; ``None``
            for a pair, and for words.
    """

    values: np.ndarray
    text_splits: Ints
    status: np.ndarray
    num_pieces: Ints
    num_tokens: int
    names: list[list[str]] | None = None
    offsets: list[list[list[int]] | None] | None = None

    def __getitem__(self, text: int) -> np.ndarray:
        """float32 ``[units of this text, …]``."""
        return self.values[self.text_splits[text] : self.text_splits[text + 1]]

    def __len__(self) -> int:
        return len(self.text_splits) - 1


class FeatureEngine:
    """Turns lists of items into features, all with the same model and settings.

    Args:
        bert: the model; needs a tokenizer.
        settings: what to extract.

    Raises:
        ConfigError: the settings do not fit the model.
        CheckpointError: the model has no vocabulary.
    """

    def __init__(self, bert: Bert, settings: FeatureSettings) -> None:
        if bert.tokenizer is None:
            raise CheckpointError(
                "the model has no vocabulary", hint="Put its vocab.txt into its folder."
            )
        self.settings = settings.resolve(bert.config)
        if uses_pooler(self.settings) and "pooled_output" not in bert.encoder.output:
            raise ConfigError(
                "sentence_pool='pooler', but the model has no pooler",
                expected="mean, max or cls",
            )
        self.row_shape = self.settings.row_shape(bert.config.hidden_dim)
        self.bert, self.tokenizer = bert, bert.tokenizer
        self._make_units = UnitMaker(bert.tokenizer, self.settings.unit)
        self._encode = FrozenEncoder(bert.encoder, bert.config, self.settings)
        vocabulary = bert.tokenizer.vocabulary
        self._special = SpecialIds(
            vocabulary.cls_id, vocabulary.sep_id, vocabulary.pad_id
        )

    def __call__(
        self,
        items: Sequence[Item],
        *,
        targets: range | None = None,
        check: Callable[[], None] = lambda: None,
        progress: Callable[[int], None] = lambda tokens: None,
    ) -> Features:
        """The features of some items.

        Args:
            items: the items, and with ``context="document"`` their neighbours.
            targets: which of them are asked for, all by default; only a context needs
                the others.
            check: called between batches; what it raises ends the work.
            progress: called after each batch with its number of tokens.
        """
        targets = range(len(items)) if targets is None else targets
        units = self._make_units(items)
        windows = self._plan(items, units, targets)
        rows = self._rows(units, windows)
        values = np.zeros((len(rows.window), *self.row_shape), np.float32)
        ready = batches(
            units.pieces,
            windows,
            rows,
            special=self._special,
            token_budget=TOKENS_PER_BATCH,
        )
        for batch, vectors in self._encoded(ready):
            check()
            values[batch.row_numbers] = vectors
            progress(int(batch.lengths.sum()))
        maximum = pooling(self.settings) == "max"
        values = merge_rows(values, rows, maximum=maximum)
        if self.settings.normalize:
            values = _normalized(values)
        return _select(units, rows.status, values, windows, targets)

    @functools.cached_property
    def weights_digest(self) -> str:
        """SHA-256 of the names and values of all weights of the model."""
        sha = hashlib.sha256()
        for path, variable in sorted(model_variables(self.bert).items()):
            sha.update(path.encode())
            sha.update(np.ascontiguousarray(variable.numpy()))
        return sha.hexdigest()

    def _encoded(self, ready: Iterator[Batch]) -> Iterator[tuple[Batch, np.ndarray]]:
        """Batches, in order, with the vectors of their rows."""
        with ThreadPoolExecutor(BATCHES_AT_ONCE) as threads:
            running: deque[tuple[Batch, Future[np.ndarray]]] = deque()
            for batch in ready:
                running.append((batch, threads.submit(self._encode, batch)))
                if len(running) > BATCHES_AT_ONCE:
                    first, vectors = running.popleft()
                    yield first, vectors.result()
            for last, vectors in running:
                yield last, vectors.result()

    def _plan(self, items: Sequence[Item], units: Units, targets: range) -> Windows:
        sizes = {
            "max_length": self.settings.max_length,
            "stride": self.settings.stride,
        }
        self._check_pairs(items)
        if self.settings.context == "none":
            return plan_windows(units.pieces, **sizes)
        documents = np.array([item.document for item in items], np.int64)
        return plan_context_windows(units.pieces, documents, targets=targets, **sizes)

    def _check_pairs(self, items: Sequence[Item]) -> None:
        pair = next((item for item in items if item.text_pair is not None), None)
        if pair is None:
            return
        if self.bert.config.num_segments < 2:
            what, hint = "the model has no segment for a second text", ""
        elif self.settings.context == "document":
            what, hint = "a pair has no document context", "--context document, or "
        else:
            return
        hint = f"Leave out {hint}the second text."
        raise ConfigError(what, where=pair.source, line=pair.line, hint=hint)

    def _rows(self, units: Units, windows: Windows) -> Rows:
        settings = self.settings
        how = pooling(settings)
        if settings.unit == "sentence":
            in_context = settings.context == "document"
            cls_only = how == "one"
            return sentence_rows(
                units, windows, cls_only=cls_only, in_context=in_context
            )
        if how != "one":
            return unit_rows(units, windows, keep="all")
        last = settings.unit == "word" and settings.word_pool == "last"
        return unit_rows(units, windows, keep="last" if last else "first")


def _select(
    units: Units,
    status: np.ndarray,
    values: np.ndarray,
    windows: Windows,
    targets: range,
) -> Features:
    first, last = units.text_splits[targets.start], units.text_splits[targets.stop]
    texts = slice(targets.start, targets.stop)
    return Features(
        values=values[first:last],
        text_splits=units.text_splits[targets.start : targets.stop + 1] - first,
        status=status[first:last],
        num_pieces=np.diff(units.pieces.text_splits)[texts],
        num_tokens=int(windows.lengths.sum()),
        names=None if units.names is None else units.names[texts],
        offsets=None if units.offsets is None else units.offsets[texts],
    )


def _normalized(values: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(values, axis=-1, keepdims=True)
    return values / np.where(lengths == 0, 1, lengths)
