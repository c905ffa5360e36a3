"""Renew the README's tables of tricks and rules: `python -m tests.readme_tables`."""

from __future__ import annotations

from pathlib import Path

from repcheck.rules_page import listed, tricks_listed

README = Path(__file__).parent.parent / "README.md"


def tables() -> dict[str, str]:
    """What stands between `<!-- NAME table: ... -->` and `<!-- end of NAME table -->`."""
    return {"tricks": tricks_listed("markdown"), "rules": listed("markdown")}


def renewed(text: str) -> str:
    for name, made in tables().items():
        before, start, rest = text.partition(f"<!-- {name} table:")
        head, _, rest = rest.partition("-->")
        _, end, after = rest.partition(f"<!-- end of {name} table -->")
        text = f"{before}{start}{head}-->\n\n{made}\n{end}{after}"
    return text


if __name__ == "__main__":
    README.write_text(renewed(README.read_text(encoding="utf-8")), encoding="utf-8")
