"""A student's token embeddings take up what a teacher's say of the same word pieces.

Of each piece of the student's vocabulary four vectors are put side by side: the
teacher's embedding of it (or the mean of those that it is made of), what the teacher's
middle and last layers make of it when it stands alone, and the student's own embedding.
Their first principal components, turned to lie as close as they can to the student's
own embeddings (orthogonal Procrustes), so that its layers go on to understand them, and
scaled to their size, replace these.
"""

import keras
import numpy as np
from distil_teacher import TEACHER_LAYERS

import kbert

# Of each kind, by how much it counts; each has variance 1 before.
SHARES = {"embedding": 1.0, "middle": 0.5, "last": 1.0, "own": 1.0}


def take_up(student: kbert.Bert, source: str) -> None:
    """Replace the token embeddings of ``student`` by the teacher's and its own."""
    variable = _table(student)
    own = np.asarray(variable, np.float32)
    pieces = [str(token) for token in student.tokenizer.vocabulary.tokens]
    embedded, known = _embedded(pieces, kbert.load(source))
    extractor = kbert.FeatureExtractor(source, layers=TEACHER_LAYERS)
    bodies = [piece.removeprefix("##") for piece in pieces]
    read = extractor.fit(["a text"]).transform(bodies)
    middle, last = np.split(np.asarray(read, np.float32), 2, axis=1)
    kinds = {"embedding": embedded, "middle": middle, "last": last, "own": own}
    parts = [SHARES[kind] * _standard(kinds[kind][known]) for kind in SHARES]
    mean = own[known].mean(axis=0)
    found = own.copy()
    found[known] = mean + _turned(np.concatenate(parts, axis=1), own[known] - mean)
    vocabulary = student.tokenizer.vocabulary
    for special in ("pad_id", "unk_id", "cls_id", "sep_id", "mask_id"):
        found[getattr(vocabulary, special)] = own[getattr(vocabulary, special)]
    variable.assign(found)


def _table(bert: kbert.Bert) -> keras.Variable:
    """The variable ``[V, H]`` of the token embeddings."""
    weights = bert.encoder.get_layer("embeddings").weights
    (found,) = (one for one in weights if one.shape[0] == bert.config.vocabulary_size)
    return found


def _embedded(pieces: list[str], teacher: kbert.Bert) -> tuple[np.ndarray, np.ndarray]:
    """The teacher's embedding of each piece, and whether it has one."""
    tokens = teacher.tokenizer.vocabulary.tokens
    ids = {str(token): number for number, token in enumerate(tokens)}
    table = np.asarray(_table(teacher), np.float32)
    made_of = [_made_of(piece.lower(), ids) for piece in pieces]
    vectors = [table[own].mean(axis=0) if own else 0 * table[0] for own in made_of]
    return np.array(vectors), np.array([bool(own) for own in made_of])


def _made_of(piece: str, ids: dict[str, int]) -> list[int]:
    """The teacher's longest pieces that make up one of the student's; none if none."""
    if piece in ids:
        return [ids[piece]]
    prefix = "##" if piece.startswith("##") else ""
    body, found = piece.removeprefix("##"), []
    while body:
        size = next((n for n in range(len(body), 0, -1) if prefix + body[:n] in ids), 0)
        if not size:
            return []
        found.append(ids[prefix + body[:size]])
        prefix, body = "##", body[size:]
    return found


def _standard(vectors: np.ndarray) -> np.ndarray:
    centred = vectors - vectors.mean(axis=0)
    return centred / np.sqrt((centred**2).sum(axis=1).mean())


def _turned(vectors: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Principal components of ``vectors``, as close to ``own`` as turning brings them.

    ``vectors`` ``[V, W]`` and ``own`` ``[V, H]`` are centred → ``[V, H]``, as long as
    ``own`` on average.
    """
    axes = np.linalg.svd(vectors, full_matrices=False)[2][: own.shape[1]]
    components = vectors @ axes.T
    left, _, right = np.linalg.svd(components.T @ own)
    turned = components @ (left @ right)
    return turned * np.sqrt((own**2).sum() / (turned**2).sum())
