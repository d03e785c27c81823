"""
An OpenMetadata server as metadata.

    entities   what the server says of a table or a container → ``Entity``; pure
    search     questions to its index, cut to what fits into a request; pure
    details    what a person is told beside names; pure
    server     requests, several side by side
    lookups, lists, reports, places    what is asked: names, lists, tests and figures, catalogs
    completion an FQN's next part
    cache      the answers of the last minutes, shared by kernels and workers
    metadata   the port: what the cache knows, and the server for the rest
"""
