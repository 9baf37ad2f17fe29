"""Questions → rows ``[CLS] question [SEP] part of the context [SEP]``."""

import dataclasses
import warnings
from collections.abc import Sequence

import numpy as np

from ...errors import KbertWarning
from ...features.splits import Ints, cumulated, ranges
from ...tokenizer import Tokenizer
from ..rows import Column, Rows, framed
from .places import AnswerPlaces
from .questions import Question

_SPECIAL = 3  # [CLS] and two [SEP]
_CHUNK = 1024  # contexts; a graph holds some 100 bytes for each of their characters


@dataclasses.dataclass(frozen=True)
class Contexts:
    """The pieces of the contexts of some questions; those of equal contexts once.

    Args:
        ids: int32 ``[P]``.
        starts: int64 ``[P]``, first character of each piece in its context.
        ends: int64 ``[P]``, one after its last character.
        splits: int64 ``[contexts + 1]``; context *c* has pieces
            ``splits[c]:splits[c + 1]``.
        of_question: int64 ``[Q]``, the context of each question.
    """

    ids: np.ndarray
    starts: Ints
    ends: Ints
    splits: Ints
    of_question: Ints

    @property
    def firsts(self) -> Ints:
        """int64 ``[Q]``, the first piece of each question's context."""
        return self.splits[self.of_question]

    @property
    def lengths(self) -> Ints:
        """int64 ``[Q]``, pieces of each question's context."""
        return np.diff(self.splits)[self.of_question]


@dataclasses.dataclass(frozen=True)
class Windows:
    """Parts of contexts that fit beside their question; all int64 ``[W]``.

    Args:
        question: the question that each serves, ascending.
        start: its first piece, counted in the context of the question.
        length: its pieces; 0 for an empty context.
    """

    question: Ints
    start: Ints
    length: Ints


def question_rows(
    questions: Sequence[Question],
    tokenizer: Tokenizer,
    *,
    max_length: int,
    max_query_length: int,
    doc_stride: int,
    places: AnswerPlaces | None = None,
) -> Rows:
    """Rows of all windows of the questions.

    Args:
        questions: in order.
        tokenizer: of the model.
        max_length: most tokens of a row.
        max_query_length: most pieces of a question. It never gets more than half of a
            row, so that there is room for the context.
        doc_stride: pieces from the start of one window to that of the next.
        places: the answers to train on. Then questions whose answer is nowhere in the
            context, or has no piece, have no row; without them, no row has a target.

    Returns:
        Rows with the target ``span``, int32 ``[R, 2]``: the places of the first and the
        last piece of the answer in the row; 0 and 0 where the window has not the whole
        answer.

    Source:
        google-research/bert ``run_squad.py``, ``convert_examples_to_features``.
        Differs: the answer's pieces are those that share a character with it, where
        ``_improve_answer_span`` looks for the answer's text among the pieces of the
        words around it; an empty context has a window too, so that each question is
        answered; questions are not longer than half of a row.
    """
    contexts = context_pieces(questions, tokenizer)
    limit = min(max_query_length, (max_length - _SPECIAL) // 2)
    asked = _question_pieces(questions, tokenizer, limit=limit)
    windows = cut(
        contexts.lengths, max_length - _SPECIAL - asked.lengths, stride=doc_stride
    )
    spans = None
    if places is not None:
        spans = answer_pieces(questions, contexts, places)
        lost = spans[:, 0] == _LOST
        _warn_of_no_pieces(questions, lost & places.found)
        windows = _of(windows, ~lost)
    first = asked.splits[windows.question]
    firsts = contexts.firsts[windows.question] + windows.start
    inputs, _ = framed(
        _gathered(asked.values, first, first + asked.lengths[windows.question]),
        _gathered(contexts.ids, firsts, firsts + windows.length),
        vocabulary=tokenizer.vocabulary,
        max_length=max_length,
    )
    targets, weights = {}, {}
    if spans is not None:
        targets["span"] = Column(_targets(windows, spans, asked.lengths))
        weights["span"] = Column(np.ones(len(windows.question), np.float32))
    return Rows(inputs, targets, weights, windows.question)


def context_pieces(questions: Sequence[Question], tokenizer: Tokenizer) -> Contexts:
    """Tokenize the contexts of questions, and keep where their pieces come from."""
    numbers: dict[str, int] = {}
    of_question = [numbers.setdefault(one.context, len(numbers)) for one in questions]
    texts = list(numbers)
    parts = [
        tokenizer.tokenize_with_offsets(texts[start : start + _CHUNK])
        for start in range(0, len(texts), _CHUNK)
    ]
    ids, starts, ends = (
        np.concatenate([getattr(part, name).values.numpy() for part in parts])
        for name in ("token_ids", "starts", "ends")
    )
    counts = [part.token_ids.row_lengths().numpy() for part in parts]
    splits = cumulated(np.concatenate(counts))
    return Contexts(ids, starts, ends, splits, np.array(of_question, np.int64))


def cut(context_lengths: Ints, rooms: Ints, *, stride: int) -> Windows:
    """Cover each context by windows of as many pieces as there is room.

    Args:
        context_lengths: int64 ``[Q]``, pieces.
        rooms: int64 ``[Q]``, most pieces of a window.
        stride: pieces from one start to the next, or as many as there is room.
    """
    steps = np.minimum(rooms, stride)
    counts = 1 + np.maximum(0, -(-(context_lengths - rooms) // steps))
    numbers, question = ranges(np.zeros_like(counts), counts)
    start = numbers * steps[question]
    length = np.minimum(context_lengths[question] - start, rooms[question])
    return Windows(question, start, length)


def planned(rows: Rows, *, stride: int) -> Windows:
    """The windows that rows of ``question_rows`` show, read from the rows."""
    segments = rows.inputs["segment_ids"]
    shown = cumulated(segments.values)[segments.splits]
    length = np.diff(shown) - 1  # the last [SEP] is of segment 1
    question = np.asarray(rows.examples)
    first = np.searchsorted(question, question)  # the first row of the same question
    numbers = np.arange(len(question)) - first
    # A window that another one follows is as long as there is room.
    return Windows(question, numbers * np.minimum(length[first], stride), length)


def max_context(windows: Windows, contexts: Contexts) -> np.ndarray:
    """bool ``[sum of lengths]``: whether no other window shows more around a piece.

    Args:
        windows: of all questions, in order.
        contexts: of the questions.

    Returns:
        For the pieces of each window, one window after the other: whether the smaller
        of its left and its right context, plus 0.01 times the window's length, is the
        largest among the windows that have the piece; the first one of equals.

    Source:
        google-research/bert ``run_squad.py``, ``_check_is_max_context``.
        Differs: nothing.
    """
    place, window = ranges(np.zeros_like(windows.length), windows.length)
    length = windows.length[window]
    score = np.minimum(place, length - 1 - place) + 0.01 * length
    bases = cumulated(contexts.lengths)
    piece = bases[windows.question][window] + windows.start[window] + place
    best = np.full(bases[-1], -1.0)
    np.maximum.at(best, piece, score)
    highest = np.flatnonzero(score == best[piece])
    owner = np.full(bases[-1], len(windows.length))
    np.minimum.at(owner, piece[highest], window[highest])
    return owner[piece] == window


_NONE, _LOST = -1, -2


def answer_pieces(
    questions: Sequence[Question], contexts: Contexts, places: AnswerPlaces
) -> Ints:
    """int64 ``[Q, 2]``: the first and last piece, in its context, of each answer.

    Both are −1 if there is no answer, and −2 if there is one without any piece.
    """
    # Contexts behind one another, so that one search serves all questions.
    lengths = np.zeros(len(contexts.splits) - 1, np.int64)
    lengths[contexts.of_question] = [len(one.context) for one in questions]
    bases = cumulated(lengths)
    shifts = np.repeat(bases[:-1], np.diff(contexts.splits))
    base = bases[contexts.of_question]
    first = np.searchsorted(contexts.ends + shifts, base + places.starts, side="right")
    last = np.searchsorted(contexts.starts + shifts, base + places.ends) - 1
    spans = np.stack([first, last], axis=1) - contexts.firsts[:, None]
    spans[(last < first) | ~places.found] = _LOST
    spans[places.found & (places.starts < 0)] = _NONE
    return spans


def _question_pieces(
    questions: Sequence[Question], tokenizer: Tokenizer, *, limit: int
) -> Column:
    pieces = tokenizer.tokenize([one.question for one in questions])
    lengths = pieces.row_lengths().numpy()
    too_long = int((lengths > limit).sum())
    if too_long:
        warnings.warn(
            f"{questions[0].source}: {too_long} of {len(questions)} questions are "
            f"longer than {limit} word pieces, and lose their ends; allow more with a "
            "greater max_query_length or max_length",
            KbertWarning,
            stacklevel=4,
        )
    starts = pieces.row_splits.numpy()[:-1]
    return _gathered(pieces.values.numpy(), starts, starts + np.minimum(lengths, limit))


def _warn_of_no_pieces(questions: Sequence[Question], lost: np.ndarray) -> None:
    """Say which answers the tokenizer leaves nothing of, blanks for instance."""
    if lost.any():
        first = questions[int(np.argmax(lost))]
        warnings.warn(
            f"{first.source}: the answers to {lost.sum()} of {len(questions)} "
            f"questions are nothing to the tokenizer, the first is that to "
            f"{first.id!r}; the questions are left out of training",
            KbertWarning,
            stacklevel=4,
        )


def _gathered(values: np.ndarray, starts: Ints, stops: Ints) -> Column:
    """A row for each slice of ``values``."""
    numbers, _ = ranges(starts, stops)
    return Column(values[numbers], cumulated(stops - starts))


def _of(windows: Windows, kept: np.ndarray) -> Windows:
    """The windows of some questions."""
    chosen = kept[windows.question]
    return Windows(*(getattr(windows, field.name)[chosen] for field in _FIELDS))


_FIELDS = dataclasses.fields(Windows)


def _targets(windows: Windows, spans: Ints, question_lengths: Ints) -> np.ndarray:
    """int32 ``[W, 2]``: places in the row; 0 and 0 without the whole answer."""
    span = spans[windows.question]
    stop = windows.start + windows.length
    inside = (span[:, 0] >= windows.start) & (span[:, 1] < stop)
    context_place = question_lengths[windows.question] + 2
    places = span + (context_place - windows.start)[:, None]
    return np.where(inside[:, None], places, 0).astype(np.int32)
