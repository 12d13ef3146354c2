"""Motion: speech, gaze and gestures over a few frames, posed, kept and filmed."""
