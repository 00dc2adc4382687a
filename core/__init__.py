"""The pure domain: no framework, no input or output, no clock, no data frames."""
