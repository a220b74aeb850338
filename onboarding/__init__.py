"""events -> features -> profile -> journey -> ranked actions."""
