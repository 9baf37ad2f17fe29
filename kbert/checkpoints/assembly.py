"""What a source says about itself + its tensors → a whole ``Bert``, or one error."""

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any, Literal

import keras
import numpy as np

from ..config import Activation, BertConfig
from ..encoder import build_encoder
from ..errors import CheckpointError
from ..heads import HEADS, build_head
from ..model import Bert, model_variables
from ..tokenizer import Tokenizer
from ..vocabulary import Vocabulary
from .tensors import (
    Row,
    Shape,
    TensorSource,
    check_layers,
    compare,
    kbert_shapes,
    part_of,
    read_rows,
    refuse,
)

StoreDtype = Literal["float32", "float16"]

CLASSIFIERS = ("sequence_classifier", "token_classifier")
# Trainers round the embedding's rows up to a multiple of as many for speed.
_SPARE_ROWS = 128
LEAVE_OUT = (
    "Leave a head out on purpose with --without-head NAME (without_heads in Python)."
)


@dataclasses.dataclass(frozen=True)
class TokenizerFiles:
    """What a source says about its tokenizer.

    Args:
        vocabulary: the tokens.
        lowercase: see ``Tokenizer``; None if the source does not say.
        strip_accents: see ``Tokenizer``.
        where: the file that the tokens came from.
    """

    vocabulary: Vocabulary
    lowercase: bool | None
    strip_accents: bool | None
    where: str | os.PathLike[str]


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A source understood, with no weight read yet; every reader gives one.

    Args:
        config: sizes of the encoder.
        tensors: everything it stores, under the names of ``table``.
        table: the rows of the given shapes, by our names, in this format; our tensors
            that the format has no place for have no row.
        units: of each head that this source can have.
        required: heads that the source says it has, whether or not tensors are there.
        pooler: whether it must have one; else it may.
        ignored: whether a tensor is no weight (a buffer, an optimizer's slot).
        copies: tensors that only repeat another one: its name, and the head they
            belong to.
        tokenizer, labels, training: see ``Bert``.
    """

    config: BertConfig
    tensors: TensorSource
    table: Callable[[Mapping[str, Shape]], list[Row]]
    units: Mapping[str, int]
    required: frozenset[str] = frozenset()
    pooler: bool = True
    ignored: Callable[[str], bool] = lambda name: False
    copies: Mapping[str, tuple[str, str]] = dataclasses.field(default_factory=dict)
    tokenizer: TokenizerFiles | None = None
    labels: tuple[str, ...] = ()
    training: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Transfer:
    """What became of every tensor of a source, by its name there.

    Args:
        mapped: read into the model.
        ignored: no weights: buffers, optimizer slots, counters.
        left_out: left out because the caller said so.
    """

    mapped: tuple[str, ...]
    ignored: tuple[str, ...]
    left_out: tuple[str, ...]


def finite_arrays(bert: Bert, dtype: StoreDtype = "float32") -> dict[str, np.ndarray]:
    """Every weight of a model by its name, float32 or float16.

    Raises:
        CheckpointError: some are not finite; such a model is never written.
    """
    arrays, problems = {}, []
    for name, variable in model_variables(bert).items():
        wide = np.asarray(keras.ops.convert_to_numpy(variable), np.float32)
        with np.errstate(over="ignore"):
            array = wide.astype(dtype)
        if not np.isfinite(wide).all():
            problems.append(f"{name} holds NaN or infinite values")
        elif not np.isfinite(array).all():
            problems.append(f"{name} holds values too large for {dtype}")
        arrays[name] = array
    refuse(problems, "model in memory")
    return arrays


def head_units(bert: Bert) -> dict[str, int]:
    """The units of each head of a model; those of ``masked_lm`` are its vocabulary."""
    vocabulary = bert.config.vocabulary_size
    return {
        name: vocabulary if name == "masked_lm" else head.units
        for name, head in bert.heads.items()
    }


def has_pooler(bert: Bert) -> bool:
    """Whether the encoder gives ``pooled_output``."""
    return "pooled_output" in bert.encoder.output


@dataclasses.dataclass(frozen=True)
class _Plan:
    """Which tensors go where; made from names and shapes alone."""

    rows: list[Row]
    heads: Mapping[str, int]
    pooler: bool
    same: Mapping[str, str]
    ignored: tuple[str, ...]
    left_out: frozenset[str]


def assemble(
    checkpoint: Checkpoint,
    *,
    without_heads: Sequence[str],
    activation: Activation | None,
    lowercase: bool | None,
    dtype: str | None,
) -> tuple[Bert, Transfer]:
    """Compare everything, then read everything, then build the model.

    Args:
        checkpoint: what a reader gave.
        without_heads, activation, lowercase, dtype: see ``kbert.load``.

    Raises:
        CheckpointError: what differs from the config, all at once.
    """
    plan = _plan(checkpoint, without_heads)
    labels = _labels(checkpoint, plan.heads)
    tokenizer = _tokenizer(checkpoint.tokenizer, checkpoint.config, lowercase)
    arrays = read_rows(plan.rows, checkpoint.tensors, same=plan.same)
    config = checkpoint.config
    if activation is not None:
        config = dataclasses.replace(config, activation=activation)
    encoder = build_encoder(config, pooler=plan.pooler, dtype=dtype)
    heads = {
        name: build_head(name, encoder, config, units=units)
        for name, units in plan.heads.items()
    }
    bert = Bert(config, encoder, tokenizer, heads, labels, checkpoint.training)
    for name, variable in model_variables(bert).items():
        variable.assign(arrays.pop(name))
    return bert, _transfer(plan, checkpoint.tensors)


def _plan(checkpoint: Checkpoint, without_heads: Sequence[str]) -> _Plan:
    config, source = checkpoint.config, checkpoint.tensors
    check_layers(config, source)
    possible = checkpoint.table(kbert_shapes(config, checkpoint.units, pooler=True))
    left_out = frozenset().union(
        *(_named(checkpoint, possible, name) for name in without_heads)
    )
    present = [name for name in source.entries if name not in left_out]
    gone = {*without_heads, *_parts(possible, left_out)}
    heads, pooler = _heads_and_pooler(checkpoint, _parts(possible, present), gone)
    absent = {*HEADS, "pooler"}.difference(heads, ["pooler"] if pooler else [])
    rows = [row for row in possible if part_of(row.ours) not in absent]
    same = {name: of for name, (of, _) in checkpoint.copies.items() if name in present}
    ignored = tuple(name for name in present if checkpoint.ignored(name))
    problems = compare(rows, source, besides=[*ignored, *same, *left_out])
    refuse(problems, source.where, hint=LEAVE_OUT)
    return _Plan(rows, heads, pooler, same, ignored, left_out)


def _parts(rows: Iterable[Row], names: Iterable[str]) -> set[str]:
    """The heads and other parts that have at least one tensor among ``names``."""
    names = set(names)
    return {part_of(row.ours) for row in rows if not names.isdisjoint(row.theirs)}


def _heads_and_pooler(
    checkpoint: Checkpoint, there: Set[str], gone: Set[str]
) -> tuple[dict[str, int], bool]:
    """What the model has: all that the source says it has or has any tensor of."""
    heads = {
        name: checkpoint.units[name]
        for name in HEADS
        if name in there | checkpoint.required and name not in gone
    }
    if "crf" in heads and heads["crf"] != heads.get("token_classifier"):
        raise CheckpointError(
            f"a head crf of {heads['crf']} tags",
            where=checkpoint.tensors.where,
            expected="a head token_classifier of as many",
            hint=LEAVE_OUT,
        )
    needed = checkpoint.pooler and "pooler" not in gone
    needed = needed or any(HEADS[name] == "pooled" for name in heads)
    return heads, needed or "pooler" in there


def _named(checkpoint: Checkpoint, rows: list[Row], name: str) -> frozenset[str]:
    """The tensors of a head: by our name for it, or by how its tensors begin."""
    source = checkpoint.tensors
    if name in HEADS or name == "pooler":
        theirs = {
            part for row in rows if part_of(row.ours) == name for part in row.theirs
        }
        theirs |= {
            copy for copy, (_, head) in checkpoint.copies.items() if head == name
        }
        found = theirs.intersection(source.entries)
        known = found or name in checkpoint.required or name == "pooler"
    else:
        beginnings = (f"{name}.", f"{name}/")
        found = {
            entry
            for entry in source.entries
            if f"{source.spelled(entry)}.".startswith(beginnings)
        }
        known = found
    if not known:
        raise CheckpointError(
            f"has no head {name!r} to leave out",
            where=checkpoint.tensors.where,
            expected=f"one of {', '.join(HEADS)}, pooler, or the beginning of the "
            "names of its tensors",
        )
    return frozenset(found)


def _labels(checkpoint: Checkpoint, heads: Mapping[str, int]) -> tuple[str, ...]:
    units = [heads[name] for name in CLASSIFIERS if name in heads]
    if not units or not checkpoint.labels:
        return ()
    if units[0] != len(checkpoint.labels):
        raise CheckpointError(
            f"{len(checkpoint.labels)} labels",
            where=checkpoint.tensors.where,
            expected=f"{units[0]}, one for each class of its head",
        )
    return checkpoint.labels


def _tokenizer(
    files: TokenizerFiles | None, config: BertConfig, lowercase: bool | None
) -> Tokenizer | None:
    if files is None:
        return None
    size, rows = len(files.vocabulary), config.vocabulary_size
    if not rows - _SPARE_ROWS < size <= rows:
        raise CheckpointError(
            f"{size} tokens",
            where=files.where,
            expected=f"{rows}, the vocabulary size of the model",
        )
    if lowercase is not None:
        return Tokenizer(files.vocabulary, lowercase)
    if files.lowercase is not None:
        lowercase = files.lowercase
    else:
        lowercase = not files.vocabulary.is_cased
    return Tokenizer(files.vocabulary, lowercase, strip_accents=files.strip_accents)


def _transfer(plan: _Plan, source: TensorSource) -> Transfer:
    mapped = [name for row in plan.rows for name in row.theirs] + list(plan.same)
    return Transfer(
        *(
            tuple(map(source.spelled, names))
            for names in (mapped, plan.ignored, sorted(plan.left_out))
        )
    )
