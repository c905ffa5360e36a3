"""Names of datasets in configurations, shell scripts and the commands of a README, line by line.

Read as text, so that nothing a file holds can make its reader work for ever.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from repcheck.named.found import OPTION, SURE, Named

_KEY = re.compile(
    rf"(?:^|[\s{{,\"'])(?P<key>{OPTION})[\"']?\s*[:=]\s*(?P<value>\[[^\]\n]{{0,500}}\]?|[^\n#,}}]{{0,80}})",
    re.IGNORECASE,
)
_ITEM = re.compile(
    r"\s*(?:-|(?:-\s+)?(?:name|id)\s*:)\s+[\"']?([\w./+-]{2,60})[\"']?\s*(?:#.*)?", re.ASCII
)
_WORD = re.compile(r"[A-Za-z][\w./+-]{1,60}", re.ASCII)
_FLAG = re.compile(
    rf"(?:^|\s)--?(?P<flag>{OPTION})[= ]\s*[\"']?(?P<value>[$\w{{}}./+-]{{1,60}})", re.I
)
_LOOP = re.compile(r"\bfor\s+(\w{1,40})\s+in\s+([^;\n]{1,400})")
_VARIABLE = re.compile(r"\$\{?(\w{1,40})\}?")
LINE_CAP = 2_000
MOST_LINES = 5_000


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines()[:MOST_LINES], start=1):
        yield number, line[:LINE_CAP]


def of_config(text: str, path: str) -> Iterator[Named]:
    """Yield what stands under keys such as `dataset:` of a YAML, TOML or JSON file."""
    listing = ""
    for number, line in _lines(text):
        item = _ITEM.fullmatch(line) if listing else None
        if item:
            yield _under(listing, item[1], path, number)
            continue
        listing = ""
        for found in _KEY.finditer(line):
            key, value = found["key"], found["value"].strip()
            if not value:
                listing = key
            names = _WORD.findall(value) if value.startswith("[") else _single(value)
            yield from (_under(key, name, path, number) for name in names)


def _single(value: str) -> list[str]:
    bare = value.strip("\"' ")
    return [bare] if _WORD.fullmatch(bare) else []


def _under(key: str, name: str, path: str, number: int) -> Named:
    sure = SURE.fullmatch(key) is not None
    at = f"{path}:{number}"
    return Named(name=name, where=at, how=f"under `{key}`", group=f"{path}, {key}", sure=sure)


def of_commands(text: str, path: str, scripts: Sequence[str]) -> Iterator[Named]:
    """Yield the values of `--dataset` in lines that call one of these scripts, and of loops."""
    loops: dict[str, list[str]] = {}
    joined = re.sub(r"\\\n", "  ", text)
    for number, line in _lines(joined):
        for found in _LOOP.finditer(line):
            loops[found[1]] = found[2].split()[:200]
        if not any(script in line for script in scripts):
            continue
        for found in _FLAG.finditer(line):
            variable = _VARIABLE.fullmatch(found["value"])
            names = loops.get(variable[1], []) if variable else [found["value"]]
            flag = found["flag"]
            for name in names:
                yield Named(
                    name=name,
                    where=f"{path}:{number}",
                    how=f"--{flag} of a command",
                    group=f"{path}, --{flag}",
                    sure=SURE.fullmatch(flag) is not None,
                )


def fenced(text: str) -> str:
    """Return a Markdown file with everything blanked that stands in no code block."""
    inside, kept = False, []
    for line in text.splitlines():
        fence = line.lstrip().startswith(("```", "~~~"))
        inside ^= fence
        kept.append(line if (inside and not fence) or line.startswith("    ") else "")
    return "\n".join(kept)
