"""Requests that nobody would write on purpose, as hypothesis strategies, and what must hold of
their answers.

`texts` to `envelopes` make messages from the inside out, `mutations` and `transport` spoil them,
`kinds` lists what there is. `stage` sends them to a service and `judging` holds the answers against
the protocol.
"""
