"""Pure inference: frames or arrays in, dataclasses out. No clock, no input or output; seeds come in."""
