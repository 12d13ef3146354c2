"""Where they are: the camera's place, light, rooms, clutter."""
