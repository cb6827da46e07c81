"""One body: joint layouts, the graph of its limbs, smoothing, features, crops."""
