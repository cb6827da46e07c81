"""Trains the compared recognisers with one of our recipes: the same clips, features, views, batches and schedule.

    python -m benchmarks.train_peers config/train/jhmdb14.yaml --official-split 1 --seeds 0 1 2 --json out/peers/jhmdb14.json

The recipe's training part teaches, the test part is measured once, after the last step: nothing is chosen on it. Our own
network is trained with the same recipe by `pose-attention train` and benchmarks/many_seeds.py.
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
from pose_attention_ros.cli.train_pan import data_files
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.models.losses import pose_loss
from pose_attention_ros.training.batches import Batch
from pose_attention_ros.training.clip_batches import ClipBatchMaker, clip_features
from pose_attention_ros.training.corpus import Corpus, load_corpus
from pose_attention_ros.training.loop import schedule
from pose_attention_ros.training.recipe import Recipe, load_recipe

OTHERS = [name for name in PEERS if name != "pan"]
_TEST_BATCH = 64


def windows(clips: list[Tensor], frames: int) -> Tensor:
    """(B, frames, V, C): each whole clip (T_i, V, C) brought to a window's length by linear interpolation over its ticks."""
    shown = [
        functional.interpolate(clip.flatten(1).T[None], size=frames, mode="linear", align_corners=True)[0].T
        for clip in clips
    ]
    return torch.stack(shown).unflatten(-1, clips[0].shape[1:])


def loss_of(network: nn.Module, peer: Peer, batch: Batch, recipe: Recipe) -> Tensor:
    """Windowed networks learn from the clip, streaming ones from every tick, as the recipe weighs them."""
    features, targets, weights = (torch.from_numpy(array) for array in (batch.features, batch.targets, batch.weights))
    smoothing = recipe.train.smoothing
    if peer.window:
        clips = [clip[:ticks] for clip, ticks in zip(features, batch.ticks.tolist())]
        return functional.cross_entropy(network(windows(clips, peer.window)), targets[:, 0], label_smoothing=smoothing)
    return pose_loss(network(features), targets, weights, smoothing, recipe.train.last_tick)


@torch.inference_mode()
def accuracy(network: nn.Module, peer: Peer, corpus: Corpus, recipe: Recipe) -> float:
    """Share of the test clips whose class the network names at their end."""
    examples = [entry.example for entry in corpus.part("test", known=True)]
    clips = [
        torch.from_numpy(clip) for clip in clip_features(examples, corpus.layout, recipe.model.rate_hz, recipe.smoothing)
    ]
    network.eval()
    right = 0
    for begin in range(0, len(clips), _TEST_BATCH):
        chosen = clips[begin : begin + _TEST_BATCH]
        truth = torch.tensor([example.target for example in examples[begin : begin + _TEST_BATCH]])
        if peer.window:
            logits = network(windows(chosen, peer.window))
        else:
            last = torch.tensor([len(clip) - 1 for clip in chosen])
            logits = network(nn.utils.rnn.pad_sequence(chosen, batch_first=True))[torch.arange(len(chosen)), last]
        right += int((logits.argmax(-1) == truth).sum())
    return right / len(clips)


def train(name: str, recipe: Recipe, corpus: Corpus, seed: int) -> nn.Module:
    """AdamW with the recipe's schedule and moving average of the weights; the learning rate is the peer's own."""
    torch.manual_seed(seed)
    peer, config = PEERS[name], recipe.train
    recipe = dataclasses.replace(recipe, clips=dataclasses.replace(recipe.clips, **peer.clips))
    batches = ClipBatchMaker(recipe, corpus, seed)
    network = peer.make(corpus.layout, len(corpus.classes))
    if hasattr(network, "feature_scale"):
        rows = batches[0].features
        network.feature_scale.copy_(torch.from_numpy(np.sqrt((rows[rows[..., -1] > 0] ** 2).mean(0))).clamp(min=1e-3))
    optimiser = torch.optim.AdamW(network.parameters(), peer.learning_rate, weight_decay=config.weight_decay)
    average = torch.optim.swa_utils.AveragedModel(
        network,
        use_buffers=True,
        avg_fn=lambda kept, new, count: kept + (new - kept) * (1 - torch.clamp(count / (count + 10.0), max=config.average)),
    )
    for step in range(len(batches)):
        for group in optimiser.param_groups:
            group["lr"] = peer.learning_rate * schedule(step / len(batches), config)
        network.train()
        loss = loss_of(network, peer, batches[step], recipe)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), config.clip_norm)
        optimiser.step()
        average.update_parameters(network)
        if step % batches.per_epoch == 0:
            print(f"  {name} {step}/{len(batches)} loss {loss.item():.3f}", flush=True)
    return average.module


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("recipe", type=Path, metavar="CONFIG.yaml", help="a recipe for whole clips, such as penn.yaml")
    parser.add_argument("--data", action="append", default=[], metavar="[NAME=]FILE.npz", help="as `pose-attention train`'s")
    parser.add_argument("--official-split", type=int, metavar="N", help="of the recipe's (default: its first)")
    parser.add_argument("--peers", nargs="+", default=OTHERS, choices=OTHERS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--epochs", type=int, help="in place of the recipe's")
    parser.add_argument("--json", type=Path, required=True, help="results; runs already there are not repeated")
    args = parser.parse_args()
    recipe = load_recipe(args.recipe)
    if recipe.clips is None:
        raise UserError(f"{args.recipe} is no recipe for whole clips: it has no `clips`")
    if args.epochs:
        recipe = dataclasses.replace(recipe, train=dataclasses.replace(recipe.train, epochs=args.epochs))
    torch.set_num_threads(recipe.train.threads)
    split = args.official_split or next(iter(recipe.official_splits), None)
    corpus = load_corpus(recipe, data_files(list(recipe.data), args.data), official_split=split)
    what = {
        "data": recipe.model_id,
        "official_split": split,
        "data_sha256": dict(corpus.sha256),
        "epochs": recipe.train.epochs,
        "clips": {part: len(corpus.part(part)) for part in ("train", "val", "test")},
    }
    result = json.loads(args.json.read_text()) if args.json.is_file() else {**what, "runs": []}
    if any(result.get(name) != value for name, value in what.items()):
        raise UserError(f"{args.json} holds runs of other data, another split or other epochs; choose another")
    done = {(run["peer"], run["seed"]) for run in result["runs"]}
    for seed, name in ((seed, name) for seed in args.seeds for name in args.peers if (name, seed) not in done):
        began = time.monotonic()
        network = train(name, recipe, corpus, seed)
        found = accuracy(network, PEERS[name], corpus, recipe)
        result["runs"].append(
            {
                "peer": name,
                "seed": seed,
                "accuracy": round(found, 4),
                "parameters": parameters(network),
                "seconds": round(time.monotonic() - began),
            }
        )
        print(f"{name} seed {seed}: {found:.2%} in {result['runs'][-1]['seconds']} s", flush=True)
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
