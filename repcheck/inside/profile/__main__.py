"""Builds a model of the artifact and counts what it costs: `python .../profile JOB ANSWER`.

A throw-away process of its own: the artifact's code runs in it, and what it prints is not read.
"""

import importlib
import importlib.machinery
import importlib.util
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def _private(name, folder):
    """Load a folder of modules under a name that no artifact uses."""
    spec = importlib.util.spec_from_file_location(
        name, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


def _begin():
    # A compiled model is counted as written: a compiler shows a counter nothing.
    os.environ["TORCHDYNAMO_DISABLE"] = "1"
    # This folder's modules must not be taken for the artifact's.
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != HERE]
    _private("_repcheck_profile", HERE)
    _private("_repcheck_inside", os.path.join(os.path.dirname(HERE), "probe"))
    importlib.import_module("_repcheck_profile.work").work(sys.argv[1], sys.argv[2])


if __name__ == "__main__":
    try:
        _begin()
    finally:
        # A thread that the artifact started must not keep the process.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
