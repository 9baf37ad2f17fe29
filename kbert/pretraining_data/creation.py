"""A corpus → shuffled pretraining rows in sharded TFRecords; resumable, in flat memory.

Two passes. The first reads the corpus in blocks, and tokenizes each into a file. The
second deals the documents out to shards, and makes each shard in memory. Blocks and
shards are units of work: any process can do any of them, in any order.
"""

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from .. import __version__, io
from ..config import read_json_object
from ..corpus import read_documents
from ..errors import ConfigError, InputError, OutputError
from ..fingerprints import check_same
from ..interruption import stop_between_steps
from ..readers import fingerprint_inputs
from ..store.layout import seal
from ..vocabulary import Vocabulary
from .blocks import read_blocks
from .layout import SPLITS, VOCABULARY, Layout, Split, plan_layout
from .reader import KIND, VERSION, PretrainingData
from .settings import PretrainingDataSettings
from .work import Job, counts_of_blocks
from .workers import Workers
from .working import WorkingFolder

Progress = Callable[[str, int, int | None], None]
_BLOCKS = "blocks.json"
_RESUME = "What was done is kept: run the same command with --resume to go on."
_OTHER = (
    "Give the same settings and files, or start again with --overwrite and without "
    "--resume."
)


def create_pretraining_data(
    inputs: Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    vocabulary: Vocabulary | str | os.PathLike[str],
    settings: PretrainingDataSettings | None = None,
    workers: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress = lambda stage, done, total: None,
) -> PretrainingData:
    """Make the data that a BERT is pretrained on.

    The same inputs, vocabulary and settings give the same bytes, whatever the number of
    workers, and however often the run was killed and resumed.

    Args:
        inputs: the corpus, as ``read_documents`` takes it.
        output: the folder to write.
        vocabulary: the tokens, or the path of a ``vocab.txt``.
        settings: what to make; by default, pairs for nsp of 128 tokens.
        workers: processes. None: one for each core.
        resume: go on with what a stopped or killed run left.
        overwrite: replace what stands at ``output``.
        progress: called with ``"documents"`` or ``"shards"``, how many more are done,
            and how many there are in all, if that is known.

    Returns:
        The data, opened.

    Raises:
        KbertError: bad input or settings, too few documents, a disk that is full, or a
            stop asked for; what is finished is kept for the latter two.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("dull.txt").write_text("A dull boy.\\nHe works.\\n\\nIt snows.\\n")
        >>> tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "boy", "dull"]
        >>> data = create_pretraining_data(
        ...     ["dull.txt"], "data", vocabulary=Vocabulary.from_tokens(tokens))
        >>> data.lengths
        (128,)
    """
    io.check_resume(resume=resume, overwrite=overwrite)
    io.check_replaceable(output)
    if overwrite:
        own = () if isinstance(vocabulary, Vocabulary) else (vocabulary,)
        io.refuse_inputs_inside(output, [*inputs, *own])
    if not isinstance(vocabulary, Vocabulary):
        vocabulary = Vocabulary.from_file(vocabulary)
    settings = settings or PretrainingDataSettings()
    settings = _with_folding(settings, vocabulary)
    corpus = _Corpus([os.fspath(path) for path in inputs], settings.text_column)
    count = _checked_workers(workers)
    identity = {
        "kbert_version": __version__,
        "settings": settings.to_dict(),
        "inputs": corpus.fingerprints(must_repeat=resume),
        "vocabulary": {"size": len(vocabulary), "sha256": vocabulary.digest},
    }
    folder = WorkingFolder(Path(os.path.abspath(output)), identity)
    with _begun(folder, resume=resume, overwrite=overwrite) as replace:
        if replace is not None:
            with stop_between_steps(_RESUME) as check:
                run = _Run(folder, settings, check, progress)
                run.write(corpus, vocabulary, workers=count)
            folder.publish(overwrite=replace)
    return PretrainingData.open(output, verify=False)


def _with_folding(
    settings: PretrainingDataSettings, vocabulary: Vocabulary
) -> PretrainingDataSettings:
    """The same settings, with what they leave to the vocabulary."""
    lowercase, strip_accents = settings.lowercase, settings.strip_accents
    if lowercase is None:
        lowercase = not vocabulary.is_cased
    if strip_accents is None:
        strip_accents = lowercase
    return dataclasses.replace(
        settings, lowercase=lowercase, strip_accents=strip_accents
    )


@dataclasses.dataclass(frozen=True)
class _Corpus:
    """The inputs, checked as soon as they are given.

    Args:
        paths: file names; ``"-"`` is standard input.
        text_column: key of the text in .jsonl files.
    """

    paths: list[str]
    text_column: str

    def __post_init__(self) -> None:
        self.blocks()

    def blocks(self) -> Iterator[list[tuple[str, ...]]]:
        return read_blocks(read_documents(self.paths, text_column=self.text_column))

    def fingerprints(self, *, must_repeat: bool) -> list[dict[str, Any]]:
        found = fingerprint_inputs(self.paths)
        if must_repeat and any(one["sha256"] is None for one in found):
            raise ConfigError(
                "standard input or a pipe cannot be resumed: it may have changed",
                hint="Save it to a file first.",
            )
        return found


def _checked_workers(workers: int | None) -> int:
    if workers is None:
        allowed = getattr(os, "sched_getaffinity", None)  # macOS has none
        return len(allowed(0)) if allowed else os.cpu_count() or 1
    if type(workers) is not int or workers < 1:
        raise ConfigError(f"workers={workers!r}", expected="a whole number above 0")
    return workers


@contextlib.contextmanager
def _begun(
    folder: WorkingFolder, *, resume: bool, overwrite: bool
) -> Iterator[bool | None]:
    """Hold the working folder, set up for this run.

    Gives whether the output is to be replaced; None if it is whole already. Nothing is
    left behind by what has not got as far as a single block, nor by what no resumed
    run could end: other inputs or settings are another job.
    """
    with contextlib.ExitStack() as stack:
        with io.writing(folder.path):
            folder.path.mkdir(parents=True, exist_ok=True)
        stack.callback(folder.remove_if_empty)
        stack.enter_context(io.lock(folder.path))
        replace = _begin(folder, resume=resume, overwrite=overwrite)
        try:
            yield replace
        except (InputError, ConfigError):
            folder.clear()
            raise
        finally:
            if not any(folder.work.glob("block-*")):
                folder.clear()


def _begin(folder: WorkingFolder, *, resume: bool, overwrite: bool) -> bool | None:
    state = folder.state()
    manifest = folder.output / io.MANIFEST
    if state is not None and resume:
        check_same(state, folder.identity, where=folder.path, hint=_OTHER)
        if folder.data.is_dir():
            folder.recover()
            return overwrite or bool(state.get("overwrite"))
        folder.clear()  # it was killed while it cleaned up
        state = None
    if state is None and resume and manifest.exists():
        before = read_json_object(manifest)
        check_same(before, folder.identity, where=folder.output, hint=_OTHER)
        return None
    io.refuse_existing(folder.output, overwrite=overwrite)
    if state is not None and not overwrite:
        raise OutputError(
            "holds unfinished pretraining data",
            where=folder.path,
            hint="Go on with --resume, or drop it with --overwrite.",
        )
    folder.clear()
    folder.start(overwrite=overwrite)
    return overwrite


class _Run:
    """Fills the folder of one run.

    Args:
        folder: where; what is done already is not done again.
        settings: what to make.
        check: raises once a stop was asked for.
        progress: see ``create_pretraining_data``.
    """

    def __init__(
        self,
        folder: WorkingFolder,
        settings: PretrainingDataSettings,
        check: Callable[[], None],
        progress: Progress,
    ) -> None:
        self._folder, self._settings = folder, settings
        self._check, self._progress = check, progress
        self._job = Job(
            settings=settings.to_dict(),
            work=str(folder.work),
            data=str(folder.data),
        )

    def write(self, corpus: _Corpus, vocabulary: Vocabulary, *, workers: int) -> None:
        """Write the files of the data."""
        if not (self._folder.work / VOCABULARY).exists():
            vocabulary.save(self._folder.work / VOCABULARY)
        with Workers(self._job, workers) as pool:
            blocks = self._tokenize(pool, corpus)
            counts = counts_of_blocks(self._job, blocks)
            layout = plan_layout(self._settings, counts)
            reports = self._write_shards(pool, layout, blocks)
        counts["evaluation_documents"] = layout.evaluation_documents
        manifest = {
            "kind": KIND,
            "version": VERSION,
            "objective": self._settings.objective,
            "static_masks": self._settings.static is not None,
            **self._folder.identity,
            "counts": counts,
            "sequences": self._sequences(reports),
        }
        vocabulary.save(self._folder.data / VOCABULARY)
        io.write_json(self._folder.data / io.MANIFEST, seal(manifest))

    def _tokenize(self, pool: Workers, corpus: _Corpus) -> int:
        """Make the blocks; how many there are."""
        path = self._folder.work / _BLOCKS
        if path.exists():
            return read_json_object(path)["blocks"]
        count = 0

        def requests() -> Iterator[tuple[Any, ...]]:
            nonlocal count
            for number, block in enumerate(corpus.blocks()):
                self._check()
                count = number + 1
                if self._job.block_path(number).exists():
                    self._progress("documents", len(block), None)
                else:
                    yield number, block

        for documents in pool.run("tokenize", requests()):
            self._progress("documents", documents, None)
            self._check()
        io.write_json(path, {"blocks": count})
        return count

    def _write_shards(
        self, pool: Workers, layout: Layout, blocks: int
    ) -> dict[Split, list[dict[str, Any]]]:
        """Make the shards; the report of each."""
        paths = {
            split: [
                self._job.report_path(split, index)
                for index in range(layout.shards[split])
            ]
            for split in SPLITS
        }
        total = sum(map(len, paths.values()))
        done = {path for one in paths.values() for path in one if path.exists()}
        self._progress("shards", len(done), total)
        requests = (
            (split, index, dataclasses.asdict(layout), blocks)
            for split in SPLITS
            for index, path in enumerate(paths[split])
            if path not in done
        )
        for count in pool.run("write", requests):
            self._progress("shards", count, total)
            self._check()
        return {split: list(map(read_json_object, paths[split])) for split in SPLITS}

    def _sequences(
        self, reports: dict[Split, list[dict[str, Any]]]
    ) -> dict[str, dict[str, Any]]:
        """What the manifest says of the files of each length."""
        sequences = {}
        for length, predictions in self._settings.predictions.items():
            own = {
                split: [report[str(length)] for report in reports[split]]
                for split in SPLITS
            }
            files = {split: [one["file"] for one in own[split]] for split in SPLITS}
            for file in (one for split in SPLITS for one in files[split]):
                path = self._folder.data / file["name"]
                self._folder.check_file(path, file["bytes"])
            if not any(file["records"] for file in files["train"]):
                raise InputError("no document is long enough for a row")
            counts = [one["counts"] for one in own["train"]]
            sums = {key: sum(one[key] for one in counts) for key in counts[0]}
            sequences[str(length)] = {
                "max_predictions": predictions,
                **files,
                "train_counts": sums,
            }
        return sequences
