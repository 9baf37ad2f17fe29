"""The task: one tag a word, in IOB1, IOB2, IOBES or plain tags."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, get_args

import numpy as np

from ...crf import CRF
from ...errors import ConfigError
from ...metrics.entities import EntityScores, score_entities
from ...metrics.tag_schemes import (
    SCHEMES,
    Mode,
    Scheme,
    allowed_transitions,
    complete_labels,
    entities_of,
    find_scheme,
)
from ...model import Bert
from ...readers import Item
from ...task_model import Loss
from ...tokenizer import Tokenizer
from ..class_report import write_class_report
from ..class_weights import ClassWeights, class_weights
from ..rows import Column, Rows
from ..tables import task_from, tells_nothing
from .decoding import best_tags, word_logits
from .files import write_reports, write_tags
from .sentences import (
    check_known,
    gold_tags,
    read_sentences,
    reader_options,
    scheme_of,
    warn_of_irregular,
    warn_of_no_documents,
    warn_of_other_columns,
)
from .windows import Context, regular_tags, row_tags, whole_entities, word_rows


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tagging:
    """Tag every word, as of named entities; the first piece of a word answers for it.

    Args:
        labels: the tags, in the order of the outputs. By default ``O``, and all tags
            of the scheme for all types in the training file.
        scheme: how tags mark entities: iob1, iob2, iobes, bilou, bmes, or plain, where
            each word has a tag of its own. By default what the training file holds.
        crf: whether a conditional random field decides on whole sentences, so that no
            tag follows one that it cannot.
        class_weights: how much a word of each tag counts in training: ``"balanced"``,
            or a mapping from tag to weight. Not for ``crf``.
        context: ``document`` fills each row with the sentences around; a line
            ``-DOCSTART-`` begins a document.
        stride: pieces from the start of a window to the next, in a sentence that is
            longer than a row; by default half of a row.
        format: ``"auto"`` reads ``.jsonl`` as JSON Lines and all else as CoNLL columns;
            or conll, jsonl, or lines to predict.
        word_column: CoNLL column of the word, from 0.
        tag_column: CoNLL column of the tag, from 0; by default the last one.
        text_column: JSON key of the list of words; by default words, tokens, text or
            sentence.
        label_column: JSON key of the list of tags; by default tags.
        document_column: JSON key that names the document; neighbours with one value are
            one document. Without it every sentence is its own.
        strip_word_digits: whether the digits at the end of a word are none of it: the
            Weibo files glue a character's place in its word to the character.

    Raises:
        ConfigError: an option that is none, or ``class_weights`` with ``crf``.

    Example:
        >>> task = Tagging(context="document")
        >>> train = task.read("train.txt")
        >>> task = task.fitted(train)
        >>> task.scheme, task.labels
        ('iob2', ('O', 'B-LOC', 'I-LOC', 'B-PER', 'I-PER'))

    Source:
        Devlin et al. 2019, arXiv:1810.04805, section 5.3. Differs: what is longer than
        a row is read in windows, not cut off, so every word is scored.
    """

    kind: ClassVar[str] = "ner"
    head: ClassVar[str] = "token_classifier"
    prediction_endings: ClassVar[tuple[str, ...]] = ()
    main_figure: ClassVar[str] = "f1"

    labels: tuple[str, ...] = ()
    scheme: Scheme | None = None
    crf: bool = False
    class_weights: ClassWeights | None = None
    context: Context = "none"
    stride: int | None = None
    format: str = "auto"
    word_column: int = 0
    tag_column: int | None = None
    text_column: str | None = None
    label_column: str | None = None
    document_column: str | None = None
    strip_word_digits: bool = False

    def __post_init__(self) -> None:
        choices = {"context": get_args(Context), "scheme": (None, *SCHEMES)}
        for name, known in choices.items():
            value = getattr(self, name)
            if value not in known:
                expected = f"one of {', '.join(filter(None, known))}"
                raise ConfigError(f"{name}={value!r}", expected=expected)
        if self.crf and self.class_weights is not None:
            raise ConfigError(f"class_weights={self.class_weights!r} with crf")

    @property
    def loss(self) -> Loss:
        """What training makes smaller."""
        return "crf" if self.crf else "cross_entropy"

    @property
    def units(self) -> int:
        """C."""
        return len(self.labels)

    def read(self, path: str, *, gold: bool = True) -> list[Item]:
        """The sentences of a file; see ``Task``.

        Without ``gold``, tags stay only if the task knows all of them.

        Warns:
            KbertWarning: without ``gold``, the columns hold no tag that the task knows;
                or the file does not tell the documents that a context is taken from.
        """
        if self.context == "document":
            warn_of_no_documents(path, self.format, self.document_column)
        sentences = read_sentences(
            path,
            reader_options(dataclasses.asdict(self)),
            gold=gold,
            strip_word_digits=self.strip_word_digits,
        )
        known = set(self.labels)
        if gold or all(known.issuperset(item.tags or ()) for item in sentences):
            return sentences
        warn_of_other_columns(sentences, self.labels, format=self.format)
        return [dataclasses.replace(item, tags=None) for item in sentences]

    def fitted(self, train: Sequence[Item]) -> "Tagging":
        """The same task with the scheme and the tags of a training file.

        Raises:
            InputError: one tag only, or tags of several schemes; the line is named.

        Warns:
            KbertWarning: how many tags break the scheme.
        """
        scheme = scheme_of(train, self.scheme, format=self.format)
        labels = self.labels or complete_labels(gold_tags(train), scheme)
        task = dataclasses.replace(self, scheme=scheme, labels=labels)
        task.check(train)
        class_weights(np.zeros(0, int), self.class_weights, labels=labels)
        return task

    def check(self, examples: Sequence[Item]) -> None:
        """Raise ``InputError`` at the first tag that the task does not know.

        Warns:
            KbertWarning: how many tags break the scheme.
        """
        check_known(examples, self.labels, format=self.format)
        warn_of_irregular(examples, self._known_scheme(), format=self.format)

    def check_dev(self, examples: Sequence[Item]) -> None:
        """Raise ``InputError`` if there is no entity; see ``Task``."""
        scheme = self._known_scheme()
        if not any(entities_of(tags, scheme) for tags in gold_tags(examples)):
            raise tells_nothing(self.main_figure, examples, "no word is of an entity")

    def restrict(self, crf: CRF) -> None:
        """Rule out what the scheme does not allow, before training."""
        rules = allowed_transitions(self.labels, self._known_scheme())
        crf.restrict(start=rules.start, end=rules.end, pairs=rules.pairs)

    def rows(
        self,
        examples: Sequence[Item],
        tokenizer: Tokenizer,
        *,
        max_length: int,
        training: bool,
    ) -> Rows:
        """Rows in which every word with a piece has one place; see ``Task``.

        A CRF learns from tags that keep to the scheme, whole entities in one row; where
        a file or a window breaks that, tags are mended, or their words left out of
        training. Its rows have labels for training only.

        Raises:
            ConfigError: ``max_length`` or ``stride`` leaves words out.
            InputError: a tag that the task does not know.
        """
        rows = word_rows(
            examples,
            tokenizer,
            max_length=max_length,
            stride=self.stride,
            context=self.context,
        )
        targets: dict[str, Column] = {}
        weights = np.ones(len(rows.words), np.float32)
        known = all(item.tags is not None for item in examples)
        if known and (training or not self.crf):
            check_known(examples, self.labels, format=self.format)
            tags = gold_tags(examples)
            if self.crf:
                scheme = self._known_scheme()
                tags = [regular_tags(own, scheme) for own in tags]
                rows = whole_entities(rows, tags, scheme)
                numbers = self._numbers(row_tags(rows, tags, scheme))
            else:
                numbers = self._numbers(tags)[rows.words]
            if training and self.class_weights is not None:
                weights = class_weights(
                    numbers, self.class_weights, labels=self.labels
                )[numbers]
            targets[self.head] = Column(numbers, rows.splits)
        places = Column(rows.places.astype(np.int32), rows.splits)
        return Rows(
            inputs={**rows.inputs, "word_positions": places},
            targets=targets,
            weights={name: Column(weights, rows.splits) for name in targets},
            examples=rows.sentences,
        )

    def guesses(
        self,
        examples: Sequence[Item],
        rows: Rows,
        outputs: Sequence[np.ndarray],
        bert: Bert,
    ) -> list[tuple[str, ...]]:
        """One tag for every word of every sentence; see ``Task``.

        A CRF decodes whole sentences, whatever windows their words were read in. A word
        of which the tokenizer leaves nothing gets the first label: ``O``, or the most
        frequent plain tag.

        Warns:
            KbertWarning: how many words have no piece.
        """
        logits = word_logits(examples, outputs, bert.tokenizer, units=self.units)
        best = best_tags(
            logits,
            [len(item.words) for item in examples],
            bert.heads["crf"] if self.crf else None,
        )
        return [tuple(self.labels[one] for one in tags.tolist()) for tags in best]

    def tuned(
        self, examples: Sequence[Item], guesses: Sequence[Sequence[str]]
    ) -> "Tagging":
        """The same task: nothing is chosen on held-out examples."""
        return self

    def score(
        self, examples: Sequence[Item], guesses: Sequence[Sequence[str]]
    ) -> dict[str, float]:
        """Figures of entities, as fractions.

        ``precision``, ``recall`` and ``f1``, also of each type, are those of conlleval
        and of seqeval; ``strict_f1`` is that of seqeval's strict mode; ``accuracy`` is
        that of the tags.
        """
        scores = self._scores(examples, guesses, "conlleval")
        strict = self._scores(examples, guesses, "strict")
        overall = scores.overall
        return {
            **{f"{name}_f1": counts.f1 for name, counts in scores.types.items()},
            "precision": overall.precision,
            "recall": overall.recall,
            "f1": overall.f1,
            "strict_f1": strict.overall.f1,
            "accuracy": scores.accuracy,
        }

    def write(
        self, path: Path, examples: Sequence[Item], guesses: Sequence[Sequence[str]]
    ) -> None:
        """Write a tag for every word, in order; see ``write_tags``."""
        write_tags(Path(path), examples, guesses, self._known_scheme())

    def report(
        self, folder: Path, examples: Sequence[Item], guesses: Sequence[Sequence[str]]
    ) -> None:
        """Write ``conlleval.txt`` and ``entities.json``; see ``write_reports``.

        And of the tags ``classes.tsv`` and ``confusion_matrix.png``; see
        ``write_class_report``.
        """
        gold, guessed = self._numbers(gold_tags(examples)), self._numbers(guesses)
        write_class_report(folder, gold, guessed, labels=self.labels)
        write_reports(
            folder,
            lenient=self._scores(examples, guesses, "conlleval"),
            strict=self._scores(examples, guesses, "strict"),
        )

    def to_dict(self) -> dict[str, Any]:
        """All options but the labels, as JSON takes them."""
        fields = dataclasses.asdict(self)
        del fields["labels"]
        return fields

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any], labels: tuple[str, ...]) -> "Tagging":
        """What ``to_dict`` gave, and the labels, as a task."""
        task = task_from(cls, {**fields, "labels": tuple(labels)})
        if task.scheme is None and labels:
            return dataclasses.replace(task, scheme=_scheme_of_labels(labels))
        return task

    def _known_scheme(self) -> Scheme:
        if self.scheme is None:
            raise ConfigError(
                "the task knows no scheme yet",
                hint="Use the task that fitted(train) gives, or say scheme=….",
            )
        return self.scheme

    def _numbers(self, tags: Sequence[Sequence[str]]) -> np.ndarray:
        """int32: the label of each word of all sentences, or rows."""
        number = {label: place for place, label in enumerate(self.labels)}
        return np.array([number[tag] for own in tags for tag in own], np.int32)

    def _scores(
        self, examples: Sequence[Item], guesses: Sequence[Sequence[str]], mode: Mode
    ) -> EntityScores:
        tags, scheme = gold_tags(examples), self._known_scheme()
        return score_entities(tags, guesses, scheme, mode=mode)


def _scheme_of_labels(labels: Sequence[str]) -> Scheme:
    """The scheme of a model made elsewhere; B- and I- together are mostly IOB2."""
    inside = [one for one in labels if one == "I" or one.startswith("I-")]
    others = [[one] for one in labels if one not in inside]
    scheme = find_scheme(others)
    return "iob1" if scheme == "plain" and inside else scheme
