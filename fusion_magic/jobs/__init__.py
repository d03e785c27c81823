"""
The use cases: what happens to one statement between the cell and the store.

``names`` resolves, ``prepare`` translates, ``run`` submits and drives, ``outbox`` says what
OpenMetadata must learn of it, ``notices`` what the user must. They know the rooms outside by their ports alone.
"""
