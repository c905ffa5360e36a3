"""JSON of plain values. The `json` module is not used: an artifact may have one of its own."""

try:
    from _json import encode_basestring_ascii as quote
except ImportError:

    def quote(text):
        """Return a text as a JSON string of ASCII characters."""
        units = text.encode("utf-16-be", "surrogatepass")
        pairs = [units[i : i + 2] for i in range(0, len(units), 2)]
        return '"%s"' % "".join("\\u%02x%02x" % tuple(pair) for pair in pairs)


TEXT = 300
"""Longest text that is written, in characters."""
DEPTH = 8


def encode(value, depth=0):
    """Return a value as JSON; what is no plain value is written as its `repr`."""
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, str):
        return quote(str.__str__(value)[:TEXT])
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, int):
        return _int(value)
    if depth < DEPTH:
        if isinstance(value, dict):
            return "{%s}" % ",".join(
                "%s:%s" % (quote(_text(key)), encode(item, depth + 1))
                for key, item in value.items()
            )
        if isinstance(value, (list, tuple)):
            return "[%s]" % ",".join([encode(item, depth + 1) for item in value])
    return quote(_text(value))


def _float(value):
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    return float.__repr__(value)


def _int(value):
    if value.bit_length() > 1024:
        return quote("%s ... (%d bits)" % (hex(value)[:40], value.bit_length()))
    return int.__repr__(value)


def _text(value):
    if isinstance(value, str):
        return str.__str__(value)[:TEXT]
    try:
        return repr(value)[:TEXT]
    except Exception:
        return "<%s>" % type(value).__name__
