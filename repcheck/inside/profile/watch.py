"""What every module gives out, how long it takes, and which is the innermost one at work."""

import time

from .tensors import flat

MOST_MODULES = 1000


class Watch:
    """Hooks on every module of a model, for as long as the `with` block lasts."""

    def __init__(self, model, moment=time.perf_counter):
        self.moment = moment
        self.names = {}
        for path, module in model.named_modules():
            self.names.setdefault(id(module), path)
        self.modules = list(model.modules())
        self.stack, self.began, self.hooks = [], [], []
        self.shapes, self.seconds, self.order = {}, {}, []

    def __enter__(self):
        for module in self.modules:
            try:
                self.hooks.append(module.register_forward_pre_hook(self._before))
                self.hooks.append(module.register_forward_hook(self._after))
            except Exception:  # a scripted module may refuse
                continue
        return self

    def __exit__(self, *_):
        for hook in self.hooks:
            hook.remove()
        return None

    def _before(self, module, _):
        self.stack.append(self.names.get(id(module), ""))
        self.began.append(self.moment())

    def _after(self, _, __, output):
        if not self.stack:
            return
        path = self.stack.pop()
        self.seconds[path] = self.seconds.get(path, 0.0) + self.moment() - self.began.pop()
        if path not in self.shapes:
            self.order.append(path)
        tensors = flat(output)
        self.shapes[path] = list(tensors[0].shape) if tensors else []

    def where(self):
        """Return the dotted path of the innermost module; "" in the model itself."""
        return self.stack[-1] if self.stack else ""


def rows(model, by_module, shapes, seconds):
    """Return one row a module, in the model's order: its own FLOPs and those of all below it.

    `seconds` includes what is below, too; it is given as a share of the whole call.
    """
    whole = seconds.get("", 0.0)
    found = []
    for path, module in model.named_modules():
        if len(found) >= MOST_MODULES:
            break
        inner = path + "." if path else ""
        total = sum(
            flops for name, flops in by_module.items() if name == path or name.startswith(inner)
        )
        found.append(
            {
                "path": path,
                "cls": type(module).__name__,
                "params": sum(weight.numel() for weight in module.parameters()),
                "flops": float(total),
                "own": float(by_module.get(path, 0.0)),
                "shape": shapes.get(path, []),
                "share": seconds[path] / whole if whole and path in seconds else None,
            }
        )
    return found
