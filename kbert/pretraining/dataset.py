"""Pretraining shards → batches with fresh masks, from any step, on any host.

Everything is a function of (seed, streams, step): which records are in a batch, in
which order, and what is masked in them. So a run resumes from its step alone.
"""

import math
from collections.abc import Callable

import tensorflow as tf

from ..errors import ConfigError
from ..masking import MaskedTokens, Masker, MaskingSettings
from ..pretraining_data import PretrainingData
from .records import RecordFormat, Rows
from .streams import NumberedShards, Record, plain, stream

Element = tuple[dict[str, tf.Tensor], dict[str, tf.Tensor], dict[str, tf.Tensor]]

_EVALUATION_EPOCH = -1
_WINDOW = 16384


def training_dataset(
    data: PretrainingData,
    *,
    length: int,
    batch_size: int,
    masking: MaskingSettings | None,
    seed: int,
    start_step: int = 0,
    streams: int = 1,
    host: int = 0,
    num_hosts: int = 1,
    shuffle_buffer: int = _WINDOW,
    vocabulary_size: int | None = None,
) -> tf.data.Dataset:
    """The training records, shuffled, again and again: an endless dataset of batches.

    Stream k of K has the shards k, k + K, …, and gives ``batch_size / K`` rows of each
    batch; so K streams on one host make the batches that they make on several.

    Args:
        data: what to read.
        length: T, one of ``data.lengths``.
        batch_size: rows of a batch over all hosts; a multiple of ``streams``.
        masking: what to mask; ``None`` if the records hold their masks.
        seed: decides the order and, with epoch and record, the masks.
        start_step: batches that were taken before.
        streams: K, at most the number of shards; a multiple of ``num_hosts``. Another
            number is another order.
        host: which host this is; it reads the streams host, host + num_hosts, … only.
        num_hosts: hosts that share each batch.
        shuffle_buffer: records that are shuffled at a time, in each stream.
        vocabulary_size: V; ``None`` for that of the data's vocabulary, which Google's
            own files may come without.

    Returns:
        Elements ``(x, y, sample_weight)`` of ``batch_size / num_hosts`` rows:
        x = ``token_ids``, ``segment_ids`` int32 ``[B, T]``, ``padding_mask`` bool
        ``[B, T]``, ``mask_positions`` int32 ``[B, M]``; y = ``masked_lm`` int32
        ``[B, M]``, the ids that stand there, and ``next_sentence`` int32 ``[B]``;
        the weights float32, of the same names and shapes as y. Unused places have
        position, id and weight 0. With objective none there is no ``next_sentence``.

    Raises:
        ConfigError: the settings do not fit one another or the data.
    """
    masker = _masker(data, length, masking)
    _check_seed(seed)
    _check_division(batch_size, streams=streams, num_hosts=num_hosts, host=host)
    _check_count("start_step", start_step, least=0)
    _check_count("shuffle_buffer", shuffle_buffer, least=1)
    shards = data.shards(length)
    if len(shards) < streams:
        raise ConfigError(
            f"streams={streams} with {len(shards)} shards of length {length}",
            where=data.path,
            expected="at least one shard for each stream",
            hint="Make the data with more shards, or train on fewer hosts.",
        )
    rows = batch_size // streams
    own = [
        stream(
            NumberedShards.every(shards, step=streams, start=number),
            seed=seed,
            number=number,
            start=start_step * rows,
            window=shuffle_buffer,
        ).batch(rows, drop_remainder=True)
        for number in range(host, streams, num_hosts)
    ]
    records = record_format(data, length, vocabulary_size=vocabulary_size)
    make = _element_maker(records, masker, seed)
    weights = tf.ones(batch_size // num_hosts)

    def join(*parts: tuple[tf.Tensor, ...]) -> Element:
        columns = [tf.concat(column, axis=0) for column in zip(*parts, strict=True)]
        return make(Record(*columns), weights)

    return _finish(tf.data.Dataset.zip(*own), join)


def evaluation_dataset(
    data: PretrainingData,
    *,
    length: int,
    batch_size: int,
    masking: MaskingSettings | None,
    seed: int,
    vocabulary_size: int | None = None,
) -> tf.data.Dataset:
    """Every held-out record once, with the same masks each time.

    Args:
        data: what to read.
        length: T, one of ``data.lengths``.
        batch_size: B; the last batch is filled up with rows of weight 0.
        masking: what to mask; ``None`` if the records hold their masks.
        seed: decides the masks.
        vocabulary_size: as in ``training_dataset``.

    Returns:
        Elements as from ``training_dataset``.

    Raises:
        ConfigError: the settings do not fit the data, or nothing is held out.
    """
    masker = _masker(data, length, masking)
    _check_seed(seed)
    _check_count("batch_size", batch_size, least=1)
    shards = data.shards(length, "evaluation")
    if not shards:
        raise ConfigError(
            f"nothing of length {length} is held out for evaluation", where=data.path
        )
    records = record_format(data, length, vocabulary_size=vocabulary_size)
    make = _element_maker(records, masker, seed)

    def fill(content: tf.Tensor, number: tf.Tensor) -> Element:
        # Copies of the last record fill the batch: real rows, which no layer minds.
        places = tf.range(batch_size)
        rows = tf.minimum(places, tf.size(number) - 1)
        epochs = tf.fill([batch_size], tf.constant(_EVALUATION_EPOCH, tf.int64))
        record = Record(tf.gather(content, rows), tf.gather(number, rows), epochs)
        return make(record, tf.cast(places < tf.size(number), tf.float32))

    batches = _finish(NumberedShards.every(shards).read().batch(batch_size), fill)
    records = sum(shard.records for shard in shards)
    # Keras takes an unknown number of batches for one that ended too soon.
    count = math.ceil(records / batch_size)
    return batches.apply(tf.data.experimental.assert_cardinality(count))


def _element_maker(
    records: RecordFormat, masker: Masker | None, seed: int
) -> Callable[[Record, tf.Tensor], Element]:
    """The function: a batch of records, weights of its rows → an element."""

    def make(record: Record, weights: tf.Tensor) -> Element:
        rows = records.parse(record.content)
        wrong = tf.boolean_mask(record.number, rows.wrong)
        fine = tf.debugging.Assert(tf.size(wrong) == 0, ["bad records", wrong])
        with tf.control_dependencies([fine]):
            masked = rows.masked or masker(
                rows.token_ids,
                rows.num_tokens,
                seed=seed,
                epochs=record.epoch,
                records=record.number,
            )
        return _element(rows, masked, weights, labelled=records.labelled)

    return make


def _element(
    rows: Rows, masked: MaskedTokens, weights: tf.Tensor, *, labelled: bool
) -> Element:
    places = tf.range(rows.token_ids.shape[1])
    x = {
        "token_ids": masked.token_ids,
        "segment_ids": rows.segment_ids,
        "padding_mask": places < rows.num_tokens[:, None],
        "mask_positions": masked.positions,
    }
    y = {"masked_lm": masked.ids}
    sample_weight = {"masked_lm": masked.weights * weights[:, None]}
    if labelled:
        y["next_sentence"] = rows.labels
        sample_weight["next_sentence"] = weights
    return tuple(
        {
            name: tf.ensure_shape(values, [weights.shape[0], *values.shape[1:]])
            for name, values in part.items()
        }
        for part in (x, y, sample_weight)
    )


def record_format(
    data: PretrainingData, length: int, *, vocabulary_size: int | None = None
) -> RecordFormat:
    """How the records of one length of ``data`` are written.

    Args:
        data: what to read.
        length: T.
        vocabulary_size: V; ``None`` for that of the data's vocabulary.

    Raises:
        ConfigError: neither says which ids there are.
    """
    words = data.vocabulary
    if vocabulary_size is None and words is None:
        raise ConfigError(
            "no vocab.txt says which ids there are",
            where=data.path,
            hint="Put the vocabulary of these records there.",
        )
    return RecordFormat(
        length=length,
        vocabulary_size=len(words) if vocabulary_size is None else vocabulary_size,
        pad_id=words.pad_id if words else 0,
        labelled=data.objective != "none",
        static_slots=data.max_predictions(length) if data.static_masks else None,
    )


def _finish(batches: tf.data.Dataset, make: Callable[..., Element]) -> tf.data.Dataset:
    options = tf.data.Options()
    options.deterministic = True
    # Hosts share the work by their streams, not by a policy of TensorFlow's.
    off = tf.data.experimental.AutoShardPolicy.OFF
    options.experimental_distribute.auto_shard_policy = off
    elements = batches.map(plain(make), num_parallel_calls=tf.data.AUTOTUNE)
    return elements.prefetch(tf.data.AUTOTUNE).with_options(options)


def _masker(
    data: PretrainingData, length: int, masking: MaskingSettings | None
) -> Masker | None:
    """What draws the masks; None if the records hold them."""
    if length not in data.lengths:
        raise ConfigError(
            f"length={length!r}",
            where=data.path,
            expected=f"one of {', '.join(map(str, data.lengths))}",
            hint="Make data of another length with kbert create-pretraining-data.",
        )
    if data.static_masks:
        if masking is not None:
            raise ConfigError(
                "the records hold their masks already",
                where=data.path,
                expected="no masking settings (masking=None)",
            )
        return None
    if masking is None:
        raise ConfigError(
            "masking=None", where=data.path, expected="MaskingSettings for this data"
        )
    return Masker(masking, data.vocabulary, length=length)


def _check_seed(seed: int) -> None:
    _check_count("seed", seed, least=0)
    if seed >= 1 << 63:
        raise ConfigError(f"seed={seed}", expected="a number below 2^63")


def _check_division(
    batch_size: int, *, streams: int, num_hosts: int, host: int
) -> None:
    for name, value in (
        ("batch_size", batch_size),
        ("streams", streams),
        ("num_hosts", num_hosts),
    ):
        _check_count(name, value, least=1)
    if batch_size % streams:
        raise ConfigError(
            f"batch_size={batch_size} with streams={streams}",
            expected="batch_size to be a multiple of streams",
        )
    if streams % num_hosts:
        raise ConfigError(
            f"streams={streams} with num_hosts={num_hosts}",
            expected="streams to be a multiple of num_hosts",
        )
    _check_count("host", host, least=0)
    if host >= num_hosts:
        raise ConfigError(f"host={host}", expected=f"0 to {num_hosts - 1}")


def _check_count(name: str, value: int, *, least: int) -> None:
    if type(value) is not int or value < least:
        raise ConfigError(
            f"{name}={value!r}", expected=f"a whole number, at least {least}"
        )
