"""Actions taught by showing them: no training, no torch. A take becomes a point of a space that belongs to the model; what
is close enough to the takes is the action."""
