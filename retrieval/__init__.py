"""question -> encode -> Index.search -> rank -> passages -> confidence -> numbered citations."""
