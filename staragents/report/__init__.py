"""Pages that show a run, a comparison, a replay or scores: charts, tables, templates, the dataset card."""
