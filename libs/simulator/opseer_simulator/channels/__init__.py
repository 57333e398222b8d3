"""What the company's other two channels have in common."""
