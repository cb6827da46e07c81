"""Time: which stamps count, the rate of a stream, ticks at a model's rate, the clocks of two machines."""
