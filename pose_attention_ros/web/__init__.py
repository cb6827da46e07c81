"""The page in a browser and its server. It knows no ROS: whoever has results feeds it (nodes/web.py, cli/view.py)."""
