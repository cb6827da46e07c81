"""Training that begins with a model's weights instead of random ones."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from pose_attention_ros.core.errors import UserError  # noqa: E402
from pose_attention_ros.inference.package_paths import models_dir  # noqa: E402
from pose_attention_ros.models.bundle import load_network  # noqa: E402
from pose_attention_ros.models.pan import PanConfig, PoseAttentionNetwork  # noqa: E402
from pose_attention_ros.training.recipe import load_recipe  # noqa: E402
from pose_attention_ros.training.start import adopt  # noqa: E402

pytestmark = pytest.mark.training

RECIPE = """
model_id: own
start_from: everyday
data: {mine: {}}
classes: {salute: {mine: [salute]}, wave: {mine: [wave]}}
"""


@pytest.fixture(scope="module")
def everyday() -> PoseAttentionNetwork:
    return load_network(models_dir() / "everyday")


def test_all_weights_but_the_new_classes_are_taken_over(everyday):
    network = PoseAttentionNetwork(everyday.config, 3)
    fresh = network.classify.weight[0].clone()
    adopt(network, "everyday", ("salute", "wave", "clap"))
    inner = {name: values for name, values in everyday.state_dict().items() if not name.startswith("classify")}
    assert any(name.endswith("running_var") for name in inner), "batch norm's statistics are weights too"
    for name, values in inner.items():
        torch.testing.assert_close(network.state_dict()[name], values)
    torch.testing.assert_close(network.classify.weight[0], fresh)
    rows = [4, 5, -1]  # of the shipped model: wave, clap, and what is no class
    for head in ("classify", "classify_joints"):
        torch.testing.assert_close(getattr(network, head).weight[1:], getattr(everyday, head).weight[rows])
        torch.testing.assert_close(getattr(network, head).bias[1:], getattr(everyday, head).bias[rows])


@pytest.mark.parametrize("edit, dropout", [("", 0.1), ("\nmodel: {dropout: 0.4}\n", 0.4)])
def test_the_shape_is_that_of_the_model(tmp_path, everyday, edit, dropout):
    (tmp_path / "own.yaml").write_text(RECIPE + edit)
    shape = load_recipe(tmp_path / "own.yaml").model
    assert shape == PanConfig(**{**vars(everyday.config), "dropout": dropout})


@pytest.mark.parametrize(
    "edit, message",
    [
        ("\nmodel: {hidden: 32}\n", r"hidden 32 \(it has 0\) does not fit start_from 'everyday'"),
        ("\nstart_from: nothing\n", "no model 'nothing'"),
    ],
)
def test_a_start_that_does_not_fit(tmp_path, edit, message):
    text = RECIPE.replace("start_from: everyday\n", "") + edit if "start_from" in edit else RECIPE + edit
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(UserError, match=message):
        load_recipe(tmp_path / "own.yaml")
