"""How calls travel: the traffic of one client, over a WebSocket or over HTTP."""
