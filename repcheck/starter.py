"""The claims file that a person starts from."""

from __future__ import annotations

from pathlib import Path

from repcheck.errors import UsageError
from repcheck.places import place


def write_starter(path: Path) -> None:
    """Write the annotated starting file.

    Raises:
        UsageError: if something stands there already, or the place cannot be written.
    """
    text = place("templates/claims.yaml").read_text(encoding="utf-8")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path}: is there already and is left alone; name another file") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror})") from None
