"""`defaults:` and `extends:` are resolved on the tree, before anything is typed.

Whatever a method inherits keeps the place where it was written and gets the method's key path.
Mappings are merged key by key; lists, scalars and the long form (`{value: ...}`) are replaced.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from repcheck.claims.problems import one_of
from repcheck.claims.source import MAX_NODES, Node, Scalar, Tree
from repcheck.claims.values import Desk


def resolve(root: Tree, desk: Desk) -> Tree:
    """Return the tree without `defaults`, each method complete; problems go to the desk."""
    defaults = root.entries.get("defaults")
    methods = root.entries.get("methods")
    entries = {key: node for key, node in root.entries.items() if key != "defaults"}
    if not isinstance(methods, Tree):
        return root._replace(entries=entries)
    if not isinstance(defaults, Tree):
        defaults = None
    family = _Family(methods, defaults, desk)
    own = {name: family.complete(name) for name in methods.entries}
    size = sum(node.size for node in own.values() if isinstance(node, Tree))
    if size > MAX_NODES:
        desk.refuse(methods, "methods", f"inherit more than {MAX_NODES:,} values in all")
        return root
    entries["methods"] = methods._replace(entries=own)
    return root._replace(entries=entries)


@dataclass(frozen=True, slots=True)
class _Family:
    """The methods of a file and what each inherits."""

    methods: Tree
    defaults: Tree | None
    desk: Desk
    made: dict[str, Node] = field(default_factory=dict)

    def complete(self, name: str) -> Node:
        """Return a method with everything that it inherits."""
        line = self._ancestry(name)
        for ancestor in reversed(line):
            if ancestor not in self.made:
                self.made[ancestor] = self._inherit(ancestor)
        return self.made[name]

    def _inherit(self, name: str) -> Node:
        own = self.methods.entries[name]
        if not isinstance(own, Tree):
            return own
        parent = own.entries.get("extends")
        above = self.made.get(parent.text) if isinstance(parent, Scalar) else None
        if not isinstance(above, Tree):
            above = self.defaults
        if above is None:
            return own
        lent = {key: node for key, node in above.entries.items() if key != "extends"}
        return merge(above._replace(entries=lent), own)

    def _ancestry(self, name: str) -> list[str]:
        """Return the method and those it extends, up to a problem or one that is made already."""
        line = [name]
        while line[-1] not in self.made:
            own = self.methods.entries[line[-1]]
            parent = own.entries.get("extends") if isinstance(own, Tree) else None
            if not isinstance(parent, Scalar) or parent.text in ("none", "undeclared", "n/a"):
                break
            path = f"methods.{line[-1]}.extends"
            if parent.text not in self.methods.entries:
                others = [method for method in self.methods.entries if method != line[-1]]
                hint = self.desk.nearest(parent.text, others) or f"known here: {one_of(others)}"
                self.desk.refuse(parent, path, f"there is no method `{parent.text[:60]}`", hint)
                break
            if parent.text in line:
                circle = " > ".join([*line[line.index(parent.text) :], parent.text])
                self.desk.refuse(parent, path, f"extends itself: {circle}"[:200])
                break
            line.append(parent.text)
        return line


def merge(above: Tree, own: Tree) -> Tree:
    """Return a mapping that has its own keys and, where it has none, those above it."""
    if "value" in own.entries or "value" in above.entries:
        return own
    entries, marks = dict(above.entries), dict(above.marks)
    for key, node in own.entries.items():
        inherited = entries.get(key)
        if isinstance(node, Tree) and isinstance(inherited, Tree):
            node = merge(inherited, node)
        entries[key] = node
        marks[key] = own.marks[key]
    size = 1 + sum(1 if isinstance(node, Scalar) else node.size for node in entries.values())
    return Tree(entries, marks, own.line, own.column, size)
