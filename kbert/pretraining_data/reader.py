"""A folder of pretraining data → its checked manifest, and the shards of a length."""

import dataclasses
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from .. import io
from ..config import read_json_object
from ..errors import ConfigError, InputError
from ..store.layout import manifest_digest
from ..vocabulary import Vocabulary
from .foreign import foreign_manifest
from .layout import SPLITS, VOCABULARY, Split
from .settings import OBJECTIVES, Objective
from .tfrecords import read_records

KIND = "kbert pretraining data"
VERSION = 1
_AGAIN = "Copy the folder again from its source, or make it anew."


@dataclasses.dataclass(frozen=True)
class Shard:
    """One TFRecord file.

    Args:
        path: of the file.
        records: how many it holds.
        tokens: of all its rows, special ones included; None in Google's own files.
    """

    path: Path
    records: int
    tokens: int | None


@dataclasses.dataclass(frozen=True)
class PretrainingData:
    """What ``create_pretraining_data`` wrote, or files that Google's own script wrote.

    Open it with ``open``, which checks it.

    Args:
        path: the folder.
        manifest: what ``manifest.json`` says.
        vocabulary: the tokens; None if there are only Google's files.
    """

    path: Path
    manifest: dict[str, Any]
    vocabulary: Vocabulary | None

    @classmethod
    def open(
        cls, directory: str | os.PathLike[str], *, verify: bool = True
    ) -> "PretrainingData":
        """Open a folder.

        Args:
            directory: with ``manifest.json``, or with TFRecords of Google's schema; the
                latter are all training data.
            verify: compare each shard's size and SHA-256 with the manifest.

        Raises:
            InputError: something is missing or damaged; it names the file, and for a
                shard the record and its first byte.
            ConfigError: the manifest is none, or of a newer version.
        """
        path = Path(directory)
        if not path.is_dir():
            raise InputError("is no folder of pretraining data", where=path)
        if not (path / io.MANIFEST).exists():
            manifest = foreign_manifest(path)
            words = path / VOCABULARY
            known = Vocabulary.from_file(words) if words.exists() else None
            return cls(path, manifest, known)
        data = cls(path, _checked_manifest(path / io.MANIFEST), _vocabulary(path))
        if data.vocabulary.digest != data.manifest["vocabulary"]["sha256"]:
            raise InputError(
                "another vocabulary than that of the manifest",
                where=path / VOCABULARY,
                hint=_AGAIN,
            )
        if verify:
            data.verify()
        return data

    @property
    def objective(self) -> Objective:
        """``nsp``, ``sop`` or ``none``."""
        return self.manifest["objective"]

    @property
    def static_masks(self) -> bool:
        """Whether the records hold masks, in Google's schema."""
        return self.manifest["static_masks"]

    @property
    def lowercase(self) -> bool | None:
        """Whether case was folded; None if Google's files do not say."""
        return self.manifest["settings"]["lowercase"]

    @property
    def strip_accents(self) -> bool | None:
        """Whether accents were deleted; None if that goes with ``lowercase``."""
        return self.manifest["settings"].get("strip_accents")  # older data lack it

    @property
    def lengths(self) -> tuple[int, ...]:
        """The sequence lengths that there are shards of."""
        return tuple(map(int, self.manifest["sequences"]))

    def shards(self, length: int, split: Split = "train") -> tuple[Shard, ...]:
        """The files of one length.

        Raises:
            ConfigError: there are none of that length.
        """
        return tuple(
            Shard(io.child(self.path, one["name"]), one["records"], one["tokens"])
            for one in self._sequences(length)[split]
        )

    def max_predictions(self, length: int) -> int | None:
        """The most masks of a row; None if they are not drawn yet."""
        return self._sequences(length)["max_predictions"]

    def verify(self, shards: Collection[Shard] | None = None) -> None:
        """Compare each shard's size and SHA-256 with the manifest.

        Args:
            shards: only these. Of Google's own files nothing is known beforehand.

        Raises:
            InputError: one is missing or damaged; it names the file, and the record and
                its first byte where that can be told.
        """
        chosen = None if shards is None else {shard.path for shard in shards}
        for length in self.lengths:
            for split in SPLITS:
                for entry in self._sequences(length)[split]:
                    path = io.child(self.path, entry["name"])
                    if "sha256" in entry and (chosen is None or path in chosen):
                        _verify_shard(path, entry)

    def _sequences(self, length: int) -> dict[str, Any]:
        if length not in self.lengths:
            raise ConfigError(
                f"no rows of {length} tokens",
                where=self.path,
                expected=f"one of {', '.join(map(str, self.lengths))}",
                hint="Make them: kbert create-pretraining-data --sequence-length.",
            )
        return self.manifest["sequences"][str(length)]


def _verify_shard(path: Path, entry: dict[str, Any]) -> None:
    try:
        io.verify_file(path, entry)
    except InputError:
        if path.is_file():
            count = sum(1 for _ in read_records(path))  # names the record, if it can
            if count != entry["records"]:
                raise InputError(
                    f"{count} records",
                    where=path,
                    expected=f"{entry['records']} as in its manifest",
                    hint=_AGAIN,
                ) from None
        raise


def _checked_manifest(path: Path) -> dict[str, Any]:
    manifest = read_json_object(path)
    if manifest.get("kind") != KIND:
        raise ConfigError("is not of pretraining data", where=path)
    if manifest.get("version") != VERSION:
        raise ConfigError(
            f"version {manifest.get('version')!r}",
            where=path,
            expected=str(VERSION),
            hint="A newer kbert wrote it: update kbert.",
        )
    if manifest.get("sha256") != manifest_digest(manifest):
        raise InputError("damaged: its seal does not fit", where=path, hint=_AGAIN)
    try:
        _check_fields(manifest)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"not as it should be: {type(error).__name__} at {error}"
        raise InputError(what, where=path, hint=_AGAIN) from error
    return manifest


def _check_fields(manifest: dict[str, Any]) -> None:
    """Reach for everything that ``PretrainingData`` uses."""
    if manifest["objective"] not in OBJECTIVES:
        raise ValueError(f"objective {manifest['objective']!r}")
    _ = manifest["static_masks"], manifest["settings"]["lowercase"]
    _ = manifest["vocabulary"]["sha256"]
    for length, own in manifest["sequences"].items():
        _ = int(length), own["max_predictions"]
        for entry in (entry for split in SPLITS for entry in own[split]):
            _ = [entry[key] for key in ("name", "records", "tokens", "bytes", "sha256")]


def _vocabulary(path: Path) -> Vocabulary:
    return Vocabulary.from_file(path / VOCABULARY)
