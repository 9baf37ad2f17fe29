"""Questions for tests, and a tokenizer of few words that knows every small letter."""

import functools

import numpy as np

from kbert import Tokenizer
from kbert.tasks.squad import Answer, Question

LETTERS = "abcdefghijklmnopqrstuvwxyz"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["the", "dog", "cat", "sat", "on", "mat", "##ing", "run", "中", "国", *"-.(),"]
TOKENS = [*SPECIAL, *WORDS, *LETTERS, *(f"##{one}" for one in LETTERS)]


@functools.cache  # it takes seconds to trace
def the_tokenizer():
    return Tokenizer(TOKENS)


def question(text, context, *answers, name=None):
    """A question; answers are texts of the context."""
    golds = tuple(Answer(one, context.index(one)) for one in answers)
    return Question("a.json", 1, name or text, "", text, context, golds)


def random_questions(seed, count=30):
    """Questions on texts of whole words, whose answers are some of their words."""
    generator = np.random.default_rng(seed)
    words = ["the", "dog", "cats", "sat", "running", "mat", "b", "(", "on-", "x.y"]
    questions = []
    for number in range(count):
        text = list(generator.choice(words, generator.integers(1, 30)))
        first = generator.integers(len(text))
        last = min(len(text), first + generator.integers(1, 4))
        start = len(" ".join([*text[:first], ""]))
        answer = Answer(" ".join(text[first:last]), start)
        asked = " ".join(generator.choice(words[:4], generator.integers(0, 4)))
        context = " ".join(text)
        one = Question("a.json", 1, str(number), "", asked, context, (answer,))
        questions.append(one)
    return questions
