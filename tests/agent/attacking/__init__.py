"""An attacker where the model should be: every goal, by every way in, in every disguise.

seed -> case (goal, source, encoding, tool) -> a conversation on a real floor -> what went wrong

The attacker needs no language model: it knows what it wants and says just that, whatever it reads.
What a floor let happen is counted by the shop, not by Embark.
"""
