"""Who: bodies of any shape and age, scanned face relief, skin."""
