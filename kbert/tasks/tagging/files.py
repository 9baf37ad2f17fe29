"""Sentences and guessed tags → CoNLL columns, JSON Lines, and reports."""

import json
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ... import io
from ...errors import KbertWarning
from ...metrics.entities import EntityScores, conlleval_report
from ...metrics.tag_schemes import Scheme, entities_of
from ...readers import Item
from ..predictions import is_folder, own_folder

PREDICTIONS = "predictions.conll"
REPORT, FIGURES = "conlleval.txt", "entities.json"
# What would end a column or a line → its picture, a character for a character.
_PICTURES = str.maketrans("\t\n\r", "␉␊␍")


def write_tags(
    path: Path,
    sentences: Sequence[Item],
    guesses: Sequence[Sequence[str]],
    scheme: Scheme,
) -> None:
    """Write a guess for every word, in order.

    Args:
        path: a folder gets ``predictions.conll``. A name that ends in ``.jsonl`` gets
            an object a sentence, with ``words``, ``tags``, ``entities`` (``type``, and
            words ``start`` to ``end``, from 0, without the last) and, if they are
            known, the ``gold`` tags. Any other name gets a line a word: the word, its
            gold tag if all are known, and the guess, as conlleval.pl reads them. Blanks
            stand between them, tabs if a word or a tag is empty or holds a blank
            (``conlleval.pl -d '\\t'``); an empty line ends a sentence. There, ␉, ␊
            and ␍ stand for tabs and line ends of words and tags.
        sentences: with words.
        guesses: the tags of each.
        scheme: of the tags.

    Raises:
        OutputError: the disk says no.

    Warns:
        KbertWarning: how many words hold a tab or a line end.
    """
    if is_folder(path):
        path = own_folder(path) / PREDICTIONS
    if path.suffix == ".jsonl":
        lines = _objects(sentences, guesses, scheme)
    else:
        lines = _columns(path, sentences, guesses)
    io.write_text(path, "".join(f"{line}\n" for line in lines))


def write_reports(folder: Path, *, lenient: EntityScores, strict: EntityScores) -> None:
    """Write ``conlleval.txt``, and ``entities.json`` with all counts and figures.

    Args:
        folder: exists.
        lenient: figures of conlleval.
        strict: of whole entities only.
    """
    io.write_text(folder / REPORT, conlleval_report(lenient))
    content = {
        "words": lenient.tokens,
        "accuracy": lenient.accuracy,
        **{
            mode: {
                "overall": scores.overall.to_dict(),
                "types": {name: one.to_dict() for name, one in scores.types.items()},
            }
            for mode, scores in (("conlleval", lenient), ("strict", strict))
        },
    }
    io.write_json(folder / FIGURES, content)


def _columns(
    path: Path, sentences: Sequence[Item], guesses: Sequence[Sequence[str]]
) -> Iterable[str]:
    gold = all(item.tags is not None for item in sentences)
    rows: list[tuple[str, ...]] = []
    for item, tags in zip(sentences, guesses, strict=True):
        columns = (item.words, item.tags, tags) if gold else (item.words, tags)
        rows += zip(*columns, strict=True)
        rows.append(())
    _warn_of_breaks(path, sentences)
    cells = [[cell.translate(_PICTURES) for cell in row] for row in rows]
    gap = "\t" if any(not one or " " in one for row in cells for one in row) else " "
    return map(gap.join, cells)


def _warn_of_breaks(path: Path, sentences: Sequence[Item]) -> None:
    words = [word for item in sentences for word in item.words]
    broken = [word for word in words if word != word.translate(_PICTURES)]
    if broken:
        warnings.warn(
            # Not its folder, which may be a temporary one by now.
            f"{path.name}: {len(broken)} of {len(words)} words hold a tab or a line "
            f"end, the first is {broken[0]!r}; ␉, ␊ and ␍ stand for them. Predictions "
            "in a name that ends in .jsonl keep them.",
            KbertWarning,
            stacklevel=2,
        )


def _objects(
    sentences: Sequence[Item], guesses: Sequence[Sequence[str]], scheme: Scheme
) -> Iterable[str]:
    for item, tags in zip(sentences, guesses, strict=True):
        entities = [entity._asdict() for entity in entities_of(tags, scheme)]
        record: dict[str, Any] = {"words": item.words, "tags": tags}
        record["entities"] = entities
        if item.tags is not None:
            record["gold"] = item.tags
        yield json.dumps(record, ensure_ascii=False)
