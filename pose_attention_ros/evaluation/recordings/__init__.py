"""A recording, or a live graph, judged against labels: one bag, many bags, topics."""
