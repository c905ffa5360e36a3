"""Two processes: 256 examples parted between them, batches of 16, 3 epochs."""

import os
import socket

import torch
import torch.distributed as dist
from data import points
from torch import multiprocessing, nn
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset


def main(rank, world, port):
    if port:
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    dist.init_process_group("gloo", rank=rank, world_size=world)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    dataset = TensorDataset(*points(256, seed=1))
    loader = DataLoader(dataset, batch_size=16, sampler=DistributedSampler(dataset))
    model = nn.parallel.DistributedDataParallel(nn.Linear(16, 2))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for epoch in range(3):
        loader.sampler.set_epoch(epoch)
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
    dist.destroy_process_group()


if __name__ == "__main__":
    if "RANK" in os.environ:
        main(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), 0)
    else:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        multiprocessing.spawn(main, (2, port), 2)
