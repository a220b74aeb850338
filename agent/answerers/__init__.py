"""question, passages -> drafted units, unverified; import the answerer that you want by file."""
