"""facts, questions, self-models, graph -> SQL, or memory; the desk over them."""
