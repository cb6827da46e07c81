"""Several people: who is who from frame to frame, and where each stands."""
