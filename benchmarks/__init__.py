"""One script a claim: each prints JSON objects with a ratio to a named peer or limit, measured in the same run."""
