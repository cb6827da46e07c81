"""From one person's features to a label: what a recogniser is, the evidence it keeps, when a label is given."""
