"""``python -m aggregator`` is the ``aggregator`` command."""

from __future__ import annotations

from aggregator.cli.main import main

if __name__ == "__main__":
    main(prog_name="aggregator")
