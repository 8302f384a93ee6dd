"""Long runs against the service, for a desk and for a release; ``bench/run`` starts them."""
