"""model name -> source folder -> converted once -> [graph + tokenizer] -> unit vectors."""
