"""The node agent: runs a site's collectors on a node and reports what they collect."""
