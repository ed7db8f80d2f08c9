"""Speed and accuracy of coldspot beside other tools, measured live: `python -m benchmarks.run`."""
