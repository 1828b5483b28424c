"""A host as a sos archive tells of it: the archive, its manifest, and what follows from what sos asked."""
