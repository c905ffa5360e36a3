"""`batch_size` {value}: another batch size of every data loader that draws at random."""

import sys

from ..imports import when_imported
from ..surgery import put
from . import _loaders


def install(_torch, surgery):
    """Put the change in place.

    Raises:
        ValueError: if the size is no positive whole number.
    """
    value = surgery.take("value")
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError("`value` has to be a positive whole number")
    change = _Change(surgery, value)
    when_imported("torch.utils.data.dataloader", change.watch)


class _Change:
    def __init__(self, surgery, value):
        self.surgery, self.value = surgery, value

    def watch(self, module):
        """Begin to see data loaders while they are built."""
        put(module.DataLoader, "__init__", self._building)

    def _building(self, original):
        def __init__(loader, dataset, *args, **kwargs):
            names = ("batch_size", "shuffle", "sampler", "batch_sampler")
            given = {**dict(zip(names, args)), **kwargs}  # noqa: B905
            if self.surgery.guarded(self._trains, given):
                args, kwargs = args[1:], {**kwargs, "batch_size": self.value}
                more = dict(zip(names[1:], args))  # noqa: B905
                if len(args) > len(more):
                    self.surgery.fail("a loader is given too much by position")
                    return original(loader, dataset, given["batch_size"], *args, **kwargs)
                self.surgery.applied(places=1)
                return original(loader, dataset, **{**more, **kwargs})
            self.surgery.guarded(self._another, given.get("batch_sampler"))
            return original(loader, dataset, *args, **kwargs)

        return __init__

    def _trains(self, given):
        if given.get("batch_sampler") is not None or given.get("batch_size", 1) is None:
            return False
        sampler = given.get("sampler")
        return bool(given.get("shuffle")) or (sampler is not None and _loaders.is_random(sampler))

    def _another(self, batches):
        """Change a sampler of batches if it is torch's own, which reads its size as it goes."""
        data = sys.modules["torch.utils.data"]
        if type(batches) is data.BatchSampler and _loaders.is_random(batches.sampler):
            batches.batch_size = self.value
            self.surgery.applied(places=1)
