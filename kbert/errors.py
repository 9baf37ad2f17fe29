"""The errors that kbert raises: one line each, with the place and the way out."""

from os import PathLike, fspath


class KbertError(Exception):
    """Base of everything that kbert raises on purpose; the command line exits with 1.

    The message is one line: where, what is wrong, what was expected, what to do.

    Args:
        what: what is wrong, with the value that was received.
        where: file or folder that it was found in.
        line: line (or record) number in that file, from 1.
        expected: what would have been right.
        hint: what to do about it, a full sentence.

    Example:
        >>> print(InputError("3 columns", where="a.tsv", line=7, expected="2",
        ...                  hint="Quote the tab."))
        a.tsv, line 7: 3 columns; expected 2. Quote the tab.
    """

    # Keras and AutoGraph rewrite what is raised inside a layer, unless it says this.
    _keras_call_info_injected = True
    ag_pass_through = True

    def __init__(
        self,
        what: str,
        *,
        where: str | PathLike[str] | None = None,
        line: int | None = None,
        expected: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.what, self.expected, self.hint = what, expected, hint
        self.where = None if where is None else fspath(where)
        self.line = line
        super().__init__(self._message())

    def _message(self) -> str:
        place = [self.where] if self.where is not None else []
        place += [f"line {self.line}"] if self.line is not None else []
        text = self.what + (f"; expected {self.expected}" if self.expected else "")
        if self.hint:
            text = f"{text.rstrip('.')}. {self.hint}"
        text = f"{', '.join(place)}: {text}" if place else text
        return " ".join(text.split("\n"))


class InputError(KbertError, ValueError):
    """The user's data or an argument is not what it has to be."""


class ConfigError(KbertError, ValueError):
    """A setting, or a set of settings together, makes no sense."""


class CheckpointError(KbertError):
    """A model's files are missing, damaged, or do not fit one another."""


class OutputError(KbertError, OSError):
    """Something could not be written: disk full, no permission, locked, not empty."""


class DependencyError(KbertError, ImportError):
    """An optional package is missing; the message names the extra that brings it."""


class TrainingError(KbertError):
    """Training cannot go on: a number is no longer finite, or a worker is gone."""


class DivergedError(TrainingError):
    """A loss, gradient, weight or figure is no longer finite: other settings may do."""


class Stopped(KbertError):
    """The user or the system asked a long job to end; what was done is kept."""


class KbertWarning(UserWarning):
    """Something does not stop a job, but its user should know it."""
