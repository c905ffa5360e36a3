"""Evaluation passes: runs of forwards that nothing was trained through."""

from . import content, weights
from .recorder import rec

EVENTS = 20000


class Pass:
    """One open pass; `weights.on_pass_open` fills what the evaluated values are.

    `same` says that every forward was of a batch as a loader gave it out, `last` is the delivery
    that was counted last and whether its batch is still to be hashed.
    """

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
        self.watches = []
        self.begin = rec.now()
        self.last = None
        self.untold = None
        self.same = True
        self.known = True
        self.each = set()
        self.sizes = {}
        self.queue = []


class Passes:
    """The passes of this process, one open at a time, and the forwards of teachers."""

    def __init__(self, state):
        self.state = state
        self.made = self.told = 0
        self.trained = 0
        self.aux = {}
        self.waiting = None
        self.rhythm = (-1, None)
        self.kept = ()
        rec.after_fork.append(self.forget)

    def forget(self):
        """Drop the open pass: it is another process's."""
        self.state.passes = self.waiting = None
        self.aux = {}

    def open(self, root, grad):
        """Return a new pass that knows what the values of its first root are now."""
        self.made += 1
        one = Pass(self.made, rec.step, grad)
        self._enter(one, root)
        return one

    def _enter(self, one, root):
        one.counts[root.id] = 0
        module = root.ref()
        one.roots[id(module)] = root
        try:
            if len(one.counts) == 1:
                weights.on_pass_open(one)
            else:
                weights.on_pass_root(one, root)
        except Exception as exc:
            rec.error("weights.on_pass_open", exc)

    def take(self, forward, grad):
        """Count one forward (a Candidate) that nothing was trained through."""
        root, one = forward.root, self.state.passes
        if one is not None and (
            self._is_another_model(one, forward, grad) or self._is_another_set(one, forward)
        ):
            self.close()
            one = None
        if one is None:
            one = self.state.passes = forward.early or self.open(root, grad)
            one.at = forward.at
            self._is_another_set(one, forward)
        if root.id not in one.counts:
            self._enter(one, root)
        one.counts[root.id] += 1
        root.forwards_off += 1
        one.fwd += 1
        one.rows += forward.rows
        one.each.add(forward.rows)
        module = root.ref()
        one.train_mode = one.train_mode or bool(module is not None and module.training)
        self._draw(one, forward)
        if forward.x is not None or forward.data is not None:
            one.queue.append((forward.x, forward.data, forward.flags, root.id))
        # The first forwards may be a teacher's; what waits is theirs or an evaluation's.
        if len(one.counts) * 4 < one.fwd or one.batches > 1:
            self._hash(one)

    def _is_another_model(self, one, forward, grad):
        """Tell other values, or another model of that size, from what the open pass evaluates.

        The members of an ensemble take turns.
        """
        root = forward.root
        if root.id in one.counts:
            return not grad and rec.guarded(weights.changed, one) is True
        others = [known for known in one.roots.values() if known.params == root.params > 0]
        return any(one.counts[known.id] > 1 for known in others)

    def _is_another_set(self, one, forward):
        """Tell one whole set in memory from the next: training and test data, say.

        Batches of one set have one size, but for the last, which is smaller.
        """
        fed = self._is_fed(one, forward)
        before = one.sizes.get(forward.root.id)
        times = 1
        if before is not None and not fed and not before[2]:
            rows, times, _, learnt = before
            if learnt != forward.learnt or rows < forward.rows or rows > forward.rows * times:
                return True
            times += 1
        elif before is not None and fed != before[2]:
            return True
        one.sizes[forward.root.id] = (forward.rows, times, fed, forward.learnt)
        return False

    def _is_fed(self, one, forward):
        """Return whether a forward's input may be made of the batch that a loader gave out last."""
        delivery = forward.delivery
        if delivery.serial <= self.trained and delivery is not one.last:
            return False
        return bool(forward.flags & 1) or not forward.rows % max(1, delivery.rows)

    def _draw(self, one, forward):
        delivery, exact = forward.delivery, forward.flags & 1
        one.same = one.same and bool(exact)
        one.known = one.known and bool(exact) and 0 < delivery.serial <= self.trained
        if delivery is one.last or not self._is_fed(one, forward):
            return
        self._tell_batch(one)
        one.last, delivery.off = delivery, True
        one.untold = None if exact else delivery.tensor
        one.batches += 1
        one.drawn += delivery.rows
        one.loaders[delivery.loader] = one.loaders.get(delivery.loader, 0) + 1

    def _tell_batch(self, one):
        tensor, one.untold = one.untold, None
        if tensor is not None and content.hashable(tensor):
            content.put(tensor, content.BATCH, 0, one.last.loader, one.n, one.at)

    def _hash(self, one, layer=content.EVAL):
        number = one.n if layer == content.EVAL else 0
        for x, data, flags, key in one.queue:
            if data is None:
                content.put(x, layer, flags, key, number, one.at)
            else:
                content.put_digests(data, layer, flags, key, number, one.at)
        del one.queue[:]

    def aside(self, forward):
        """Put the open pass aside: a forward of an earlier step turns out to be an evaluation's."""
        one = self.state.passes
        if one is not None and one.at == forward.at:
            return
        if not self.kept:
            self.kept = (one,)
        else:
            self.close()
        self.state.passes = None

    def back(self):
        """Close the passes of earlier steps and go on with the open one."""
        kept, self.kept = self.kept, ()  # at once: another thread may be here too
        if kept:
            self.close()
            self.state.passes = kept[0]

    def close(self, rows=0, delivery=None, resumed=False):
        """Close the open pass. `rows`, `delivery` are of the training forward that is under way."""
        one, waiting = self.state.passes, self.waiting
        if waiting is not None and rec.step > waiting.at + 1 and one is None:
            self._release()
        if one is None:
            return
        self.state.passes = None
        same = delivery is not None and delivery.serial > 0 and one.last is delivery
        if self._is_teacher(one, rows, same):
            self._as_aux(one)
            return
        if same:  # what a loader gave out for training was not what this pass went through
            self._retract(one, delivery)
        self._tell_batch(one)
        few = one.fwd <= 4 * len(one.counts) and not one.batches
        if rows and few and max(one.each) == rows and (same or one.held is False):
            self._perhaps_aux(one, resumed)
            return
        self._release()
        self._finish(one, resumed)

    def _is_teacher(self, one, rows, same):
        """Tell forwards of the very batch that is or was trained on from an evaluation."""
        if one.known and one.fwd:
            return True
        return bool(rows) and one.batches == 1 and one.same and same

    def _retract(self, one, delivery):
        one.untold = one.last = None
        delivery.off = False
        one.batches -= 1
        one.drawn -= delivery.rows
        one.loaders[delivery.loader] -= 1
        if not one.loaders[delivery.loader]:
            del one.loaders[delivery.loader]

    def _perhaps_aux(self, one, resumed):
        """Take forwards of a step's own size for a teacher's if the step before had them too."""
        roots, (at, known) = set(one.counts), self.rhythm
        waiting = self.waiting
        if waiting is not None and set(waiting.counts) == roots and one.at <= waiting.at + 1:
            self.waiting = None
            self._as_aux(waiting)
            self._as_aux(one)
        elif known == roots and one.at <= at + 1:
            self._as_aux(one)
        else:
            self._release()
            self._weigh(one, resumed)
            self.waiting = one
            return
        self.rhythm = (one.at, roots)

    def _as_aux(self, one):
        one.untold = None
        self._hash(one, content.AUX)
        for root in one.roots.values():
            self.beside(root, one.rows // len(one.roots), one.counts[root.id], one.grad)

    def beside(self, root, rows, times, grad):
        """Count forwards that are a part of a training step, though they train nothing."""
        known = self.aux.setdefault(root.id, [0, 0, grad])
        before = known[1]
        known[0] += rows
        known[1] += times
        if before.bit_length() != known[1].bit_length():
            self._tell_aux(root.id, known)

    def _release(self):
        one, self.waiting = self.waiting, None
        if one is not None:
            self._tell(one)

    def _finish(self, one, resumed):
        self._weigh(one, resumed)
        self._tell(one)

    def _weigh(self, one, resumed):
        try:
            weights.on_pass_close(one, resumed)
        except Exception as exc:
            rec.error("weights.on_pass_close", exc)

    def _tell(self, one):
        self._hash(one)
        for key, root in one.roots.items():
            module = root.ref()
            if module is not None and id(module) == key:
                self.state.tell_root(root, module)
        self.told += 1
        if self.told > EVENTS:
            return
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

    def _tell_aux(self, number, known):
        rec.event("aux", root=number, rows=known[0], fwd=known[1], grad=known[2])

    def end(self):
        """Close the last pass, and write what the teachers did in all."""
        self.close()
        self._release()
        for number, known in self.aux.items():
            self._tell_aux(number, known)
