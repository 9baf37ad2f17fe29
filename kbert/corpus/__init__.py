"""Files of raw text → documents → sentences, for pretraining and vocabularies."""

from .documents import Document, read_documents
from .sentences import split_sentences

__all__ = ["Document", "read_documents", "split_sentences"]
