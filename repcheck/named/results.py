"""Result files and configurations that stand beside those of a declared dataset, and like them."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from repcheck.metric_names import meaning
from repcheck.named.found import Declared, Named, words
from repcheck.named.tree import Tree

_RESULTS = re.compile(r"results?|outputs?|scores?|metrics|logs?|runs?|tables?|reports?", re.I)
_CONFIGS = re.compile(r"configs?|conf|cfgs?|experiments?|settings", re.I)
_COLUMNS = {"dataset", "data", "data_set", "dataset_name", "task", "env", "benchmark"}
_SURE_COLUMNS = {"dataset", "data_set", "dataset_name", "benchmark"}
_OF_METHOD = {"method", "model", "algorithm", "name", "approach"}
MOST_ROWS = 5_000
ROW = "a row of results"
KEY = "in a file of results"
MOST_SHAPES = 50


def beside(
    tree: Tree, declared: Declared, methods: Sequence[str], others: Sequence[str]
) -> Iterator[Named]:
    """Yield the datasets that files of the same name but one word, and the same form, stand for.

    `results/digits.json` beside `results/wine.json` is one; `methods` are names that stand for no
    dataset, and a file that bears the name of one of `others` holds no result of the paper's own.
    """
    folders: dict[str, list[str]] = defaultdict(list)
    for path in tree.paths:
        folder, _, file = path.rpartition("/")
        last = folder.rpartition("/")[2]
        if _RESULTS.fullmatch(last) or _CONFIGS.fullmatch(last):
            folders[folder].append(file)
    for folder, files in folders.items():
        results = _RESULTS.fullmatch(folder.rpartition("/")[2]) is not None
        shapes = {
            shape: (file, own) for file in files for shape, own in _shapes(file, declared, methods)
        }
        for shape, (file, own) in list(shapes.items())[:MOST_SHAPES]:
            if (form := _form(tree, f"{folder}/{file}", results=results)) is None:
                continue
            for other in files:
                found = shape.fullmatch(other)
                name = found["it"] if found else own
                path = f"{folder}/{other}"
                if name in {own, *methods} or _form(tree, path, results=results) != form:
                    continue
                how = "a result file" if results else "a configuration"
                ours = not any(words(one) <= words(other) for one in others)
                yield Named(name=name, where=path, how=how, group=f"{folder}/",
                            sure=True, results=results and ours)  # fmt: skip


def _shapes(
    file: str, declared: Declared, methods: Sequence[str]
) -> Iterator[tuple[re.Pattern[str], str]]:
    """Yield what a file's name is like with the declared dataset's name taken out."""
    stem, dot, ending = file.rpartition(".")
    parts = [part for part in re.split(r"([_.-])", stem) if part]
    ends = [at for at, part in enumerate(parts) if part not in "_.-"]
    for first in ends:
        for last in (at + 1 for at in reversed(ends) if at >= first):
            own = "".join(parts[first:last])
            if words(own) in declared.names:
                before, after = "".join(parts[:first]), "".join(parts[last:]) + dot + ending
                it = "(?P<it>[A-Za-z][A-Za-z0-9_-]{1,30}?)"
                yield re.compile(_like(before, methods) + it + _like(after, methods)), own
                return


def _like(text: str, methods: Sequence[str]) -> str:
    """Return a pattern of a part of a name: numbers (seeds) and methods may be any."""
    words_of = "|".join(map(re.escape, sorted(methods, key=len, reverse=True)))
    parts = re.split(rf"({words_of})" if words_of else r"(\d+)", text)
    return "".join(
        f"(?:{words_of})" if part in methods else re.sub(r"\d+", r"\\d+", re.escape(part))
        for part in parts
    )


def _form(tree: Tree, path: str, *, results: bool) -> tuple[str, ...] | None:
    """Return what a file is made of, None if it is no result file or says nothing."""
    text, ending = tree.text(path), path.rpartition(".")[2].lower()
    if not results:
        return (ending,) if ending in {"yaml", "yml", "json", "toml", "cfg", "ini"} else None
    if ending == "csv":
        header = next(csv.reader(io.StringIO(text[:10_000])), [])
        return ("csv", *header) if len(header) > 1 else None
    if ending != "json":
        return None
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        tree.unread.add(path)
        return None
    return ("json", *sorted(map(str, content))[:50]) if isinstance(content, dict) else None


def rows(tree: Tree, declared: Declared, methods: Sequence[str]) -> Iterator[Named]:
    """Yield the datasets in the tables of results that hold a declared one too, with numbers.

    Where a table has a column of methods, only the rows of `methods` are results of theirs; where
    none of them bears such a name, whose they are is asked.
    """
    for path in tree.paths:
        made = _table if path.lower().endswith(".csv") else _records
        found = list(made(tree, path, methods))
        if any(declared.has(one.name) for one in found):
            yield from found


def _table(tree: Tree, path: str, methods: Sequence[str]) -> Iterator[Named]:
    try:
        table = csv.reader(io.StringIO(tree.text(path), newline=""))
        header = [cell.strip().lower() for cell in next(table, [])]
        at = next((n for n, cell in enumerate(header) if cell in _COLUMNS), None)
        by = next((n for n, cell in enumerate(header) if cell in _OF_METHOD), None)
        if at is None or not _of_results(path, header, methods):
            return
        known, seen = {words(name) for name in methods}, dict[tuple[str, bool], int]()
        for number, row in enumerate(table, start=2):
            if number > MOST_ROWS:
                break
            name = row[at].strip() if len(row) > at else ""
            ours = by is None or (len(row) > by and words(row[by]) in known)
            if name and any(map(_is_number, row)):
                seen.setdefault((name, ours), number)
    except csv.Error:
        tree.unread.add(path)
        return
    whose = any(ours for _, ours in seen)
    for (name, ours), number in seen.items():
        if ours or not whose:
            yield Named(name=name, where=f"{path}:{number}", how=ROW, group=path, results=ours,
                        sure=header[at] in _SURE_COLUMNS)  # fmt: skip


def _of_results(path: str, header: Sequence[str], methods: Sequence[str]) -> bool:
    """Return whether a table holds scores, and not what the datasets are like."""
    named = {words(name) for name in methods}
    scores = {"metric", "half"}
    return (
        any(meaning(cell).kind in scores or words(cell) in named for cell in header)
        or "score" in header
        or any(_RESULTS.fullmatch(part) for part in path.rpartition(".")[0].split("/"))
    )


def _records(tree: Tree, path: str, _methods: Sequence[str]) -> Iterator[Named]:
    """Yield the datasets of a file of results that holds several: as its keys, or in its records.

    Whose results they are is not looked at, so they are asked about and no finding.
    """
    folder, _, file = path.lower().rpartition("/")
    plain = {folder.rpartition("/")[2], file.rpartition(".")[0]}
    if not file.endswith((".json", ".jsonl")) or not any(map(_RESULTS.fullmatch, plain)):
        return
    text = tree.text(path)
    try:
        content = (
            [json.loads(line) for line in text.splitlines()[:MOST_ROWS] if line.strip()]
            if file.endswith(".jsonl")
            else json.loads(text)
        )
    except (ValueError, RecursionError):
        tree.unread.add(path)
        return
    names: list[object] = []
    if isinstance(content, list):
        rows_of = [one for one in content[:MOST_ROWS] if isinstance(one, dict)]
        names = [one.get(key) for one in rows_of for key in _SURE_COLUMNS]
    elif isinstance(content, dict):
        names = [key for key, value in content.items() if isinstance(value, dict)]
    for name in dict.fromkeys(one for one in names if isinstance(one, str)):
        yield Named(name=name, where=path, how=KEY, group=path)


def _is_number(cell: str) -> bool:
    return re.fullmatch(r"\s*[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?\s*%?\s*", cell[:40]) is not None
