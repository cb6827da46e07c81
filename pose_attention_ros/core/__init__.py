"""The recognition itself, without ROS, torch, files or network.

Beside the rooms lie the pipeline with its two stages, and what every room uses: records, settings, errors.
"""
