"""What is wrong with a claims file: every problem with its place, its key and how to mend it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from repcheck.errors import RepcheckError
from repcheck.visible import line
from repcheck.where import Where


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that keeps the file from being read."""

    place: Where
    what: str
    hint: str = ""

    def __str__(self) -> str:
        key = f"{self.place.path}: " if self.place.path else ""
        hint = f"; {self.hint}" if self.hint else ""
        return line(f"{self.place}: {key}{self.what}{hint}")


class ClaimsError(RepcheckError):
    """A claims file that cannot be used; `problems` holds all of them, in the file's order."""

    exit_code = 4

    def __init__(self, problems: Iterable[Problem]) -> None:
        first: dict[tuple[int, int, str], Problem] = {}
        for problem in problems:
            first.setdefault((problem.place.line, problem.place.column, problem.what), problem)
        self.problems = tuple(first[key] for key in sorted(first, key=lambda key: key[:2]))
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type[ClaimsError], tuple[tuple[Problem, ...]]]:
        return ClaimsError, (self.problems,)


def nearest(word: str, known: Iterable[str], *, sure: bool = False) -> str:
    """Return `did you mean ...?` for the nearest known word, or nothing."""
    import difflib

    cutoff = 0.7 if sure else 0.6
    close = difflib.get_close_matches(word[:100], list(known), n=1, cutoff=cutoff)
    return f"did you mean `{close[0]}`?" if close else ""


def one_of(words: Iterable[str]) -> str:
    """Return a readable list of the words that are known."""
    listed = list(words)
    more = f" and {len(listed) - 12} more" if len(listed) > 12 else ""
    return ", ".join(listed[:12]) + more
