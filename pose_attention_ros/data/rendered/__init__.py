"""Clips that the project draws itself: articulated figures acting in clutter, with joints and labels."""
