"""Counting passes: forward, backward and step, and the second counts that check the first."""

import copy

from .answer import last_line
from .tensors import flat, total

MATH_ONLY = "math"
META = "meta"


class Counting:
    """Everything that is counted of one model on one kind of input."""

    def __init__(self, torch, new_counter, model, inputs):
        self.torch, self.new_counter, self.model, self.inputs = torch, new_counter, model, inputs

    def forward(self, given=None, model=None, where=None):
        """Return the counter's answer for one forward pass with gradients enabled."""
        model = self.model if model is None else model
        args, kwargs = self.inputs.made() if given is None else given
        counter = self.new_counter(self.torch, where=where)
        with self.torch.enable_grad(), counter:
            counter.phase = "forward"
            model(*args, **kwargs)
        return counter.take()

    def step(self, given, optimizer=None):
        """Return the counter's answer for forward, backward and optimizer step.

        Raises:
            ValueError: if nothing that comes out has a gradient.
        """
        args, kwargs = given
        counter = self.new_counter(self.torch, where=None)
        with self.torch.enable_grad():
            with counter:
                counter.phase = "forward"
                outputs = self.model(*args, **kwargs)
            whole = total(outputs)
            if whole is None:
                raise ValueError("nothing that comes out has a gradient")
            with counter:
                counter.phase = "backward"
                whole.backward()
        if optimizer is not None:
            with counter:
                counter.phase = "optimizer"
                optimizer.step()
        return counter.take()

    def second(self):
        """Return [{"how", "flops" or None, "why"}]: the same pass on two other roads."""
        return [
            {"how": how, **self._tried(road)}
            for how, road in ((META, self._on_meta), (MATH_ONLY, self._with_math))
        ]

    def _tried(self, road):
        try:
            return {"flops": float(road()["forward"]), "why": ""}
        except BaseException as error:
            return {"flops": None, "why": last_line(error)}

    def _on_meta(self):
        model = copy.deepcopy(self.model).to(META)
        args, kwargs = self.inputs.made()
        args = tuple(item.to(META) for item in args)
        return self.forward((args, {name: item.to(META) for name, item in kwargs.items()}), model)

    def _with_math(self):
        attention = self.torch.nn.attention
        with attention.sdpa_kernel(attention.SDPBackend.MATH):
            return self.forward()


def plain(found):
    """Return a forward count as the answer holds it."""
    return {"flops": float(found["forward"]), **_about(found)}


def _about(found):
    return {
        "elementwise": float(found.get("elementwise", 0)),
        "counted": int(found.get("counted", 0)),
        "matrix": int(found.get("matrix", 0)),
        "uncounted": [
            {"op": op, "calls": int(said[0]), "elements": int(said[1])}
            for op, said in sorted(found.get("uncounted", {}).items())
        ],
    }


def plain_step(found, samples, divided, optimizer):
    """Return a training step's count as the answer holds it, for the input that was asked for."""
    return {
        **{name: float(found[name]) / divided for name in ("forward", "backward", "recompute")},
        "optimizer": float(found["optimizer"]) if optimizer else None,
        **_about(found),
        "elementwise": float(found.get("elementwise", 0)) / divided,
        "samples": samples,
    }


def without_gradient(model):
    """Return how many trainable numbers no gradient reached."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad and p.grad is None)


def sizes(outputs):
    """Return shape and type of every tensor that came out."""
    return [
        {"name": "", "shape": list(item.shape), "dtype": str(item.dtype).replace("torch.", "")}
        for item in flat(outputs)[:20]
    ]
