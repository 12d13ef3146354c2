"""Synthetic webcam people: bodies, hair, clothes, light, places, cameras, and exact labels.

Run `python -m training.synth --help`. Camera space everywhere is OpenGL's: x right, y up,
z toward the viewer; metres; colour is linear RGB unless a name says sRGB.
"""
