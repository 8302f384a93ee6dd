"""The measurement archive: network measurements, told in the NMWG message protocol of perfSONAR."""
