"""What can be wrong with what profiles are made from.

ProfileError               base
├── ModelFileError         a file of weights that does not fit its facts
├── SensitiveFieldError    a cue is read from a field that no model may see
├── NoSuchFactError        nothing of this name can be known
├── NoSuchValueError       not one of its values
└── NotAskedError          a reply to what was not asked
"""

from __future__ import annotations

from collections.abc import Sequence


class ProfileError(ValueError):
    """The base of errors of this room; files of data raise DataFileError."""


class ModelFileError(ProfileError):
    """`file` is the name of the weights."""

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(f"{file}: {reason}")
        self.file = file


class SensitiveFieldError(ProfileError):
    """One `PLACE: MESSAGE` a cue."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class NoSuchFactError(ProfileError):
    """Nothing of this name can be known of anybody."""

    def __init__(self, name: str) -> None:
        super().__init__("there is no fact or belief of this name")
        self.name = name


class NoSuchValueError(ProfileError):
    """`choices` are the values that there are."""

    def __init__(self, name: str, choices: Sequence[str]) -> None:
        super().__init__(f"one of {', '.join(choices)}")
        self.name = name
        self.choices = tuple(choices)


class NotAskedError(ProfileError):
    """This question is not open in this session."""

    def __init__(self, question: str) -> None:
        super().__init__("this question is not open: it was answered, or never asked here")
        self.question = question
