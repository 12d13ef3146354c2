"""The webcam: lens, sensor, processing, codec."""
