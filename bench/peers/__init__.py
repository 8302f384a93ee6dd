"""What a user would pick instead: each started for one benchmark, on loopback, in a new folder."""
