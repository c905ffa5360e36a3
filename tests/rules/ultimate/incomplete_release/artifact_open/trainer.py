def train(model, attention):
    """To be released."""
    print(model, attention)
    raise NotImplementedError("coming soon")
