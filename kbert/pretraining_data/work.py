"""Units of work: a block to tokenize, a shard to write; each ends with whole files."""

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import io
from ..vocabulary import Vocabulary
from .blocks import block_counts
from .layout import VOCABULARY, Layout, Split
from .settings import PretrainingDataSettings
from .shards import ShardTask, write_shard

if TYPE_CHECKING:
    from ..tokenizer import Tokenizer


@dataclasses.dataclass(frozen=True)
class Job:
    """What a worker has to know; every field is as JSON takes it.

    Args:
        settings: of ``PretrainingDataSettings``, nothing left open.
        work: folder for blocks and reports; it holds the vocabulary.
        data: folder for shards.
    """

    settings: dict[str, Any]
    work: str
    data: str

    def block_path(self, number: int) -> Path:
        """The file of one block."""
        return Path(self.work, f"block-{number:06d}.bin")

    def report_path(self, split: Split, index: int) -> Path:
        """What was written for one shard; it is there once all its files are."""
        return Path(self.work, f"{split}-{index:05d}.json")


class Work:
    """Does units of work, in this process or another one.

    Args:
        job: what all units have in common.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._settings = PretrainingDataSettings.from_dict(job.settings)

    def tokenize(self, number: int, documents: Sequence[Sequence[str]]) -> int:
        """Write a block; how many documents it is made of."""
        from .tokenization import tokenize_block  # late: writing needs no TensorFlow

        block = tokenize_block(
            documents,
            self._tokenizer,
            already_split=self._settings.already_split,
            seed=f"{self._settings.seed} block {number}",
        )
        block.save(self._job.block_path(number))
        return len(documents)

    def write(
        self, split: Split, index: int, layout: dict[str, Any], blocks: int
    ) -> int:
        """Write a shard of each length, and its report; one."""
        report = write_shard(
            ShardTask(split, index, Layout(**layout)),
            [self._job.block_path(number) for number in range(blocks)],
            Path(self._job.data),
            settings=self._settings,
            vocabulary=self._vocabulary,
        )
        io.write_json(self._job.report_path(split, index), report)
        return 1

    @functools.cached_property
    def _vocabulary(self) -> Vocabulary:
        return Vocabulary.from_file(Path(self._job.work, VOCABULARY))

    @functools.cached_property
    def _tokenizer(self) -> "Tokenizer":
        from ..tokenizer import Tokenizer

        settings = self._settings
        return Tokenizer(
            self._vocabulary, settings.lowercase, strip_accents=settings.strip_accents
        )


def counts_of_blocks(job: Job, blocks: int) -> dict[str, int]:
    """How much all blocks hold together."""
    each = [block_counts(job.block_path(number)) for number in range(blocks)]
    return {name: sum(one[name] for one in each) for name in each[0]} if each else {}
