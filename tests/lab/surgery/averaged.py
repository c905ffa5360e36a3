"""Evaluates a network, three kinds of averages of it, and the checkpoint of its first epoch."""

from common import Net, accuracy, copy, digest, tell, torch, train

torch.manual_seed(0)
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
follower = copy.deepcopy(model)
swa = torch.optim.swa_utils.AveragedModel(model)
shadow = {name: p.detach().clone() for name, p in model.named_parameters()}


@torch.no_grad()
def average():
    for mine, theirs in zip(follower.parameters(), model.parameters(), strict=True):
        mine.mul_(0.9).add_(theirs, alpha=0.1)
    for name, p in model.named_parameters():
        shadow[name].mul_(0.8).add_(p, alpha=0.2)
    swa.update_parameters(model)


@torch.no_grad()
def put_in(values):
    for name, p in model.named_parameters():
        p.copy_(values[name])


train(model, optimizer, 1, average)
first = copy.deepcopy(model)
train(model, optimizer, 1, average)
found = {
    "raw": accuracy(model),
    "copy": accuracy(follower),
    "swa": accuracy(swa),
    "first": accuracy(first),
}
kept = copy.deepcopy(model.state_dict())
put_in(shadow)
found["shadow"] = accuracy(model)
digests = [digest(one) for one in (model, follower, swa, first)]
put_in(kept)
tell(found=found, digests=[*digests, digest(model)])
