"""What prompts are made of: markup, what they share, solved examples, and the question itself.

Markup of chats (role markers, begin and end of text) says nothing and is taken out. Solved examples
are told by what repeats: turns of an assistant, a line's key (`Q:`), or the words that each prompt
ends with (`Label:`, `=>`), which stand behind each solved question too.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from statistics import median_low

USUAL = 0.9
"""Share of the prompts that a form has to hold for; a few may be of another kind."""
ODD = 0.01
"""Share of the prompts at either end of the alphabet that a common beginning may leave out; of ten
and more at least one, such as a first greeting."""
_TURN, _USER = "\x01", "\x02"
_ASSISTANT = r"(?:assistant|model|ai|bot|gpt)"
_OTHERS = r"(?:system|user|human|tool)"
_MARKS = (
    (rf"<\|start_header_id\|>\s*{_ASSISTANT}\s*<\|end_header_id\|>", _TURN),
    (rf"<\|start_header_id\|>\s*{_OTHERS}\s*<\|end_header_id\|>", _USER),
    (rf"(?:<\|im_start\|>|<start_of_turn>)\s*{_ASSISTANT}\b", _TURN),
    (rf"(?:<\|im_start\|>|<start_of_turn>)\s*{_OTHERS}\b", _USER),
    (rf"<\|?{_ASSISTANT}\|?>", _TURN),
    (rf"<\|?{_OTHERS}\|?>", _USER),
    (r"\[/INST\]|###\s*Response\s*:", _TURN),
    (r"\[INST\]|###\s*(?:Instruction|Input)\s*:", _USER),
    (rf"(?m)^[ \t]*{_ASSISTANT}[ \t]*:", _TURN),
    (rf"(?m)^[ \t]*{_OTHERS}[ \t]*:", _USER),
    (rf"</{_ASSISTANT}>|</{_OTHERS}>|<\|[^|<>\n]{{1,40}}\|>|<end_of_turn>|</?s>", ""),
    (r"<</?SYS>>|<(?:bos|eos|pad)>", ""),
)
_MARKUP = tuple((re.compile(one, re.IGNORECASE), f"\n{mark}") for one, mark in _MARKS)
_KEY = re.compile(r"([A-Za-z][\w ]{0,30}?)\s*(?:#?\d+)?\s*[:=?]")
MOST_TURNS = 256
KEY_CAP = 80
"""Characters of a line in which its key is looked for, with the number and spaces behind it."""
_TOKEN = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One prompt taken apart: the instruction and the question, and the solved examples."""

    head: str
    body: str
    exemplars: tuple[str, ...] = ()

    @property
    def frame(self) -> str:
        """Return the prompt without its solved examples."""
        return f"{self.head}\n{self.body}" if self.head else self.body


def tokens(text: str) -> list[str]:
    """Return the words and the signs of a text, in small letters."""
    return _TOKEN.findall(text.casefold())


def words(text: str) -> list[str]:
    """Return the words of a text alone, in small letters."""
    return re.findall(r"\w+", text.casefold())


def digest(text: str) -> str:
    """Return a name for what a text says, whatever its signs, spaces and capitals; "" for none."""
    said = " ".join(words(text))
    return blake2b(said.encode(errors="replace"), digest_size=6).hexdigest() if said else ""


def ends(text: str, size: int = 6) -> str:
    """Return names for the first and the last words of a text, `first:last`."""
    said = words(text)
    return f"{digest(' '.join(said[:size]))}:{digest(' '.join(said[-size:]))}"


def forms_of(texts: Sequence[str]) -> list[Form]:
    """Return the form of each prompt; how solved examples are told is the same for all."""
    plain = [_unmarked(text) for text in texts]
    by_turns = [_by_turns(text) for text in plain]
    bare = [_lines(text.replace(_TURN, "\n").replace(_USER, "\n")) for text in plain]
    if _usual(len(form.exemplars) for form in by_turns):
        return by_turns
    key, cue = _key(bare), _cue(bare)
    by_key = [_by_key(text, key) for text in bare] if key else []
    by_cue = [_by_cue(text, cue) for text in bare] if cue else []
    most = max((by_key, by_cue), key=lambda forms: _usual(len(form.exemplars) for form in forms))
    if most and _usual(len(form.exemplars) for form in most):
        return most
    return [Form(head="", body=text) for text in bare]


def markup_words(text: str) -> int:
    """Return how many of the words of a prompt are markup of chats alone."""
    bare = _unmarked(text).replace(_TURN, " ").replace(_USER, " ")
    return len(text.split()) - len(bare.split())


def _usual(counts: Iterable[int]) -> int:
    found = list(counts)
    return median_low(found) if found else 0


def _unmarked(text: str) -> str:
    for pattern, mark in _MARKUP:
        text = pattern.sub(mark, text)
    return text


def _lines(text: str) -> str:
    """Return a text with single spaces and without empty lines."""
    return "\n".join(filter(None, (" ".join(line.split()) for line in text.splitlines())))


def _by_turns(text: str) -> Form:
    head, *turns = text.split(_USER, MOST_TURNS)
    if turns and _TURN not in turns[0] and len(turns) > 1 and not head.strip():
        head, *turns = turns  # what the system says stands first
    answered = [bool(_lines(one.partition(_TURN)[2])) for one in turns]
    solved = [one for one, done in zip(turns, answered, strict=True) if done]
    rest = "\n".join(one for one, done in zip(turns, answered, strict=True) if not done)
    body = _lines(rest.replace(_TURN, "\n"))
    exemplars = tuple(_lines(one.replace(_TURN, "\n")) for one in solved)
    return Form(head=_lines(head.replace(_TURN, "\n")), body=body, exemplars=exemplars)


def _key(texts: Sequence[str]) -> str:
    """Return the key that begins a solved example: it stands in nearly all prompts several times.

    Of keys that stand equally often the first: `Q:` and not `A:`.
    """
    counts: Counter[str] = Counter()
    totals: dict[str, list[int]] = {}
    for text in texts:
        mine = Counter(key for line in text.splitlines() if (key := _key_of(line)))
        for key, n in mine.items():
            counts[key] += n > 1
            totals.setdefault(key, []).append(n)
    often = [key for key, n in counts.items() if n >= USUAL * len(texts)]
    return max(often, key=lambda key: median_low(totals[key]), default="")


def _key_of(line: str) -> str:
    found = _KEY.match(line, 0, KEY_CAP)
    return found[1].casefold() if found else ""


def _by_key(text: str, key: str) -> Form:
    blocks: list[list[str]] = [[]]
    for line in text.splitlines():
        if _key_of(line) == key:
            blocks.append([])
        blocks[-1].append(line)
    head, *solved, last = ["\n".join(block) for block in blocks] if len(blocks) > 1 else ["", text]
    return Form(head=head, body=last, exemplars=tuple(solved))


def _cue(texts: Sequence[str]) -> str:
    """Return what the last lines of all prompts end with, where that asks for an answer."""
    last = [text.rpartition("\n")[2] for text in texts]
    cue = common_end(last).strip()
    return cue if 1 <= len(cue) <= 40 and re.search(r"[:=>→]", cue) else ""


def _by_cue(text: str, cue: str) -> Form:
    lines = text.splitlines()
    ends = [n for n, line in enumerate(lines) if cue in line]
    if len(ends) < 2:
        return Form(head="", body=text)
    size = ends[-1] - ends[-2]
    starts = [max(0, ends[0] + 1 - size), *(n + 1 for n in ends[:-1])]
    blocks = ["\n".join(lines[a : b + 1]) for a, b in zip(starts, ends, strict=True)]
    head = "\n".join(lines[: starts[0]])
    return Form(head=head, body=blocks[-1], exemplars=tuple(blocks[:-1]))


# --- what all have in common --------------------------------------------------------------------


def common_start(texts: Sequence[str]) -> str:
    """Return what nearly all texts begin with, up to a line's end, a colon or a whole word."""
    return _cut(_shared(texts), texts)


def common_end(texts: Sequence[str]) -> str:
    """Return what nearly all texts end with, from a whole word on."""
    shared = _shared([text[::-1] for text in texts])
    whole = all(len(text) == len(shared) for text in texts)
    found = shared[::-1]
    if not whole and found[:1].isalnum():
        found = re.sub(r"^\w+", "", found)
    return found


def _shared(texts: Sequence[str]) -> str:
    if not texts:
        return ""
    ranked = sorted(texts)
    odd = max(int(ODD * len(ranked)), int(len(ranked) >= 10))
    first, last = ranked[odd], ranked[len(ranked) - 1 - odd]
    n = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), None)
    return first[: min(len(first), len(last)) if n is None else n]


def _cut(found: str, texts: Sequence[str]) -> str:
    if len(set(texts)) <= 1:
        return found
    ends = [found.rfind(sign) for sign in "\n:>"]
    return found[: max(ends) + 1] if max(ends) >= 0 else re.sub(r"\w+$", "", found)


def lined_end(texts: Sequence[str]) -> str:
    """Return what nearly all texts end with, from the first line's beginning within it on."""
    found = common_end(texts)
    _, line, rest = found.partition("\n")
    return line + rest if line else found


# --- places that are filled with one word -------------------------------------------------------


def slots_of(bodies: Sequence[str], most: int = 8) -> list[tuple[str, str, tuple[str, ...]]]:
    """Return the places of the questions where one of several words stands between the same signs.

    Each is what stands before, what stands after and the word in each question ("" where the
    place is not there): `[cat: sport]` in a third of them is a place, a text's own words are not.
    """
    said = [_ends(tokens(body)) for body in bodies]
    least = max(3, 0.005 * len(said))
    often: Counter[int] = Counter()
    for one in said:
        often.update({hash(place) for place, _ in _places(one)})
    fills: dict[tuple[str, str], dict[int, str]] = {}
    for n, one in enumerate(said):
        for place, word in _places(one):
            if often[hash(place)] >= least:
                fills.setdefault(place, {}).setdefault(n, word)
    found = [(place, fill) for place, fill in fills.items() if _varies(fill, least)]
    found.sort(key=lambda one: (not _is_marked(one[0]), -len(one[1])))
    # What all prompts say around a hint is no part of the questions: then it stands at their end.
    kept = [*found[:most], *(one for one in found[most:] if one[0] in _AT_AN_END)]
    return [
        (left, right, tuple(fill.get(n, "")[:40] for n in range(len(said))))
        for (left, right), fill in kept
    ]


_AT_AN_END = (("^ ^", ""), ("", "$ $"))


def _is_marked(place: tuple[str, str]) -> bool:
    """Tell whether signs mark a place: words between the same words are often a text's own."""
    return any(sign in "".join(place) for sign in ":=[]()<>#|")


def _ends(said: list[str]) -> list[str]:
    """Return the words at both ends of a long text: a hint in its middle is not looked for."""
    return said if len(said) <= 200 else [*said[:150], *said[-50:]]


def _places(said: list[str]) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield each word with what stands before it, and with what stands after it."""
    padded = ["^", "^", *said, "$", "$"]
    for i in range(2, len(padded) - 2):
        if padded[i].isalnum():
            yield (f"{padded[i - 2]} {padded[i - 1]}", ""), padded[i]
            yield ("", f"{padded[i + 1]} {padded[i + 2]}"), padded[i]


def _varies(fill: dict[int, str], least: float) -> bool:
    if len(fill) < least:
        return False
    return Counter(fill.values()).most_common(1)[0][1] < 0.95 * len(fill)
