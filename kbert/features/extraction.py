"""Files → a feature store: read, chunk, encode, write; resumable, in flat memory."""

import contextlib
import dataclasses
import errno
import itertools
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .. import io
from ..errors import ConfigError, InputError, OutputError, Stopped
from ..interruption import stop_between_steps
from ..readers import Item, ReaderOptions, fingerprint_inputs, read_items
from ..store import (
    DEFAULT_SHARD_BYTES,
    EXPORT_FORMATS,
    STATUSES,
    FeatureChunk,
    FeatureStore,
    StoreWriter,
    check_export,
    export,
    write_jsonl,
)
from .chunks import Chunk, ChunkLimits, chunks, estimated_rows
from .engine import FeatureEngine, Features
from .splits import ranges

_CHUNK_BYTES = 64 << 20
_SAMPLE_ITEMS = 256
Progress = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True)
class ExtractionReport:
    """What was written, with every loss counted.

    Args:
        path: the output.
        items, rows, tokens: how many; tokens without padding, of this run only.
        unk, empty, truncated: rows with that status.
    """

    path: Path
    items: int
    rows: int
    tokens: int
    unk: int
    empty: int
    truncated: int


@dataclasses.dataclass(frozen=True)
class ExtractionEstimate:
    """What a run would write, from counting the input and running a sample.

    Args:
        items: how many there are.
        rows: how many there will be; exact for words and sentences.
        bytes: size of the features.
        seconds: time on this machine, start-up left out.
    """

    items: int
    rows: int
    bytes: int
    seconds: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExtractionJob:
    """Everything that one extraction is told.

    Args:
        inputs: file names; ``"-"`` is standard input.
        reading: how to read the inputs.
        limit: only so many items.
        store_dtype: ``float32`` or ``float16``, of the stored vectors.
        shard_bytes: size of a shard; what is done is safe shard by shard.
    """

    inputs: Sequence[str]
    reading: ReaderOptions = ReaderOptions()
    limit: int | None = None
    store_dtype: str = "float32"
    shard_bytes: int = DEFAULT_SHARD_BYTES

    def items(self) -> Iterator[Item]:
        """The items asked for."""
        return itertools.islice(read_items(self.inputs, self.reading), self.limit)

    def is_repeatable(self) -> bool:
        """Whether all inputs are files, which can be read twice."""
        return all(map(os.path.isfile, self.inputs))

    def count(self) -> int | None:
        """How many items there are; ``None`` if an input can be read only once.

        Reads everything, so that a bad line is found before the work begins.
        """
        items = self.items()  # names a file that is not there
        return sum(1 for _ in items) if self.is_repeatable() else None


def extract_features_to(
    engine: FeatureEngine,
    job: ExtractionJob,
    output: str | os.PathLike[str],
    *,
    output_format: str = "store",
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress = lambda items, tokens: None,
) -> ExtractionReport:
    """Write the features of every item to ``output``.

    Args:
        engine: the model, and what to extract.
        job: what to read.
        output: folder of the store, or file of another format.
        output_format: ``store`` or one of ``EXPORT_FORMATS``.
        resume: go on with what a stopped or killed run left.
        overwrite: replace what stands at ``output``.
        progress: called with the items finished and the tokens encoded since its last
            call.

    Returns:
        What was written and what was lost.

    Raises:
        KbertError: bad input or settings, a disk that is full, or a stop asked for;
            committed shards are kept.
    """
    output = Path(output)
    if output_format not in ("store", *EXPORT_FORMATS):
        raise ConfigError(
            f"output_format={output_format!r}",
            expected=f"one of store, {', '.join(EXPORT_FORMATS)}",
        )
    if overwrite:
        io.refuse_inputs_inside(output, job.inputs)
    how = {"resume": resume, "overwrite": overwrite, "progress": progress}
    if output_format == "store":
        return _write_store(engine, job, output, **how)
    check_export(output, output_format)
    beside = output.with_name(f"{output.name}.store")
    begun = beside.exists() or beside.with_name(f"{beside.name}.partial").exists()
    if not (resume and begun):
        io.refuse_existing(output, overwrite=overwrite)
    report = _write_store(engine, job, beside, **how)
    with _vectors_are_kept(beside):
        export(FeatureStore.open(beside), output, output_format, overwrite=True)
    io.remove(beside)
    return dataclasses.replace(report, path=output)


@contextlib.contextmanager
def _vectors_are_kept(store: Path) -> Iterator[None]:
    """Say in an error of the block that nothing has to be computed again."""
    try:
        yield
    except (InputError, OutputError) as error:
        kept = f"All vectors are in {store}: with --resume they are only written out."
        raise type(error)(
            error.what,
            where=error.where,
            line=error.line,
            expected=error.expected,
            hint=f"{error.hint} {kept}" if error.hint else kept,
        ) from error


def extract_to_stream(
    engine: FeatureEngine,
    job: ExtractionJob,
    file: BinaryIO,
    *,
    progress: Progress = lambda items, tokens: None,
) -> ExtractionReport:
    """Write the features of every item to an open file, as JSON lines.

    Nothing is written before all is done, so that an error leaves no half of it.

    Raises:
        KbertError: as ``extract_features_to``, or the stream takes no more.
        BrokenPipeError: whoever read the stream is gone.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "s")
        report = _write_store(engine, job, path, progress=progress, resumable=False)
        try:
            write_jsonl(FeatureStore.open(path), file)
            file.flush()
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            raise OutputError(
                f"cannot be written: {error.strerror}",
                where="standard output",
                hint="What was written is not whole.",
            ) from error
    return dataclasses.replace(report, path=Path("-"))


def estimate(engine: FeatureEngine, job: ExtractionJob) -> ExtractionEstimate:
    """Count the input and time a sample; writes nothing.

    Raises:
        KbertError: as ``extract_features_to``, for the input and the settings.
    """
    items = job.items()
    sample = list(itertools.islice(items, _SAMPLE_ITEMS))
    engine(sample[: _SAMPLE_ITEMS // 8])  # the first run is slow
    began = time.perf_counter()
    features = engine(sample)
    seconds = time.perf_counter() - began
    unit = engine.settings.unit
    counts = [estimated_rows(item, unit) for item in sample]
    count, rows = len(sample), sum(counts)
    for item in items:
        count, rows = count + 1, rows + estimated_rows(item, unit)
    share = rows / max(1, sum(counts))
    rows = round(len(features.status) * share)
    row_bytes = np.dtype(job.store_dtype).itemsize * int(np.prod(engine.row_shape))
    return ExtractionEstimate(
        items=count, rows=rows, bytes=rows * row_bytes, seconds=seconds * share
    )


def _write_store(
    engine: FeatureEngine,
    job: ExtractionJob,
    output: Path,
    *,
    progress: Progress,
    resume: bool = False,
    overwrite: bool = False,
    resumable: bool = True,
) -> ExtractionReport:
    if resume and not job.is_repeatable():
        raise ConfigError(
            "standard input or a pipe cannot be resumed: it may have changed",
            hint="Save it to a file first.",
        )
    writer = StoreWriter(
        output,
        settings=_fingerprint(engine, job),
        row_shape=engine.row_shape,
        dtype=job.store_dtype,
        shard_bytes=job.shard_bytes,
        resume=resume,
        overwrite=overwrite,
    )
    tokens = 0

    def encoded(count: int) -> None:
        nonlocal tokens
        tokens += count
        progress(0, count)

    items, limits = job.items(), _limits(engine, job)
    try:
        # How much is kept is known when the writer has ended.
        with stop_between_steps("") as check, writer:
            progress(writer.items_done, 0)
            if not writer.complete:
                for chunk in chunks(items, limits, skip=writer.items_done):
                    check()
                    writer.append(
                        _features(engine, chunk, job.store_dtype, check, encoded)
                    )
                    progress(len(chunk.targets), 0)
                writer.finish()
    except Stopped as stop:
        hint = _kept(writer.items_done) if resumable else "Nothing was written."
        raise Stopped(stop.what, hint=hint) from stop
    return _report(output, tokens)


def _kept(items: int) -> str:
    """What a stopped run says of the items in its finished shards."""
    if items:
        return f"{items:,} items are kept: run the same command with --resume to go on."
    return (
        "Nothing is kept: no shard was finished. A smaller --shard-size (shard_bytes "
        "in Python) keeps parts sooner."
    )


def _limits(engine: FeatureEngine, job: ExtractionJob) -> ChunkLimits:
    settings = engine.settings
    row_bytes = 4 * int(np.prod(engine.row_shape))
    return ChunkLimits(
        unit=settings.unit,
        # A shard ends with a chunk: no larger than asked for, nor than memory likes.
        rows=-(-min(_CHUNK_BYTES, job.shard_bytes) // row_bytes),
        context_items=settings.max_length if settings.context == "document" else 0,
    )


def _features(
    engine: FeatureEngine,
    chunk: Chunk,
    dtype: str,
    check: Callable[[], None],
    encoded: Callable[[int], None],
) -> FeatureChunk:
    targets = [chunk.items[number] for number in chunk.targets]
    if engine.settings.context == "document":
        features = engine(
            chunk.items, targets=chunk.targets, check=check, progress=encoded
        )
        place = np.arange(len(targets))
    else:
        distinct, place = _distinct(targets)
        features = engine(distinct, check=check, progress=encoded)
    starts, stops = features.text_splits[:-1][place], features.text_splits[1:][place]
    rows, _ = ranges(starts, stops)
    pairs = zip(targets, place.tolist(), strict=True)
    return FeatureChunk(
        features=features.values[rows].astype(dtype),
        rows_per_item=stops - starts,
        status=features.status[rows],
        records=[
            _record(item, features, number, unit=engine.settings.unit)
            for item, number in pairs
        ],
    )


def _distinct(items: list[Item]) -> tuple[list[Item], np.ndarray]:
    """Items of different texts, and which of them each item equals."""
    numbers: dict[Any, int] = {}
    distinct = []
    place = np.zeros(len(items), np.int64)
    for number, item in enumerate(items):
        key = (item.text, item.text_pair, item.words)
        if key not in numbers:
            numbers[key] = len(distinct)
            distinct.append(item)
        place[number] = numbers[key]
    return distinct, place


def _record(
    item: Item, features: Features, number: int, *, unit: str
) -> dict[str, Any]:
    """What ``items.jsonl`` says of one item."""
    record: dict[str, Any] = {} if item.id is None else {"id": item.id}
    record |= {
        "source": Path(item.source).name,
        "line": item.line,
        "document": item.document,
        "pieces": int(features.num_pieces[number]),
    }
    if features.names is not None:
        record["words" if unit == "word" else "tokens"] = features.names[number]
    if features.offsets is not None and features.offsets[number] is not None:
        record["offsets"] = features.offsets[number]
    if item.tags is not None:
        record["tags"] = list(item.tags)
    return record


def _fingerprint(engine: FeatureEngine, job: ExtractionJob) -> dict[str, Any]:
    """All that decides the bytes of the output."""
    tokenizer = engine.tokenizer
    return {
        "model": {
            "config": engine.bert.config.to_dict(),
            "weights_sha256": engine.weights_digest,
            "vocabulary_sha256": tokenizer.vocabulary.digest,
            "lowercase": tokenizer.lowercase,
            "strip_accents": tokenizer.strip_accents,
        },
        "features": engine.settings.to_dict(),
        "reading": dataclasses.asdict(job.reading),
        "limit": job.limit,
        "inputs": fingerprint_inputs(job.inputs),
    }


def _report(output: Path, tokens: int) -> ExtractionReport:
    manifest = FeatureStore.open(output).manifest
    lost = {name: manifest["status"][name] for name in STATUSES[1:]}
    return ExtractionReport(
        path=output,
        items=manifest["items"],
        rows=manifest["rows"],
        tokens=tokens,
        **lost,
    )
