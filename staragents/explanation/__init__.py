"""Why one seed became what it became, from what its run saved."""
