"""A few values of what an optimizer holds, as they were after its last step."""

import weakref

from .memory import decode, place_of, readable, spread

PLACES = 4
LARGEST = 16 * 1024 * 1024


class Finger:
    """A few values of what one optimizer holds, as they were after its last step."""

    __slots__ = (
        "alive", "dtypes", "last", "loaded", "looked", "places", "ref", "sharing", "steps", "turn",
        "values",
    )  # fmt: skip

    def __init__(self, optimizer, forget):
        self.ref = weakref.ref(optimizer, forget)
        self.places, self.values, self.dtypes = (), None, ()
        self.sharing, self.steps, self.looked = (), 0, False
        self.last = self.turn = 0
        self.alive = self.loaded = False

    def bind(self, groups):
        """Choose tensors of moderate size, spread over those that are trained."""
        found = [
            (g, j)
            for g, group in enumerate(groups)
            for j, p in enumerate(group["params"])
            if p.requires_grad and readable(p) and 0 < p.numel() * p.element_size() <= LARGEST
        ]
        chosen = [found[i] for i in spread(len(found), PLACES)]
        self.places = tuple(filter(None, [place_of(groups, g, j, self.turn) for g, j in chosen]))
        self.dtypes = tuple([str(groups[p[0]]["params"][p[1]].dtype) for p in self.places])

    def read(self, groups):
        """Return the values as they are now.

        Memory: an address is read only if the storage that we hold still has its block of that
        size at that base (it is swapped in place when it is resized or shared), and the parameter
        still begins where it began (it does not where `p.data` was assigned). No reference to a
        parameter is kept: a weak one would forbid `torch.utils.swap_tensors`.
        """
        values = []
        for g, j, pointer, storage, base, size, first, second in self.places:
            if (
                groups[g]["params"][j].data_ptr() != pointer
                or storage.data_ptr() != base
                or storage.nbytes() != size
            ):
                return self.read_again(groups)
            values.append(first.value)
            values.append(second.value)
        return values

    def read_again(self, groups):
        """Find the same parameters' new memory; choose others if they are out of reach."""
        count = len(self.places)
        try:
            places = [place_of(groups, place[0], place[1], self.turn) for place in self.places]
        except (IndexError, KeyError):
            places = [None]
        if None in places:
            self.bind(groups)
        else:
            self.places = tuple(places)
            self.dtypes = tuple([str(groups[p[0]]["params"][p[1]].dtype) for p in places])
        if len(self.places) != count:
            self.values = None
        return [f.value for place in self.places for f in place[6:]]

    def wait_for_life(self, before, groups):
        """Values that no step has changed (unused inputs, dead units) say nothing: take others."""
        self.alive = self.values is not None and before != self.values
        if not self.alive and self.steps & (self.steps - 1) == 0:
            self.turn += 1
            self.bind(groups)
            self.values = self.read(groups)

    def untouched(self):
        """Tell whether the old memory holds the old values still; for when the optimizer is gone.

        Return the addresses of the parameters there, or None.
        """
        if self.loaded or not self.alive or self.values is None:
            return None
        for _, _, _, storage, base, size, _, _ in self.places:
            if storage.data_ptr() != base or storage.nbytes() != size:
                return None
        if [f.value for place in self.places for f in place[6:]] != self.values:
            return None
        return {place[2] for place in self.places}

    def refresh(self):
        """Take the values as they are now for those after the last step."""
        optimizer = self.ref()
        if optimizer is not None:
            self.values = self.read(optimizer.param_groups)

    def params(self):
        """Return the ids of all parameters that the optimizer holds."""
        optimizer = self.ref()
        groups = optimizer.param_groups if optimizer is not None else ()
        return {id(p) for group in groups for p in group["params"]}

    def moved(self):
        """Tell whether the values are others than after the last step; None if unknown."""
        optimizer = self.ref()
        if optimizer is None or self.values is None or not self.places or not self.alive:
            return None
        dtypes, before = self.dtypes, self.values
        now = self.read(optimizer.param_groups)
        if self.values is None:
            return None
        if self.dtypes == dtypes:
            return now != before
        differ = _differ(before, dtypes, now, self.dtypes)
        # The values of before cannot be compared with another precision's a second time.
        self.values = None if differ else now
        return differ


def _differ(before, dtypes, now, new_dtypes):
    """Compare values after a change of precision: rounding alone is no difference."""
    for i in range(len(dtypes)):
        old = decode(tuple(before[2 * i : 2 * i + 2]), dtypes[i])
        new = decode(tuple(now[2 * i : 2 * i + 2]), new_dtypes[i])
        if any(abs(a - b) > abs(a) / 128 for a, b in zip(old, new)):  # noqa: B905
            return True
    return False


class Watch:
    """A few values of a module that is evaluated: other ones begin another evaluation."""

    __slots__ = ("places",)

    def __init__(self, module, params):
        readables = [i for i in spread(len(params), PLACES) if readable(params[i])]
        wanted = {id(params[i]) for i in readables}
        self.places = []
        for part in module.modules():
            for name, p in part._parameters.items():
                if id(p) in wanted:
                    place = place_of([{"params": [p]}], 0, 0)
                    if place is not None:
                        values = (place[6].value, place[7].value)
                        self.places.append((weakref.ref(part), name, place, values))

    def changed(self):
        """Tell whether other values were put there."""
        for n, (ref, name, place, values) in enumerate(self.places):
            _, _, pointer, storage, base, size, first, second = place
            part = ref()
            # A scripted module's parameters are no dict.
            held = part._parameters if part is not None else ()
            p = held[name] if name in held else None  # noqa: SIM401
            if p is None:
                continue
            if p.data_ptr() != pointer or storage.data_ptr() != base or storage.nbytes() != size:
                place = place_of([{"params": [p]}], 0, 0)
                if place is None:
                    return True
                first, second = place[6], place[7]
                self.places[n] = (ref, name, place, values)
            if (first.value, second.value) != values:
                return True
        return False
