"""Trains the compared recognisers on one data set with the same clips, features, augmentation and number of steps.

    python -m benchmarks.train_peers --data out/data/penn.npz --peers gru ddnet --seeds 0 1 2 --json out/peers-penn.json

The official training part teaches, the test part is measured once, after the last step: nothing is chosen on it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.peers import PEERS, Peer, parameters
from pose_attention_ros.core.layouts import Layout, layout
from pose_attention_ros.data.augment import AugmentConfig, estimate, mirrored
from pose_attention_ros.data.dataset import SkeletonDataset, file_sha256
from pose_attention_ros.data.streams import Example, Stream, StreamConfig, example_of, join, seen_by_camera
from pose_attention_ros.models.losses import pan_loss, tick_loss
from pose_attention_ros.models.pan import PoseAttentionNetwork
from pose_attention_ros.training.batches import Batch, read_examples, read_streams

BATCH = 64
# Hand-annotated joints: other viewpoints and speeds, little noise, nothing hidden.
AUGMENT = AugmentConfig(noise=0.02, jitter=0.005, offset=0.02, level_high=1.0, occlusion=0.0, cut_legs=0.0, swap=0.0,
                        min_score=0.0)
STREAM = StreamConfig(fps_low=30.0, fps_high=30.0, stamp_jitter=0.0, drop=0.0, trim=0.3, shortest_part=0.6, longest_s=10.0)


def load(path: Path, part: str, classes: list[str], table: Layout) -> list[Example]:
    """The clips of one official part."""
    data = SkeletonDataset.load(path)
    return [example_of(clip, data.joints, table, classes.index(clip.label)) for clip in data if clip.split == part]


def training_batch(examples: list[Example], rng: np.random.Generator, table: Layout, rate_hz: float) -> Batch:
    """`BATCH` clips seen anew; ticks at `rate_hz`."""
    chosen = [examples[i] for i in rng.integers(len(examples), size=BATCH)]
    chosen = [dataclasses.replace(e, **dict(zip(("keypoints", "mask"), mirrored(e.keypoints, e.mask, table))))
              if rng.uniform() < AUGMENT.mirror else e for e in chosen]
    streams, scores = [], []
    for example in chosen:
        stream = seen_by_camera(join([example], rng, table, STREAM), rng, STREAM)
        elapsed_s = np.diff(stream.time_s, prepend=0)[None]
        keypoints, _ = estimate(rng, stream.keypoints[None], stream.mask[None], elapsed_s, table, AUGMENT)
        streams.append(Stream(stream.time_s, keypoints[0], stream.mask, stream.targets, stream.ignored))
        scores.append(stream.mask.astype(np.float32))
    return read_streams(streams, scores, table, rate_hz)


def windows(batch: Batch, frames: int) -> Tensor:
    """(B, frames, V, C): each whole clip brought to a window's length by linear interpolation over its ticks."""
    rows = []
    for features, ticks in zip(torch.from_numpy(batch.features), batch.ticks.tolist()):
        shown = features[:ticks].flatten(1).T[None]
        rows.append(functional.interpolate(shown, size=frames, mode="linear", align_corners=True)[0].T)
    return torch.stack(rows).unflatten(-1, batch.features.shape[2:])


def loss_of(network: nn.Module, peer: Peer, batch: Batch) -> Tensor:
    """Windowed networks learn from the clip, streaming ones from every tick, the later the more."""
    targets = torch.from_numpy(batch.targets)
    if peer.window:
        return functional.cross_entropy(network(windows(batch, peer.window)), targets[:, 0], label_smoothing=0.05)
    weights = (torch.arange(1, targets.shape[1] + 1) / torch.from_numpy(batch.ticks)[:, None]).clamp(max=1)
    features = torch.from_numpy(batch.features)
    if isinstance(network, PoseAttentionNetwork):
        output = network(features, torch.from_numpy(batch.inside))
        return pan_loss(output, targets, weights, joints_weight=0.3, smoothing=0.05)
    return tick_loss(network(features), targets, weights, 0.05)


@torch.inference_mode()
def answers(network: nn.Module, peer: Peer, examples: list[Example], table: Layout, rate_hz: float) -> np.ndarray:
    """Class (N,) given at the end of each whole clip."""
    network.eval()
    order = np.argsort([len(example.keypoints) for example in examples])
    found = np.zeros(len(examples), np.int64)
    for begin in range(0, len(order), BATCH):
        rows = order[begin : begin + BATCH]
        batch = read_examples([examples[i] for i in rows], table, rate_hz)
        if peer.window:
            logits = network(windows(batch, peer.window))
        else:
            output = network(torch.from_numpy(batch.features))
            output = output.logits if isinstance(network, PoseAttentionNetwork) else output
            logits = output[torch.arange(len(rows)), torch.from_numpy(batch.ticks) - 1]
        found[rows] = logits.argmax(-1).numpy()
    return found


def train(peer: Peer, train_part: list[Example], classes: int, table: Layout, args: argparse.Namespace,
          seed: int) -> nn.Module:
    """AdamW, a linear rise and a half cosine, moving average of the weights: the same for all."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = peer.make(table, classes)
    if hasattr(network, "feature_scale"):
        features = training_batch(train_part, rng, table, args.rate).features
        spread = np.sqrt((features[features[..., -1] > 0] ** 2).mean(0))
        network.feature_scale.copy_(torch.from_numpy(spread).clamp(min=1e-3))
    steps = args.epochs * max(len(train_part) // BATCH, 1)
    optimiser = torch.optim.AdamW(network.parameters(), peer.learning_rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, peer.learning_rate, total_steps=steps, pct_start=0.05)
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99), use_buffers=True)
    for step in range(steps):
        network.train()
        loss = loss_of(network, peer, training_batch(train_part, rng, table, args.rate))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimiser.step()
        schedule.step()
        average.update_parameters(network)
        if step % 50 == 0:
            print(f"  step {step}/{steps} loss {loss.item():.3f}", flush=True)
    return average.module


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, metavar="FILE.npz", help="with official train and test parts")
    parser.add_argument("--layout", default="common13", help="joint layout that all networks read")
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=PEERS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--epochs", type=int, default=60, help="passes over the training clips")
    parser.add_argument("--rate", type=float, default=15.0, help="ticks a second")
    parser.add_argument("--json", type=Path, required=True, help="results; runs already there are not repeated")
    args = parser.parse_args()
    torch.set_num_threads(1)
    table = layout(args.layout)
    classes = sorted(set(SkeletonDataset.load(args.data).labels.tolist()))
    parts = {part: load(args.data, part, classes, table) for part in ("train", "test")}
    result = json.loads(args.json.read_text()) if args.json.is_file() else {
        "data": args.data.name, "data_sha256": file_sha256(args.data), "clips": {part: len(parts[part]) for part in parts},
        "epochs": args.epochs, "rate_hz": args.rate, "layout": args.layout, "runs": []}
    truth = np.array([example.target for example in parts["test"]])
    for name in args.peers:
        for seed in args.seeds:
            if any(run["peer"] == name and run["seed"] == seed for run in result["runs"]):
                continue
            began = time.monotonic()
            network = train(PEERS[name], parts["train"], len(classes), table, args, seed)
            accuracy = float((answers(network, PEERS[name], parts["test"], table, args.rate) == truth).mean())
            result["runs"].append({"peer": name, "seed": seed, "accuracy": round(accuracy, 4),
                                   "parameters": parameters(network), "seconds": round(time.monotonic() - began)})
            print(f"{name} seed {seed}: {accuracy:.2%} in {result['runs'][-1]['seconds']} s", flush=True)
            args.json.parent.mkdir(parents=True, exist_ok=True)
            args.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
