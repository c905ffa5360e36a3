"""Files that are only ever appended to, with write(2), under descriptors that nobody misses."""

import os

FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
HIGH = (960, 480, 240)
"""Where descriptors are put if there is room, so that the artifact gets the numbers it expects."""


class Appended:
    """One file. The artifact may close every descriptor and open its own under our number, so
    each write first makes sure that the descriptor still is our file.
    """

    def __init__(self, path, room):
        self.path = path
        self.room = room
        self.size = 0
        self.fd = -1
        self.mark = None

    def write(self, data):
        """Append bytes, whole.

        Raises:
            OSError: if the disk is full, the folder is gone or the like.
        """
        if self.fd < 0 or not self._ours():
            self._open()
        written = os.write(self.fd, data)
        self.size += written
        while written < len(data):
            data = data[written:]
            written = os.write(self.fd, data)
            self.size += written

    def full(self, more):
        """Return whether so many bytes more are over what the file may hold."""
        return self.size + more > self.room

    def lost(self):
        """Return whether the file is gone, or shorter than what was written to it."""
        if self.mark is None:
            return False
        size = self.size  # first: another thread may write between the look and the comparison
        try:
            stat = os.stat(self.path)
        except OSError:
            return True
        return (stat.st_dev, stat.st_ino) != self.mark or stat.st_size < size

    def leave(self):
        """Close the descriptor if it still is ours."""
        if self.fd >= 0 and self._ours():
            try:
                os.close(self.fd)
            except OSError:
                pass
        self.fd = -1

    def _ours(self):
        try:
            stat = os.fstat(self.fd)
        except OSError:
            return False
        return (stat.st_dev, stat.st_ino) == self.mark

    def _open(self):
        flags = FLAGS if self.mark is None else FLAGS & ~os.O_CREAT
        fd = os.open(self.path, flags, 0o644)
        stat = os.fstat(fd)
        if self.mark not in (None, (stat.st_dev, stat.st_ino)):
            os.close(fd)
            raise OSError("%s is another file now" % self.path)
        self.mark = (stat.st_dev, stat.st_ino)
        self.fd = _raised(fd)


def _raised(fd):
    for low in HIGH:
        for number in range(low, low - 8, -1):
            try:
                os.fstat(number)
            except OSError:
                try:
                    os.dup2(fd, number, False)
                except OSError:
                    break
                os.close(fd)
                return number
    return fd
