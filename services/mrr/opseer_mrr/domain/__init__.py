"""MRR and its movements: pure, exact, without I/O."""
