"""A table of names + somebody's tensors → kbert's arrays, and back; nothing unnamed.

A row of the table says which foreign tensors make one of ours. Rows are compared with
shapes first; no byte is read before all of them fit.
"""

import dataclasses
import os
import re
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from ..config import BertConfig
from ..errors import CheckpointError

Shape = tuple[int, ...]
# Our name → theirs; a tuple stands side by side, along our last axis. {} is the layer;
# it counts from 1 in our names and from 0 in everybody else's.
Names = Mapping[str, str | tuple[str, ...]]
# Our name, shape of the part of it → their shape, and whether theirs is transposed.
Layout = Callable[[str, Shape], tuple[Shape, bool]]

_FLOATS = ("float32", "float16", "bfloat16")


@dataclasses.dataclass(frozen=True)
class TensorInfo:
    """Element type, by NumPy's name, and shape of a tensor not read yet."""

    dtype: str
    shape: Shape


@dataclasses.dataclass(frozen=True)
class TensorSource:
    """Tensors by name: known at once, read one by one.

    Args:
        where: the file or object they are in, for messages.
        entries: what each tensor is.
        read: gives the array of a name.
        original: the name in the file, for messages, where it is another one.
    """

    where: str | os.PathLike[str]
    entries: Mapping[str, TensorInfo]
    read: Callable[[str], np.ndarray]
    original: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def renamed(self, names: Mapping[str, str]) -> "TensorSource":
        """The same tensors under the new names that ``names`` maps to the old ones."""
        entries = {new: self.entries[old] for new, old in names.items()}
        return TensorSource(
            self.where, entries, lambda new: self.read(names[new]), names
        )

    def spelled(self, name: str) -> str:
        """The name in the file."""
        return self.original.get(name, name)


@dataclasses.dataclass(frozen=True)
class Row:
    """One of our tensors, and the foreign ones that it is made of.

    Args:
        ours: our name; its first part is the head or the layer.
        shape: our shape.
        theirs: foreign names, side by side along our last axis.
        their_shape: shape of each of them.
        transposed: whether theirs is the transpose of ours.
    """

    ours: str
    shape: Shape
    theirs: tuple[str, ...]
    their_shape: Shape
    transposed: bool


def part_of(name: str) -> str:
    """The layer, head or other part that one of our tensors belongs to."""
    return name.split("/")[0]


def kbert_shapes(
    config: BertConfig, heads: Mapping[str, int], *, pooler: bool
) -> dict[str, Shape]:
    """The shape of every tensor of a model, by our name.

    Args:
        config: sizes of the encoder.
        heads: units of each head, by its name.
        pooler: whether there is one.
    """
    width, inner = config.hidden_dim, config.intermediate_dim
    shapes: dict[str, Shape] = {
        "embeddings/token": (config.vocabulary_size, width),
        "embeddings/position": (config.max_sequence_length, width),
        "embeddings/segment": (config.num_segments, width),
        **_norm("embeddings/layer_norm", width),
    }
    for number in range(1, config.num_layers + 1):
        layer = f"layer_{number}"
        shapes |= _dense(f"{layer}/attention/query_key_value", width, 3 * width)
        shapes |= _dense(f"{layer}/attention/output", width, width)
        shapes |= _norm(f"{layer}/attention_layer_norm", width)
        shapes |= _dense(f"{layer}/intermediate", width, inner)
        shapes |= _dense(f"{layer}/output", inner, width)
        shapes |= _norm(f"{layer}/output_layer_norm", width)
    if pooler:
        shapes |= _dense("pooler/dense", width, width)
    for head, units in heads.items():
        if head == "masked_lm":
            shapes |= _dense("masked_lm/transform", width, width)
            shapes |= _norm("masked_lm/layer_norm", width)
            shapes["masked_lm/bias"] = (config.vocabulary_size,)
        elif head == "crf":
            shapes["crf/transitions"] = (units, units)
            shapes |= {"crf/start": (units,), "crf/end": (units,)}
            shapes["crf/allowed"] = (units + 1, units + 1)
        else:
            shapes |= _dense(f"{head}/dense", width, units)
    return shapes


def _dense(name: str, inputs: int, units: int) -> dict[str, Shape]:
    return {f"{name}/kernel": (inputs, units), f"{name}/bias": (units,)}


def _norm(name: str, width: int) -> dict[str, Shape]:
    return {f"{name}/gamma": (width,), f"{name}/beta": (width,)}


def check_layers(config: BertConfig, source: TensorSource) -> None:
    """Refuse a config of more layers than tensors, before a table of it is made."""
    if config.num_layers > len(source.entries):
        raise CheckpointError(
            f"{len(source.entries)} tensors",
            where=source.where,
            expected=f"those of {config.num_layers} layers, as its config says",
        )


def own_rows(shapes: Mapping[str, Shape]) -> list[Row]:
    """The table of our own files: every tensor as it is, under its name."""
    return [Row(name, shape, (name,), shape, False) for name, shape in shapes.items()]


def make_rows(names: Names, shapes: Mapping[str, Shape], layout: Layout) -> list[Row]:
    """The table of one model: a row for each of our tensors that ``names`` knows."""
    rows = []
    for ours, shape in shapes.items():
        layer = re.match(r"layer_(\d+)/", ours)
        number = int(layer[1]) - 1 if layer else None
        found = names.get(f"layer_{{}}/{ours[layer.end() :]}" if layer else ours)
        if found is None:
            continue
        found = (found,) if isinstance(found, str) else found
        theirs = tuple(name.format(number) for name in found)
        part = (*shape[:-1], shape[-1] // len(theirs))
        rows.append(Row(ours, shape, theirs, *layout(ours, part)))
    return rows


def compare(
    rows: Iterable[Row], source: TensorSource, *, besides: Iterable[str] = ()
) -> list[str]:
    """Every way in which the tensors of ``source`` are not those of the table.

    Args:
        rows: the table.
        source: the tensors.
        besides: foreign names that may be there without being in the table.
    """
    expected = {name: row.their_shape for row in rows for name in row.theirs}
    problems = []
    for name, shape in expected.items():
        entry, spelled = source.entries.get(name), source.spelled(name)
        if entry is None:
            problems.append(f"{name} is missing")
        elif entry.shape != shape:
            problems.append(f"{spelled} has shape {entry.shape}, expected {shape}")
        elif entry.dtype not in _FLOATS:
            problems.append(
                f"{spelled} holds {entry.dtype}, expected {' or '.join(_FLOATS)}"
            )
    allowed = {*expected, *besides}
    unknown = [source.spelled(name) for name in source.entries if name not in allowed]
    return problems + [f"{name} has no place in this model" for name in unknown]


def read_rows(
    rows: Iterable[Row], source: TensorSource, *, same: Mapping[str, str]
) -> dict[str, np.ndarray]:
    """Read the whole table, float32, by our names.

    Args:
        rows: the table, which fits ``source``.
        source: the tensors.
        same: foreign names of tensors that have to equal another one, by its name.

    Raises:
        CheckpointError: numbers that are not finite, or copies that differ; all at
            once.
    """
    arrays, problems = {}, []
    copies = {name: copy for copy, name in same.items()}
    for row in rows:
        parts = []
        for name in row.theirs:
            array, spelled = source.read(name), source.spelled(name)
            copy = copies.get(name)
            if copy is not None and not np.array_equal(array, source.read(copy)):
                problems.append(f"{source.spelled(copy)} differs from {spelled}")
            array = np.asarray(array, np.float32)
            bad = array.size - np.count_nonzero(np.isfinite(array))
            if bad:
                problems.append(f"{spelled} holds {bad} NaN or infinite numbers")
            shape = (*row.shape[:-1], row.shape[-1] // len(row.theirs))
            parts.append((array.T if row.transposed else array).reshape(shape))
        arrays[row.ours] = parts[0] if len(parts) == 1 else np.concatenate(parts, -1)
    refuse(problems, source.where)
    return arrays


def write_rows(
    rows: Iterable[Row], arrays: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The foreign tensors, float32, that the table makes of ours."""
    tensors = {}
    for row in rows:
        parts = np.split(arrays[row.ours], len(row.theirs), axis=-1)
        for name, part in zip(row.theirs, parts, strict=True):
            part = part.T if row.transposed else part
            tensors[name] = np.ascontiguousarray(part).reshape(row.their_shape)
    return tensors


def refuse(
    problems: list[str], where: str | os.PathLike[str], *, hint: str | None = None
) -> None:
    """Raise one ``CheckpointError`` that lists all problems, if there is any."""
    if problems:
        count = "" if len(problems) == 1 else f"{len(problems)} differences: "
        raise CheckpointError(f"{count}{'; '.join(problems)}", where=where, hint=hint)
