"""Files that stand beside the package in a checkout and inside it in a wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def place(name: str) -> Path:
    """Return the folder or file of this name: inside the package first, beside it second.

    Raises:
        FileNotFoundError: if the installation holds it in neither place.
    """
    for root in (_PACKAGE, _PACKAGE.parent):
        if (root / name).exists():
            return root / name
    raise FileNotFoundError(f"{name} is missing from this installation of repcheck ({_PACKAGE})")
