"""What they wear and hold: hair, beards, clothes, hats, glasses, headphones, cups."""
