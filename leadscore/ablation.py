"""What each feature of a run is worth."""
