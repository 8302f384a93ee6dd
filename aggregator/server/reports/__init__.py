"""Reports over HTTP: nodes report, clients ask and watch (docs/reports.md)."""
