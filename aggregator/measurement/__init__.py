"""The measurement archive: network measurements, told in the NMWG message protocol of perfSONAR.

``from aggregator.measurement import perfSONARBUOY``: the service under the names of its original.
"""

from aggregator.measurement.perfsonarbuoy import perfSONARBUOY

__all__ = ["perfSONARBUOY"]
