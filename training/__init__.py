"""Training of the geometry network: synthetic people, model, losses, evaluation, export."""
