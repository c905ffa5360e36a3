LOSS_WEIGHT = 0.6789


def loss_of(margin=0.4321):
    loss = 0.8765 * margin
    return loss
