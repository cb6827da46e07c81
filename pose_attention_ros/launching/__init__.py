"""What the launch files share: arguments that are checked, and nodes that are watched."""
