"""Pure inference: frames or arrays in, dataclasses out. Filled by the issues on models and experiments."""
