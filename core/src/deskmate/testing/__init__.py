"""For tests of Deskmate and of plugins: doubles of the ports, and the suites that real and double pass alike."""
