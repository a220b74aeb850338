"""Workers of deliveries that are killed at every await, and receivers that are not."""
