"""What fits on a host: how its stores and volume groups are filled, what they promise, and which limits they can honour."""
