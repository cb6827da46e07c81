"""Detector and crop: a detector of people now and then, and on each of them a network for one person."""
