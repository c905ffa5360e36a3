"""Which data loaders training data comes from: those that draw at random."""

import sys

RANDOM = ("RandomSampler", "WeightedRandomSampler", "SubsetRandomSampler")


def is_random(sampler):
    """Tell whether a sampler draws at random."""
    names = [cls.__name__ for cls in type(sampler).__mro__]
    if "DistributedSampler" in names:
        return bool(getattr(sampler, "shuffle", False))
    return any(name in RANDOM for name in names)


def sampler_of(loader):
    """Return the sampler that a loader's indices come from."""
    return getattr(loader.batch_sampler, "sampler", None) or loader.sampler


def data():
    """Return the module torch.utils.data."""
    return sys.modules["torch.utils.data"]
