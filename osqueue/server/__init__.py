"""The broker's acts towards clients: sockets, HTTP, WebSocket, and the road to the broker."""
