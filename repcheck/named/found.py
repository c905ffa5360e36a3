"""A dataset's name where it was found, and when two names are one dataset."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MOST_NAMES = 30
"""More names in one place are the catalogue of a framework, not the work of one paper."""

OPTION = (
    r"data|data[-_]?sets?|data[-_]?(?:set[-_]?)?name|tasks?|task[-_]?name|benchmarks?"
    r"|env(?:[-_]?(?:id|name))?"
)
SURE = re.compile(r"data[-_]?sets?|data[-_]?set[-_]?name", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z][\w.+-]{1,40}", re.ASCII)
_WORDS = re.compile(r"[^a-z0-9]+")
_LOADER = re.compile(r"^(?:load|fetch|get|make)_", re.IGNORECASE)
_ENDING = re.compile(
    r"\.(?:csv|tsv|jsonl?|npz|npy|pt|pth|pkl|parquet|h5|hdf5|ya?ml|toml|txt|zip|gz|tar)$", re.I
)
# What stands where a dataset's name may stand and is none.
_GENERIC_WORDS = (
    "train training test testing val valid validation dev eval all none null default auto both"
    " debug toy dummy fake mock synthetic custom own data dataset datasets name path dir root"
    " folder true false yes no small large full mini tiny demo example sample cpu cuda mps"
    " classification regression segmentation detection generation pretrain finetune str int"
    " float list args config cfg base common defaults main local remote summary results table"
    " figure ablation average mean readme string choice avg overall total macro micro median"
    " geomean std stdev sd sem var variance worst best rank sum wins ties losses weighted"
    " aggregate aggregated unlabeled unlabelled labeled labelled fold seed run trial split part"
)
_GENERIC = frozenset(_GENERIC_WORDS.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """One name: where (`run.sh:3`) and as what; `group` is the place it shares with others.

    `sure` says that the place is plainly one for datasets; `results` that numbers stand there.
    """

    name: str
    where: str
    how: str
    group: str
    sure: bool = False
    results: bool = False


def words(name: str) -> frozenset[str]:
    """Return the words of a name, by which it is compared: `load_breast-cancer` has two."""
    return frozenset(_WORDS.split(_bare(name))) - {""}


def folded(name: str) -> str:
    """Return a name without what is written differently: `breast-cancer`, `load_breast_cancer`."""
    return _WORDS.sub("", _bare(name))


def _bare(name: str) -> str:
    return _LOADER.sub("", _ENDING.sub("", name.strip().rpartition("/")[2])).lower()


def plausible(name: str) -> bool:
    """Return whether a text may be a dataset's name at all."""
    bare = name.rpartition("/")[2]
    # `fold1` is a fold.
    own = {word.rstrip("0123456789") or word for word in words(bare)}
    return bool(_NAME.fullmatch(bare)) and not own <= _GENERIC


@dataclass(frozen=True, slots=True)
class Declared:
    """The datasets that the claims speak of, by the words of their names and by the whole."""

    names: tuple[frozenset[str], ...]
    whole: frozenset[str]

    @classmethod
    def of(cls, names: Iterable[str]) -> Declared:
        """Take all names and paths under which a dataset is declared."""
        kept = [name for name in names if words(name)]
        return cls(tuple(dict.fromkeys(map(words, kept))), frozenset(map(folded, kept)))

    def has(self, name: str) -> bool:
        """Return whether a name is one of these: `digits` is where `digits-384` is declared."""
        own = words(name)
        return folded(name) in self.whole or any(own <= one or one <= own for one in self.names)


def kept(found: Sequence[Named], declared: Declared) -> tuple[list[Named], list[str]]:
    """Return the names that count, and the places left out because they hold too many.

    A place that is not plainly one for datasets counts only if a declared one stands in it too.
    """
    groups: dict[str, list[Named]] = {}
    for one in found:
        if plausible(one.name):
            groups.setdefault(one.group, []).append(one)
    counted: list[Named] = []
    zoos: list[str] = []
    for place, group in groups.items():
        if len({one.name for one in group}) > MOST_NAMES:
            zoos.append(place)
        elif any(one.sure or declared.has(one.name) for one in group):
            counted += group
    return counted, zoos
