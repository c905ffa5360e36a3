"""The operations of one forward pass in the order of their calls, with what flows between them.

Functions are seen as they are called from Python (`TorchFunctionMode`), those of modules and those
written out in a `forward` alike; what a function does within itself is part of it. Nothing is
held: tensors are known by weak references. Values, and the generators, are never touched.

Not for calls in evaluation mode without gradients: there a mode of any kind keeps torch from the
fused path of its attention modules, which rounds otherwise.
"""

import weakref

try:
    from _thread import get_ident
except ImportError:
    from threading import get_ident

from . import call_digest, op_names

MOST = 4000
DEEP = 3
"""How deep tensors are looked for in lists and tuples."""
WIDE = 256
INPUT = -1


class _Known(object):
    """What is known of a tensor: the operation it came from, or the parameters it is made of."""

    __slots__ = ("index", "made", "params", "ref")

    def __init__(self, ref, index=None, params=(), made=frozenset()):
        self.ref, self.index, self.params, self.made = ref, index, params, made


def new(torch, model):
    """Return a context manager that sees the operations of `model`'s forward within it.

    It has `result()` -> {"ops": [...], "cut": bool} and `where()` -> path of the innermost module;
    `met`, where set, is called with each module within, its path, arguments and result.
    Where this torch has no function modes, nothing is seen and `cut` is true.
    """
    mode = getattr(getattr(torch, "overrides", None), "TorchFunctionMode", None)
    if mode is None or not hasattr(mode, "__enter__") or not hasattr(torch, "_C"):
        return _Blind()
    tracer = _Tracer(torch, model)
    tracer.mode = _mode_of(mode, tracer)
    return tracer


class _Blind(object):
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def where(self):
        return ""

    def result(self):
        return {"ops": [], "cut": True, "digest": ""}


def _mode_of(base, tracer):
    class Mode(base):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            kwargs = kwargs or {}
            result = function(*args, **kwargs)
            if tracer.thread == get_ident():
                tracer.guarded(tracer.seen, function, args, kwargs, result)
            return result

    return Mode()


class _Tracer(object):
    def __init__(self, torch, model):
        self.torch, self.mode, self.thread = torch, None, None
        self.ops, self.cut, self.known = [], False, {}
        self.met = None
        self.counted, self.paths, self.stack = set(), {}, []
        self.base, self.original, self.hidden = torch.nn.Module, None, _hidden(torch)
        self.model = model
        self.guarded(self._learn, model)
        self.calls = call_digest.CallDigest(torch, self.params)

    def _learn(self, model):
        for path, module in model.named_modules():
            self.paths.setdefault(id(module), path)
        self.params = {id(p): p for p in model.parameters()}
        self.buffers = {id(b) for b in model.buffers()}
        self.stack.append((model, "", type(model).__name__))

    def guarded(self, work, *args):
        """Do something that must not fail the artifact; what is then missing is said."""
        try:
            with self.hidden():
                return work(*args)
        except Exception:
            self.cut = True
        return None

    def __enter__(self):
        self.thread = get_ident()
        self.original = self.base.__dict__["__call__"]
        self.base.__call__ = self._wrapped(self.original)
        try:
            self.mode.__enter__()
        except BaseException:
            self.base.__call__ = self.original
            raise
        return self

    def __exit__(self, *exc):
        self.base.__call__ = self.original
        return self.mode.__exit__(*exc)

    def _wrapped(self, original):
        def __call__(module, *args, **kwargs):
            if self.thread != get_ident():
                return original(module, *args, **kwargs)
            depth = len(self.stack)
            self.guarded(self.enter, module, args, kwargs)
            begun = len(self.ops)
            try:
                result = original(module, *args, **kwargs)
                self.guarded(self.leave, module, args, kwargs, result, begun)
                return result
            finally:
                del self.stack[depth:]

        # What looks whether the call of a module is still the probe's follows this.
        __call__.__wrapped__ = original
        return __call__

    def where(self):
        """Return the dotted path of the innermost module; "" in the model itself."""
        return self.stack[-1][1] if self.stack else ""

    def result(self):
        """Return the operations, each with the fields of `OpSeen`, whether any are missing, and the
        digest of all calls, "" where they could not all be read."""
        hidden = self.cut or any(op["parts"].get("opaque") for op in self.ops)
        digest = "" if hidden else self.calls.text()
        return {"ops": list(self.ops), "cut": self.cut, "digest": digest}

    def enter(self, module, args, kwargs):
        """Note that a module was called; what the first one is given is the input."""
        cls, path = type(module).__name__, self.paths.get(id(module))
        if path is None:
            path = ".".join(part for part in (self.where(), cls) if part)
        if module is self.model and not self.ops:
            given = self._tensors((args, kwargs))
            for tensor in given:
                self._know([tensor], INPUT)
            self.calls.fed(given)
        self.stack.append((module, path, getattr(module, "original_name", cls)))

    def leave(self, module, args, kwargs, result, begun):
        """Note a module that was not seen within as one operation: scripted, or not torch's."""
        if module is self.model:
            self.calls.gave(self._tensors(result))
            return
        if self.met is not None:
            self.met(module, self.where(), args, kwargs, result)
        unseen = [t for t in self._tensors(result) if not self._knows(t)]
        if not unseen or len(self.ops) > begun:
            return
        inputs, params, _ = self._sources(self._tensors((args, kwargs)))
        params = list(params) + [id(p) for p in module.parameters()]
        self._add(self.stack[-1][2].lower(), inputs, params, unseen, {"opaque": True})

    def seen(self, function, args, kwargs, result):
        """Note a call that gave out tensors."""
        name = op_names.plain(function)
        if name == "set" and args:
            result = args[0]
        outputs = self._tensors(result)
        self.calls.add(function, name, (args, kwargs), outputs)
        if not outputs or (name == "get" and not self._tensors(args[:1])):
            return
        given = self._tensors((args, kwargs))
        if name in op_names.SAME:
            if given:
                self._pass_on(given[0], outputs)
            return
        inputs, params, made = self._sources(given)
        if name in op_names.MADE or not given or not inputs:
            names = (made | {name}) if len(made) < op_names.MOST_NAMES else made
            self._know(outputs, None, tuple(params), names)
            return
        parts = self._parts(name, given, outputs[0], made)
        parts.update(op_names.parts_of(name, args, kwargs, self._is_tensor))
        self._add(name, inputs, params, outputs, parts)

    def _pass_on(self, source, outputs):
        known = self._of(source)
        if known is None:
            known = _Known(None, INPUT)
        self._know(outputs, known.index, known.params, known.made)

    def _parts(self, name, given, output, made):
        parts, shape = {}, _inner(output)
        live = [t for t in given if self._is_live(t)]
        first = _inner(live[0]) if live else shape
        if first != shape:
            parts["from"] = first
        weights = [t for t in given if self._params_of(t)]
        if weights and name.startswith("conv"):
            parts["kernel"] = tuple(weights[0].shape[2:])
        how = op_names.weight_of(made) if params_only(weights, self._of) else ""
        if how:
            parts["weight"] = how
        if made & op_names.CHANCE:
            parts["by"] = "chance"
        if name in ("mul", "add", "div") and len(live) > 1 and output.numel():
            least = min(t.numel() for t in live)
            if least < output.numel():
                parts["broadcast"] = float(least) / output.numel()
        return parts

    def _add(self, name, inputs, params, outputs, parts):
        if len(self.ops) >= MOST:
            self.cut = True
            self._know(outputs, len(self.ops) - 1)
            return
        _, path, cls = self.stack[-1]
        fresh = {one for one in params if one not in self.counted}
        self.counted |= fresh
        self.ops.append(
            {
                "op": name,
                "module": path,
                "cls": cls,
                "inputs": list(inputs),
                "shape": list(_inner(outputs[0])),
                "params": sum(self.params[one].numel() for one in fresh if one in self.params),
                "parts": parts,
            }
        )
        self._know(outputs, len(self.ops) - 1)

    def _know(self, tensors, index, params=(), made=frozenset()):
        for tensor in tensors:
            self.known[id(tensor)] = _Known(weakref.ref(tensor), index, params, made)
        if len(self.known) > 4 * MOST:
            self.known = {k: one for k, one in self.known.items() if one.ref() is not None}

    def _of(self, tensor):
        """Return what is known of a tensor, or None; parameters and buffers are always known."""
        known = self.known.get(id(tensor))
        if known is not None and known.ref() is tensor:
            return known
        if id(tensor) in self.params:
            return _Known(None, None, (id(tensor),))
        if id(tensor) in self.buffers or isinstance(tensor, self.torch.nn.Parameter):
            return _Known(None)
        return None

    def _knows(self, tensor):
        return self._of(tensor) is not None

    def _is_live(self, tensor):
        known = self._of(tensor)
        return known is None or known.index is not None

    def _params_of(self, tensor):
        known = self._of(tensor)
        return known is not None and known.index is None and known.params

    def _sources(self, tensors):
        """Return the operations tensors came from, the parameters, and what made constants."""
        inputs, params, made = [], [], frozenset()
        for tensor in tensors:
            known = self._of(tensor)
            if known is None:
                inputs.append(self._unknown(tensor))
            elif known.index is not None:
                inputs.append(known.index)
            else:
                params.extend(known.params)
                made |= known.made
        return inputs, params, made

    def _unknown(self, tensor):
        """Return the source of a tensor that no call gave out: the input, or unseen work."""
        if tensor.grad_fn is None or not self.ops:
            self._know([tensor], INPUT)
            return INPUT
        self._add("unseen", [len(self.ops) - 1], [], [tensor], {"opaque": True})
        return len(self.ops) - 1

    def _is_tensor(self, value):
        return isinstance(value, self.torch.Tensor)

    def _tensors(self, value, deep=DEEP):
        if self._is_tensor(value):
            return [value]
        if isinstance(value, dict):
            value = tuple(value.values())
        found = []
        if deep and isinstance(value, (list, tuple)):
            for part in value[:WIDE]:
                found.extend(self._tensors(part, deep - 1))
        return found


def params_only(weights, of):
    """Return whether a weight was made of parameters, and is not one itself."""
    return any(of(tensor) is not None and of(tensor).made for tensor in weights)


def _inner(tensor):
    return tuple(int(size) for size in tensor.shape[1:])


def _hidden(torch):
    """Return what makes a context in which no mode or subclass of tensors is asked."""
    made = getattr(torch._C, "DisableTorchFunction", None)
    return made if made is not None else _Nothing


class _Nothing(object):
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None
