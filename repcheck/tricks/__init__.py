"""The 43 tricks of the "hzwer list", each a page of this folder (`1_3_repeated_samples.md`).

A page is the one source: number, name, the list's own words, the question put to a paper, and what
`explain`, the README and the report say of the trick. Pages are found, never listed. Each has::

    # 1.3 repeated-samples

    > The list's own words.

    The question that is put to a paper?

and then the headings of `HEADINGS`, in that order. A report names every trick: seen, excluded, or
not judged and why.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HEADINGS = (
    "What it is",
    "When it is legitimate",
    "How it is decided",
    "Example bad",
    "Example good",
    "How to fix",
    "False positives",
    "A person is asked",
)
GROUPS = {
    "1": "Compute",
    "2": "Hyperparameters",
    "3": "Small modifications",
    "4": "Incremental design",
    "5": "Testing",
    "6": "Ultimate methods",
}
_HEAD = re.compile(r"# (\d\.\d{1,2}) ([a-z0-9-]+)\n\n((?:> .+\n)+)\n((?:[^#\n].*\n)+)\n")
_NUMBERED = re.compile(r"^\d+\. +", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trick:
    """One entry of the list; `number` 1.3 belongs to rule RC103.

    `says` are the list's own words, `asks` is the question put to a paper.
    """

    number: str
    slug: str
    says: str
    asks: str
    sections: Mapping[str, str]

    @property
    def group(self) -> str:
        """Return the chapter it stands in."""
        return GROUPS[self.number[0]]

    @property
    def code(self) -> str:
        """Return the code of its first rule."""
        chapter, place = self.number.split(".")
        return f"RC{chapter}{int(place):02d}"

    @property
    def file(self) -> str:
        """Return the name of its page's file."""
        return f"{self.number}_{self.slug}".replace(".", "_").replace("-", "_") + ".md"

    @property
    def questions(self) -> tuple[str, ...]:
        """Return what only a person can answer, in the order of the page."""
        items = _NUMBERED.split(self.sections["A person is asked"])
        return tuple(" ".join(item.split()) for item in items if item.strip())


def read(path: Path) -> Trick:
    """Return the trick that a page describes.

    Raises:
        ValueError: if the page is not built as the head of this module says, with what is wrong.
    """
    text = path.read_text(encoding="utf-8")
    head = _HEAD.match(text)
    if head is None:
        raise ValueError(f"{path.name}: expected `# 1.3 name`, `> the list's words`, a question")
    number, slug, says, asks = head.groups()
    parts = re.split(r"^## (.+)\n", text[head.end() :], flags=re.MULTILINE)
    sections = {name: body.strip() for name, body in zip(parts[1::2], parts[2::2], strict=True)}
    if tuple(sections) != HEADINGS or not all(sections.values()):
        wanted = ", ".join(HEADINGS)
        raise ValueError(f"{path.name}: expected these headings, none of them empty: {wanted}")
    said = " ".join(line.removeprefix("> ") for line in says.splitlines())
    found = Trick(
        number=number, slug=slug, says=said, asks=" ".join(asks.split()), sections=sections
    )
    if path.name != found.file:
        raise ValueError(f"{path.name}: holds {number} {slug}, so it should be {found.file}")
    return found


def _place(trick: Trick) -> tuple[int, ...]:
    return tuple(int(part) for part in trick.number.split("."))


TRICKS = tuple(sorted(map(read, Path(__file__).parent.glob("*.md")), key=_place))
