"""Sequences of one articulated body that is simulated in 3D: standing, walking, sitting, lying, and falls of every kind."""
