"""HTTP's own: heads, bodies, paths, statuses, origins, and the front end over the dispatch."""
