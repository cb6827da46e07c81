"""A video that may be shown to anybody: two people, drawn, who exercise and wave in a drawn room.

    python -m benchmarks.page_scene out/scene.mp4
    pose-attention view --source out/scene.mp4
    python -m benchmarks.page_scene out/scene.mp4 --picture docs/pictures/web.webp     # and the page, by Chromium

The motions are those of `pose-attention data simulate actions`, the bodies those of `pose-attention data render`.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from pose_attention_ros.data.rendered import drawing, figure
from pose_attention_ros.data.simulated import exercises, gestures, scripts, standing
from pose_attention_ros.data.simulated.body import INDEX, Body
from pose_attention_ros.data.simulated.track import FPS, Track

SIZE = (960, 540)
SECONDS = 60
ROWS = [INDEX[joint] for joint in figure.LAYOUT.joints]
FLOOR_PX = 455.0  # height in the image of the feet
PIXELS_A_METRE = 215.0
SKINS = ((170, 195, 230), (80, 110, 160))
Act = Callable[[Track], None]
EXERCISES = ("jumping_jacks", "squat", "wave", "clap")
WAITING = f"""() => {{
    const labels = Array.from(document.querySelectorAll("#people .person"), (person) => person.dataset.label);
    return labels.length < 2 || !labels.every((label) => {list(EXERCISES)}.includes(label));
}}"""


def upright(gesture: gestures.Gesture) -> Act:
    """A gesture of a body that stands."""
    return lambda track: gesture(track, standing.upright(track))


WAVE, CLAP = upright(gestures.wave), upright(gestures.clap)
# (clothes, middle of the person in the image, seed, what is done again and again)
CAST: tuple[tuple[drawing.Clothes, float, int, Sequence[Act]], ...] = (
    (
        drawing.Clothes(SKINS[0], (40, 60, 95), (150, 90, 40), (70, 60, 55), (40, 40, 45), True, True),
        290.0,
        5,
        (WAVE, standing.stand, exercises.squats, standing.stand, CLAP, WAVE),
    ),
    (
        drawing.Clothes(SKINS[1], (25, 30, 40), (70, 110, 205), (120, 105, 60), (60, 60, 60), False, True),
        680.0,
        8,
        (exercises.jumping_jacks, exercises.jumping_jacks, standing.stand, exercises.squats, WAVE),
    ),
)


def joints_in_metres(seed: int, acts: Sequence[Act]) -> tuple[np.ndarray, Body]:
    """(n, V, 3) of figure.LAYOUT, x to the person's left, y up from the floor, z towards the camera."""
    rng = np.random.default_rng(seed)
    body = Body.drawn(rng)
    while body.kind != "adult":
        body = Body.drawn(rng)
    track = scripts.begun(rng, body, "standing", 0.0)
    while track.seconds < SECONDS:
        for act in acts:
            act(track)
    track.cut(SECONDS * FPS)
    return track.placed()[:, ROWS], body


def room() -> np.ndarray:
    """(540, 960, 3) uint8 BGR: a wall, a floor, a window, a shelf, a plant."""
    image = np.full((SIZE[1], SIZE[0], 3), (206, 214, 218), np.uint8)
    wall = 370
    image[wall:] = (128, 156, 182)
    for line, y in enumerate((388, 412, 444, 488)):  # boards
        cv2.line(image, (0, y), (SIZE[0], y), (116, 143, 168), 1 + line // 2, cv2.LINE_AA)
    cv2.rectangle(image, (0, wall - 10), (SIZE[0], wall), (232, 236, 238), -1)
    cv2.rectangle(image, (408, 60), (560, 230), (240, 243, 245), -1)
    for left in (416, 488):
        cv2.rectangle(image, (left, 68), (left + 64, 222), (226, 205, 170), -1)
    cv2.rectangle(image, (820, 150), (950, 158), (95, 125, 150), -1)
    for left, height, colour in (
        (832, 50, (120, 90, 70)),
        (850, 62, (90, 120, 160)),
        (872, 44, (100, 140, 110)),
        (896, 56, (80, 80, 130)),
    ):
        cv2.rectangle(image, (left, 150 - height), (left + 15, 150), colour, -1)
    for angle in range(-60, 61, 20):
        cv2.ellipse(
            image, (70 + angle // 2, 270 - 20), (12, 62), angle, 0, 360, (85, 125 - abs(angle) // 4, 80), -1, cv2.LINE_AA
        )
    cv2.fillConvexPoly(image, np.array([(42, 300), (98, 300), (88, 372), (52, 372)]), (95, 115, 190), cv2.LINE_AA)
    return image


def draw(out: Path) -> None:
    """Write the video."""
    people = []
    for clothes, middle_px, seed, acts in CAST:
        xyz, body = joints_in_metres(seed, acts)
        height_px = body.height_m * PIXELS_A_METRE
        start = xyz[0].mean(0)
        across, near = xyz[..., 0] - start[0], xyz[..., 2] - start[2]
        points_px = np.stack([middle_px + PIXELS_A_METRE * across, FLOOR_PX - PIXELS_A_METRE * xyz[..., 1] + 25 * near], -1)
        people.append((points_px, near / body.height_m, clothes, height_px))
    ground, average = room(), figure.Body()
    out.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(out), cv2.VideoWriter_fourcc(*"mp4v"), FPS, SIZE)
    for frame in range(SECONDS * FPS):
        image = ground.copy()
        for points_px, depths, clothes, height_px in people:
            feet = points_px[frame, :, 0].mean()
            cv2.ellipse(image, (round(feet), round(FLOOR_PX) + 8), (70, 12), 0, 0, 360, (108, 134, 158), -1, cv2.LINE_AA)
            drawing.figure(image, points_px[frame], depths[frame], average, clothes, height_px, 0.0)
        writer.write(image)
    writer.release()


def photograph(video: Path, picture: Path, after_s: float) -> None:
    """The page on `video`, on a desktop and on a phone side by side, at the first moment after `after_s` at which the
    label of everybody is one of EXERCISES."""
    from playwright import sync_api

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    viewer = subprocess.Popen(
        ["pose-attention", "view", "--source", str(video), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        address = next(found.group() for line in viewer.stdout or () if (found := re.search(r"http://\S+", line)))
        with sync_api.sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            pages = [
                browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
                for width, scheme in ((1200, "light"), (390, "dark"))
            ]
            for page in pages:
                page.goto(address)
            page.wait_for_timeout(1000 * after_s)
            while page.evaluate(WAITING) and viewer.poll() is None:
                page.wait_for_timeout(100)
            taken = [cv2.imdecode(np.frombuffer(page.screenshot(), np.uint8), cv2.IMREAD_COLOR) for page in pages]
            browser.close()
        cv2.imwrite(
            str(picture),
            np.hstack([taken[0], np.full((844, 20, 3), 255, np.uint8), taken[1]]),
            [cv2.IMWRITE_WEBP_QUALITY, 82],
        )
    finally:
        viewer.terminate()
        viewer.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path, metavar="OUT.mp4")
    parser.add_argument("--picture", type=Path, metavar="FILE.webp", help="photograph the page on this video, too")
    parser.add_argument("--after-s", type=float, default=20.0, help="seconds before the picture")
    args = parser.parse_args()
    draw(args.out)
    if args.picture:
        photograph(args.out, args.picture, args.after_s)


if __name__ == "__main__":
    main()
