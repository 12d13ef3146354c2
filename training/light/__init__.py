"""The light network: what falls on a person, better than one layer of depth can tell."""
