"""
OpenMetadata's REST API, as far as we use it: a thin client, the messages, and how an FQN becomes a path.

``metadata.openmetadata`` asks for names by it, ``delivery.openmetadata`` writes lineage. Both need the extra ``openmetadata``.
"""
