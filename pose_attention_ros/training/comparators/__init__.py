"""Training of the compared recognisers: RPAN, Where to Focus, temporal attention."""
