"""
An OpenMetadata server as metadata.

    entities   what the server says of a table or a container → ``Entity``; pure
    search     questions to its index, cut to what fits into a request; pure
    server     those questions asked
    cache      the answers of the last minutes, shared by kernels and workers
    metadata   the port: what the cache knows, and the server for the rest
"""
