"""A rule's documentation as HTML: paragraphs, lists and code, nothing else."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from repcheck.reporters.parts.text import visible

_CODE = re.compile(r"`([^`]+)`")
_ITEM = re.compile(r"^[*-] +")


def inline(text: object) -> Markup:
    """Return one line of text with its `code` marked up."""
    safe = str(escape(visible(str(text))))
    return Markup(_CODE.sub(r"<code>\1</code>", safe))


def prose(text: object) -> Markup:
    """Return a text of paragraphs and lists as HTML; everything else stays text."""
    blocks = [block for block in re.split(r"\n\s*\n", str(text).strip()) if block.strip()]
    return Markup("").join(_block(block) for block in blocks)


def _block(block: str) -> Markup:
    if not _ITEM.match(block):
        return Markup("<p>") + inline(block) + Markup("</p>")
    items = re.split(r"\n(?=[*-] )", block)
    marked = (Markup("<li>") + inline(_ITEM.sub("", item)) + Markup("</li>") for item in items)
    return Markup("<ul>") + Markup("").join(marked) + Markup("</ul>")
