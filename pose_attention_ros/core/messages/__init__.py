"""Messages read into the records of core, on any object with their fields: no ROS is needed."""
