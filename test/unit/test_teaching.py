"""Actions taught by showing: takes, limits, what they add to the model's answer, and their file."""

import json
import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pose_attention_ros.core.action_stage import ActionConfig, ActionStage
from pose_attention_ros.core.actions.recogniser import ModelSpec, StepOutput
from pose_attention_ros.core.body.layouts import layout
from pose_attention_ros.core.errors import ModelError, UserError
from pose_attention_ros.core.teaching.actions import TaughtActions, checked_name, joined, taught_action
from pose_attention_ros.core.teaching.commands import COMMANDS, Teacher
from pose_attention_ros.core.teaching.lesson import Lesson, TakeConfig, cut, lesson_of
from pose_attention_ros.core.teaching.space import TeachingSpace, fitted, pool_size, pooled, unit
from pose_attention_ros.core.types import FEATURE_NAMES, SkeletonGraphs
from pose_attention_ros.inference.teaching import Teaching, read_taught, write_space, write_taught

LAYOUT, E = layout("common13"), 4
RATE_HZ = 15.0
P = pool_size(E, len(LAYOUT.joints))


class Echo:
    """A recogniser of two classes, sure of the first, whose embedding is the velocity of two joints."""

    spec = ModelSpec(
        "echo",
        "0" * 64,
        ("up", "down"),
        LAYOUT,
        FEATURE_NAMES,
        rate_hz=RATE_HZ,
        state_size=1,
        decay_per_s=0.0,
        attention_window_s=2.0,
        temperature=1.0,
        threshold=0.6,
        network_sha256="1" * 64,
    )
    embedding_size = E

    def step(self, features, state, pixels=None):
        people = len(features)
        logits = np.tile(np.float32([2, 0]), (people, 1))
        return StepOutput(
            logits,
            np.full((people, 13), 1 / 13, np.float32),
            np.zeros(people, np.float32),
            state,
            features[:, :2, 2:4].reshape(people, E),
        )


def space(seed=0, negatives=200):
    rng = np.random.default_rng(seed)
    none = unit(rng.normal(size=(negatives, P)))
    return TeachingSpace("1" * 64, np.zeros(P), np.ones(P), np.eye(P), none, np.arange(negatives) % 2 == 0)


def graphs(stamp_s, velocity=(0.0, 0.0, 0.0, 0.0), everybody=0.0, track_id=3):
    features = np.zeros((1, 13, 5), np.float32)
    features[0, :, 2] = everybody
    features[0, :2, 2:4] = np.reshape(velocity, (2, 2))
    features[..., 4] = 1
    return SkeletonGraphs(
        round(stamp_s * 1e9),
        "cam",
        LAYOUT,
        (640, 480),
        np.array([track_id]),
        features[..., :2],
        features,
        np.ones((1, 13), bool),
        np.zeros(1),
        np.zeros((1, 2)),
        np.ones(1),
        np.zeros((1, 4)),
    )


def performance(stage, begin_s, motion, seconds=2.0, still_s=1.0):
    """Stand, move, stand; returns the estimates of each frame."""
    said = []
    for tick in range(round((seconds + 2 * still_s) * RATE_HZ)):
        at_s = tick / RATE_HZ
        moves = still_s <= at_s < still_s + seconds
        said.append(stage(graphs(begin_s + at_s, motion if moves else (0, 0, 0, 0), 1.0 if moves else 0.0)))
    return said


CIRCLE, PUSH = (4.0, 0.0, 0.0, 4.0), (0.0, -4.0, 4.0, 0.0)


def test_an_action_is_learnt_from_takes_and_told_from_then_on():
    stage, taught = ActionStage(Echo(), ActionConfig()), TaughtActions(space())
    stage.lesson = Lesson("circle", 3, RATE_HZ)
    for number in range(3):
        performance(stage, 10.0 * number, CIRCLE)
    assert [round(take.length_s, 1) for take in stage.lesson.takes()] == pytest.approx([1.9] * 3, abs=0.2)
    assert stage.lesson.takes()[0].figure.shape[1:] == (13, 3)
    action, stage.lesson = stage.lesson.learnt(taught.space), None
    assert "circle" not in {person.label for said in performance(stage, 40, CIRCLE) for person in said.people}
    stage.teach(taught.with_action(action))
    said = performance(stage, 50, CIRCLE)
    assert "circle" in {person.label for each in said for person in each.people}
    assert said[-1].classes == ("up", "down", "circle") and said[-1].model_sha256 != Echo.spec.sha256
    assert all(abs(person.scores.sum() - 1) < 1e-4 for each in said for person in each.people)
    other = performance(stage, 60, PUSH)
    assert {person.label for each in other for person in each.people} <= {"up", "unknown"}
    stage.teach(None)
    assert stage(graphs(65)).classes == ("up", "down")


def test_people_stay_when_an_action_is_forgotten_while_it_is_shown():
    stage, taught = ActionStage(Echo(), ActionConfig(rest_speed=0.0)), TaughtActions(space())
    stage.lesson = Lesson("circle", 3, RATE_HZ)
    performance(stage, 0, CIRCLE)
    stage.teach(taught.with_action(stage.lesson.learnt(taught.space)))
    said = performance(stage, 10, CIRCLE, still_s=0.0)
    assert said[-1].people[0].label == "circle"
    stage.teach(None)
    after = stage(graphs(12.1, CIRCLE))
    assert after.people[0].label != "circle" and len(after.people[0].scores) == 2 and after.people[0].track_id == 3


@settings(deadline=None)
@given(
    people=st.integers(0, 4),
    known=st.integers(1, 5),
    taught=st.integers(0, 4),
    seed=st.integers(0, 999),
    threshold=st.floats(0.5, 0.95),
)
def test_joined_scores_are_one_distribution(people, known, taught, seed, threshold):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(known, 0.3), people).reshape(people, known).astype(np.float32)
    likeness, limits = rng.uniform(-1, 1, (people, taught)), rng.uniform(-0.5, 0.9, taught)
    both = joined(probabilities, likeness, limits, threshold)
    assert both.shape == (people, known + taught) and (both >= 0).all()
    np.testing.assert_allclose(both.sum(-1), 1, atol=1e-4)
    for row in range(people):
        within = likeness[row] >= limits
        if within.any():  # the likest of those within their limits, whatever the model says
            winner = both[row].argmax()
            assert winner >= known and within[winner - known] and both[row, winner] >= threshold - 1e-3
        else:  # what the model was sure of it stays sure of, and nothing taught gets a label
            assert both[row, :known].max() == pytest.approx(probabilities[row].max(), abs=1e-4)
            assert (both[row, known:] < threshold).all()


@pytest.mark.parametrize(
    ("moves", "wanted"),
    [
        ("..........", []),
        ("....mmmmmmmmmmmmmmm....................", [(4, 19)]),
        ("...mmmmmmmmmmmmmmm..mmmmmmmm...........", [(3, 28)]),  # a short pause belongs to the take
        ("...mmm..........mmmmmmmmmmmmmmm........", [(16, 31)]),  # too short
        ("....mmmmmmmmmmmmmmm", [(4, 19)]),
        ("", []),
    ],
)
def test_takes_are_cut_by_motion(moves, wanted):
    stamps_ns = (np.arange(len(moves)) / RATE_HZ * 1e9).astype(np.int64)
    speeds = np.array([1.0 if each == "m" else 0.1 for each in moves])
    assert [(part.start, part.stop) for part in cut(stamps_ns, speeds, TakeConfig())] == wanted


def test_a_long_motion_is_cut_and_nobody_seen_is_standing_still():
    stamps_ns = (np.arange(200) / RATE_HZ * 1e9).astype(np.int64)
    parts = cut(stamps_ns, np.ones(200), TakeConfig(longest_take_s=4.0))
    assert len(parts) >= 3 and all((p.stop - p.start) / RATE_HZ <= 4.1 for p in parts)
    assert cut(stamps_ns, np.full(200, np.nan), TakeConfig()) == []


def test_takes_can_be_deleted_and_a_lesson_without_takes_says_what_to_do():
    lesson = Lesson("circle", 1, RATE_HZ)
    with pytest.raises(UserError, match="by person 1: stand still, move, stand still"):
        lesson.learnt(space())
    lesson, tick = Lesson("circle", 1, RATE_HZ), 0
    for speed in [0.0] * 15 + [1.0] * 20 + [0.0] * 15 + [1.0] * 30 + [0.0] * 15:
        lesson.add(round(tick / RATE_HZ * 1e9), speed, np.ones(E), np.ones((13, 5)))
        tick += 1
    assert len(lesson.takes()) == 2
    lesson.delete(0)
    assert [round(take.length_s) for take in lesson.takes()] == [2]
    with pytest.raises(UserError, match="take is 1, expected 0 to 0"):
        lesson.delete(1)
    assert len(lesson.learnt(space()).takes) == 1


def test_a_lesson_goes_on_with_another_person_and_keeps_its_takes():
    lesson = lesson_of(None, "circle", 1, Echo.spec)
    for tick, speed in enumerate([0.0] * 10 + [1.0] * 20 + [0.0] * 20):
        lesson.add(round(tick / RATE_HZ * 1e9), speed, np.ones(E), np.ones((13, 5)))
    again = lesson_of(lesson, "circle", 2, Echo.spec)
    assert again.track_id == 2 and len(again.takes()) == 1
    assert not lesson_of(lesson, "bow", 2, Echo.spec).takes()
    with pytest.raises(UserError, match="which the model knows already"):
        lesson_of(lesson, "up", 2, Echo.spec)


def test_the_limit_keeps_out_what_is_shipped_as_no_taught_action():
    made = space(negatives=4000)
    takes = unit(np.random.default_rng(1).normal(size=(3, P)) * 0.05 + np.eye(P)[0])
    action = taught_action("wiggle", takes, (1.0, 1.2, 1.1), made)
    against = made.negatives @ action.centre
    assert (against[~made.known] >= action.limit).mean() <= 0.011 and (against[made.known] >= action.limit).mean() <= 0.003
    assert (takes @ action.centre >= action.limit).all() and action.window_s == 1.0


def test_the_space_brings_one_label_together():
    rng = np.random.default_rng(0)
    centres, labels = rng.normal(size=(20, 3 * E)), np.repeat(np.arange(20), 30)
    nuisance = 20 * rng.normal(size=(600, 4)) @ np.eye(3 * E)[:4]
    pools = centres[labels] + nuisance + 0.3 * rng.normal(size=(600, 3 * E))
    mean, scale, basis = fitted(pools, labels)
    placed = unit((pools - mean) / scale @ basis)

    def right(points):
        close = unit(points) @ unit(points).T - 2 * np.eye(len(points))
        return (labels[close.argmax(1)] == labels).mean()

    assert right(placed) > right(pools - mean) + 0.1


@pytest.mark.parametrize("name", ["", " x", "a/b", "../x", "x" * 41, "up", "unknown", "x\n", "<b>", 3, "a\0"])
def test_names_that_no_action_may_have(name):
    with pytest.raises(UserError, match="name is"):
        checked_name(name, ("up", "down"))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model.json").write_text("{}")
    write_space(tmp_path, space())
    return tmp_path


def teach(teaching, name, seed=0):
    takes = unit(np.random.default_rng(seed).normal(size=(3, P)))
    teaching.add(taught_action(name, takes, (1.0, 1.5, 1.2), teaching.taught.space))


def test_what_was_taught_is_kept_beside_the_model(folder):
    teaching = Teaching(Echo(), folder)
    teach(teaching, "circle"), teach(teaching, "bow", 1)
    teaching.rename("circle", "big circle")
    again = Teaching(Echo(), folder).taught
    assert again.names == ("big circle", "bow")
    np.testing.assert_allclose(again.centres, teaching.taught.centres, atol=1e-4)
    np.testing.assert_allclose(again.limits, teaching.taught.limits, atol=1e-4)
    with pytest.raises(UserError, match="another taught action is called so"):
        teaching.rename("bow", "big circle")
    with pytest.raises(UserError, match="which the model knows already"):
        teaching.rename("bow", "down")
    teaching.remove("bow")
    with pytest.raises(UserError, match="expected a taught action: big circle"):
        teaching.remove("bow")
    write_taught(folder / "elsewhere.json", teaching.taught, Echo.spec)
    assert Teaching(Echo(), folder, str(folder / "elsewhere.json")).taught.names == ("big circle",)
    assert b"pickle" not in (folder / "taught.json").read_bytes()


def change(content):
    content["actions"][0]["limit"] = -1.0
    return content


def test_commands_teach_the_stage_and_the_file_alike(folder):
    stage, announced = ActionStage(Echo(), ActionConfig()), []
    teacher = Teacher(stage, Teaching(Echo(), folder), announced.append)
    with pytest.raises(UserError, match="no action is being taught: begin first"):
        teacher.do("drop", take=0)
    teacher.do("begin", name="circle", track_id=3)
    for number in range(3):
        performance(stage, 10.0 * number, CIRCLE)
    teacher.do("drop", take=0)
    assert teacher.lesson.track_id == 3 and len(teacher.lesson.takes()) == 2
    teacher.do("learn")
    assert teacher.lesson is None and [len(action.takes) for action in teacher.taught] == [2]
    teacher.do("begin", name="bow", track_id=3)
    teacher.do("cancel")
    assert teacher.lesson is None
    teacher.do("rename", name="circle", new_name="wheel")
    assert stage.described.classes == ("up", "down", "wheel") and Teaching(Echo(), folder).taught.names == ("wheel",)
    teacher.do("remove", name="wheel")
    teacher.do("status")
    assert [spec.classes[2:] for spec in announced] == [(), ("circle",), ("wheel",), ()]


def test_a_model_that_cannot_be_taught_says_so_to_every_command(tmp_path):
    teacher = Teacher(ActionStage(Echo()), Teaching(Echo(), tmp_path), lambda spec: None)
    for command, fields in COMMANDS.items():
        if command != "status":
            with pytest.raises(ModelError, match="cannot be taught"):
                teacher.do(command, **{name: kind() for name, kind in fields.items()})
    assert teacher.taught == () and teacher.lesson is None


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (change, "damaged or changed by hand"),
        (lambda content: {**content, "network_sha256": "2" * 64}, "taught to another network"),
        (lambda content: {**content, "format": 2}, "damaged or changed"),
        (lambda content: [], "is not a file of taught actions"),
        (lambda content: {}, "is not a file of taught actions"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(folder, damage, said):
    teaching = Teaching(Echo(), folder)
    teach(teaching, "circle")
    teaching.path.write_text(json.dumps(damage(json.loads(teaching.path.read_text()))))
    with pytest.raises(ModelError, match=said) as error:
        Teaching(Echo(), folder)
    assert "\n" not in str(error.value)


@settings(deadline=None, max_examples=30)
@given(content=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("taught") / "taught.json"
    path.write_bytes(content)
    with pytest.raises(ModelError):
        read_taught(path, TaughtActions(space()), Echo.spec)


def test_a_changed_space_is_refused(folder):
    content = bytearray((folder / "teaching.npz").read_bytes())
    content[-30] ^= 1
    (folder / "teaching.npz").write_bytes(content)
    with pytest.raises(ModelError, match="damaged or changed, restore it"):
        Teaching(Echo(), folder)


def test_a_model_without_embedding_works_and_says_why_it_cannot_be_taught(folder, caplog):
    class Older(Echo):
        embedding_size = 0

        def step(self, features, state, pixels=None):
            return StepOutput(
                *[
                    getattr(super(Older, self).step(features, state), name)
                    for name in ("logits", "joint_attention", "frame_energy", "state")
                ]
            )

    with caplog.at_level(logging.INFO):
        teaching = Teaching(Older(), folder)
    assert teaching.taught is None and [r.message for r in caplog.records if "cannot be taught" in r.message]
    with pytest.raises(ModelError, match="cannot be taught: its step gives no embedding"):
        teaching.require()
    stage = ActionStage(Older())
    stage.lesson = Lesson("circle", 3, RATE_HZ)
    assert performance(stage, 0, CIRCLE)[-1].classes == ("up", "down") and not stage.lesson.takes()


def test_the_shipped_model_can_be_taught_and_gives_its_embedding(tmp_path):
    from pose_attention_ros.inference.recogniser import DEFAULT_MODEL, find_model, load_recogniser

    recogniser = load_recogniser(DEFAULT_MODEL)
    (tmp_path / "file").touch()
    teaching = Teaching(recogniser, find_model(DEFAULT_MODEL), str(tmp_path / "file" / "taught.json"))
    assert len(teaching.require().space.mean) == pool_size(recogniser.embedding_size, len(recogniser.spec.layout.joints))
    features = np.random.default_rng(0).normal(size=(2, 13, 5)).astype(np.float32)
    output = recogniser.step(features, np.zeros((2, recogniser.spec.state_size), np.float32))
    assert output.embedding.shape == (2, recogniser.embedding_size)
    empty = recogniser.step(features[:0], np.zeros((0, recogniser.spec.state_size), np.float32))
    assert empty.embedding.shape == (0, recogniser.embedding_size)
    with pytest.raises(UserError, match="cannot be written"):
        teaching.set(teaching.taught)


def test_pooled_tells_embeddings_places_and_the_order_of_a_motion():
    embeddings, features = np.array([[1.0, 2.0], [3.0, 0.0]]), np.zeros((2, 1, 5))
    features[:, 0, 0], features[:, 0, 4] = [1, 5], 1
    pools = pooled(embeddings, features)
    assert len(pools) == pool_size(2, 1) and pools.dtype == np.float32
    np.testing.assert_allclose(pools[:6], [2, 1, 3, 2, 1, 1])  # mean, maximum, spread
    np.testing.assert_allclose(pools[6::4], [1, 1, 5, 5, 1, 2])  # x: thirds (the first tick twice), extremes, spread
    there, back = (pooled(np.ones((9, 2)), features[::step].repeat(5, 0)[:9]) for step in (1, -1))
    assert abs(there - back).max() > 1  # the same places the other way round


def test_a_space_of_another_version_is_refused(folder):
    class Wider(Echo):
        embedding_size = E + 1

    with pytest.raises(ModelError, match="was made by another version: it describes a motion by 324 numbers, expected 327"):
        Teaching(Wider(), folder)


def lesson_of_turns(*takes, take_s=4.0, seed=0):
    """A lesson in which each take repeats the two halves of its turn, embeddings and velocities of their own."""
    rng, lesson, at_s = np.random.default_rng(seed), Lesson("exercise", 1, RATE_HZ), 0.0
    for turn in takes:
        for tick in range(round((take_s + 1) * RATE_HZ)):
            at_s += 1 / RATE_HZ
            moves = tick < take_s * RATE_HZ
            features = np.zeros((13, 5), np.float32)
            features[:, 2:4] = turn[tick // 4 % 2] if moves else 0
            features[:, 2:4] += rng.normal(0, 0.01, (13, 2))
            lesson.add(round(at_s * 1e9), 1.0 if moves else 0.0, features[:2, 2:4].reshape(4), features)
    return lesson


def test_an_exercise_that_repeats_is_told_sooner_than_its_takes_are_long():
    """Not from two takes, nor where one part of a take is not told by the others."""
    turn, other = np.random.default_rng(1).normal(size=(2, 2, 13, 2))
    again = lesson_of_turns(turn, turn, turn).learnt(space())
    assert again.window_s == 3.0 and len(again.takes) == 3 and again.limit < 1
    assert lesson_of_turns(turn, turn).learnt(space()).window_s == 4.0
    assert lesson_of_turns(turn, turn, -other).learnt(space()).window_s == 4.0
