"""HTTP as the gateway speaks it: strict in what it takes, plain in what it says."""
