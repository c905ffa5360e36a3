"""`no-load` {}: what was trained elsewhere is not loaded before the first step.

Loading a state into a module does nothing if most of it came from files that this run did not
write. Weights that are copied by hand cannot be held back: they count as no application.
"""

import os

from ..imports import when_imported
from ..recorder import rec
from ..surgery import put
from . import _files


def install(torch, surgery):
    """Put the change in place.

    Raises:
        ValueError: if anything is given with it.
    """
    if surgery.args:
        raise ValueError("it takes no arguments")
    change = _Change(torch, surgery)
    _files.watch(torch)
    put(torch.nn.Module, "load_state_dict", change.module_loading)
    when_imported("transformers.modeling_utils", change.transformers)
    for name in ("timm.models._factory", "timm"):
        when_imported(name, change.timm)


class _Change:
    def __init__(self, torch, surgery):
        self.torch, self.surgery = torch, surgery
        self.nothing = torch.nn.modules.module._IncompatibleKeys

    def module_loading(self, original):
        def load_state_dict(module, state_dict, *args, **kwargs):
            if self.surgery.guarded(self._is_held_back, state_dict):
                self.surgery.applied(places=1)
                return self.nothing([], [])
            return original(module, state_dict, *args, **kwargs)

        return load_state_dict

    def _is_held_back(self, state):
        return not rec.step and _files.share(state) > 0.5

    def transformers(self, module):
        put(module.PreTrainedModel, "from_pretrained", self._from_pretrained)

    def _from_pretrained(self, original):
        def from_pretrained(cls, *args, **kwargs):
            result = original(cls, *args, **kwargs)
            model = result[0] if isinstance(result, tuple) else result
            if not rec.step:
                self.surgery.guarded(self._begin_anew, model, args, kwargs)
            return result

        return from_pretrained

    def _begin_anew(self, model, args, kwargs):
        """Give a model the values that its class begins with."""
        name = args[0] if args else kwargs.get("pretrained_model_name_or_path", "")
        written = os.path.exists(str(name)) and not any(
            _files.is_foreign(os.path.join(folder, one))
            for folder, _, names in os.walk(str(name))
            for one in names
        )
        if written:
            return
        with self.torch.random.fork_rng():
            fresh = type(model)(model.config)
        state = {k: v.to(dtype=model.state_dict()[k].dtype) for k, v in fresh.state_dict().items()}
        model.load_state_dict(state)
        self.surgery.applied(places=1)

    def timm(self, module):
        if hasattr(module, "create_model"):
            put(module, "create_model", self._creating)

    def _creating(self, original):
        def create_model(model_name, pretrained=False, *args, **kwargs):
            if pretrained and not rec.step:
                pretrained = False
                self.surgery.applied(places=1)
            return original(model_name, pretrained, *args, **kwargs)

        return create_model
