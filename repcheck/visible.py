"""Text from papers, artifacts and runs, made safe to show: nothing invisible stays invisible."""

from __future__ import annotations

import re

# Controls, line and paragraph separators, bidirectional overrides and isolates, zero-width
# spaces, tags, lone surrogates. Zero-width (non-)joiners stay: some scripts spell names with them.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
_SPACES = re.compile(r"\s+")


def visible(text: str) -> str:
    """Return text in which control and bidirectional characters are spelt out: `⟨U+202E⟩`."""
    if text.isascii() and text.isprintable():
        return text
    return _HIDDEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text)


def line(text: object) -> str:
    """Return text on one line, everything in it visible."""
    return visible(_SPACES.sub(" ", str(text)).strip())
