"""sctune: doctor, tuner and meter for Linux hosts that serve block volumes."""
