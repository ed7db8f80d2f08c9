"""The explorer: a small web page of machines, with sliders, maps, ledgers and curves, served to this computer alone."""
