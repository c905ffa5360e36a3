from ._version import version


class Block:
    def forward(self, x):
        raise NotImplementedError


class Plain(Block):
    def forward(self, x):
        return x


def log(*words):
    pass


def build(name):
    log(name, version)
    if name not in {"ours", "base"}:
        raise NotImplementedError(name)
    return Plain()
