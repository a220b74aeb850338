"""One group of figures a file; each takes an Evaluation and gives named values."""
