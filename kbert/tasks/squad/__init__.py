"""Questions on a text and their answers: files in SQuAD's format → the task ``qa``."""

from .candidates import Candidate, Guess
from .questions import Answer, Question, read_questions
from .task import QuestionAnswering

__all__ = [
    "Answer",
    "Candidate",
    "Guess",
    "Question",
    "QuestionAnswering",
    "read_questions",
]
