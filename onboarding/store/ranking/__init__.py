"""decisions, outcomes, mutes, which version serves -> SQL, or memory; versions -> folders."""
