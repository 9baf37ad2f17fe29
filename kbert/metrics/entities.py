"""Gold tags and guessed tags → entity-level figures, as conlleval and seqeval give."""

import dataclasses
from collections.abc import Mapping, Sequence

from ..errors import InputError
from .tag_schemes import Entity, Mode, Scheme, entities_of


@dataclasses.dataclass(frozen=True)
class Counts:
    """How many entities there are, were guessed, and were guessed right.

    Precision, recall and F1 are fractions; 0 where their denominator is.
    """

    gold: int = 0
    guessed: int = 0
    correct: int = 0

    @property
    def precision(self) -> float:
        """Of the guessed ones, the part that is right."""
        return self.correct / self.guessed if self.guessed else 0.0

    @property
    def recall(self) -> float:
        """Of those that there are, the part that was found."""
        return self.correct / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0

    def to_dict(self) -> dict[str, float]:
        """The figures and the counts, as JSON takes them."""
        figures = {name: getattr(self, name) for name in ("precision", "recall", "f1")}
        return {**figures, **dataclasses.asdict(self)}


@dataclasses.dataclass(frozen=True)
class EntityScores:
    """What a tagger got right.

    Args:
        tokens: words.
        correct_tokens: words whose tag is right.
        overall: entities of all types together (micro average).
        types: those of each type, sorted by name.
    """

    tokens: int
    correct_tokens: int
    overall: Counts
    types: Mapping[str, Counts]

    @property
    def accuracy(self) -> float:
        """The part of the words whose tag is right."""
        return self.correct_tokens / self.tokens if self.tokens else 0.0


def score_entities(
    gold: Sequence[Sequence[str]],
    guesses: Sequence[Sequence[str]],
    scheme: Scheme,
    *,
    mode: Mode = "conlleval",
) -> EntityScores:
    """Compare entities: one is right if its type, its start and its end are.

    Args:
        gold: the tags of each sentence.
        guesses: as many for each.
        scheme: that both are written in.
        mode: what tags that break the scheme mean, see ``entities_of``.

    Returns:
        With ``conlleval`` the figures of conlleval.pl and of seqeval; with ``strict``
        those of seqeval's ``mode="strict"``.

    Raises:
        InputError: numbers of sentences or words differ, or a tag is none of the
            scheme.

    Example:
        >>> scores = score_entities([["B-PER", "I-PER", "O"]], [["B-PER", "O", "O"]],
        ...                         "iob2")
        >>> scores.overall, round(scores.accuracy, 3)
        (Counts(gold=1, guessed=1, correct=0), 0.667)

    Source:
        conlleval.pl (CoNLL-2000 to 2003), seqeval 1.2.2. Differs: see ``entities_of``.
    """
    _check(gold, guesses)
    tallies: dict[str, list[int]] = {}
    tokens = correct_tokens = 0
    for sentence, guessed in zip(gold, guesses, strict=True):
        tokens += len(sentence)
        correct_tokens += sum(map(str.__eq__, sentence, guessed))
        there = set(entities_of(sentence, scheme, mode=mode))
        found = set(entities_of(guessed, scheme, mode=mode))
        for column, entities in enumerate((there, found, there & found)):
            _tally(tallies, entities, column)
    types = {name: Counts(*tallies[name]) for name in sorted(tallies)}
    sums = (sum(column) for column in zip(*tallies.values(), strict=True))
    return EntityScores(tokens, correct_tokens, Counts(*sums), types)


def conlleval_report(scores: EntityScores) -> str:
    r"""What conlleval.pl prints, to the blank.

    Example:
        >>> scores = score_entities([["B-PER", "O"]], [["B-PER", "O"]], "iob2")
        >>> print(conlleval_report(scores), end="")
        processed 2 tokens with 1 phrases; found: 1 phrases; correct: 1.
        accuracy: 100.00%; precision: 100.00%; recall: 100.00%; FB1: 100.00
                      PER: precision: 100.00%; recall: 100.00%; FB1: 100.00  1

    Source:
        conlleval.pl of the CoNLL shared tasks. Differs: entities without a type get
        one line, not two equal ones.
    """
    total = scores.overall
    lines = [
        f"processed {scores.tokens} tokens with {total.gold} phrases; "
        f"found: {total.guessed} phrases; correct: {total.correct}."
    ]
    if scores.tokens:
        lines.append(f"accuracy: {100 * scores.accuracy:6.2f}%; {_figures(total)}")
    lines += [
        f"{name:>17}: {_figures(counts)}  {counts.guessed}"
        for name, counts in scores.types.items()
    ]
    return "".join(f"{line}\n" for line in lines)


def _figures(counts: Counts) -> str:
    return (
        f"precision: {100 * counts.precision:6.2f}%; "
        f"recall: {100 * counts.recall:6.2f}%; FB1: {100 * counts.f1:6.2f}"
    )


def _tally(tallies: dict[str, list[int]], entities: set[Entity], column: int) -> None:
    for entity in entities:
        tallies.setdefault(entity.type, [0, 0, 0])[column] += 1


def _check(gold: Sequence[Sequence[str]], guesses: Sequence[Sequence[str]]) -> None:
    if len(gold) != len(guesses):
        raise InputError(
            f"guesses for {len(guesses)} sentences", expected=f"{len(gold)}, as in gold"
        )
    for number, (sentence, guessed) in enumerate(zip(gold, guesses, strict=True), 1):
        if len(sentence) != len(guessed):
            raise InputError(
                f"{len(guessed)} guesses in sentence {number}",
                expected=f"{len(sentence)}, one for each gold tag",
            )
