"""
The use cases: what happens to one statement between the cell and the store.

``resolve`` looks names up, ``translate`` replaces them, ``run`` submits and drives, ``lineage_rows`` says what
OpenMetadata must learn of it, ``governance`` what the user must, and ``limits`` what it may take. They know the rooms outside by their ports alone.
"""
