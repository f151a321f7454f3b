"""What the clients do of themselves: measured, with no guard."""
