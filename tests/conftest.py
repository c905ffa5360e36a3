"""What every test run needs of its surroundings."""

from __future__ import annotations

import signal

# A test run that a script started in the background inherits ignored signals, and hands them on to
# every process it starts; tests of Ctrl-C need the default.
for _number, _default in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGTERM, signal.SIG_DFL),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _default)
