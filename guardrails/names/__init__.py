"""text -> blocks -> [a killable process: words -> network] -> spans of people, places, companies.

The network itself stands in `retrieval` (`naming.py`, `name_tagger.py`), with the encoder that it
is made of; whoever wires a pool names it as the target.
"""
