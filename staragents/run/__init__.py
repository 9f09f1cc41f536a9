"""What is left to do in a run, when it stops, its results (dataset, report, card), and repair of damage."""
