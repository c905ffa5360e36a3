from torch.nn.functional import cross_entropy


def loss_of(model, x, y, aux, margin=0.35):
    norm = model.penalty() / (x.abs().sum() + 1e-8)
    return cross_entropy(model(x), y) + aux * norm + 0.173 * margin
