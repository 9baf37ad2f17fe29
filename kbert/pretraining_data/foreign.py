"""A folder of TFRecords that Google's own script wrote → a manifest like ours."""

from pathlib import Path
from typing import Any

from ..errors import InputError
from .tfrecords import read_records

_FULL = ("input_ids", "input_mask", "segment_ids")
_MASKS = ("masked_lm_positions", "masked_lm_ids", "masked_lm_weights")
_SCHEMA = {*_FULL, *_MASKS, "next_sentence_labels"}
_ENDINGS = (".tfrecord", ".tf_record")  # or -00000-of-00010 after them


def foreign_manifest(folder: Path) -> dict[str, Any]:
    """Read every record's frame, and the first record of each file.

    Raises:
        InputError: there are no such files, one is damaged, or they do not hold records
            of Google's schema and of one length.
    """
    paths = sorted(
        path for path in folder.iterdir() if any(one in path.name for one in _ENDINGS)
    )
    if not paths:
        raise InputError(
            "holds neither a manifest.json nor a .tfrecord file",
            where=folder,
            hint="Make the data with kbert create-pretraining-data.",
        )
    files = [_file(path) for path in paths]
    for path, file in zip(paths, files, strict=True):
        if file["sizes"] != files[0]["sizes"]:
            raise InputError(
                f"rows of {file['sizes'][0]} tokens and {file['sizes'][1]} masks",
                where=path,
                expected=f"{files[0]['sizes'][0]} and {files[0]['sizes'][1]}, as in "
                f"{paths[0].name}",
            )
    length, predictions = files[0]["sizes"]
    entries = [
        {key: file[key] for key in ("name", "records", "tokens")} for file in files
    ]
    sequences = {"max_predictions": predictions, "train": entries, "evaluation": []}
    return {
        "objective": "nsp",
        "static_masks": True,
        "settings": {"lowercase": None},
        "sequences": {str(length): sequences},
    }


def _file(path: Path) -> dict[str, Any]:
    count, sizes = 0, None
    for record in read_records(path):
        sizes = sizes or _sizes(path, record.content)
        count += 1
    if not count:
        raise InputError("holds no record", where=path)
    return {"name": path.name, "records": count, "tokens": None, "sizes": sizes}


def _sizes(path: Path, content: bytes) -> list[int]:
    """Tokens and masks of a record, if it is of the schema."""
    import tensorflow as tf  # late: our own data does not need it
    from google.protobuf.message import DecodeError

    expected = f"Google's features {', '.join(sorted(_SCHEMA))}"
    try:
        features = tf.train.Example.FromString(content).features.feature
    except DecodeError as error:
        raise InputError(
            "record 0 is no tf.train.Example", where=path, expected=expected
        ) from error
    missing = sorted(_SCHEMA - set(features))
    if missing:
        what = f"record 0 has no {', '.join(missing)}"
        raise InputError(what, where=path, expected=expected)
    sizes = {name: _size(feature) for name, feature in features.items()}
    lengths, predictions = (
        {sizes[name] for name in names} for names in (_FULL, _MASKS)
    )
    if len(lengths) > 1 or len(predictions) > 1:
        what = f"record 0 has {sorted(lengths)} tokens and {sorted(predictions)} masks"
        raise InputError(what, where=path, expected="one number of each")
    return [*lengths, *predictions]


def _size(feature: Any) -> int:
    return len(feature.int64_list.value) or len(feature.float_list.value)
