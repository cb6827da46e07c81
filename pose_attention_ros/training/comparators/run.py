"""One training run of a compared recogniser, from recipe and data to a trained network and how it scores clips."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from pose_attention_ros.core.errors import UserError
from pose_attention_ros.data.clip_views import ClipConfig
from pose_attention_ros.models.comparator import Comparator
from pose_attention_ros.models.kinds import KINDS, make_network
from pose_attention_ros.training.comparators.clips import (
    FEATURES_DIR,
    Pixels,
    TickClip,
    load_pixels,
    pixel_files,
    prepared,
    score_ticks,
    tick_clips,
)
from pose_attention_ros.training.comparators.phases import Phase, PhaseTrainer
from pose_attention_ros.training.comparators.rpan import RpanTraining, rpan_phases
from pose_attention_ros.training.comparators.temporal_attention import TemporalAttentionTraining, temporal_attention_phases
from pose_attention_ros.training.comparators.views import Views, batch_of, validation_batches
from pose_attention_ros.training.comparators.where_to_focus import FocusTraining, focus_phases
from pose_attention_ros.training.corpus import Corpus, load_corpus
from pose_attention_ros.training.loop import fingerprint
from pose_attention_ros.training.recipe import Recipe, load_recipe
from pose_attention_ros.training.validate import ClipScores

# kind -> settings of its training
TRAINING: dict[str, type] = {
    "rpan": RpanTraining,
    "where_to_focus": FocusTraining,
    "temporal_attention": TemporalAttentionTraining,
}
_SCALE_CLIPS = 64  # clips from which the spread of the inputs is taken


def load_comparator_recipe(path: Path, kind: str) -> Recipe:
    """Read the recipe of a network of `kind`. Raises UserError."""
    return load_recipe(path, KINDS[kind][0], TRAINING[kind])


@dataclass(frozen=True, eq=False)
class Data:
    """The clips of a recipe, and the features of their images where the network reads pixels."""

    recipe: Recipe
    corpus: Corpus
    pixels: Mapping[str, Pixels]

    @classmethod
    def load(
        cls,
        recipe: Recipe,
        kind: str,
        files: Mapping[str, Path],
        official_split: int | None = None,
        cache: Path = FEATURES_DIR,
        advance: Callable[[int], object] = lambda clips: None,
    ) -> Data:
        """:param files: data set name -> file, or folder with pixels; :raises UserError: one is missing or does not fit"""
        network = make_network(kind, recipe.model, 2)
        reads = network.pixels
        folders = [name for name, path in files.items() if reads and not path.is_dir()]
        if folders:
            raise UserError(
                f"{kind} reads pixels here: {files[folders[0]]} is no folder with pixels; make one with "
                "`pose-attention data render`"
            )
        corpus = load_corpus(recipe, pixel_files(dict(files)), official_split=official_split)
        pixels = {
            name: load_pixels(path, reads, network.pixels_shape, recipe, cache, advance)
            for name, path in files.items()
            if reads
        }
        return cls(recipe, corpus, pixels)

    @cached_property
    def _clips(self) -> dict[tuple[str, bool | None], list[TickClip]]:
        return {}

    @cached_property
    def _prepared(self) -> dict[tuple[str, bool | None, str], list[TickClip]]:
        return {}

    def clips(self, split: str, known: bool | None = True) -> list[TickClip]:
        """Of a split; `known` as in Corpus.part."""
        if (split, known) not in self._clips:
            entries = self.corpus.part(split, known=known)
            self._clips[split, known] = tick_clips(entries, self.corpus, self.recipe, dict(self.pixels))
        return self._clips[split, known]

    def prepared(self, network: Comparator, split: str, known: bool | None = True) -> list[TickClip]:
        """The same with what `network` makes of their pixels before all training; kept for the next network of the kind."""
        if not network.pixels:
            return self.clips(split, known)
        fixed = hashlib.sha256(b"".join(value.numpy().tobytes() for value in network.buffers())).hexdigest()
        key = (split, known, f"{type(network).__name__} {getattr(network.config, 'pool', 1)} {fixed}")
        if key not in self._prepared:
            self._prepared[key] = [prepared(clip, network) for clip in self.clips(split, known)]
        return self._prepared[key]

    def score(self, network: Comparator, split: str, known: bool) -> ClipScores:
        """Of each clip of a split."""
        return score_ticks(
            network, self.prepared(network, split, known), self.corpus.part(split, known=known), len(self.corpus.classes)
        )

    @property
    def image_size(self) -> tuple[int, int]:
        """Width and height that the joints' pixels are in; (0, 0) without pixels."""
        return next(iter(self.pixels.values())).canvas[:2] if self.pixels else (0, 0)

    @property
    def extractor(self) -> dict:
        """What model.json says of the features that the network was trained on."""
        return {"extractor": next(iter(self.pixels.values())).extractor} if self.pixels else {}


def make_trainer(kind: str, data: Data, seed: int, out: Path) -> PhaseTrainer:
    """A network of the recipe with its phases, ready to `fit`."""
    recipe, config = data.recipe, data.recipe.train
    torch.manual_seed(seed)
    torch.set_num_threads(config.threads)
    network = make_network(kind, recipe.model, len(data.corpus.classes))
    training = data.clips("train")
    first = batch_of(training[:: max(len(training) // _SCALE_CLIPS, 1)])
    network.fit_scales(first.features, first.pixels)
    training = data.prepared(network, "train")
    views = Views(training, config.batch, seed, data.corpus.layout, recipe.clips or ClipConfig())
    of_what = [fingerprint(recipe, data.corpus, seed), *(p.source.sha256 for p in data.pixels.values())]
    validation = validation_batches(data.prepared(network, "val"), config.batch)
    return PhaseTrainer(
        network,
        _phases(kind, network, data),
        views,
        validation,
        seed=seed,
        out=out,
        fingerprint=hashlib.sha256("".join(of_what).encode()).hexdigest(),
        clip_norm=config.clip_norm,
    )


def _phases(kind: str, network: Comparator, data: Data) -> list[Phase]:
    config = data.recipe.train
    if kind == "rpan":
        return list(rpan_phases(network, config, data.image_size))
    return list((focus_phases if kind == "where_to_focus" else temporal_attention_phases)(network, config))
