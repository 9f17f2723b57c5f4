"""The words on the wire: messages, their encodings, and the names of errors.

Server and client share this package; it knows nothing about sockets, and imports only the core.
"""
