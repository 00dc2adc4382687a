"""Pages to read: the only place that imports plotly. No page asks any other address for anything."""
