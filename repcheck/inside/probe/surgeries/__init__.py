"""Kinds of surgery, one a file: `install(torch, surgery)` puts it in place or raises ValueError."""
