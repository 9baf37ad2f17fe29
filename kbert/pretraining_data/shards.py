"""One share of the documents → its TFRecord files, one for each sequence length."""

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from .. import io
from ..vocabulary import Vocabulary
from .blocks import Block
from .examples import Varints, example, integers_feature, varint
from .layout import Layout, Split, shard_name
from .rows import Rows, Sentences, plan_rows
from .settings import PretrainingDataSettings
from .static_masks import static_records
from .tfrecords import frame

_BATCH = 1024  # records that are put together and written at once


@dataclasses.dataclass(frozen=True)
class ShardTask:
    """One shard to write.

    Args:
        split: of its documents.
        index: its number.
        layout: where all documents go.
    """

    split: Split
    index: int
    layout: Layout

    def name(self, length: int) -> str:
        """The name of its file of one length."""
        count = self.layout.shards[self.split]
        return shard_name(self.split, length, self.index, count)


def write_shard(
    task: ShardTask,
    blocks: Iterable[Path],
    folder: Path,
    *,
    settings: PretrainingDataSettings,
    vocabulary: Vocabulary,
) -> dict[str, Any]:
    """Write the files of one shard.

    Args:
        task: which one.
        blocks: the files of all blocks, in order.
        folder: where to write.
        settings: what to make.
        vocabulary: for the special tokens.

    Returns:
        By length, as JSON has keys: what the manifest says of the file, and counts.
    """
    sentences, tokens = _gather(task, blocks)
    result = {}
    for length in settings.sequence_lengths:
        seed = f"{settings.seed} {task.split} {task.index} {length}"
        rows = _plan(sentences, task, settings, length=length, seed=seed)
        if settings.static is None:
            records = _dynamic_records(rows, tokens, settings, vocabulary)
        else:
            records = static_records(
                rows,
                tokens,
                vocabulary,
                length=length,
                masking=settings.static.masking,
                max_predictions=settings.predictions[length],
                batch=_BATCH,
                seed=seed,
            )
        name = task.name(length)
        entry = {"name": name, "records": len(rows.labels), "tokens": _tokens(rows)}
        result[str(length)] = {
            "file": {**entry, **_write(folder / name, records)},
            "counts": _counts(rows, settings),
        }
    return result


def _gather(task: ShardTask, blocks: Iterable[Path]) -> tuple[Sentences, np.ndarray]:
    """The sentences and the tokens of the shard's documents."""
    tokens, lengths, counts = [], [], []
    first = 0
    for path in blocks:
        block = Block.open(path)
        count = len(block.document_sentences) - 1
        for number in task.layout.documents_of(task.split, task.index, first, count):
            begin, end = block.document_sentences[number : number + 2]
            lengths.append(np.array(block.sentence_lengths[begin:end]))
            counts.append(int(end - begin))
            begin, end = block.document_tokens[number : number + 2]
            tokens.append(np.array(block.tokens[begin:end]))
        first += count
    bounds = np.cumsum(np.concatenate(lengths), dtype=np.int64).tolist()
    documents = np.cumsum(counts).tolist()
    return Sentences([0, *bounds], [0, *documents]), np.concatenate(tokens)


def _plan(
    sentences: Sentences,
    task: ShardTask,
    settings: PretrainingDataSettings,
    *,
    length: int,
    seed: str,
) -> Rows:
    """The rows of all copies, in random order."""
    copies = 1 if task.split == "evaluation" else settings.copies
    plans = [
        plan_rows(
            sentences,
            settings.objective,
            length=length,
            short_rate=settings.short_rate,
            random=Random(f"{seed} rows {copy}"),
        )
        for copy in range(copies)
    ]
    labels = np.concatenate([plan.labels for plan in plans])
    draw = Random(f"{seed} order").random
    order = np.argsort([draw() for _ in labels], kind="stable")
    return Rows(
        np.concatenate([plan.parts for plan in plans])[order],
        labels[order],
        sum(plan.truncated_tokens for plan in plans),
        sum(plan.dropped_tokens for plan in plans),
    )


def _dynamic_records(
    rows: Rows,
    tokens: np.ndarray,
    settings: PretrainingDataSettings,
    vocabulary: Vocabulary,
) -> Iterator[Sequence[bytes]]:
    """The records of ours, ``_BATCH`` at a time."""
    encoded = Varints(tokens)
    cls, sep = varint(vocabulary.cls_id), varint(vocabulary.sep_id)
    longest = int((rows.parts[:, 1] - rows.parts[:, 0]).max(initial=0)) + 2
    starts = [
        integers_feature("second_start", varint(one)) for one in range(longest + 1)
    ]
    labels = [integers_feature("next_sentence_label", varint(one)) for one in (0, 1)]
    for begin in range(0, len(rows.labels), _BATCH):
        parts = rows.parts[begin : begin + _BATCH]
        first = encoded.slices(parts[:, 0], parts[:, 1])
        contents = [b"".join((cls, one, sep)) for one in first]
        if settings.is_paired:
            second = encoded.slices(parts[:, 2], parts[:, 3])
            pairs = zip(contents, second, strict=True)
            contents = [b"".join((one, other, sep)) for one, other in pairs]
        records = []
        for content, size, label in zip(
            contents,
            (parts[:, 1] - parts[:, 0] + 2).tolist(),
            rows.labels[begin : begin + _BATCH].tolist(),
            strict=True,
        ):
            features = (starts[size], integers_feature("token_ids", content))
            features = (labels[label], *features) if settings.is_paired else features
            records.append(example(features))
        yield records


def _write(path: Path, records: Iterable[Sequence[bytes]]) -> dict[str, Any]:
    sha, size = hashlib.sha256(), 0
    with io.atomic_file(path) as file:
        for batch in records:
            content = b"".join(map(frame, batch))
            file.write(content)
            sha.update(content)
            size += len(content)
    return {"bytes": size, "sha256": sha.hexdigest()}


def _sizes(rows: Rows) -> np.ndarray:
    """Tokens of each row, the special ones included."""
    sizes = np.diff(rows.parts.reshape(-1, 2, 2), axis=2)[..., 0]
    return sizes.sum(axis=1) + 2 + (sizes[:, 1] > 0)


def _tokens(rows: Rows) -> int:
    return int(_sizes(rows).sum())


def _counts(rows: Rows, settings: PretrainingDataSettings) -> dict[str, int]:
    counts = {
        "truncated_tokens": rows.truncated_tokens,
        "dropped_tokens": rows.dropped_tokens,
    }
    if settings.is_paired:
        name = "random_next" if settings.objective == "nsp" else "swapped"
        counts[name] = int(rows.labels.sum())
    return counts
