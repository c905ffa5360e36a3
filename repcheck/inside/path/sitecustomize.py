"""Starts the probe in an artifact's interpreter, then makes way for the artifact's own module."""

import os
import sys


def _start(here):
    probe = os.path.join(os.path.dirname(here), "probe")
    # The frozen machinery is there already; `importlib.util` would have to be imported, and an
    # artifact may have modules named like those that it brings.
    import _frozen_importlib
    import _frozen_importlib_external

    spec = _frozen_importlib_external.spec_from_file_location(
        "_repcheck_inside",
        os.path.join(probe, "__init__.py"),
        submodule_search_locations=[probe],
    )
    module = _frozen_importlib._load(spec)
    module.start(here)


def _begin():
    here = os.path.dirname(os.path.abspath(__file__))
    # Gone from sys.path, so that the artifact sees the path it would see without a probe;
    # children find this folder by PYTHONPATH.
    sys.path[:] = [
        entry
        for entry in sys.path
        if not isinstance(entry, str) or not entry or os.path.abspath(entry) != here
    ]
    sys.path_importer_cache.pop(here, None)
    if not os.environ.get("REPCHECK_PROBE_OUT") or "_repcheck_inside" in sys.modules:
        return
    try:
        _start(here)
    except Exception as error:
        try:
            sys.stderr.write("repcheck: the probe did not start: %r\n" % (error,))
        except Exception:
            pass


_begin()
sys.modules.pop("sitecustomize", None)
# The artifact's own module, if there is one, takes this one's place. If there is none, this
# raises just what the import would raise without a probe, and `site` passes over it.
__import__("sitecustomize")
