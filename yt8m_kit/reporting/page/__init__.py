"""The report page of a recipe: one HTML file with tables and charts."""
