"""One process or several: who this one is among those that `torchrun` started, and what they share."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import nn

_PATIENCE = timedelta(minutes=30)  # the others wait while the first one validates


@dataclass(frozen=True)
class Processes:
    """rank: of this process among `count`; device: where its network lies."""

    rank: int
    count: int
    device: torch.device

    @classmethod
    def join(cls) -> Processes:
        """Alone, or one of torchrun's: NCCL where each has a GPU, else gloo."""
        rank, count = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        local = int(os.environ.get("LOCAL_RANK", 0))
        gpu = torch.cuda.is_available()
        device = torch.device("cuda", local) if gpu else torch.device("cpu")
        if gpu:
            torch.cuda.set_device(device)
        if count > 1 and not dist.is_initialized():
            dist.init_process_group("nccl" if gpu else "gloo", timeout=_PATIENCE)
        return cls(rank, count, device)

    @property
    def leads(self) -> bool:
        """This is the one that validates, saves and reports."""
        return self.rank == 0

    def wrap(self, network: nn.Module) -> nn.Module:
        """The network whose gradients are the mean over all processes; itself where there is one."""
        if self.count == 1:
            return network
        return nn.parallel.DistributedDataParallel(network, [self.device] if self.device.type == "cuda" else None)

    def wait(self) -> None:
        """Until all are here."""
        if self.count > 1:
            dist.barrier()

    def leave(self) -> None:
        if self.count > 1:
            dist.destroy_process_group()
