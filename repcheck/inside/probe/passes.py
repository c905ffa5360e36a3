"""Evaluation passes: runs of forwards that nothing was trained through."""

from . import content, weights
from .recorder import rec


class Pass:
    """One open pass; `weights.on_pass_open` fills what the evaluated values are."""

    def __init__(self, number, step, grad):
        self.n = number
        self.at = step
        self.rows = self.fwd = self.batches = self.drawn = 0
        self.roots = {}
        self.counts = {}
        self.loaders = {}
        self.train_mode = False
        self.grad = grad
        self.held = self.swapped = None
        self.weights = ""
        self.of = None
        self.copies = []
        self.begin = rec.now()
        self.serial = -1
        self.same = True
        self.each = set()
        self.queue = []


class Passes:
    """The passes of this process, one open at a time, and the forwards of teachers."""

    def __init__(self, state):
        self.state = state
        self.made = 0
        self.trained = 0
        self.aux = {}
        rec.after_fork.append(self.forget)

    def forget(self):
        """Drop the open pass: it is another process's."""
        self.state.passes = None
        self.aux = {}

    def take(self, root, module, x, rows, known, flags, grad):
        """Count one forward that nothing was trained through; `known` is the Delivery it is of."""
        one = self.state.passes
        if one is None:
            self.made += 1
            one = self.state.passes = Pass(self.made, rec.step, grad)
        if root.id not in one.counts:
            one.counts[root.id] = 0
            one.roots[id(module)] = root
            self._opened(one, root)
        one.counts[root.id] += 1
        root.forwards_off += 1
        one.fwd += 1
        one.rows += rows
        one.each.add(rows)
        one.train_mode = one.train_mode or bool(module.training)
        if known.serial != one.serial and known.serial > self.trained:
            one.serial = known.serial
            one.batches += 1
            one.drawn += known.rows
            one.loaders[known.loader] = one.loaders.get(known.loader, 0) + 1
            tensor = None if flags & 1 else known.tensor
            if tensor is not None and content.hashable(tensor):
                one.queue.append((tensor, content.BATCH, 0, known.loader))
        one.same = one.same and bool(flags & 1)
        if x is not None:
            one.queue.append((x, content.EVAL, flags, root.id))
        # The first forwards may be a teacher's; what waits is theirs or an evaluation's.
        if len(one.counts) * 4 < one.fwd or one.batches > 1:
            self._hash(one)

    def _opened(self, one, root):
        try:
            if len(one.counts) == 1:
                weights.on_pass_open(one)
            else:
                weights.on_pass_root(one, root)
        except Exception as exc:
            rec.error("weights.on_pass_open", exc)

    def _hash(self, one, layer=None, number=None):
        for x, of, flags, key in one.queue:
            content.put(x, layer or of, flags, key, one.n if number is None else number, one.at)
        del one.queue[:]

    def close(self, rows=0, resumed=False):
        """Close the open pass. `rows` are those of the training forward that is under way."""
        one = self.state.passes
        if one is None:
            return
        self.state.passes = None
        if self._is_aux(one, rows):
            self._hash(one, content.AUX, 0)
            self._count_aux(one)
            return
        self._hash(one)
        try:
            weights.on_pass_close(one, resumed)
        except Exception as exc:
            rec.error("weights.on_pass_close", exc)
        for key, root in one.roots.items():
            module = root.ref()
            if module is not None and id(module) == key:
                self.state.tell_root(root, module)
        rec.event(
            "eval",
            n=one.n,
            at=one.at,
            rows=one.rows,
            fwd=one.fwd,
            roots={str(key): count for key, count in one.counts.items()},
            batches=one.batches,
            drawn=one.drawn,
            loaders={str(key): count for key, count in one.loaders.items()},
            train_mode=one.train_mode,
            grad=one.grad,
            held=one.held,
            swapped=one.swapped,
            weights=one.weights,
            of=one.of,
            copies=one.copies[:8],
            wall=round(rec.now() - one.begin, 6),
        )

    def _is_aux(self, one, rows):
        """Tell a teacher's forwards within a training step from an evaluation."""
        if not rows or one.batches > 1 or one.fwd > 4 * len(one.counts):
            return False
        if one.same and one.batches:
            return True
        return one.each == {rows} and one.held is False

    def _count_aux(self, one):
        for root in one.roots.values():
            known = self.aux.setdefault(root.id, [0, 0, one.grad])
            before = known[1]
            known[0] += one.rows // len(one.roots)
            known[1] += one.counts[root.id]
            if before.bit_length() != known[1].bit_length():
                self._tell_aux(root.id, known)

    def _tell_aux(self, number, known):
        rec.event("aux", root=number, rows=known[0], fwd=known[1], grad=known[2])

    def end(self):
        """Close the last pass, and write what the teachers did in all."""
        self.close()
        for number, known in self.aux.items():
            self._tell_aux(number, known)
