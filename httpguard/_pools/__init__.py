"""Connection pools as the guard knows them, and their figures."""
