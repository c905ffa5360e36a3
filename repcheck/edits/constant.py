"""One literal of a Python source file changed, every other byte kept."""

from __future__ import annotations

import ast
import math
import re
import threading
import warnings
from collections.abc import Iterator

from repcheck.claims.problems import nearest, one_of
from repcheck.edits.edit import Edit, Scalar, failed, fitting, same, shown
from repcheck.edits.names import bindings

_LINE = re.compile(r"(\d{1,9})(?::(\d{1,9}))?")
_BREAK = re.compile(r"\r\n|\r|\n")
_MOST = 8
_FILTERS = threading.Lock()


def changed(text: str, edit: Edit) -> str:
    """Return the source with one literal changed.

    Raises:
        EditFailed: if the source cannot be parsed, the key does not name one literal, the value
            cannot be written as one, or nothing would change.
    """
    tree = _parsed(text, edit)
    at_line = _LINE.fullmatch(edit.key)
    literal = _on_line(tree, text, edit, at_line) if at_line else _named(tree, edit)
    if literal.lineno != literal.end_lineno:
        what = "is a text over several lines, which is not changed"
        raise failed(edit, what, "name another literal", line=literal.lineno)
    old: Scalar = ast.literal_eval(literal)
    new = fitting(old, edit.value)
    if same(old, new):
        what = f"is {shown(old)} already; {shown(edit.value)} changes nothing"
        raise failed(edit, what, "give another value", line=literal.lineno)
    if isinstance(new, float) and not math.isfinite(new):
        raise failed(edit, f"cannot become {new}: Python has no such literal", line=literal.lineno)
    start, end = _span(text, literal)
    written = _written(new, text[start:end], ascii_only=text.isascii())
    return _replaced(text, (start, end), written, (tree, literal), edit)


def _parsed(text: str, edit: Edit) -> ast.Module:
    try:
        return _tree(text)
    except SyntaxError as error:
        what = f"is sought in what this Python cannot parse: {error.msg}"
        raise failed(edit, what, line=error.lineno or 0) from None
    except (ValueError, MemoryError) as error:
        raise failed(edit, f"is sought in what this Python cannot parse: {error}") from None


def _tree(text: str) -> ast.Module:
    # Filters are the whole process's: two threads must not restore each other's.
    with _FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def _named(tree: ast.Module, edit: Edit) -> ast.expr:
    found = list(bindings(tree))
    mine = [one for one in found if one.name == edit.key] or [
        one for one in found if one.name.endswith(f".{edit.key}")
    ]
    if not mine:
        literals = [one.name for one in found if one.value is not None and is_literal(one.value)]
        hint = nearest(edit.key, literals) or (
            f"known here: {one_of(dict.fromkeys(literals))}" if literals else "name a line"
        )
        what = "is not there: no module, class, parameter or option has a literal of this name"
        raise failed(edit, what, hint)
    if len(mine) > 1:
        places = "; ".join(f"`{one.name}` in line {one.line}" for one in mine[:_MOST])
        hint = "name one of them in full, or its line"
        raise failed(edit, f"is given more than once: {places}", hint, line=mine[0].line)
    [one] = mine
    if one.value is None or not is_literal(one.value):
        why = one.why or "it is no literal number, text or truth value"
        hint = f"name a line instead, such as `{edit.file}:{one.line}`"
        raise failed(edit, f"cannot be changed: {why}", hint, line=one.line)
    return one.value


def is_literal(node: ast.expr) -> bool:
    """Return whether an expression is a number with its sign, a text, a truth value or None."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        inner = node.operand
        return isinstance(inner, ast.Constant) and type(inner.value) in {int, float}
    return isinstance(node, ast.Constant) and (
        node.value is None or type(node.value) in {int, float, str, bool}
    )


def _on_line(tree: ast.Module, text: str, edit: Edit, at: re.Match[str]) -> ast.expr:
    line = int(at[1])
    count = len(_BREAK.findall(text)) + 1
    if not 0 < line <= count:
        raise failed(edit, f"is no line of the file, which has {count}")
    found = [one for one in _literals(tree) if one.lineno == line]
    found.sort(key=lambda one: one.col_offset)
    telling = [one for one in found if type(ast.literal_eval(one)) not in {bool, type(None)}]
    found = telling or found
    if not found:
        what = "has no literal that can be changed (texts with `f` before them cannot)"
        raise failed(edit, what, "name another line", line=line)
    if at[2] is None and len(found) == 1:
        return found[0]
    listed = ", ".join(
        f"`{line}:{index}` is {shown(ast.literal_eval(one))}"
        for index, one in enumerate(found[:_MOST], start=1)
    )
    if at[2] is None:
        raise failed(edit, f"has {len(found)} literals: {listed}", "name one", line=line)
    if not 0 < int(at[2]) <= len(found):
        raise failed(edit, "is not there", listed, line=line)
    return found[int(at[2]) - 1]


def _literals(node: ast.AST) -> Iterator[ast.expr]:
    """Return all literals but docstrings and what is in f-strings, whose places are not told."""
    if isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    ):
        return
    if isinstance(node, ast.expr) and is_literal(node):
        yield node
        return
    for child in ast.iter_child_nodes(node):
        yield from _literals(child)


def _span(text: str, node: ast.expr) -> tuple[int, int]:
    """Return where a literal of one line stands; the parser counts columns in bytes of UTF-8."""
    starts = [0, *(found.end() for found in _BREAK.finditer(text)), len(text)]
    start, stop = starts[node.lineno - 1], starts[node.lineno]
    line = text[start:stop].encode("utf-8", errors="surrogatepass")
    first, last = (
        len(line[:column].decode("utf-8", errors="surrogatepass"))
        for column in (node.col_offset, node.end_col_offset or 0)
    )
    return start + first, start + last


def _written(new: Scalar, printed: str, *, ascii_only: bool) -> str:
    text = ascii(new) if ascii_only else repr(new)
    if isinstance(new, str) and printed.endswith('"') and '"' not in text:
        return f'"{text[1:-1]}"'
    return text


def _replaced(
    text: str, span: tuple[int, int], written: str, where: tuple[ast.Module, ast.expr], edit: Edit
) -> str:
    tree, literal = where
    line = literal.lineno
    expected = ast.dump(_Swap(literal, ast.parse(written, mode="eval").body).visit(tree))
    # In `2**8` or `return-1` the text alone would join with what stands beside it.
    for form in (written, f" {written}", f"({written})"):
        after = text[: span[0]] + form + text[span[1] :]
        try:
            if ast.dump(_tree(after)) == expected:
                return after
        except (SyntaxError, ValueError):
            continue
    what = f"cannot become {shown(edit.value)} without changing something else"
    raise failed(edit, what, "change it by hand", line=line)


class _Swap(ast.NodeTransformer):
    def __init__(self, old: ast.expr, new: ast.expr) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        """Return the new literal for the old one, anything else as it is."""
        return self.new if node is self.old else self.generic_visit(node)
