"""the composed product, questions with known answers -> figures -> report, release gates."""
