"""A digest of every call of one forward pass: two that are equal compute one function of the input.

Each call counts with its name, all its arguments that are no tensors, where its tensors come from
(the input, which parameter in the order of their first use, which earlier call), and its shapes but
for the batch; so do slices, shifts and other calls that are seen through elsewhere. Tensors that
are none of that count with their values, those of normalisations' running averages left out. What
cannot be read leaves no digest.
"""

import importlib
import weakref

VALUES = 4096
"""Values of a constant that are read; a larger one leaves no digest."""
DEEP = 4
READ = frozenset(("item", "tolist", "numpy", "bool", "int", "float", "index", "nonzero"))
"""Calls that make plain values of a tensor's."""
RUNNING = ("batch_norm", "instance_norm")


class CallDigest(object):
    """Takes the calls of one forward pass in their order; `params` are the model's by `id`."""

    def __init__(self, torch, params):
        self.torch, self.params = torch, params
        self.hash = importlib.import_module("hashlib").sha256()
        self.known, self.order, self.made = {}, {}, 0
        self.broken = False

    def fed(self, tensors):
        """Note what the model is given."""
        try:
            for tensor in tensors:
                self._know(tensor)
                self._put("input %s" % (tuple(tensor.shape[1:]),))
        except Exception:
            self.broken = True

    def gave(self, tensors):
        """Note what the model gave out, and look at how a gradient gets back from there."""
        try:
            self._put("output %s" % self._said(tensors, DEEP, ""))
            self.broken = self.broken or not _plain_graph(self.torch, tensors)
        except Exception:
            self.broken = True

    def add(self, function, name, given, outputs):
        """Note one call, its arguments and its keywords, and what tensors came of it."""
        if self.broken or (not outputs and name not in READ):
            return
        try:
            if not outputs:
                raise ValueError("a value that is read may decide what follows")
            of = getattr(getattr(function, "__self__", None), "__name__", "")
            shapes = [tuple(one.shape[1:]) for one in outputs]
            self._put("%s %s %s %s" % (name, of, self._said(given, DEEP, name), shapes))
            for one in outputs:
                self._know(one)
        except Exception:
            self.broken = True

    def text(self):
        """Return the digest in hexadecimal, "" where something could not be read."""
        return "" if self.broken or not self.made else self.hash.hexdigest()[:32]

    def _put(self, line):
        self.hash.update(line.encode("utf-8", "replace") + b"\n")

    def _know(self, tensor):
        self.known[id(tensor)] = (weakref.ref(tensor), self.made)
        self.made += 1

    def _said(self, value, deep, name):
        if isinstance(value, self.torch.Tensor):
            return self._source(value, name)
        if isinstance(value, (list, tuple)) and deep:
            return "(%s)" % ",".join(self._said(one, deep - 1, name) for one in value)
        if isinstance(value, dict) and deep:
            pairs = sorted(value.items())
            return "{%s}" % ",".join("%s=%s" % (k, self._said(v, deep - 1, name)) for k, v in pairs)
        if isinstance(value, slice):
            return self._said((value.start, value.stop, value.step), deep, name)
        if value is None or value is Ellipsis or isinstance(value, (bool, int, float, str)):
            return repr(value)
        torch = self.torch
        if isinstance(value, (torch.dtype, torch.device, torch.layout, torch.memory_format, type)):
            return str(value)
        raise ValueError("an argument that cannot be read")

    def _source(self, tensor, name):
        known = self.known.get(id(tensor))
        if known is not None and known[0]() is tensor:
            return "t%d" % known[1]
        if id(tensor) in self.params:
            number = self.order.setdefault(id(tensor), len(self.order))
            return "p%d%s" % (number, tuple(tensor.shape))
        if any(part in name for part in RUNNING):
            return "r%s" % (tuple(tensor.shape),)
        if tensor.numel() > VALUES or tensor.device.type != "cpu" or tensor.grad_fn is not None:
            raise ValueError("a tensor from nowhere")
        # A mode of the artifact's own would count the reading.
        with self.torch._C.DisableTorchFunction():
            return "c%s%s" % (tuple(tensor.shape), tensor.tolist())


def _plain_graph(torch, tensors):
    """Return whether all that is behind some tensors is differentiated by torch's own functions."""
    own = getattr(torch.autograd.function, "BackwardCFunction", ())
    seen, stack = set(), [one.grad_fn for one in tensors if one.grad_fn is not None]
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            if isinstance(node, own):
                return False
            stack += [below for below, _ in node.next_functions if below is not None]
    return True
