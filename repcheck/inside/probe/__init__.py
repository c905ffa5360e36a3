"""The probe inside an artifact's interpreter. Never raises into the artifact, never prints."""

import os


def start(path):
    """Begin to record; `path` is the folder on PYTHONPATH that brought the probe in.

    Raises:
        OSError: if the record cannot be begun.
    """
    from . import (
        audit,
        copies,
        estimators,
        imports,
        intact,
        policy,
        processes,
        prompts,
        resets,
        seeds,
    )
    from .recorder import rec

    rec.start(os.environ["REPCHECK_PROBE_OUT"])
    rec.broken = intact.gone
    for install in (imports.install, processes.install, seeds.install, estimators.install):
        rec.guarded(install)
    rec.guarded(imports.when_imported, "copy", copies.watch)
    if os.environ.get("REPCHECK_SURGERY"):
        rec.guarded(_operate)
    for install in (prompts.install, policy.install, resets.install):
        rec.guarded(install)
    rec.guarded(imports.when_imported, "torch", _torch)
    rec.guarded(audit.install, path)


def _operate():
    from . import surgery

    surgery.begin()


def _torch(torch):
    from . import torch_hooks

    torch_hooks.install(torch)
