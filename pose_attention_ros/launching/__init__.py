"""What the launch files share: arguments that are checked, nodes that are watched, and a board's profile."""
