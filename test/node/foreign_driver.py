"""A camera driver that is not ours, in a process of its own: plain rclpy, Fast DDS as it comes, nothing of this package.

foreign_driver.py TOPIC RELIABILITY FORM RATE_HZ [WIDTH HEIGHT [STAMPS]]: publishes noise until it is ended, and prints how
many images that were. FORM: raw or compressed; STAMPS: now, zero, still (the same for ever), twice (each image twice),
swapped (every fifth is late) or holes (every fourth image is not sent).
"""

import array
import os
import sys
import time

import cv2
import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image


def image(form: str, width: int, height: int) -> Image | CompressedImage:
    """A picture that no coder can make small."""
    pixels = np.random.default_rng(0).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    pixels = cv2.resize(pixels, (width, height))
    data = array.array("B")
    if form == "compressed":
        data.frombytes(cv2.imencode(".jpg", pixels)[1].tobytes())
        return CompressedImage(format="jpeg", data=data)
    data.frombytes(pixels.tobytes())
    return Image(height=height, width=width, encoding="bgr8", step=3 * width, data=data)


def moment(stamps: str, number: int) -> Time:
    """The stamp of image `number`."""
    if stamps == "zero":
        return Time()
    now_ns = time.time_ns()
    if stamps == "still":
        now_ns = START_NS - 1000 * 10**9
    elif stamps == "twice":
        now_ns = START_NS + number // 2 * 10**8
    elif stamps == "holes":
        now_ns = START_NS + round(number / float(rate_hz) * 10**9)
    elif stamps == "swapped":
        now_ns = START_NS + (number - 2 * (number % 5 == 4)) * 10**8 + 10**7 * (number % 5 == 4)
    return Time(sec=now_ns // 10**9, nanosec=now_ns % 10**9)


START_NS = time.time_ns()
topic, reliability, form, rate_hz = sys.argv[1:5]
width, height = map(int, sys.argv[5:7] or (640, 480))
stamps = sys.argv[7] if len(sys.argv) > 7 else "now"
rclpy.init()
node = rclpy.create_node(f"driver_{os.getpid()}")
profile = QoSProfile(depth=5, reliability=getattr(ReliabilityPolicy, reliability.upper()))
publisher = node.create_publisher(CompressedImage if form == "compressed" else Image, topic, profile)
message, number, began = image(form, width, height), 0, time.monotonic()
message.header.frame_id = "foreign"
while rclpy.ok():
    message.header.stamp = moment(stamps, number)
    if stamps != "holes" or number % 4:
        publisher.publish(message)
    number += 1
    print(number, flush=True)
    time.sleep(max(0.0, began + number / float(rate_hz) - time.monotonic()))
